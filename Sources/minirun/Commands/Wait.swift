import OCI
import Runner

/// `minirun wait`
enum WaitCommand {
    static let verb = Verb(
        ["container wait", "wait"],
        "Block until one or more containers stop, then print their exit codes",
        usage: "CONTAINER [CONTAINER...]",
        arguments: .atLeast(1),
        completes: .container,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        try Installation.reading(parsed.globals) { engine in
            try Installation.each(parsed.positional, forgiving: false) { name in
                Console.print("\(try engine.wait(for: engine.containers.named(name)))\n")
            }
        }
    }
}
