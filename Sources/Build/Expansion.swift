/// What became of a text whose variables were replaced.
package struct Expansion: Equatable, Sendable {
    package var text = ""
    /// The text split at space outside of quotes, where the space may come from a variable's value. No empty words.
    package var words: [String] = []
    /// The variables it used that are set, and those that are not, each once and in order.
    package var used: [String] = []
    package var undefined: [String] = []
}

/// A text that cannot be expanded: "failed to process \"${x\": syntax error: missing '}'".
package struct ExpansionError: Error, CustomStringConvertible, Sendable {
    package let description: String
}

/// Replaces variables in a Dockerfile's words and resolves quotes and escapes, as a shell does it, without the rest of
/// one.
///
/// `$v ${v} ${v:-d} ${v-d} ${v:+a} ${v+a} ${v:?e} ${v?e} ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/r} ${v//p/r}`; no
/// arithmetic, no commands. Source: Dockerfile reference, "Environment replacement"; moby/buildkit,
/// frontend/dockerfile/shell.
package struct VariableExpander: Sendable {
    package struct Options: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        /// Quotes are obeyed and stay in the text.
        package static let keepQuotes = Options(rawValue: 1)
        /// Escapes are obeyed and stay in the text.
        package static let keepEscapes = Options(rawValue: 2)
        /// Quotes are letters like others: the content of a heredoc.
        package static let ignoreQuotes = Options(rawValue: 4)
        /// A variable that is not set stays as it was written.
        package static let keepUndefined = Options(rawValue: 8)
    }

    /// `\`, or what the `escape` directive says.
    package let escape: Unicode.Scalar
    package let options: Options

    /// How deep `${a:-${b:-…}}` may go: each level takes some of the stack.
    static let deepest = 100
    /// How much variables may put into one text, and all of them together, in bytes: `ARG b=$a$a`, some sixty times, would be
    /// more than there is memory. No program gets more of them from Linux.
    static let largest = 1 << 20
    /// Of variables that are not set each is told of once, and of no more than these.
    static let undefinedKept = 100

    package init(escape: Unicode.Scalar = "\\", options: Options = []) {
        self.escape = escape
        self.options = options
    }

    package func expand(_ text: String, _ variables: Variables) throws(ExpansionError) -> Expansion {
        var scanner = ExpansionScanner(text: text.scalars, expander: self, variables: variables)
        do throws(MessageError) {
            if variables.byteCount > VariableExpander.largest { throw VariableExpander.tooLarge }
            let (text, words) = try scanner.scan(until: nil, keepEscapes: options.contains(.keepEscapes))
            return Expansion(text: text, words: words, used: scanner.used, undefined: scanner.undefined)
        } catch {
            throw ExpansionError(description: "failed to process \(GoText.quote(text)): \(error.message)")
        }
    }
}

extension VariableExpander {
    fileprivate static var tooLarge: MessageError { MessageError("the variables become more than \(largest) bytes") }
}

/// Collects a text and, beside it, its words.
private struct WordCollector {
    var text = String.UnicodeScalarView()
    private var word = String.UnicodeScalarView()
    private var words: [String] = []

    /// Adds text that ends a word where it holds a space.
    mutating func add(_ added: String) {
        for scalar in added.unicodeScalars { add(scalar) }
    }

    mutating func add(_ scalar: Unicode.Scalar) {
        text.append(scalar)
        if scalar.isSpace { endWord() } else { word.append(scalar) }
    }

    /// Adds text that was quoted or escaped: its spaces belong to the word.
    mutating func addQuoted(_ added: String) {
        text.append(contentsOf: added.unicodeScalars)
        word.append(contentsOf: added.unicodeScalars)
    }

    private mutating func endWord() {
        if !word.isEmpty { words.append(String(word)) }
        word = String.UnicodeScalarView()
    }

    mutating func finish() -> (String, [String]) {
        endWord()
        return (String(text), words)
    }
}

private struct ExpansionScanner {
    let text: [Unicode.Scalar]
    let expander: VariableExpander
    let variables: Variables
    var at = 0
    var used: [String] = []
    var undefined: [String] = []
    private var keepsEscapes = false
    private var depth = 0
    /// What may still be put in the places of variables, in bytes.
    private var room = VariableExpander.largest

    init(text: [Unicode.Scalar], expander: VariableExpander, variables: Variables) {
        self.text = text
        self.expander = expander
        self.variables = variables
    }

    private var next: Unicode.Scalar? { at < text.count ? text[at] : nil }

    private mutating func take() -> Unicode.Scalar? {
        guard at < text.count else { return nil }
        at += 1
        return text[at - 1]
    }

    /// Expands up to `stop`, which is consumed, or to the end.
    mutating func scan(until stop: Unicode.Scalar?, keepEscapes: Bool) throws(MessageError) -> (String, [String]) {
        let outer = keepsEscapes
        keepsEscapes = keepEscapes
        defer { keepsEscapes = outer }
        var out = WordCollector()
        while let scalar = take() {
            if scalar == stop { return out.finish() }
            if scalar == "$" {
                out.add(try variable())
            } else if scalar == "<" {
                out.addQuoted(heredocOperator())
            } else if scalar == "'" || scalar == "\"", !expander.options.contains(.ignoreQuotes) {
                out.addQuoted(scalar == "'" ? try singleQuoted() : try doubleQuoted())
            } else if scalar == expander.escape {
                // At the very end there is nothing to escape, and the escape is dropped.
                let escaped = take().map(String.init) ?? ""
                out.addQuoted((keepsEscapes ? String(scalar) : "") + escaped)
            } else {
                out.add(scalar)
            }
        }
        if let stop { throw MessageError("unexpected end of statement while looking for matching \(stop)") }
        return out.finish()
    }

    private func quoteMark(_ mark: String) -> String { expander.options.contains(.keepQuotes) ? mark : "" }

    private mutating func singleQuoted() throws(MessageError) -> String {
        var content = String.UnicodeScalarView()
        while let scalar = take() {
            if scalar == "'" { return quoteMark("'") + String(content) + quoteMark("'") }
            content.append(scalar)
        }
        throw MessageError("unexpected end of statement while looking for matching single-quote")
    }

    private mutating func doubleQuoted() throws(MessageError) -> String {
        var content = ""
        while let scalar = take() {
            if scalar == "\"" { return quoteMark("\"") + content + quoteMark("\"") }
            if scalar == "$" {
                content += try variable()
            } else if scalar == expander.escape {
                // Only these may be escaped here; before anything else the escape is a letter.
                guard let escaped = next else { break }
                let isEscapable = escaped == "\"" || escaped == "$" || escaped == expander.escape
                if isEscapable { at += 1 }
                if keepsEscapes || !isEscapable { content.unicodeScalars.append(scalar) }
                if isEscapable { content.unicodeScalars.append(escaped) }
            } else {
                content.unicodeScalars.append(scalar)
            }
        }
        throw MessageError("unexpected end of statement while looking for matching double-quote")
    }

    /// After a `<`: the space between `<<` and a heredoc's word does not end the word.
    private mutating func heredocOperator() -> String {
        guard next == "<" else { return "<" }
        at += 1
        let start = at
        while let space = next, space == " " || space == "\t" || space == "\r" { at += 1 }
        return "<<" + text[start..<at].string
    }

    /// A name: letters, digits and `_`; or digits alone; or one of the shell's special parameters.
    private mutating func name() -> String {
        let start = at
        guard let first = next else { return "" }
        if first.properties.numericType == .decimal {
            while let digit = next, digit.properties.numericType == .decimal { at += 1 }
        } else if "@*#?-$!".unicodeScalars.contains(first) {
            at += 1
        } else {
            while let letter = next,
                letter == "_" || letter.properties.isAlphabetic || letter.properties.numericType == .decimal
            {
                at += 1
            }
        }
        return text[start..<at].string
    }

    private mutating func value(of name: String) throws(MessageError) -> String? {
        let value = variables[name]
        room -= value?.utf8.count ?? 0
        if room < 0 { throw VariableExpander.tooLarge }
        if value == nil {
            if undefined.count < VariableExpander.undefinedKept, !undefined.contains(name) { undefined.append(name) }
        } else if !used.contains(name) {
            used.append(name)
        }
        return value
    }

    /// After a `$`.
    private mutating func variable() throws(MessageError) -> String {
        guard next == "{" else {
            let name = name()
            if name.isEmpty { return "$" }
            return try value(of: name) ?? (expander.options.contains(.keepUndefined) ? "$\(name)" : "")
        }
        at += 1
        depth += 1
        defer { depth -= 1 }
        if depth > VariableExpander.deepest { throw MessageError("substitutions are nested too deeply") }
        guard let first = next else { throw MessageError("syntax error: missing '}'") }
        if first == "{" || first == "}" || first == ":" { throw MessageError("syntax error: bad substitution") }
        let name = name()
        guard let modifier = take() else { throw MessageError("syntax error: missing '}'") }
        switch modifier {
        case "}": return try value(of: name) ?? (expander.options.contains(.keepUndefined) ? "${\(name)}" : "")
        case ":":
            guard let second = take() else { throw MessageError("syntax error: missing '}'") }
            guard second == "-" || second == "+" || second == "?" else { throw unsupported(":\(second)") }
            return try alternative(name, modifier: second, emptyIsUnset: true)
        case "-", "+", "?": return try alternative(name, modifier: modifier, emptyIsUnset: false)
        case "#", "%": return try trimming(name, modifier: modifier)
        case "/": return try replacing(name)
        default: throw unsupported(String(modifier))
        }
    }

    private func unsupported(_ modifier: String) -> MessageError {
        MessageError("unsupported modifier (\(modifier)) in substitution")
    }

    /// The rest of a `${…}`, up to its end.
    private mutating func operand(until stop: Unicode.Scalar, keepEscapes: Bool) throws(MessageError) -> String {
        do throws(MessageError) {
            return try scan(until: stop, keepEscapes: keepEscapes).0
        } catch {
            guard next == nil, depth <= VariableExpander.deepest else { throw error }
            throw MessageError("syntax error: missing '\(stop)'" + (stop == "/" ? " in ${}" : ""))
        }
    }

    /// `${v:-d}`, `${v:+a}`, `${v:?e}` and their forms without the colon.
    private mutating func alternative(
        _ name: String,
        modifier: Unicode.Scalar,
        emptyIsUnset: Bool
    ) throws(MessageError) -> String {
        let word = try operand(until: "}", keepEscapes: false)
        let value = try value(of: name)
        if value == nil, expander.options.contains(.keepUndefined) {
            return "${\(name)\(emptyIsUnset ? ":" : "")\(modifier)\(word)}"
        }
        let isUnset = value == nil || emptyIsUnset && value == ""
        switch modifier {
        case "-": return isUnset ? word : value ?? ""
        case "+": return isUnset ? "" : word
        default:
            guard isUnset else { return value ?? "" }
            let usual = value == nil ? "is not allowed to be unset" : "is not allowed to be empty"
            throw MessageError("\(name): \(word.isEmpty ? usual : word)")
        }
    }

    /// `${v#p}`, `${v##p}`, `${v%p}`, `${v%%p}`.
    private mutating func trimming(_ name: String, modifier: Unicode.Scalar) throws(MessageError) -> String {
        var word = try operand(until: "}", keepEscapes: true).scalars[...]
        guard let value = try value(of: name) else {
            return expander.options.contains(.keepUndefined) ? "${\(name)\(modifier)\(word.string)}" : ""
        }
        let longest = word.first == modifier
        if longest { word.removeFirst() }
        let pattern = try pattern(word)
        return modifier == "#"
            ? pattern.trimmingPrefix(of: value, longest: longest) : pattern.trimmingSuffix(of: value, longest: longest)
    }

    /// `${v/p/r}` and `${v//p/r}`.
    private mutating func replacing(_ name: String) throws(MessageError) -> String {
        let everywhere = next == "/"
        if everywhere { at += 1 }
        let word = try operand(until: "/", keepEscapes: true)
        let replacement = try operand(until: "}", keepEscapes: true)
        guard let value = try value(of: name) else {
            let slashes = everywhere ? "//" : "/"
            return expander.options.contains(.keepUndefined) ? "${\(name)\(slashes)\(word)/\(replacement)}" : ""
        }
        // Every letter may be replaced.
        if everywhere { room -= (value.utf8.count + 1) * replacement.utf8.count }
        if room < 0 { throw VariableExpander.tooLarge }
        return try pattern(word.scalars[...]).replacing(in: value, with: replacement, everywhere: everywhere)
    }

    private func pattern(_ word: ArraySlice<Unicode.Scalar>) throws(MessageError) -> ShellPattern {
        do throws(MessageError) {
            return try ShellPattern(word)
        } catch {
            throw MessageError("invalid pattern (\(word.string)) in substitution: \(error.message)")
        }
    }
}
