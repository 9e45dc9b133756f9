import OCI

struct TemplateToken: Sendable {
    enum Kind: Sendable, Equatable {
        /// Text between actions.
        case text(String)
        case open
        case close
        /// `.`
        case dot
        /// `.Name`
        case field(String)
        /// `$` or `$name`
        case variable(String)
        case word(String)
        case string(String)
        case number(String)
        /// `(`, `)`, `|`, `,`, `=`, `:=`
        case symbol(String)
        case space
        case end
    }

    let kind: Kind
    let range: Range<Int>
}

/// Cuts a template into tokens.
struct TemplateLexer {
    private let source: TemplateSource
    private let bytes: [UInt8]
    private var at = 0
    private var tokens: [TemplateToken] = []

    static func tokens(_ source: TemplateSource) throws(TemplateError) -> [TemplateToken] {
        var lexer = TemplateLexer(source: source, bytes: source.bytes)
        try lexer.run()
        return lexer.tokens
    }

    private init(source: TemplateSource, bytes: [UInt8]) {
        self.source = source
        self.bytes = bytes
    }

    private mutating func run() throws(TemplateError) {
        var trimsNext = false
        while at < bytes.count {
            let start = at
            while at < bytes.count, !looking("{{") { at += 1 }
            var text = bytes[start..<at]
            let opens = at < bytes.count
            let trims = opens && looking("{{-") && at + 3 < bytes.count && TemplateLexer.isSpace(bytes[at + 3])
            if trimsNext { text = text.drop(while: TemplateLexer.isSpace) }
            if trims { while let last = text.last, TemplateLexer.isSpace(last) { text.removeLast() } }
            if !text.isEmpty { add(.text(String(decoding: text, as: UTF8.self)), start) }
            if !opens { break }
            trimsNext = try action(trims)
        }
        add(.end, at)
    }

    /// One `{{…}}`; the result says whether it trims the text behind it.
    private mutating func action(_ trims: Bool) throws(TemplateError) -> Bool {
        let start = at
        at += trims ? 3 : 2
        let content = at
        skipSpace()
        if looking("/*") { return try comment(start) }
        at = content
        add(.open, start)
        while true {
            if at >= bytes.count { throw source.parseError(start, "unclosed action") }
            if looking("}}") {
                at += 2
                add(.close, at - 2)
                return false
            }
            if TemplateLexer.isSpace(bytes[at]) {
                let space = at
                skipSpace()
                if looking("-}}") {
                    at += 3
                    add(.close, at - 2)
                    return true
                }
                add(.space, space)
                continue
            }
            try token()
        }
    }

    private mutating func comment(_ start: Int) throws(TemplateError) -> Bool {
        while at < bytes.count, !looking("*/") { at += 1 }
        if at >= bytes.count { throw source.parseError(start, "unclosed comment") }
        at += 2
        let trims = at < bytes.count && TemplateLexer.isSpace(bytes[at])
        skipSpace()
        if trims, looking("-}}") {
            at += 3
            return true
        }
        guard looking("}}") else { throw source.parseError(start, "comment ends before closing delimiter") }
        at += 2
        return false
    }

    private mutating func token() throws(TemplateError) {
        let start = at
        switch bytes[at] {
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "|"), UInt8(ascii: ","), UInt8(ascii: "="):
            at += 1
            add(.symbol(source.text(start..<at)), start)
        case UInt8(ascii: ":"):
            guard looking(":=") else { throw source.parseError(at, "expected :=") }
            at += 2
            add(.symbol(":="), start)
        case UInt8(ascii: "\""), UInt8(ascii: "`"): add(.string(try quoted()), start)
        case UInt8(ascii: "'"): try characterConstant()
        case UInt8(ascii: "$"):
            at += 1
            skipName()
            add(.variable(source.text(start..<at)), start)
        case UInt8(ascii: ".") where at + 1 < bytes.count && !TemplateLexer.isDigit(bytes[at + 1]):
            at += 1
            skipName()
            add(at == start + 1 ? .dot : .field(source.text((start + 1)..<at)), start)
        case UInt8(ascii: "-"), UInt8(ascii: "+"):
            if followsName { throw source.parseError(at, unexpected(source.text(at..<(at + 1)))) }
            try number()
        case UInt8(ascii: "."), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        default:
            skipName()
            if at == start {
                throw source.parseError(at, unexpected(String(source.text(start..<bytes.count).prefix(1))))
            }
            add(.word(source.text(start..<at)), start)
        }
    }

    /// The message for a character that begins no token.
    private func unexpected(_ character: String) -> String {
        guard followsName else { return "unexpected \(character.goQuoted) in command" }
        let value = character.unicodeScalars.first?.value ?? 0
        return "bad character U+\(String.hexadecimal(value, width: 4).uppercased()) '\(character)'"
    }

    /// Whether a name ends here, without a blank behind it.
    private var followsName: Bool {
        switch tokens.last?.kind {
        case .field, .variable, .word, .dot: true
        default: false
        }
    }

    private mutating func number() throws(TemplateError) {
        let start = at
        at += 1
        while at < bytes.count, TemplateLexer.isName(bytes[at]) || bytes[at] == UInt8(ascii: ".") { at += 1 }
        let text = source.text(start..<at)
        if let value = try? Scalars.integer(text) {
            add(.number(String(value)), start)
        } else if let value = Double(text) {
            let isWhole = value.magnitude < 0x1p53 && Double(Int(value)) == value
            add(.number(isWhole ? String(Int(value)) : text), start)
        } else {
            throw source.parseError(start, "illegal number syntax: \(text.goQuoted)")
        }
    }

    private mutating func characterConstant() throws(TemplateError) {
        let start = at
        let text = try quoted()
        guard let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1 else {
            throw source.parseError(start, "malformed character constant: \(source.text(start..<at))")
        }
        add(.number(String(scalar.value)), start)
    }

    /// A string in the quotes that stand here.
    private mutating func quoted() throws(TemplateError) -> String {
        let start = at
        let quote = bytes[at]
        let raw = quote == UInt8(ascii: "`")
        var text: [UInt8] = []
        at += 1
        while at < bytes.count, bytes[at] != quote, raw || bytes[at] != UInt8(ascii: "\n") {
            if !raw, bytes[at] == UInt8(ascii: "\\") { text += try escape() } else { text.append(bytes[at]) }
            at += 1
        }
        guard at < bytes.count, bytes[at] == quote else {
            throw source.parseError(start, raw ? "unterminated raw quoted string" : "unterminated quoted string")
        }
        at += 1
        return String(decoding: text, as: UTF8.self)
    }

    /// What a backslash and what follows stand for; leaves `at` on its last byte.
    private mutating func escape() throws(TemplateError) -> [UInt8] {
        at += 1
        guard at < bytes.count else { throw source.parseError(at - 1, "unterminated quoted string") }
        switch bytes[at] {
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "a"): return [0x07]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "v"): return [0x0B]
        case UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "'"): return [bytes[at]]
        case UInt8(ascii: "x"): return try hexadecimal(2)
        case UInt8(ascii: "u"): return try hexadecimal(4)
        case UInt8(ascii: "U"): return try hexadecimal(8)
        default: throw source.parseError(at, "invalid syntax")
        }
    }

    private mutating func hexadecimal(_ digits: Int) throws(TemplateError) -> [UInt8] {
        guard at + digits < bytes.count,
            let value = UInt32(source.text((at + 1)..<(at + 1 + digits)), radix: 16), let scalar = Unicode.Scalar(value)
        else { throw source.parseError(at, "invalid syntax") }
        at += digits
        return digits == 2 ? [UInt8(value)] : Array(String(Character(scalar)).utf8)
    }

    private mutating func add(_ kind: TemplateToken.Kind, _ start: Int) {
        tokens.append(TemplateToken(kind: kind, range: start..<at))
    }

    private mutating func skipSpace() { while at < bytes.count, TemplateLexer.isSpace(bytes[at]) { at += 1 } }

    private mutating func skipName() { while at < bytes.count, TemplateLexer.isName(bytes[at]) { at += 1 } }

    private func looking(_ text: StaticString) -> Bool {
        guard at + text.utf8CodeUnitCount <= bytes.count else { return false }
        return text.withUTF8Buffer { buffer in buffer.elementsEqual(bytes[at..<(at + buffer.count)]) }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0A).contains(byte) || byte == 0x0D }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    /// Letters, digits, "_" and everything beyond ASCII.
    private static func isName(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F || byte >= 0x80
    }
}
