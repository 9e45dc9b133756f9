import OCI

/// An instruction cut into keyword, flags and arguments, before anyone knows what they mean.
struct RawInstruction {
    let keyword: Word
    /// The words in front that start with `--`.
    let flags: [Word]
    /// What follows the flags, without space at both ends.
    let arguments: ArraySlice<Unicode.Scalar>
    let escape: Unicode.Scalar
    var heredocs: [Heredoc] = []

    init(_ text: ArraySlice<Unicode.Scalar>, escape: Unicode.Scalar) {
        let text = text.trimmed
        let keyword = text.prefix { !$0.isBlank }
        (flags, arguments) = {
            let (flags, rest) = Words.flags(text[keyword.endIndex...].drop { $0.isBlank }, escape: escape)
            return (flags, rest.trimmed)
        }()
        self.keyword = Word(text: keyword.string, offset: keyword.startIndex)
        self.escape = escape
    }

    /// The keyword in lower case.
    var name: String { keyword.text.lowercased() }

    /// The arguments as one string.
    var text: String { arguments.string }

    /// The exec form, `["a", "b"]`; nil where the arguments are no JSON array, and then they are the shell form.
    ///
    /// - Throws: where it is an array that holds something else than strings.
    func execForm(of text: ArraySlice<Unicode.Scalar>? = nil) throws(MessageError) -> [String]? {
        let text = (text ?? arguments).drop { $0.isSpace }
        guard text.first == "[", let json = try? JSON.parse(text.string), json.array != nil else {
            return nil
        }
        guard let strings = json.strings else {
            throw MessageError(
                "when using JSON array syntax, arrays must be comprised of strings only",
                at: text.startIndex
            )
        }
        return strings
    }

    /// Arguments of COPY, ADD and VOLUME: a JSON array, or words.
    func execFormOrWords() throws(MessageError) -> [Word] {
        if let strings = try execForm() { return strings.map { Word(text: $0, offset: arguments.startIndex) } }
        return Words.blankSeparated(arguments)
    }

    /// Whether a heredoc may follow: RUN, COPY and ADD, also behind ONBUILD, and not in exec form.
    var takesHeredocs: Bool {
        get throws(MessageError) {
            if name == "onbuild" { return try RawInstruction(arguments, escape: escape).takesHeredocs }
            guard ["run", "copy", "add"].contains(name) else { return false }
            return try execForm() == nil
        }
    }
}
