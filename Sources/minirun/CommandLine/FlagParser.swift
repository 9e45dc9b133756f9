/// What is wrong with a command line of runc's kind, in the words of Go's `flag`, which its callers look for.
struct FlagError: Error, CustomStringConvertible, Equatable, Sendable {
    let message: String

    init(_ message: String) { self.message = message }

    var description: String { message }
}

/// Reads options the way Go's `flag` does, which is what runc's callers are used to: `--pid-file X`, `-pid-file=X`, `-b X`,
/// `--detach=false`; one dash or two make no difference, letters are not bundled, and `--` ends options.
struct FlagParser {
    let options: [Option]
    /// Whether options end at the first argument: what follows it belongs to somebody else.
    let stopsAtArgument: Bool
    /// "minirun-oci run".
    let path: String

    func parse(_ words: ArraySlice<String>) throws(FlagError) -> (arguments: ParsedArguments, wantsHelp: Bool) {
        var parsed = ParsedArguments(path: path, globals: GlobalOptions(), options: options)
        var wantsHelp = false
        var rest = words
        while let word = rest.popFirst() {
            guard word.utf8.count > 1, word.utf8.first == UInt8(ascii: "-") else {
                parsed.positional.append(word)
                if !stopsAtArgument { continue }
                parsed.positional.append(contentsOf: rest)
                break
            }
            if word == "--" {
                parsed.positional.append(contentsOf: rest)
                break
            }
            try parse(flag: word, &rest, &parsed, &wantsHelp)
        }
        return (parsed, wantsHelp)
    }

    private func parse(
        flag word: String,
        _ rest: inout ArraySlice<String>,
        _ parsed: inout ParsedArguments,
        _ wantsHelp: inout Bool
    ) throws(FlagError) {
        let (name, text) = String(word.dropFirst(word.hasPrefix("--") ? 2 : 1)).cut("=")
        if name.isEmpty || name.hasPrefix("-") { throw FlagError("bad flag syntax: \(word)") }
        guard let place = place(of: name) else {
            guard name == "help" || name == "h" else { throw FlagError("flag provided but not defined: -\(name)") }
            wantsHelp = true
            return
        }
        let option = options[place]
        switch option.kind {
        case .flag: parsed.add(place, try checked(text ?? "true", option))
        case .optional(_, let bare, _): parsed.add(place, try checked(text ?? bare, option))
        case .value, .list, .alias:
            guard let value = text ?? rest.popFirst() else { throw FlagError("flag needs an argument: -\(name)") }
            parsed.add(place, try checked(value, option))
        }
    }

    /// The option with that name or letter, following another spelling to the option itself.
    private func place(of name: String) -> Int? {
        let letter = name.count == 1 ? name.first : nil
        guard let place = options.firstIndex(where: { $0.name == name || ($0.short != nil && $0.short == letter) })
        else { return nil }
        if case .alias(let other) = options[place].kind { return options.firstIndex { $0.name == other } }
        return place
    }

    private func checked(_ text: String, _ option: Option) throws(FlagError) -> String {
        do throws(ValueError) {
            if let kind = option.valueKind { try kind.check(text) } else { _ = try Scalars.boolean(text) }
            return text
        } catch {
            let value = option.valueKind == nil ? "boolean value" : "value"
            throw FlagError("invalid \(value) \(text.goQuoted) for flag -\(option.name): \(error.message)")
        }
    }
}
