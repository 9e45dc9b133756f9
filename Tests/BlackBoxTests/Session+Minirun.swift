import CLinux
import TestSupport

extension Session {
    /// Through pipes; standard error goes where standard output goes.
    convenience init(_ engine: Minirun, _ arguments: [String], environment: [String: String] = [:]) throws {
        try self.init(engine.command(arguments), environment: Minirun.environment(environment))
    }

    /// On a terminal. `replaced` gives it other descriptors in the place of some of 0 to 2.
    convenience init(
        _ engine: Minirun,
        onTerminal arguments: [String],
        columns: Int = 80,
        rows: Int = 24,
        replaced: [CInt: CInt] = [:]
    ) throws {
        try self.init(
            onTerminal: engine.command(arguments),
            environment: Minirun.environment(),
            columns: columns,
            rows: rows,
            replaced: replaced
        )
    }
}
