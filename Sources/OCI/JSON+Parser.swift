import LinuxSystem

extension JSON {
    /// Reads one JSON text. Errors name the byte offset.
    ///
    /// Nesting is bounded (256 levels): the text may come from an image or a registry, and must not end the process by
    /// filling its stack.
    package static func parse(_ bytes: [UInt8]) throws(EngineError) -> JSON {
        var parser = JSONParser(bytes: bytes)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        if parser.at < bytes.count { throw parser.error("something after the end") }
        return value
    }

    package static func parse(_ text: String) throws(EngineError) -> JSON { try parse(text.rawBytes) }
}

private struct JSONParser {
    let bytes: [UInt8]
    var at = 0

    func error(_ what: String) -> EngineError { EngineError(.invalid, "invalid JSON at byte \(at): \(what)") }

    mutating func skipSpace() {
        while at < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[at]) { at += 1 }
    }

    private mutating func take(_ byte: Character) -> Bool {
        guard at < bytes.count, bytes[at] == byte.asciiValue else { return false }
        at += 1
        return true
    }

    private mutating func word(_ text: StaticString, _ value: JSON) throws(EngineError) -> JSON {
        let count = text.utf8CodeUnitCount
        guard at + count <= bytes.count, (0..<count).allSatisfy({ bytes[at + $0] == text.utf8Start[$0] }) else {
            throw error("unexpected character")
        }
        at += count
        return value
    }

    mutating func value(depth: Int) throws(EngineError) -> JSON {
        if depth > 256 { throw error("nested too deeply") }
        skipSpace()
        guard at < bytes.count else { throw error("unexpected end") }
        switch bytes[at] {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func object(_ depth: Int) throws(EngineError) -> JSON {
        at += 1
        var members: [(key: String, value: JSON)] = []
        skipSpace()
        if take("}") { return .object(members) }
        repeat {
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw error("expected a key") }
            let key = try string()
            skipSpace()
            guard take(":") else { throw error("expected ':'") }
            members.append((key: key, value: try value(depth: depth + 1)))
            skipSpace()
        } while take(",")
        guard take("}") else { throw error("expected ',' or '}'") }
        return .object(members)
    }

    private mutating func array(_ depth: Int) throws(EngineError) -> JSON {
        at += 1
        var elements: [JSON] = []
        skipSpace()
        if take("]") { return .array(elements) }
        repeat {
            elements.append(try value(depth: depth + 1))
            skipSpace()
        } while take(",")
        guard take("]") else { throw error("expected ',' or ']'") }
        return .array(elements)
    }

    private mutating func number() throws(EngineError) -> JSON {
        let start = at
        _ = take("-")
        let first = at
        try digits()
        if at - first > 1, bytes[first] == UInt8(ascii: "0") { throw error("a number starts with 0") }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            try digits()
        }
        return .number(String(decoding: bytes[start..<at], as: UTF8.self))
    }

    private mutating func digits() throws(EngineError) {
        let start = at
        while at < bytes.count, (0x30...0x39).contains(bytes[at]) { at += 1 }
        if at == start { throw error("unexpected character") }
    }

    private mutating func string() throws(EngineError) -> String {
        at += 1
        let start = at
        // Most strings hold no escape: one pass, one copy.
        while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\"), bytes[at] >= 0x20 {
            at += 1
        }
        if at < bytes.count, bytes[at] == UInt8(ascii: "\"") {
            at += 1
            return String(repairing: bytes[start..<(at - 1)])
        }
        var text = ""
        var plain = start
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            switch byte {
            case UInt8(ascii: "\""): return text + String(repairing: bytes[plain..<(at - 1)])
            case UInt8(ascii: "\\"):
                text += String(repairing: bytes[plain..<(at - 1)])
                text.unicodeScalars.append(contentsOf: try escape())
                plain = at
            case 0..<0x20: throw error("a control character in a string")
            default: break
            }
        }
        throw error("a string without end")
    }

    private mutating func escape() throws(EngineError) -> String.UnicodeScalarView {
        guard at < bytes.count else { throw error("unexpected end") }
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            return String(Unicode.Scalar(byte)).unicodeScalars
        case UInt8(ascii: "b"): return "\u{8}".unicodeScalars
        case UInt8(ascii: "f"): return "\u{C}".unicodeScalars
        case UInt8(ascii: "n"): return "\n".unicodeScalars
        case UInt8(ascii: "r"): return "\r".unicodeScalars
        case UInt8(ascii: "t"): return "\t".unicodeScalars
        case UInt8(ascii: "u"): return try unicode().unicodeScalars
        default: throw error("an unknown escape")
        }
    }

    private mutating func unicode() throws(EngineError) -> String {
        let high = try hexUnit()
        // A pair of surrogates is one scalar. A lone one is what a writer made of a byte that is no UTF-8 (`JSON.quote`), or
        // becomes U+FFFD, as most readers do.
        if (0xD800..<0xDC00).contains(high), at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
            bytes[at + 1] == UInt8(ascii: "u")
        {
            let back = at
            at += 2
            let low = try hexUnit()
            if (0xDC00..<0xE000).contains(low),
                let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
            {
                return String(repairing: Array(String(scalar).utf8))
            }
            at = back
        }
        if (0xDC80...0xDCFF).contains(high) { return String(rawBytes: [UInt8(high & 0xFF)]) }
        return String(Unicode.Scalar(high) ?? "\u{FFFD}")
    }

    private mutating func hexUnit() throws(EngineError) -> UInt32 {
        guard at + 4 <= bytes.count else { throw error("expected four hexadecimal digits") }
        var unit: UInt32 = 0
        for byte in bytes[at..<(at + 4)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("expected four hexadecimal digits")
            }
            unit = unit << 4 | UInt32(digit)
        }
        at += 4
        return unit
    }
}
