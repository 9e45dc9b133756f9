@testable import minirun

/// The real verbs, under any program's name.
enum SampleTable {
    static func table(program: String = "minirun") -> CommandTable {
        CommandTable(
            program: program,
            summary: "A daemonless engine for containers",
            groups: Commands.table.groups,
            makers: Commands.table.makers
        )
    }
}
