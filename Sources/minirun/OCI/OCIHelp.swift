import OCI
import Runtime

/// Help in the form of runc's. Every text ends with a line feed.
extension OCIProgram {
    var help: String {
        let padding = OCICommands.table.map(\.name.count).max() ?? 0
        var text = """
            NAME:
               \(name) - Open Container Initiative runtime

            USAGE:
               \(path) [global options] command [command options] [arguments...]

            VERSION:
               \(Version.number)

            COMMANDS:

            """
        for verb in OCICommands.table {
            text += "   \(verb.name)\(String(repeating: " ", count: padding - verb.name.count))  \(verb.summary)\n"
        }
        return text + "\nGLOBAL OPTIONS:\n" + OCIProgram.lines(OCIGlobals.options)
    }

    func help(for verb: OCIVerb) -> String {
        let options = verb.options()
        let line = "\(path) \(verb.name)"
        var text = "NAME:\n   \(line) - \(verb.summary)\n\nUSAGE:\n   \(line)"
        if !options.isEmpty { text += " [command options]" }
        text += verb.usage.isEmpty ? "\n" : " \(verb.usage)\n"
        return text + "\nOPTIONS:\n" + OCIProgram.lines(options)
    }

    /// `--bundle value, -b value  what it is`
    private static func lines(_ options: [Option]) -> String {
        var lines: [(left: String, right: String)] = []
        for option in options where !option.hidden {
            let value = option.valueKind == nil ? "" : " value"
            let short = option.short.map { ", -\($0)\(value)" } ?? ""
            let shown = option.defaultValue.map { " (default: \($0))" } ?? ""
            lines.append(("--\(option.name)\(value)\(short)", option.help + shown))
        }
        lines.append(("--help, -h", "show help"))
        let width = lines.map(\.left.count).max() ?? 0
        return lines.reduce("") { text, line in
            text + "   \(line.left)\(String(repeating: " ", count: width - line.left.count))  \(line.right)\n"
        }
    }

    /// runc's lines: dockerd takes the name and the number from the first, cri-o logs all.
    var version: String {
        var text = "\(name) version \(Version.number)\ncommit: \(Version.commit)\nspec: \(RuntimeSpec.version)\n"
        if let version = RuntimeFeatures.libseccompVersion { text += "libseccomp: \(version)\n" }
        return text
    }
}
