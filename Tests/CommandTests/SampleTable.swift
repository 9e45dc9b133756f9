@testable import minirun

/// The verbs whose options exist, with nothing behind them.
enum SampleTable {
    static func table(program: String = "minirun") -> CommandTable {
        CommandTable(
            program: program,
            summary: "A daemonless engine for containers",
            groups: [
                VerbGroup("builder", "Manage builds"), VerbGroup("container", "Manage containers"),
                VerbGroup("image", "Manage images"), VerbGroup("system", "Manage the engine"),
            ],
            verbs: verbs
        )
    }

    private static let nothing: @Sendable (ParsedArguments) throws -> Int32 = { _ in 0 }

    private static let verbs: [Verb] = [
        Verb(
            ["container run", "run"],
            "Create and run a new container from an image",
            usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
            arguments: .atLeast(1),
            completes: .image,
            interspersed: false,
            common: true,
            options: RunOptions.all,
            run: nothing
        ),
        Verb(
            ["container ls", "container list", "container ps", "ps"],
            "List containers",
            usage: "[OPTIONS]",
            arguments: .none,
            common: true,
            options: ContainerListOptions.list,
            run: nothing
        ),
        Verb(
            ["image build", "build", "builder build"],
            "Build an image from a Dockerfile",
            usage: "[OPTIONS] PATH | URL | -",
            arguments: .exactly(1),
            completes: .directory,
            common: true,
            options: BuildOptions.all,
            run: nothing
        ),
        Verb(
            ["image ls", "image list", "images"],
            "List images",
            usage: "[OPTIONS] [REPOSITORY[:TAG]]",
            arguments: .atMost(1),
            completes: .image,
            common: true,
            options: ImageOptions.list,
            run: nothing
        ),
        Verb(
            ["version"],
            "Show the version information",
            usage: "[OPTIONS]",
            arguments: .none,
            common: true,
            options: SystemOptions.version,
            run: nothing
        ),
        Verb(
            ["system info", "info"],
            "Display system-wide information",
            usage: "[OPTIONS]",
            arguments: .none,
            common: true,
            options: SystemOptions.info,
            run: nothing
        ),
        Verb(
            ["container rm", "container remove", "rm"],
            "Remove one or more containers",
            usage: "[OPTIONS] CONTAINER [CONTAINER...]",
            arguments: .atLeast(1),
            completes: .container,
            options: ContainerListOptions.remove,
            run: nothing
        ),
        Verb(
            ["container inspect"],
            "Display detailed information on one or more containers",
            usage: "[OPTIONS] CONTAINER [CONTAINER...]",
            arguments: .atLeast(1),
            completes: .container,
            options: ContainerListOptions.inspect,
            run: nothing
        ),
        Verb(
            ["image inspect"],
            "Display detailed information on one or more images",
            usage: "[OPTIONS] IMAGE [IMAGE...]",
            arguments: .atLeast(1),
            completes: .image,
            options: ImageOptions.inspect,
            run: nothing
        ),
        Verb(
            ["inspect"],
            "Return low-level information on containers and images",
            usage: "[OPTIONS] NAME|ID [NAME|ID...]",
            arguments: .atLeast(1),
            completes: .container,
            options: SystemOptions.inspect,
            run: nothing
        ),
        Verb(
            ["image history", "history"],
            "Show the history of an image",
            usage: "[OPTIONS] IMAGE",
            arguments: .exactly(1),
            completes: .image,
            options: ImageOptions.history,
            run: nothing
        ),
        Verb(
            ["image tag", "tag"],
            "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
            usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
            arguments: .exactly(2),
            completes: .image,
            interspersed: false,
            run: nothing
        ),
        Verb(
            ["image rm", "image remove", "rmi"],
            "Remove one or more images",
            usage: "[OPTIONS] IMAGE [IMAGE...]",
            arguments: .atLeast(1),
            completes: .image,
            options: ImageOptions.remove,
            run: nothing
        ),
        Verb(
            ["image load", "load"],
            "Load an image from a tar archive or STDIN",
            usage: "[OPTIONS]",
            arguments: .none,
            options: ImageOptions.load,
            run: nothing
        ),
        Verb(
            ["image save", "save"],
            "Save one or more images to a tar archive (streamed to STDOUT by default)",
            usage: "[OPTIONS] IMAGE [IMAGE...]",
            arguments: .atLeast(1),
            completes: .image,
            options: ImageOptions.save,
            run: nothing
        ),
        Verb(
            ["image import", "import"],
            "Import the contents from a tarball to create a filesystem image",
            usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
            arguments: .between(1, 2),
            completes: .file,
            options: ImageOptions.importing,
            run: nothing
        ),
    ]
}
