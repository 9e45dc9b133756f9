import OCI
import Runner

/// `minirun kill`
enum KillCommand {
    static let verb = Verb(
        ["container kill", "kill"],
        "Kill one or more running containers",
        usage: "[OPTIONS] CONTAINER [CONTAINER...]",
        arguments: .atLeast(1),
        completes: .container,
        options: ContainerListOptions.kill,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let signal = try ContainerRequest.signal(parsed.value("signal") ?? "SIGKILL")
        return try Installation.reading(parsed.globals) { engine in
            try Installation.each(parsed.positional, forgiving: false) { name in
                try engine.kill(engine.containers.named(name), signal: signal)
                Console.print("\(name)\n")
            }
        }
    }
}
