extension CommandTable {
    /// What can stand in the place of the last word.
    ///
    /// - Parameters:
    ///   - words: those after the program's name up to the cursor; the last may be empty.
    ///   - names: the images, or containers, of the places that a line's global options name.
    func completion(
        of words: [String],
        names: (ValueKind, GlobalOptions) -> [String] = { _, _ in [] }
    ) -> Completion {
        var walk = CompletionWalk(table: self, current: words.last ?? "")
        for word in words.dropLast() { walk.pass(word) }
        return walk.completion(names)
    }
}

/// A command line read up to the cursor, with whatever is wrong in it.
private struct CompletionWalk {
    let table: CommandTable
    let current: String
    private var options = CommandTable.globalOptions
    private var verb: Verb?
    private var group: VerbGroup?
    private var globals = GlobalOptions()
    /// Of the verb.
    private var arguments: [String] = []
    /// The option whose value comes next.
    private var pending: Option?
    /// After `--`, or after IMAGE.
    private var optionsAreOver = false
    /// `help` or `completion`, which are no verbs of the table.
    private var topic: String?

    init(table: CommandTable, current: String) {
        self.table = table
        self.current = current
    }

    mutating func pass(_ word: String) {
        if let option = pending {
            pending = nil
            note(option, word)
        } else if !optionsAreOver, word == "--" {
            optionsAreOver = true
        } else if !optionsAreOver, word.hasPrefix("-"), word.utf8.count > 1 {
            passOption(word)
        } else if verb != nil || topic != nil {
            arguments.append(word)
            if verb?.interspersed == false { optionsAreOver = true }
        } else {
            passName(word)
        }
    }

    private mutating func passOption(_ word: String) {
        let (name, text) = word.cut("=")
        if name.hasPrefix("--") {
            guard let option = option(named: String(name.dropFirst(2))) else { return }
            if let text { note(option, text) } else if option.takesNextWord { pending = option }
            return
        }
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = options.first(where: { $0.short == letter }), option.takesNextWord else { continue }
            if letters.isEmpty { pending = option }
            return
        }
    }

    private mutating func passName(_ word: String) {
        if let group {
            verb = table.verb("\(group.name) \(word)")
            if verb == nil { topic = word }
        } else if let found = table.verb(word) {
            verb = found
        } else if let found = table.group(word) {
            group = found
            options = []
        } else {
            topic = word
            options = []
        }
        if let verb { options = verb.options() }
    }

    private func option(named name: String) -> Option? {
        guard let option = options.first(where: { $0.name == name }) else { return nil }
        if case .alias(let other) = option.kind { return options.first { $0.name == other } }
        return option
    }

    private mutating func note(_ option: Option, _ text: String) {
        guard verb == nil, group == nil else { return }
        switch option.name {
        case "root": globals.root = text
        case "state": globals.state = text
        default: break
        }
    }

    func completion(_ names: (ValueKind, GlobalOptions) -> [String]) -> Completion {
        if let pending { return values(of: pending.valueKind, current, before: "", names) }
        if !optionsAreOver, current.hasPrefix("-") {
            let (name, text) = current.cut("=")
            if let text, name.hasPrefix("--"), let option = option(named: String(name.dropFirst(2))) {
                return values(of: option.valueKind ?? .choice(["true", "false"]), text, before: "\(name)=", names)
            }
            return offer(optionNames)
        }
        if let verb {
            guard verb.arguments.takesMore(than: arguments.count), !optionsAreOver || verb.interspersed else {
                return Completion()
            }
            var result = values(of: verb.completes, current, before: "", names)
            result.candidates.removeAll { arguments.contains($0.text) }
            return result
        }
        switch topic {
        case nil: return offer(table.completions(in: group?.name).map { .init(text: $0.name, description: $0.summary) })
        case "help": return offer(topics)
        case "completion" where arguments.isEmpty: return offer(CommandTable.shells.map { .init(text: $0) })
        default: return Completion()
        }
    }

    private var topics: [Completion.Candidate] {
        let group = arguments.first.flatMap(table.group)
        guard arguments.count == (group == nil ? 0 : 1) else { return [] }
        return table.completions(in: group?.name).map { .init(text: $0.name, description: $0.summary) }
    }

    private var optionNames: [Completion.Candidate] {
        let shown = options.filter(\.isShown).sorted { $0.name < $1.name }
        var all: [Completion.Candidate] = shown.map { .init(text: "--\($0.name)", description: $0.brief) }
        all.append(.init(text: "--help", description: "Print usage"))
        return all
    }

    private func offer(_ candidates: [Completion.Candidate]) -> Completion {
        Completion(candidates: candidates.filter { $0.text.hasPrefix(current) })
    }

    /// - Parameters:
    ///   - text: the value's begin.
    ///   - before: what stands before it in the same word.
    private func values(
        of kind: ValueKind?,
        _ text: String,
        before: String,
        _ names: (ValueKind, GlobalOptions) -> [String]
    ) -> Completion {
        func offer(_ words: [String]) -> Completion {
            Completion(candidates: words.filter { $0.hasPrefix(text) }.map { .init(text: before + $0) })
        }
        switch kind {
        case .image:
            if text.hasPrefix("oci:") || text.hasPrefix(".") || text.hasPrefix("/") {
                return Completion(directive: .folders)
            }
            if text.hasPrefix("docker-archive:") || text.hasPrefix("oci-archive:") { return Completion(directive: []) }
            return offer(names(.image, globals))
        case .container: return offer(names(.container, globals))
        case .object: return offer(names(.container, globals) + names(.image, globals))
        case .file: return Completion(directive: [])
        case .directory: return Completion(directive: .folders)
        // What follows the colon is a place in the container.
        case .volume: return text.contains(":") ? Completion() : Completion(directive: .folders)
        case .choice(let words): return offer(words)
        case .network: return offer(["host", "none"])
        case .platform: return offer(["linux/amd64", "linux/arm64"])
        default: return Completion()
        }
    }
}

extension ArgumentCount {
    /// Whether one more than so many is allowed, or may be.
    fileprivate func takesMore(than count: Int) -> Bool {
        switch self {
        case .none: false
        case .exactly(let most), .atMost(let most), .between(_, let most): count < most
        case .atLeast: true
        }
    }
}
