/// Something a person types after the program's name, as data.
///
/// Tables of verbs are `static let`: nothing of an option is built before its verb was chosen.
struct Verb: Sendable {
    /// Every way to type it, in the order in which the help lists them: `["container ls", "container list", "ps"]`. A
    /// form has at most one group before the name. Of several forms in one group the first is the name that usage lines
    /// show.
    let forms: [String]
    /// One line, for lists of verbs and as the description in its own help.
    let summary: String
    /// What follows the name in the usage line: "[OPTIONS] IMAGE [COMMAND] [ARG...]".
    let usage: String
    let arguments: ArgumentCount
    /// What a shell offers for the arguments.
    let completes: ValueKind
    /// Whether options may follow arguments. `run` says no: what follows IMAGE belongs to the container.
    let interspersed: Bool
    /// Listed under "Common Commands", in the table's order.
    let common: Bool
    let hidden: Bool
    let options: @Sendable () -> [Option]
    /// Does it; the result is the exit code.
    let run: @Sendable (ParsedArguments) throws -> Int32

    init(
        _ forms: [String],
        _ summary: String,
        usage: String,
        arguments: ArgumentCount,
        completes: ValueKind = .text,
        interspersed: Bool = true,
        common: Bool = false,
        hidden: Bool = false,
        options: @escaping @Sendable () -> [Option] = { [] },
        run: @escaping @Sendable (ParsedArguments) throws -> Int32
    ) {
        self.forms = forms
        self.summary = summary
        self.usage = usage
        self.arguments = arguments
        self.completes = completes
        self.interspersed = interspersed
        self.common = common
        self.hidden = hidden
        self.options = options
        self.run = run
    }
}

/// How many arguments a verb takes.
enum ArgumentCount: Sendable {
    case none
    case exactly(Int)
    case atLeast(Int)
    case atMost(Int)
    case between(Int, Int)

    func allows(_ count: Int) -> Bool {
        switch self {
        case .none: count == 0
        case .exactly(let number): count == number
        case .atLeast(let least): count >= least
        case .atMost(let most): count <= most
        case .between(let least, let most): count >= least && count <= most
        }
    }

    /// The message's middle: "requires at least 1 argument".
    var demand: String {
        func plural(_ number: Int) -> String { number == 1 ? "argument" : "arguments" }
        switch self {
        case .none: return "accepts no arguments"
        case .exactly(let number): return "requires \(number) \(plural(number))"
        case .atLeast(let least): return "requires at least \(least) \(plural(least))"
        case .atMost(let most): return "requires at most \(most) \(plural(most))"
        case .between(let least, let most):
            return "requires at least \(least) and at most \(most) \(plural(most))"
        }
    }
}

/// A group of verbs: `container` in `container run`.
struct VerbGroup: Sendable {
    let name: String
    /// "Manage containers".
    let summary: String

    init(_ name: String, _ summary: String) {
        self.name = name
        self.summary = summary
    }
}

/// The whole command line of a program as data.
struct CommandTable: Sendable {
    let program: String
    let summary: String
    let groups: [VerbGroup]
    /// Each is made when it is looked at: of all verbs a command line needs one.
    let makers: [@Sendable () -> Verb]

    /// All of them, in the table's order.
    var verbs: [Verb] { makers.map { $0() } }

    /// The verb for a form, "run" or "container run".
    func verb(_ form: String) -> Verb? {
        for make in makers {
            let verb = make()
            if verb.forms.contains(form) { return verb }
        }
        return nil
    }

    func group(_ name: String) -> VerbGroup? { groups.first { $0.name == name } }

    /// The form that usage lines show for the one that was typed: "container ls" for "container list".
    func shownForm(of verb: Verb, typed: String) -> String {
        let group = CommandTable.group(ofForm: typed)
        return verb.forms.first { CommandTable.group(ofForm: $0) == group } ?? typed
    }

    /// "container" of "container run"; nil for a form at top level.
    static func group(ofForm form: String) -> Substring? {
        guard let space = form.utf8.firstIndex(of: UInt8(ascii: " ")) else { return nil }
        return form[..<space]
    }

    /// The last word of a form.
    static func name(ofForm form: String) -> Substring {
        guard let space = form.utf8.firstIndex(of: UInt8(ascii: " ")) else { return form[...] }
        return form[form.utf8.index(after: space)...]
    }

    /// The name that lists of a group (nil: of the top level) show for a verb, if it has one there.
    static func shownName(of verb: Verb, in group: String?) -> Substring? {
        verb.forms.first { CommandTable.group(ofForm: $0) == group.map { $0[...] } }.map {
            CommandTable.name(ofForm: $0)
        }
    }
}
