/// What a command line asks for.
enum Invocation: Sendable {
    case verb(Verb, ParsedArguments)
    /// Help or a completion script; on stderr where nothing was asked for.
    case text(String, toStandardError: Bool)
    /// `--version`.
    case version
    /// `__complete`: what a shell's script asks for. The words up to the cursor.
    case completion([String])
    /// `__man FOLDER`: the man pages, for whoever installs.
    case manPages(String)
}

extension CommandTable {
    /// The options before the verb, and those of every verb.
    static let globalOptions: [Option] = [
        .value(
            "root",
            .directory,
            "Where images and containers live (default MINIRUN_ROOT, or \"/var/lib/minirun\")"
        ),
        .value(
            "state",
            .directory,
            "Where running containers' state lives (default MINIRUN_STATE, or \"/run/minirun\")"
        ),
        .value(
            "storage-driver",
            .choice(["dir", "erofs", "auto"]),
            "What new layers become (default MINIRUN_STORAGE_DRIVER, or \"dir\")"
        ),
        .flag("debug", short: "D", "Enable debug mode"),
        .value(
            "log-level",
            short: "l",
            .choice(logLevels),
            "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")",
            default: "info"
        ),
        .flag("version", short: "v", "Print version information and quit"),
    ]
    static let logLevels = ["debug", "info", "warn", "error", "fatal"]

    /// Understands a command line (without the program's name). `width` is the terminal's, asked for only when help is
    /// printed.
    func parse(_ arguments: [String], width: () -> Int = { 80 }) throws(CommandLineError) -> Invocation {
        let root = OptionParser(
            options: CommandTable.globalOptions,
            interspersed: false,
            path: program,
            usage: "\(program) [OPTIONS] COMMAND [ARG...]"
        )
        let before = try root.parse(arguments[...], globals: GlobalOptions())
        if before.wantsHelp { return .text(help(width: width()), toStandardError: false) }
        if before.arguments.flag("version") { return .version }
        var globals = GlobalOptions()
        globals.root = before.arguments.value("root")
        globals.state = before.arguments.value("state")
        globals.storageDriver = before.arguments.value("storage-driver")
        globals.debug = before.arguments.flag("debug")
        globals.logLevel = before.arguments.value("log-level") ?? "info"
        guard Console.Level(globals.logLevel) != nil else {
            throw CommandLineError(text: "Unable to parse logging level: \(globals.logLevel)", exitCode: 1)
        }

        let words = before.arguments.positional[...]
        guard let name = words.first else { return .text(help(width: width()), toStandardError: true) }
        if let verb = verb(name) {
            return try parse(verb, typed: name, words.dropFirst(), globals: globals, width: width)
        }
        switch name {
        case "help": return try helpTopic(Array(words.dropFirst()), width: width)
        case "completion": return try completion(Array(words.dropFirst()))
        case "__complete": return .completion(Array(words.dropFirst()))
        case "__man" where words.count == 2: return .manPages(words[words.startIndex + 1])
        default: break
        }
        guard let group = group(name) else { throw .unknownVerb(name, program: program, path: program) }
        return try parse(group, words.dropFirst(), globals: globals, width: width)
    }

    private func parse(
        _ group: VerbGroup,
        _ words: ArraySlice<String>,
        globals: GlobalOptions,
        width: () -> Int
    ) throws(CommandLineError) -> Invocation {
        let path = "\(program) \(group.name)"
        let parser = OptionParser(options: [], interspersed: false, path: path, usage: path)
        let before = try parser.parse(words, globals: globals)
        guard !before.wantsHelp, let name = before.arguments.positional.first else {
            return .text(help(for: group), toStandardError: false)
        }
        let form = "\(group.name) \(name)"
        guard let verb = verb(form) else {
            throw .unknownVerb(name, program: program, path: path, group: group.name)
        }
        return try parse(verb, typed: form, before.arguments.positional.dropFirst(), globals: globals, width: width)
    }

    private func parse(
        _ verb: Verb,
        typed: String,
        _ words: ArraySlice<String>,
        globals: GlobalOptions,
        width: () -> Int
    ) throws(CommandLineError) -> Invocation {
        let form = shownForm(of: verb, typed: typed)
        let path = "\(program) \(form)"
        let usage = verb.usage.isEmpty ? path : "\(path) \(verb.usage)"
        let parser = OptionParser(options: verb.options(), interspersed: verb.interspersed, path: path, usage: usage)
        let (arguments, wantsHelp) = try parser.parse(words, globals: globals)
        if wantsHelp { return .text(help(for: verb, form: form, width: width()), toStandardError: false) }
        guard verb.arguments.allows(arguments.positional.count) else {
            throw .arguments(verb.arguments, program: program, path: path, usage: usage)
        }
        return .verb(verb, arguments)
    }

    private func helpTopic(_ words: [String], width: () -> Int) throws(CommandLineError) -> Invocation {
        let form = words.joined(separator: " ")
        if form.isEmpty { return .text(help(width: width()), toStandardError: false) }
        if let verb = verb(form) {
            return .text(
                help(for: verb, form: shownForm(of: verb, typed: form), width: width()),
                toStandardError: false
            )
        }
        if let group = group(form) { return .text(help(for: group), toStandardError: false) }
        if form == "completion" { return .text(completionHelp, toStandardError: false) }
        throw CommandLineError(text: "unknown help topic: \(form)", exitCode: 1)
    }

    private var completionHelp: String {
        """
        Usage:  \(program) completion bash|fish|zsh

        \(CommandTable.completionSummary)

        To try it in a shell that runs:
          bash, zsh:  source <(\(program) completion bash)
          fish:       \(program) completion fish | source

        """
    }

    private func completion(_ words: [String]) throws(CommandLineError) -> Invocation {
        let path = "\(program) completion"
        if words.first == "--help" || words.first == "-h" { return .text(completionHelp, toStandardError: false) }
        guard words.count == 1 else {
            throw .arguments(.exactly(1), program: program, path: path, usage: "\(path) bash|fish|zsh")
        }
        guard let script = completionScript(for: words[0]) else {
            throw .unknownVerb(words[0], program: program, path: path)
        }
        return .text(script, toStandardError: false)
    }
}

/// Reads options the way pflag does, which is what docker's users are used to: `-it`, `-eA=1`, `-e A`, `--env=A`,
/// `--rm=false`, `--` ends options.
struct OptionParser {
    let options: [Option]
    /// Whether options may follow arguments.
    let interspersed: Bool
    /// "minirun run", for messages.
    let path: String
    /// The usage line, for messages.
    let usage: String

    func parse(
        _ words: ArraySlice<String>,
        globals: GlobalOptions
    ) throws(CommandLineError) -> (arguments: ParsedArguments, wantsHelp: Bool) {
        var parsed = ParsedArguments(path: path, globals: globals, options: options)
        var wantsHelp = false
        var rest = words
        while let word = rest.popFirst() {
            guard word.utf8.count > 1, word.utf8.first == UInt8(ascii: "-") else {
                parsed.positional.append(word)
                if interspersed { continue }
                parsed.positional.append(contentsOf: rest)
                break
            }
            if word == "--" {
                parsed.positional.append(contentsOf: rest)
                break
            }
            if word.hasPrefix("--") {
                try parseLong(word, &rest, &parsed, &wantsHelp)
            } else {
                try parseShort(word.dropFirst(), &rest, &parsed, &wantsHelp)
            }
        }
        if !wantsHelp, let refusal = parsed.refusal { throw fail(refusal) }
        return (parsed, wantsHelp)
    }

    private func parseLong(
        _ word: String,
        _ rest: inout ArraySlice<String>,
        _ parsed: inout ParsedArguments,
        _ wantsHelp: inout Bool
    ) throws(CommandLineError) {
        let (name, text) = String(word.dropFirst(2)).cut("=")
        if name.isEmpty || name.hasPrefix("-") { throw fail("bad flag syntax: \(word)") }
        guard let place = place(of: name) else {
            guard name == "help" else { throw fail("unknown flag: --\(name)") }
            wantsHelp = try help(text)
            return
        }
        if let text { return try set(place, text, &parsed) }
        switch options[place].kind {
        case .flag: parsed.add(place, "true")
        case .optional(_, let bare, _): parsed.add(place, bare)
        case .value, .list, .alias:
            guard let next = rest.popFirst() else { throw fail("flag needs an argument: --\(name)") }
            try set(place, next, &parsed)
        }
    }

    private func parseShort(
        _ word: Substring,
        _ rest: inout ArraySlice<String>,
        _ parsed: inout ParsedArguments,
        _ wantsHelp: inout Bool
    ) throws(CommandLineError) {
        var letters = word
        while let letter = letters.first {
            let cluster = letters
            letters = letters.dropFirst()
            let text = letters.count > 1 && letters.first == "=" ? String(letters.dropFirst()) : nil
            guard let place = options.firstIndex(where: { $0.short == letter }) else {
                guard letter == "h" else { throw fail("unknown shorthand flag: '\(letter)' in -\(cluster)") }
                wantsHelp = try help(text)
                if text != nil { return }
                continue
            }
            if let text { return try set(place, text, &parsed) }
            if case .flag = options[place].kind {
                parsed.add(place, "true")
                continue
            }
            if !letters.isEmpty { return try set(place, String(letters), &parsed) }
            guard let next = rest.popFirst() else { throw fail("flag needs an argument: '\(letter)' in -\(cluster)") }
            return try set(place, next, &parsed)
        }
    }

    /// The option's place, following another spelling to the option itself.
    private func place(of name: String) -> Int? {
        guard let place = options.firstIndex(where: { $0.name == name }) else { return nil }
        if case .alias(let other) = options[place].kind { return options.firstIndex { $0.name == other } }
        return place
    }

    private func set(_ place: Int, _ text: String, _ parsed: inout ParsedArguments) throws(CommandLineError) {
        let option = options[place]
        do throws(ValueError) {
            if let kind = option.valueKind { try kind.check(text) } else { _ = try Scalars.boolean(text) }
        } catch {
            throw fail("invalid argument \(text.goQuoted) for \(option.spelling.goQuoted) flag: \(error.message)")
        }
        parsed.add(place, text)
    }

    private func help(_ text: String?) throws(CommandLineError) -> Bool {
        guard let text else { return true }
        do throws(ValueError) {
            return try Scalars.boolean(text)
        } catch {
            throw fail("invalid argument \(text.goQuoted) for \"--help\" flag: \(error.message)")
        }
    }

    private func fail(_ message: String) -> CommandLineError { .option(message, path: path, usage: usage) }
}
