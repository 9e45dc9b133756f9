/// A command line that cannot be understood: the whole text for stderr, as docker words it, and the exit code.
struct CommandLineError: Error, CustomStringConvertible, Equatable, Sendable {
    /// Without the last line feed.
    let text: String
    let exitCode: Int32

    var description: String { text }

    /// A bad option: 125. `path` is the program and the verb ("minirun run"), `usage` the whole usage line.
    static func option(_ message: String, path: String, usage: String) -> CommandLineError {
        CommandLineError(
            text: "\(message)\n\nUsage:  \(usage)\n\nRun '\(path) --help' for more information",
            exitCode: 125
        )
    }

    /// A wrong number of arguments: 1. docker says "See" where arguments are missing and "Run" elsewhere.
    static func arguments(_ count: ArgumentCount, program: String, path: String, usage: String) -> CommandLineError {
        var verb = "Run"
        if case .atLeast = count { verb = "See" }
        return CommandLineError(
            text:
                "\(program): '\(path)' \(count.demand)\n\nUsage:  \(usage)\n\n"
                + "\(verb) '\(path) --help' for more information",
            exitCode: 1
        )
    }

    /// A verb that does not exist, or not yet: 1. `path` is the program, with its group if one was typed.
    static func unknownVerb(_ name: String, program: String, path: String, group: String? = nil) -> CommandLineError {
        if DeferredVerbs.contains(name, in: group) {
            let words = group.map { "\($0) \(name)" } ?? name
            return CommandLineError(text: "\(program): \(words): not supported yet", exitCode: 1)
        }
        let usage = path == program ? "" : "Usage:  \(path)\n\n"
        return CommandLineError(
            text: "\(program): unknown command: \(path) \(name)\n\n\(usage)Run '\(path) --help' for more information",
            exitCode: 1
        )
    }
}

/// A value that does not follow docker's syntax. The message is docker's.
struct ValueError: Error, CustomStringConvertible, Sendable {
    let message: String

    init(_ message: String) { self.message = message }

    var description: String { message }
}
