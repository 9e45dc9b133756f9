/// A parser directive at the top of a Dockerfile: `# escape=`, `# syntax=` or `# check=`.
package struct Directive: Equatable, Sendable {
    package enum Name: String, Sendable {
        case syntax, escape, check
    }

    package let name: Name
    package let value: String
    package let line: Int
}

/// Reads directives until the first line that is none: after a comment, an empty line or an instruction there are no
/// more.
///
/// Source: Dockerfile reference, "Parser directives".
struct DirectiveReader {
    private(set) var directives: [Directive] = []
    private var isDone = false

    /// Reads the directive of a line whose leading space is gone; nil where there is none.
    ///
    /// - Throws: a message where a directive is given twice or its value is wrong.
    mutating func read(_ line: ArraySlice<Unicode.Scalar>, number: Int) throws(MessageError) -> Directive? {
        guard !isDone else { return nil }
        guard let (key, value) = DirectiveReader.split(line), let name = Directive.Name(rawValue: key.lowercased())
        else {
            isDone = true
            return nil
        }
        if directives.contains(where: { $0.name == name }) {
            throw MessageError("only one \(name.rawValue) parser directive can be used")
        }
        if name == .escape, value != "\\", value != "`" {
            throw MessageError("invalid escape token '\(value)' does not match ` or \\")
        }
        let directive = Directive(name: name, value: value, line: number)
        directives.append(directive)
        return directive
    }

    /// `# key = value`, the key of letters and digits.
    private static func split(_ line: ArraySlice<Unicode.Scalar>) -> (key: String, value: String)? {
        guard line.first == "#", let equals = line.firstIndex(of: "=") else { return nil }
        let key = line[(line.startIndex + 1)..<equals].trimmed
        let value = line[(equals + 1)...].trimmed
        guard let first = key.first, first.isASCII, first.properties.isAlphabetic, !value.isEmpty,
            key.allSatisfy({ $0.isASCII && ($0.properties.isAlphabetic || $0.isDigit) })
        else { return nil }
        return (key.string, value.string)
    }
}

/// A message that has no place yet; the caller knows where it belongs.
package struct MessageError: Error {
    package let message: String
    /// The offset in the instruction's text, where that is narrower than the instruction.
    var offset: Int?

    init(_ message: String, at offset: Int? = nil) {
        self.message = message
        self.offset = offset
    }
}
