import OCI

/// Turns a raw instruction into a typed one, or says why not.
///
/// Messages are BuildKit's (moby/buildkit, frontend/dockerfile/instructions).
struct InstructionParser {
    let raw: RawInstruction

    static let names = [
        "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
        "ONBUILD",
        "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    ]

    func parse() throws(MessageError) -> Instruction.Action {
        switch raw.name {
        case "from": return .from(try from())
        case "arg": return .arg(try arg())
        case "env": return .env(try pairs("ENV"))
        case "label": return .label(try pairs("LABEL"))
        case "workdir": return .workdir(try single("WORKDIR"))
        case "user": return .user(try single("USER"))
        case "stopsignal": return .stopSignal(try single("STOPSIGNAL"))
        case "maintainer": return .maintainer(try single("MAINTAINER"))
        case "copy": return .copy(try copy())
        case "add": return .add(try add())
        case "run": return .run(try run())
        case "cmd": return .cmd(try command())
        case "entrypoint": return .entrypoint(try command())
        case "expose": return .expose(try expose())
        case "volume": return .volume(try volume())
        case "shell": return .shell(try shell())
        case "healthcheck": return .healthcheck(try healthcheck())
        case "onbuild": return .onBuild(try onBuild())
        default:
            let suggestion = Suggestion.text(for: raw.keyword.text, among: InstructionParser.names, ignoringCase: true)
            throw MessageError("unknown instruction: \(raw.keyword.text)\(suggestion)", at: raw.keyword.offset)
        }
    }

    private func noFlags() throws(MessageError) { _ = try FlagSet(raw.flags) }

    private func single(_ name: String) throws(MessageError) -> String {
        if raw.arguments.isEmpty { throw MessageError("\(name) requires exactly one argument") }
        try noFlags()
        return raw.text
    }

    private func from() throws(MessageError) -> FromInstruction {
        let words = Words.blankSeparated(raw.arguments)
        guard words.count == 1 || words.count == 3 && words[1].text.lowercased() == "as" else {
            throw MessageError("FROM requires either one or three arguments")
        }
        var from = FromInstruction(base: words[0].text)
        if words.count == 3 {
            let name = words[2].text.lowercased()
            guard InstructionParser.isStageName(name) else {
                let quoted = GoText.quote(words[2].text)
                let why = "name can't start with a number or contain symbols"
                throw MessageError("invalid name for build stage: \(quoted), \(why)", at: words[2].offset)
            }
            from.name = name
            from.asKeyword = words[1].text
            from.writtenName = words[2].text
        }
        from.platform = try FlagSet(raw.flags, known: ["platform": .string]).string("platform")
        return from
    }

    private static func isStageName(_ name: String) -> Bool {
        guard let first = name.utf8.first, (0x61...0x7A).contains(first) else { return false }
        return name.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || "-_.".utf8.contains($0)
        }
    }

    private func arg() throws(MessageError) -> [ArgDefinition] {
        let words = Words.quoted(raw.arguments, escape: raw.escape)
        if words.isEmpty { throw MessageError("ARG requires at least one argument") }
        try noFlags()
        var definitions: [ArgDefinition] = []
        for word in words {
            guard word.text.utf8.contains(UInt8(ascii: "=")) else {
                definitions.append(ArgDefinition(name: word.text))
                continue
            }
            let (name, value) = Variables.split(word.text)
            if name.isEmpty { throw MessageError("ARG names can not be blank", at: word.offset) }
            definitions.append(ArgDefinition(name: name, value: value))
        }
        return definitions
    }

    /// ENV and LABEL: `a=1 b=2`, or the old `a everything else`.
    private func pairs(_ name: String) throws(MessageError) -> [KeyValue] {
        try noFlags()
        let words = Words.quoted(raw.arguments, escape: raw.escape)
        guard let first = words.first else { throw MessageError("\(name) requires at least one argument") }
        guard first.text.utf8.contains(UInt8(ascii: "=")) else {
            let key = raw.arguments.prefix { !$0.isBlank }
            let value = raw.arguments.dropFirst(key.count).drop { $0.isBlank }
            if value.isEmpty { throw MessageError("\(name) must have two arguments", at: first.offset) }
            return [KeyValue(key.string, value.string, isLegacy: true)]
        }
        var pairs: [KeyValue] = []
        for word in words {
            guard word.text.utf8.contains(UInt8(ascii: "=")) else {
                let quoted = GoText.quote(word.text)
                throw MessageError(
                    "Syntax error - can't find = in \(quoted). Must be of the form: name=value",
                    at: word.offset
                )
            }
            let (key, value) = Variables.split(word.text)
            if key.isEmpty { throw MessageError("\(name) names can not be blank", at: word.offset) }
            pairs.append(KeyValue(key, value))
        }
        return pairs
    }

    private func command() throws(MessageError) -> CommandForm {
        try noFlags()
        return try commandForm()
    }

    private func commandForm() throws(MessageError) -> CommandForm {
        try raw.execForm().map { .exec($0) } ?? .shell(raw.text)
    }

    private func expose() throws(MessageError) -> [String] {
        let words = Words.blankSeparated(raw.arguments)
        if words.isEmpty { throw MessageError("EXPOSE requires at least one argument") }
        try noFlags()
        return words.map(\.text).sorted()
    }

    private func volume() throws(MessageError) -> [String] {
        let words = try raw.execFormOrWords()
        if words.isEmpty { throw MessageError("VOLUME requires at least one argument") }
        try noFlags()
        var volumes: [String] = []
        for word in words {
            let path = word.text.trimmed
            if path.isEmpty { throw MessageError("VOLUME specified can not be an empty string", at: word.offset) }
            volumes.append(path)
        }
        return volumes
    }

    private func shell() throws(MessageError) -> [String] {
        try noFlags()
        if raw.arguments.isEmpty { throw MessageError("SHELL requires at least one argument") }
        guard let shell = try raw.execForm() else {
            throw MessageError("SHELL requires the arguments to be in JSON form", at: raw.arguments.startIndex)
        }
        if shell.isEmpty { throw MessageError("SHELL requires at least one argument") }
        return shell
    }

    private func run() throws(MessageError) -> RunInstruction {
        let flags = try FlagSet(
            raw.flags,
            known: ["mount": .strings, "network": .string, "security": .string, "device": .strings]
        )
        let networkWord = flags.word("network")
        guard let network = RunNetwork(rawValue: networkWord?.text ?? "default") else {
            throw MessageError("invalid network mode \(GoText.quote(networkWord?.text ?? ""))", at: networkWord?.offset)
        }
        let securityWord = flags.word("security")
        guard let security = RunSecurity(rawValue: securityWord?.text ?? "sandbox") else {
            throw MessageError(
                "security \(GoText.quote(securityWord?.text ?? "")) is not valid",
                at: securityWord?.offset
            )
        }
        for mount in flags.words("mount") {
            do throws(MessageError) { _ = try RunMount.origin(of: mount.text) } catch {
                throw MessageError(error.message, at: mount.offset)
            }
        }
        return RunInstruction(
            command: try commandForm(),
            heredocs: raw.heredocs,
            mounts: flags.words("mount").map(\.text),
            network: network,
            security: security,
            devices: flags.words("device").map(\.text)
        )
    }

    private func onBuild() throws(MessageError) -> String {
        if raw.arguments.isEmpty { throw MessageError("ONBUILD requires at least one argument") }
        try noFlags()
        let trigger = RawInstruction(raw.arguments, escape: raw.escape)
        switch trigger.name {
        case "onbuild":
            throw MessageError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed", at: trigger.keyword.offset)
        case "from", "maintainer":
            let name = trigger.name.uppercased()
            throw MessageError("\(name) isn't allowed as an ONBUILD trigger", at: trigger.keyword.offset)
        default: break
        }
        return raw.text + raw.heredocs.map { "\n\($0.content)\($0.name)" }.joined()
    }
}
