/// A Dockerfile that cannot be built: what is wrong and where.
package struct DockerfileError: Error, CustomStringConvertible, Sendable {
    package enum Kind: Sendable {
        /// A line that cannot be read at all.
        case syntax
        /// An instruction that is not well formed; BuildKit names its line in the message.
        case instruction
        /// A Dockerfile that reads well but asks for something impossible: an unknown stage, a variable that must be
        /// set.
        case plan
    }

    package let kind: Kind
    /// What is wrong, without the place.
    package let message: String
    /// The instruction concerned. Nil where the whole file is meant ("file with no instructions").
    package let range: SourceRange?
    /// Where exactly: the flag or the word, which may stand on a later line of the instruction.
    package let line: Int
    package let column: Int
    package let source: DockerfileSource

    init(
        _ kind: Kind,
        _ message: String,
        at range: SourceRange?,
        exactly place: (line: Int, column: Int)? = nil,
        in source: DockerfileSource
    ) {
        self.kind = kind
        self.message = message
        self.range = range
        line = place?.line ?? range?.line ?? 0
        column = place?.column ?? range?.column ?? 0
        self.source = source
    }

    /// One line, in BuildKit's words.
    package var description: String {
        guard kind == .instruction, let range else { return message }
        return "dockerfile parse error on line \(range.line): \(message)"
    }

    /// The lines concerned, ready to print before the message; empty where there are none.
    package var excerpt: String { range.map { source.excerpt($0, line: line, column: column) } ?? "" }
}
