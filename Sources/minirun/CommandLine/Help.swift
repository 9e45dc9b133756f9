/// Help in docker's layout. Every text ends with a line feed.
extension CommandTable {
    /// `minirun --help`.
    func help(width: Int) -> String {
        let listed = verbs.compactMap { verb in
            verb.hidden ? nil : CommandTable.shownName(of: verb, in: nil).map { (name: String($0), verb: verb) }
        }
        let common = listed.filter(\.verb.common).map { ($0.name, $0.verb.summary) }
        var others = listed.filter { !$0.verb.common }.map { ($0.name, $0.verb.summary) }
        others.append(("completion", CommandTable.completionSummary))
        others.sort { $0.0 < $1.0 }
        let managed = groups.map { ($0.name, $0.summary) }.sorted { $0.0 < $1.0 }
        let padding = CommandTable.padding((common + others + managed).map(\.0))
        var text = "Usage:  \(program) [OPTIONS] COMMAND\n\n\(summary)\n"
        text += CommandTable.section("Common Commands", common, padding: padding)
        text += CommandTable.section("Management Commands", managed, padding: padding)
        text += CommandTable.section("Commands", others, padding: padding)
        text += "\nGlobal Options:\n" + CommandTable.optionLines(CommandTable.globalOptions, width: width)
        return text + "\nRun '\(program) COMMAND --help' for more information on a command.\n"
    }

    /// `minirun container --help`.
    func help(for group: VerbGroup) -> String {
        let listed = verbs.compactMap { verb in
            verb.hidden ? nil : CommandTable.shownName(of: verb, in: group.name).map { (String($0), verb.summary) }
        }.sorted { $0.0 < $1.0 }
        let padding = CommandTable.padding(listed.map(\.0))
        let path = "\(program) \(group.name)"
        return "Usage:  \(path) COMMAND\n\n\(group.summary)\n"
            + CommandTable.section("Commands", listed, padding: padding)
            + "\nRun '\(path) COMMAND --help' for more information on a command.\n"
    }

    /// `minirun run --help`. `form` is the one that the usage line shows.
    func help(for verb: Verb, form: String, width: Int) -> String {
        let path = "\(program) \(form)"
        var text = "Usage:  \(verb.usage.isEmpty ? path : "\(path) \(verb.usage)")\n\n\(verb.summary)\n"
        if verb.forms.count > 1 {
            text += "\nAliases:\n  \(verb.forms.map { "\(program) \($0)" }.joined(separator: ", "))\n"
        }
        let options = verb.options()
        let shown = options.filter(\.isShown)
        if !shown.isEmpty { text += "\nOptions:\n" + CommandTable.optionLines(shown, width: width) }
        text += CommandTable.deferredLines(options, width: width)
        return text
    }

    static func deferredNames(_ options: [Option]) -> [String] {
        options.filter { $0.deferral?.reason.isEmpty == false }.map { "--\($0.name)" }.sorted()
    }

    /// The names of docker's options that are known here and not carried out.
    private static func deferredLines(_ options: [Option], width: Int) -> String {
        let names = deferredNames(options)
        if names.isEmpty { return "" }
        // As wide as the wrapping allows; it leaves room for what a table's column needs.
        let lines = TextWrapping.lines(names.joined(separator: ", "), width: width + 2)
        return "\nNot supported yet, except for what is the case anyway:\n"
            + lines.map { "  \($0)\n" }.joined()
    }

    /// Names are padded to eleven characters, or to the longest.
    private static func padding(_ names: [String]) -> Int { max(11, names.map(\.count).max() ?? 0) }

    private static func section(_ title: String, _ lines: [(String, String)], padding: Int) -> String {
        if lines.isEmpty { return "" }
        return lines.reduce("\n\(title):\n") { text, line in
            text + "  \(line.0)\(String(repeating: " ", count: padding - line.0.count)) \(line.1)\n"
        }
    }

    /// The options sorted by name, their texts in one column and wrapped.
    static func optionLines(_ options: [Option], width: Int) -> String {
        let lines = options.filter(\.isShown).sorted { $0.name < $1.name }.map { option in
            let short = option.short.map { "-\($0), " } ?? "    "
            return (left: "  \(short)--\(option.name)\(option.placeholder)", right: option.helpText)
        }
        let column = (lines.map(\.left.count).max() ?? 0) + 3
        let indent = "\n" + String(repeating: " ", count: column)
        return lines.reduce("") { text, line in
            let gap = String(repeating: " ", count: column - line.left.count)
            let right = TextWrapping.lines(line.right, width: width - 1 - column).joined(separator: indent)
            return text + line.left + gap + right + "\n"
        }
    }
}

extension Option {
    /// The help with the default at its end.
    var helpText: String {
        guard let text = defaultValue, !text.isEmpty else { return help }
        switch valueKind?.word {
        case "string": return "\(help) (default \(text.goQuoted))"
        default: return "\(help) (default \(text))"
        }
    }
}

enum TextWrapping {
    /// Breaks at blanks so that lines stay five columns short of `width`, unless all of the rest fits; line feeds stay.
    /// Too narrow a column is not wrapped at all.
    static func lines(_ text: String, width: Int) -> [String] {
        let given = text.split(separator: "\n", omittingEmptySubsequences: false)
        if width < 24 { return given.map(String.init) }
        return given.flatMap { line in
            var lines: [String] = []
            var rest = line
            while rest.count > width - 1, let space = rest.prefix(width - 5).lastIndex(of: " "), space > rest.startIndex
            {
                lines.append(String(rest[..<space]))
                rest = rest[rest.index(after: space)...]
            }
            lines.append(String(rest))
            return lines
        }
    }
}
