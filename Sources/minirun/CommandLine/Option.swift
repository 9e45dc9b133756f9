/// One option of a verb, as data: the parser, the help and the shells' completions are all made from it.
struct Option: Sendable {
    enum Kind: Sendable {
        /// `--rm`, `--rm=false`.
        case flag
        /// `--name X`, `--name=X`; the last one counts.
        case value(ValueKind)
        /// `-e A -e B`; all count, in order.
        case list(ValueKind)
        /// `--explain`, `--explain=json`: a value only after "=", otherwise `bare`. The help shows `shown`: "[=json]".
        case optional(ValueKind, bare: String, shown: String)
        /// Another spelling of the option with that long name.
        case alias(of: String)
    }

    /// The long name, without dashes.
    let name: String
    /// The letter after a single dash.
    let short: Character?
    let kind: Kind
    /// What the help says; may have several lines.
    let help: String
    /// The value when the option is not given, shown in the help; for flags "true" or nil.
    let defaultValue: String?
    /// Parsed, but neither in the help nor completed.
    let hidden: Bool
    /// Of an option that docker has and that is not carried out here: what may be asked of it all the same.
    var deferral: Deferral?

    static func flag(_ name: String, short: Character? = nil, _ help: String, default on: Bool = false) -> Option {
        Option(name: name, short: short, kind: .flag, help: help, defaultValue: on ? "true" : nil, hidden: false)
    }

    static func value(
        _ name: String,
        short: Character? = nil,
        _ kind: ValueKind,
        _ help: String,
        default text: String? = nil
    ) -> Option {
        Option(name: name, short: short, kind: .value(kind), help: help, defaultValue: text, hidden: false)
    }

    static func list(_ name: String, short: Character? = nil, _ kind: ValueKind, _ help: String) -> Option {
        Option(name: name, short: short, kind: .list(kind), help: help, defaultValue: nil, hidden: false)
    }

    static func optional(_ name: String, _ kind: ValueKind, bare: String, shown: String, _ help: String) -> Option {
        let kind = Kind.optional(kind, bare: bare, shown: shown)
        return Option(name: name, short: nil, kind: kind, help: help, defaultValue: nil, hidden: false)
    }

    static func alias(_ name: String, of other: String) -> Option {
        Option(name: name, short: nil, kind: .alias(of: other), help: "", defaultValue: nil, hidden: true)
    }

    /// Whether help, completion and man pages describe it.
    var isShown: Bool { !hidden && deferral == nil }

    /// `-e, --env` or `--rm`: how a message names it.
    var spelling: String {
        if let short { return "-\(short), --\(name)" }
        return "--\(name)"
    }

    /// What a value is, where the option takes one.
    var valueKind: ValueKind? {
        switch kind {
        case .flag, .alias: nil
        case .value(let kind), .list(let kind), .optional(let kind, _, _): kind
        }
    }

    /// What the help writes after the name: " string", " list", "[=json]", or nothing for a flag.
    var placeholder: String {
        switch kind {
        case .flag, .alias: ""
        case .value(let kind): " " + kind.word
        case .list(let kind): " " + kind.listWord
        case .optional(_, _, let shown): shown
        }
    }

    /// Whether the next word is its value.
    var takesNextWord: Bool {
        switch kind {
        case .flag, .alias, .optional: false
        case .value, .list: true
        }
    }
}
