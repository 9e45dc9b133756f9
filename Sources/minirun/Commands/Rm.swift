import OCI
import Runner

/// `minirun rm`
enum RmCommand {
    static let verb = Verb(
        ["container rm", "container remove", "rm"],
        "Remove one or more containers",
        usage: "[OPTIONS] CONTAINER [CONTAINER...]",
        arguments: .atLeast(1),
        completes: .container,
        options: ContainerListOptions.remove,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let force = parsed.flag("force")
        return try Installation.withEngine(parsed.globals) { engine in
            try engine.recover()
            return try Installation.each(parsed.positional, forgiving: force) { name in
                let container = try engine.containers.find(String(name.drop { $0 == "/" }))
                if force { try engine.forceRemove(container) } else { try engine.remove(container) }
                Console.print("\(name)\n")
            }
        }
    }
}
