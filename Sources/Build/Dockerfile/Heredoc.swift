/// Text that stands below an instruction: `<<EOF`, its lines, `EOF`.
package struct Heredoc: Equatable, Sendable {
    /// The word after `<<` without its quotes: the end marker, and for COPY the file's name.
    package var name: String
    /// The lines between, as they stand in the file.
    package var content = ""
    /// Whether no part of the word was quoted: variables in the content are then replaced (COPY and ADD).
    package var expands: Bool
    /// `<<-`: tabs at the start of lines do not count.
    package var stripsTabs: Bool
    package var fileDescriptor: Int

    /// The content as a file has it: without leading tabs where `<<-` was written.
    package var text: String {
        guard stripsTabs else { return content }
        var out = String.UnicodeScalarView()
        var atStart = true
        for scalar in content.unicodeScalars where !(atStart && scalar == "\t") {
            out.append(scalar)
            atStart = scalar == "\n"
        }
        return String(out)
    }

    /// Reads `<<EOF`, `3<<-"EOF"` and the like; nil where `word` is something else.
    init?(_ word: String) throws(MessageError) {
        var rest = word.scalars[...]
        let digits = rest.prefix { $0.isDigit }
        rest = rest.dropFirst(digits.count)
        guard rest.starts(with: "<<".unicodeScalars) else { return nil }
        rest = rest.dropFirst(2)
        stripsTabs = rest.first == "-"
        if stripsTabs { rest.removeFirst() }
        rest = rest.drop { $0.isSpace }
        guard !rest.isEmpty, !rest.contains("<") else { return nil }
        fileDescriptor = Int(digits.string) ?? 0
        // Quotes that are gone once the word is read were there to say "do not expand".
        let plain = try Heredoc.words(rest.string, [.keepUndefined])
        guard let name = plain.first, plain.count == 1 else { return nil }
        let quoted = try Heredoc.words(rest.string, [.keepUndefined, .keepQuotes])
        func quotes(_ text: String) -> Int { text.unicodeScalars.count { $0 == "'" || $0 == "\"" } }
        self.name = name
        expands = quotes(quoted.first ?? name) == quotes(name)
    }

    /// The heredocs that an instruction announces, in order, without content yet. Quoted ones are none.
    static func announced(in line: String) throws(MessageError) -> [Heredoc] {
        guard let words = try? words(line, [.keepUndefined, .keepQuotes, .keepEscapes]) else { return [] }
        var heredocs: [Heredoc] = []
        for word in words {
            if let heredoc = try Heredoc(word) { heredocs.append(heredoc) }
        }
        return heredocs
    }

    private static func words(_ text: String, _ options: VariableExpander.Options) throws(MessageError) -> [String] {
        do throws(ExpansionError) {
            return try VariableExpander(options: options).expand(text, Variables()).words
        } catch {
            throw MessageError(error.description)
        }
    }
}
