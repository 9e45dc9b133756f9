/// Every verb that a person types. The files of `Commands/` are named as they are typed.
enum Commands {
    static let table = CommandTable(
        program: "minirun",
        summary: "Builds, stores and runs container images, without a daemon",
        groups: [
            VerbGroup("builder", "Manage builds"), VerbGroup("buildx", "Manage builds"),
            VerbGroup("container", "Manage containers"),
            VerbGroup("image", "Manage images"),
            VerbGroup("manifest", "Show image manifests"), VerbGroup("system", "Manage minirun"),
        ],
        makers: [
            // The common ones, in the order in which the help shows them. They are looked for from the top.
            { RunCommand.verb }, { PsCommand.verb }, { BuildCommand.verb }, { PullCommand.verb }, { PushCommand.verb },
            { ImagesCommand.verb }, { LoginCommand.verb }, { LogoutCommand.verb }, { SearchCommand.verb },
            { VersionCommand.verb }, { InfoCommand.verb },
            // The others; the help sorts them.
            { BuilderPruneCommand.verb }, { ContainerInspectCommand.verb }, { ContainerPruneCommand.verb },
            { CreateCommand.verb }, { HistoryCommand.verb },
            { ImageDiffCommand.verb },
            { ImageExistsCommand.verb }, { ImageInspectCommand.verb }, { ImagePruneCommand.verb },
            { ImageVerifyCommand.verb }, { ImportCommand.verb }, { InspectCommand.verb }, { LoadCommand.verb },
            { KillCommand.verb }, { ManifestInspectCommand.verb }, { OciCommand.verb }, { RmCommand.verb },
            { RmiCommand.verb },
            { SaveCommand.verb }, { StartCommand.verb }, { StopCommand.verb }, { SystemCheckCommand.verb },
            { SystemDfCommand.verb }, { SystemLimitsCommand.verb },
            { SystemPruneCommand.verb }, { TagCommand.verb }, { WaitCommand.verb },
        ]
    )
}
