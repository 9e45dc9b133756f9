import LinuxSystem

/// A Dockerfile that was read: its instructions in order, each with its place.
///
/// Reading alone expands no variables and knows no stages; `BuildPlanner` does.
package struct Dockerfile: Sendable {
    package let source: DockerfileSource
    package let directives: [Directive]
    package let instructions: [Instruction]
    /// The places where an empty line stands inside of a continued instruction; Docker will refuse them one day.
    package let emptyContinuations: [SourceRange]

    /// The escape character: `\`, or what the `escape` directive says.
    package var escape: Unicode.Scalar {
        directives.last { $0.name == .escape }?.value.unicodeScalars.first ?? "\\"
    }

    /// Reads a Dockerfile. Bytes that are no UTF-8 stay what they are; a byte order mark and CRLF line ends are taken.
    ///
    /// - Parameter name: what messages call the file.
    /// - Throws: the first thing wrong with it, with its line and column.
    package init(_ bytes: [UInt8], name: String = "Dockerfile") throws(DockerfileError) {
        var text = String(rawBytes: bytes)
        if text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
        let source = DockerfileSource(name: name, text: text)
        if bytes.isEmpty { throw DockerfileError(.syntax, "the Dockerfile cannot be empty", at: nil, in: source) }
        var reader = DockerfileReader(text: text, source: source)
        let instructions = try reader.instructions()
        if instructions.isEmpty { throw DockerfileError(.syntax, "file with no instructions", at: nil, in: source) }
        self.source = source
        self.instructions = instructions
        directives = reader.directives
        emptyContinuations = reader.emptyContinuations
    }

    /// Reads the trigger of an `ONBUILD`: one instruction, which counts as standing where the `FROM` stands.
    static func trigger(_ text: String, at range: SourceRange, in source: DockerfileSource) throws(DockerfileError)
        -> Instruction
    {
        var reader = DockerfileReader(text: text, source: DockerfileSource(name: "ONBUILD", text: text))
        let instructions: [Instruction]
        do throws(DockerfileError) { instructions = try reader.instructions() } catch {
            throw DockerfileError(.plan, error.message, at: range, in: source)
        }
        guard let instruction = instructions.first, instructions.count == 1 else {
            throw DockerfileError(.plan, "onbuild trigger should be a single expression", at: range, in: source)
        }
        if case .from = instruction.action {
            throw DockerfileError(.plan, "FROM isn't allowed as an ONBUILD trigger", at: range, in: source)
        }
        return Instruction(
            action: instruction.action,
            keyword: instruction.keyword,
            range: range,
            original: instruction.original,
            comments: instruction.comments
        )
    }
}
