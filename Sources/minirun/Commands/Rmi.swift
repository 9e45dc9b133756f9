import Build
import Images
import OCI
import Runner

/// `minirun rmi`
enum RmiCommand {
    static let verb = Verb(
        ["image rm", "image remove", "rmi"],
        "Remove one or more images",
        usage: "[OPTIONS] IMAGE [IMAGE...]",
        arguments: .atLeast(1),
        completes: .image,
        options: ImageOptions.remove,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let force = parsed.flag("force")
        return try Installation.withEngine(parsed.globals) { engine in
            try engine.recover()
            let containers = try engine.containers.all()
            let exitCode = try Installation.each(parsed.positional, forgiving: force) { name in
                let events = try engine.images.remove(name, force: force) { id in
                    containers.filter { $0.imageID == id.description }.map {
                        ContainerUse(id: $0.id, isRunning: $0.status == .running)
                    }
                }
                Console.print(events.map { "\($0)\n" }.joined())
            }
            try engine.collect(keeping: BuildCache(engine.images).roots)
            return exitCode
        }
    }
}
