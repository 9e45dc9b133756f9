/// Every verb that a person types. The files of `Commands/` are named as they are typed.
enum Commands {
    static let table = CommandTable(
        program: "minirun",
        summary: "Builds, stores and runs container images, without a daemon",
        groups: [
            VerbGroup("builder", "Manage builds"), VerbGroup("container", "Manage containers"),
            VerbGroup("image", "Manage images"), VerbGroup("system", "Manage minirun"),
        ],
        verbs: [
            RunCommand.verb
        ]
    )
}
