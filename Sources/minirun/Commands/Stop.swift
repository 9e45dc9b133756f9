import OCI
import Runner

/// `minirun stop`
enum StopCommand {
    static let verb = Verb(
        ["container stop", "stop"],
        "Stop one or more running containers",
        usage: "[OPTIONS] CONTAINER [CONTAINER...]",
        arguments: .atLeast(1),
        completes: .container,
        options: ContainerListOptions.stop,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let signal = try parsed.value("signal").map(ContainerRequest.signal)
        let timeout = try parsed.integer("timeout").map { Int(clamping: $0) }
        return try Installation.reading(parsed.globals) { engine in
            try Installation.each(parsed.positional, forgiving: false) { name in
                try engine.stop(engine.containers.named(name), signal: signal, timeout: timeout)
                Console.print("\(name)\n")
            }
        }
    }
}
