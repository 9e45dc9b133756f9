/// Man pages, from the same table as the parser and the help: one for the program, one for each verb, and for a verb's other names
/// links to it, which `man` and `man -l` follow alike.
extension CommandTable {
    struct ManPage: Sendable {
        /// "minirun-run.1"
        let file: String
        let text: String
        /// The other files that are this page.
        var links: [String] = []
    }

    func manPages(version: String, runtime: [OCIVerb], runtimeOptions: [Option]) -> [ManPage] {
        // The runtime's page tells of `oci`.
        let shown = verbs.filter { !$0.hidden && $0.forms != ["oci"] }
        var pages = [programPage(version)]
        for group in groups { pages.append(page(of: group, version)) }
        pages += shown.map { page(of: $0, version) }
        pages.append(runtimePage(version, runtime, runtimeOptions))
        return pages
    }

    private func head(_ name: String, others: [String] = [], _ summary: String, _ version: String) -> String {
        let title = name.uppercased().troff
        let names = ([name] + others).joined(separator: ", ").troff
        return """
            .TH "\(title)" 1 "" "\(program) \(version)" "\(program)"
            .SH NAME
            \(names) \\- \(summary.troff)

            """
    }

    private func programPage(_ version: String) -> ManPage {
        var text = head(program, summary, version)
        text += ".SH SYNOPSIS\n.B \(program)\n[OPTIONS] COMMAND [ARG...]\n.SH COMMANDS\n"
        for verb in verbs where !verb.hidden {
            guard let form = verb.forms.first(where: { !$0.contains(" ") }) ?? verb.forms.first else { continue }
            text += ".TP\n\\fB\(form.troff)\\fR\n\(verb.summary.troff)\n"
        }
        text += ".TP\n\\fBcompletion\\fR\n\(CommandTable.completionSummary.troff)\n"
        text += ".SH OPTIONS\n" + CommandTable.manOptions(CommandTable.globalOptions)
        text += """
            .SH ENVIRONMENT
            .TP
            \\fBMINIRUN_ROOT\\fR, \\fBMINIRUN_STATE\\fR, \\fBMINIRUN_STORAGE_DRIVER\\fR
            What \\-\\-root, \\-\\-state and \\-\\-storage\\-driver say where they are not given.
            .TP
            \\fBMINIRUN_SHIM\\fR
            The path of minirun\\-shim, where it is not the installed one.
            .TP
            \\fBDOCKER_CONFIG\\fR, \\fBDOCKER_DEFAULT_PLATFORM\\fR, \\fBDOCKER_CONTENT_TRUST\\fR, \\fBSOURCE_DATE_EPOCH\\fR
            As with docker.
            .SH "EXIT STATUS"
            That of the program which
            .B run
            runs; 125 where \(program) itself failed, 126 where the program cannot be executed, 127 where there is none. Other
            commands end with 1 where they failed.
            .SH FILES
            .TP
            .I /var/lib/minirun
            Images, layers and containers.
            .TP
            .I /run/minirun
            What a reboot ends.

            """
        return ManPage(file: "\(program).1", text: text)
    }

    private func page(of group: VerbGroup, _ version: String) -> ManPage {
        var text = head("\(program)-\(group.name)", group.summary, version)
        text += ".SH SYNOPSIS\n.B \(program) \(group.name)\nCOMMAND\n.SH COMMANDS\n"
        for (name, summary) in completions(in: group.name) { text += ".TP\n\\fB\(name.troff)\\fR\n\(summary.troff)\n" }
        return ManPage(file: "\(program)-\(group.name).1", text: text + seeAlso)
    }

    private func page(of verb: Verb, _ version: String) -> ManPage {
        // What people type stands first.
        let files = verb.forms.filter { !$0.contains(" ") } + verb.forms.filter { $0.contains(" ") }
        let names = files.map { "\(program)-\($0.replacing(" ", with: "-"))" }
        let name = names.first ?? program
        var text = head(name, others: Array(names.dropFirst()), verb.summary, version)
        text += ".SH SYNOPSIS\n"
        text += verb.forms.map { "\\fB\(program) \($0.troff)\\fR \(verb.usage.troff)\n" }.joined(separator: ".br\n")
        let options = verb.options()
        if options.contains(where: \.isShown) { text += ".SH OPTIONS\n" + CommandTable.manOptions(options) }
        let deferred = CommandTable.deferredNames(options)
        if !deferred.isEmpty {
            text += ".SH \"NOT SUPPORTED YET\"\nExcept for what is the case anyway:\n"
            text += deferred.map { "\\fB\($0.troff)\\fR" }.joined(separator: ", ") + "\n"
        }
        return ManPage(file: "\(name).1", text: text + seeAlso, links: names.dropFirst().map { "\($0).1" })
    }

    private func runtimePage(_ version: String, _ runtime: [OCIVerb], _ options: [Option]) -> ManPage {
        var text = head("\(program)-oci", "the OCI runtime", version)
        text +=
            ".SH SYNOPSIS\n\\fB\(program)\\-oci\\fR [OPTIONS] COMMAND [ARG...]\n.br\n\\fB\(program) oci\\fR COMMAND [ARG...]\n"
        text += ".SH OPTIONS\n" + CommandTable.manOptions(options) + ".SH COMMANDS\n"
        for verb in runtime {
            text += ".SS \"\(verb.name.troff) [OPTIONS] \(verb.usage.troff)\"\n\(verb.summary.troff)\n"
            text += CommandTable.manOptions(verb.options())
        }
        return ManPage(file: "\(program)-oci.1", text: text + seeAlso)
    }

    private var seeAlso: String { ".SH \"SEE ALSO\"\n.BR \(program) (1)\n" }

    private static func manOptions(_ options: [Option]) -> String {
        options.filter(\.isShown).sorted { $0.name < $1.name }.map { option in
            let names = option.dashed.reversed().map { "\\fB\($0.troff)\\fR" }.joined(separator: ", ")
            let lines = option.helpText.split(separator: "\n", omittingEmptySubsequences: false)
            let placeholder = option.placeholder.isEmpty ? "" : "\\fI\(option.placeholder.troff)\\fR"
            return ".TP\n\(names)\(placeholder)\n" + lines.map { "\(String($0).troff)\n" }.joined(separator: ".br\n")
        }.joined()
    }
}

extension String {
    /// With what troff takes for its own written so that it does not.
    fileprivate var troff: String {
        var text = ""
        for character in self {
            switch character {
            case "\\": text += "\\e"
            case "-": text += "\\-"
            case "'": text += "\\(aq"
            case "\"": text += "\\(dq"
            case "\n": text += "\n\\&"
            default: text.append(character)
            }
        }
        return text.hasPrefix(".") ? "\\&" + text : text
    }
}
