/// The flags of one instruction, checked against those it knows.
struct FlagSet {
    enum Kind {
        /// `--link`, `--link=false`
        case boolean
        /// `--from=value`
        case string
        /// A string that may be given again.
        case strings
    }

    private var values: [String: [Word]] = [:]

    init(_ flags: [Word], known: [String: Kind] = [:]) throws(MessageError) {
        for flag in flags {
            let (head, value) = Variables.split(flag.text)
            let hasValue = head.utf8.count < flag.text.utf8.count
            let name = String(head.dropFirst(2))
            guard let kind = known[name] else {
                let suggestion = Suggestion.text(for: name, among: known.keys.sorted())
                throw MessageError("unknown flag: \(head)\(suggestion)", at: flag.offset)
            }
            if kind != .strings, values[name] != nil {
                throw MessageError("duplicate flag specified: \(head)", at: flag.offset)
            }
            if kind == .boolean ? hasValue && value.isEmpty : !hasValue {
                throw MessageError("missing a value on flag: \(head)", at: flag.offset)
            }
            if kind == .boolean, hasValue, !["true", "false"].contains(value.lowercased()) {
                throw MessageError("expecting boolean value for flag \(head), not: \(value)", at: flag.offset)
            }
            values[name, default: []].append(Word(text: value, offset: flag.offset))
        }
    }

    /// A string flag's word; nil where it was not given.
    func word(_ name: String) -> Word? { values[name]?.first }

    /// A string flag's value; nil where it was not given.
    func string(_ name: String) -> String? { word(name)?.text }

    func words(_ name: String) -> [Word] { values[name] ?? [] }

    /// A boolean flag; nil where it was not given.
    func boolean(_ name: String) -> Bool? { string(name).map { $0.lowercased() != "false" } }
}
