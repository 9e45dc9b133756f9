/// One instruction's text, its continuation lines joined, that remembers where each part of it stands in the file.
struct LogicalLine {
    private(set) var text: [Unicode.Scalar] = []
    private(set) var endLine: Int
    private var parts: [(offset: Int, line: Int, column: Int)] = []

    init(startLine: Int) { endLine = startLine }

    /// Adds a piece of the file's line `number`; the slice's indices are its columns.
    mutating func append(_ piece: ArraySlice<Unicode.Scalar>, line number: Int) {
        parts.append((text.count, number, piece.startIndex + 1))
        text += piece
        endLine = number
    }

    /// Lines that were read without adding text (comments, heredocs) belong to the instruction too.
    mutating func extend(to line: Int) { endLine = max(endLine, line) }

    /// The place of the text's scalar at `offset`.
    func position(_ offset: Int) -> (line: Int, column: Int) {
        guard let part = parts.last(where: { $0.offset <= offset }) ?? parts.first else { return (endLine, 1) }
        return (part.line, part.column + offset - part.offset)
    }
}

extension Unicode.Scalar {
    /// Space as Go's unicode.IsSpace has it.
    var isSpace: Bool { properties.isWhitespace }

    /// What separates an instruction's arguments; a newline does not.
    var isBlank: Bool {
        switch self {
        case "\t", "\u{0B}", "\u{0C}", "\r", " ": true
        default: false
        }
    }

    var isDigit: Bool { ("0"..."9").contains(self) }
}

extension ArraySlice<Unicode.Scalar> {
    var string: String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: self)
        return String(view)
    }

    var trimmed: ArraySlice<Unicode.Scalar> {
        var slice = drop { $0.isSpace }
        while let last = slice.last, last.isSpace { slice.removeLast() }
        return slice
    }

    /// Whether the first thing on the line is `#`.
    var isComment: Bool { first { !$0.isSpace } == "#" }
}

extension String {
    var scalars: [Unicode.Scalar] { Array(unicodeScalars) }

    /// Without space at both ends.
    var trimmed: String { scalars[...].trimmed.string }
}
