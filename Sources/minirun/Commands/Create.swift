import Build
import LinuxSystem
import OCI
import Runner

/// `minirun create`
enum CreateCommand {
    static let verb = Verb(
        ["container create", "create"],
        "Create a new container",
        usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
        arguments: .atLeast(1),
        completes: .image,
        interspersed: false,
        options: RunOptions.create,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        var request = try ContainerRequest.request(parsed)
        var engine = try Installation.pullingEngine(parsed)
        let isQuiet = parsed.flag("quiet")
        engine.source = RegistryAccess.source(showing: isQuiet ? nil : 2)
        let identification = try OutputFile.identification(parsed)
        request.image = try FolderImage.built(request.image, engine, parsed) ?? request.image
        defer { try? engine.settle() }
        let container = try engine.create(
            request,
            missing: { if !isQuiet { Console.complain("Unable to find image '\($0.familiar)' locally\n") } },
            created: { id in
                try identification?.write(id)
                try identification?.commit()
            }
        )
        Console.print("\(container.id)\n")
        return 0
    }
}
