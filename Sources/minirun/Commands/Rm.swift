import Build
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
            var freesImage = false
            let exitCode = try Installation.each(parsed.positional, forgiving: force) { name in
                let container = try engine.containers.named(name)
                if force { try engine.forceRemove(container) } else { try engine.remove(container) }
                // An image that was removed under it lived on in the container alone.
                if !engine.hasImage(of: container) { freesImage = true }
                Console.print("\(name)\n")
            }
            if freesImage { try engine.collect(keeping: BuildCache(engine.images).roots) } else { try engine.settle() }
            return exitCode
        }
    }
}
