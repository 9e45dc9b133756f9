/// Walks over a Dockerfile's lines: directives, comments, continuations, heredocs.
struct DockerfileReader {
    private let lines: [ArraySlice<Unicode.Scalar>]
    private let source: DockerfileSource
    private var next = 0
    private var directiveReader = DirectiveReader()
    private var escape: Unicode.Scalar = "\\"
    private var comments: [String] = []
    private(set) var emptyContinuations: [SourceRange] = []

    var directives: [Directive] { directiveReader.directives }

    init(text: String, source: DockerfileSource) {
        self.source = source
        // Each line starts at index 0, so that a slice's indices are columns, and keeps its end: heredocs need it.
        var lines: [ArraySlice<Unicode.Scalar>] = []
        var rest = text.unicodeScalars[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: "\n").map(rest.index(after:)) ?? rest.endIndex
            lines.append(Array(rest[..<end])[...])
            rest = rest[end...]
        }
        self.lines = lines
    }

    mutating func instructions() throws(DockerfileError) -> [Instruction] {
        var instructions: [Instruction] = []
        while next < lines.count {
            if let instruction = try instruction() { instructions.append(instruction) }
        }
        return instructions
    }

    /// Reads one line and what belongs to it; nil for an empty line, a comment or a directive.
    private mutating func instruction() throws(DockerfileError) -> Instruction? {
        let start = next
        var line = DockerfileReader.withoutEnd(lines[next]).drop { $0.isSpace }
        next += 1
        if try isDirective(line) { return nil }
        if line.isComment {
            let comment = line.dropFirst().trimmed.string
            if comment.isEmpty { comments = [] } else { comments.append(comment) }
            return nil
        }
        var logical = LogicalLine(startLine: start + 1)
        let continues = removeContinuation(&line)
        if !continues, line.isEmpty { return nil }
        logical.append(line, line: start + 1)
        if continues { readContinuation(&logical) }
        defer { comments = [] }
        return try finish(logical)
    }

    private mutating func isDirective(_ line: ArraySlice<Unicode.Scalar>) throws(DockerfileError) -> Bool {
        do throws(MessageError) {
            guard let directive = try directiveReader.read(line, number: next) else { return false }
            if directive.name == .escape, let scalar = directive.value.unicodeScalars.first { escape = scalar }
            return true
        } catch {
            let range = SourceRange(file: source.name, line: next, column: line.startIndex + 1, endLine: next)
            throw DockerfileError(.syntax, error.message, at: range, in: source)
        }
    }

    /// Takes the escape character off a line's end; an escaped one is none, and space may follow it.
    private func removeContinuation(_ line: inout ArraySlice<Unicode.Scalar>) -> Bool {
        guard let last = line.lastIndex(where: { $0 != " " && $0 != "\t" }), line[last] == escape else { return false }
        if last > line.startIndex, line[last - 1] == escape { return false }
        line = line[..<last]
        return true
    }

    private mutating func readContinuation(_ logical: inout LogicalLine) {
        var hasEmptyLine = false
        while next < lines.count {
            var line = DockerfileReader.withoutEnd(lines[next])
            next += 1
            logical.extend(to: next)
            if line.isComment { continue }
            if line.allSatisfy(\.isSpace) {
                hasEmptyLine = true
                continue
            }
            let continues = removeContinuation(&line)
            logical.append(line, line: next)
            if !continues { break }
        }
        if hasEmptyLine {
            emptyContinuations.append(SourceRange(file: source.name, line: next, column: 1, endLine: next))
        }
    }

    private mutating func finish(_ logical: LogicalLine) throws(DockerfileError) -> Instruction? {
        var logical = logical
        guard !logical.text[...].trimmed.isEmpty else { return nil }
        var raw = RawInstruction(logical.text[...], escape: escape)
        do throws(MessageError) {
            if logical.text.contains("<"), try raw.takesHeredocs {
                raw.heredocs = try readHeredocs(of: logical.text[...].string)
                logical.extend(to: next)
            }
            return Instruction(
                action: try InstructionParser(raw: raw).parse(),
                keyword: raw.keyword.text,
                range: range(logical, at: raw.keyword.offset),
                original: logical.text[...].trimmed.string,
                comments: comments
            )
        } catch {
            throw DockerfileError(
                .instruction,
                error.message,
                at: range(logical, at: raw.keyword.offset),
                exactly: logical.position(error.offset ?? raw.keyword.offset),
                in: source
            )
        }
    }

    private func range(_ logical: LogicalLine, at offset: Int) -> SourceRange {
        let (line, column) = logical.position(offset)
        return SourceRange(file: source.name, line: line, column: column, endLine: logical.endLine)
    }

    private mutating func readHeredocs(of line: String) throws(MessageError) -> [Heredoc] {
        var heredocs = try Heredoc.announced(in: line)
        for index in heredocs.indices {
            var isEnded = false
            while next < lines.count, !isEnded {
                let line = lines[next]
                next += 1
                var marker = DockerfileReader.withoutEnd(line)
                if heredocs[index].stripsTabs { marker = marker.drop { $0 == "\t" } }
                isEnded = marker.elementsEqual(heredocs[index].name.unicodeScalars)
                if !isEnded { heredocs[index].content += line.string }
            }
            if !isEnded { throw MessageError("unterminated heredoc") }
        }
        return heredocs
    }

    private static func withoutEnd(_ line: ArraySlice<Unicode.Scalar>) -> ArraySlice<Unicode.Scalar> {
        var line = line
        while line.last == "\n" || line.last == "\r" { line.removeLast() }
        return line
    }
}
