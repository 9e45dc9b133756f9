import LinuxSystem

// The four kinds of strings (TOML v1.0.0, "String").
extension TOMLParser {
    /// `"…"` on one line.
    mutating func basicString() throws(TOMLError) -> String {
        at += 1
        var content: [UInt8] = []
        while true {
            guard let byte = peek, byte != 0x0A, byte != 0x0D else { throw error("a string does not end") }
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                return String(rawBytes: content)
            case UInt8(ascii: "\\"): try escape(into: &content)
            default: content.append(try character())
            }
        }
    }

    /// `'…'` on one line, without escapes.
    mutating func literalString() throws(TOMLError) -> String {
        at += 1
        let start = at
        while let byte = peek, byte != 0x0A, byte != 0x0D {
            if byte == UInt8(ascii: "'") {
                at += 1
                return text(start..<(at - 1))
            }
            _ = try character()
        }
        throw error("a string does not end")
    }

    /// `"""…"""`.
    mutating func longBasicString() throws(TOMLError) -> String {
        try longString(UInt8(ascii: "\"")) { (parser: inout TOMLParser, content: inout [UInt8]) throws(TOMLError) in
            guard parser.peek == UInt8(ascii: "\\") else { return false }
            if !parser.skipLineContinuation() { try parser.escape(into: &content) }
            return true
        }
    }

    /// `'''…'''`.
    mutating func longLiteralString() throws(TOMLError) -> String {
        try longString(UInt8(ascii: "'")) { (_: inout TOMLParser, _: inout [UInt8]) throws(TOMLError) in false }
    }

    /// A string of several lines between three quotes. Up to two quotes may stand just before the end.
    ///
    /// - Parameter special: takes what has a meaning of its own; false where nothing such stands there.
    private mutating func longString(
        _ quote: UInt8,
        _ special: (inout TOMLParser, inout [UInt8]) throws(TOMLError) -> Bool
    ) throws(TOMLError) -> String {
        at += 3
        _ = takeLineEnd()
        var content: [UInt8] = []
        while let byte = peek {
            if byte == quote {
                var count = 0
                while count < 5, peek == quote {
                    at += 1
                    count += 1
                }
                content += [UInt8](repeating: quote, count: count >= 3 ? count - 3 : count)
                if count >= 3 { return String(rawBytes: content) }
            } else if takeLineEnd() {
                content.append(0x0A)
            } else if try !special(&self, &content) {
                content.append(try character())
            }
        }
        throw error("a string does not end")
    }

    /// A backslash at the end of a line: the line end and all blanks and line ends behind it are left out.
    private mutating func skipLineContinuation() -> Bool {
        let start = self
        at += 1
        skipBlanks()
        guard takeLineEnd() else {
            self = start
            return false
        }
        repeat { skipBlanks() } while takeLineEnd()
        return true
    }

    /// One byte of a string that stands for itself.
    private mutating func character() throws(TOMLError) -> UInt8 {
        guard let byte = peek, TOMLParser.isText(byte) else { throw error("a string holds a control character") }
        at += 1
        return byte
    }

    private mutating func escape(into content: inout [UInt8]) throws(TOMLError) {
        at += 1
        let kind = peek
        at += 1
        switch kind {
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "\""): content.append(0x22)
        case UInt8(ascii: "\\"): content.append(0x5C)
        case UInt8(ascii: "u"): content += String(try scalar(digits: 4)).utf8
        case UInt8(ascii: "U"): content += String(try scalar(digits: 8)).utf8
        default: throw error("a string has an unknown escape")
        }
    }

    private mutating func scalar(digits: Int) throws(TOMLError) -> Unicode.Scalar {
        let end = at + digits
        guard end <= bytes.count, bytes[at..<end].allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
            let value = UInt32(text(at..<end), radix: 16), let scalar = Unicode.Scalar(value)
        else { throw error("an escape is no Unicode character") }
        at = end
        return scalar
    }
}
