import OCI

/// Values in GVariant's text format, as annotations give them: `uint64 5`, `'inactive-or-failed'`, `['a', 'b']`, `@as
/// []` (docs.gtk.org/glib/gvariant-text-format.html). Dictionaries and byte strings are left out: no unit's property
/// has them.
struct VariantText {
    private var rest: Substring

    /// The one value that the text holds.
    static func parse(_ text: String) throws(VariantTextError) -> DBusValue {
        var parser = VariantText(rest: text[...])
        let value = try parser.value(expected: nil)
        parser.skipBlanks()
        guard parser.rest.isEmpty else { throw VariantTextError("unexpected \"\(parser.rest)\"") }
        return value
    }

    private static let names = [
        "boolean": "b", "byte": "y", "int16": "n", "uint16": "q", "int32": "i", "handle": "i", "uint32": "u",
        "int64": "x", "uint64": "t", "double": "d", "string": "s", "objectpath": "o", "signature": "g",
    ]

    private mutating func skipBlanks() { rest = rest.drop(while: \.isWhitespace) }

    /// - Parameter expected: the signature that the context asks for; nil where the text alone decides.
    private mutating func value(expected: String?, depth: Int = 0) throws(VariantTextError) -> DBusValue {
        guard depth < 32 else { throw VariantTextError("too deep") }
        skipBlanks()
        switch rest.first {
        case nil: throw VariantTextError("unexpected end")
        case "'", "\"": return try converted(.string(string()), expected)
        case "[": return try array(expected, depth)
        case "(": return try tuple(expected, depth)
        case "<":
            rest.removeFirst()
            let inner = try value(expected: nil, depth: depth + 1)
            try need(">")
            return try converted(.variant(inner), expected)
        case "@":
            let signature = String(word().dropFirst())
            guard DBusSignature.split(signature)?.count == 1 else {
                throw VariantTextError("\"\(signature)\" is no type")
            }
            return try value(expected: signature, depth: depth + 1)
        default: break
        }
        let word = word()
        if word == "true" || word == "false" { return try converted(.bool(word == "true"), expected) }
        if let signature = VariantText.names[word] { return try value(expected: signature, depth: depth + 1) }
        return try VariantText.number(word, expected ?? (word.contains(".") ? "d" : "i"))
    }

    private mutating func word() -> String {
        let word = rest.prefix { !$0.isWhitespace && !"],)>'\"".contains($0) }
        rest = rest.dropFirst(word.count)
        return String(word)
    }

    private mutating func need(_ character: Character) throws(VariantTextError) {
        skipBlanks()
        guard rest.first == character else { throw VariantTextError("\"\(character)\" is missing") }
        rest.removeFirst()
    }

    /// True where `character` comes next, which is then taken.
    private mutating func take(_ character: Character) -> Bool {
        skipBlanks()
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func array(_ expected: String?, _ depth: Int) throws(VariantTextError) -> DBusValue {
        rest.removeFirst()
        if let expected, !expected.hasPrefix("a") { throw VariantTextError("an array where \(expected) is wanted") }
        var element = expected.map { String($0.dropFirst()) }
        var values: [DBusValue] = []
        while !take("]") {
            if !values.isEmpty { try need(",") }
            let value = try value(expected: element, depth: depth + 1)
            element = element ?? value.signature
            values.append(value)
        }
        guard let element else { throw VariantTextError("an empty array needs a type, such as @as []") }
        return .array(of: element, values)
    }

    private mutating func tuple(_ expected: String?, _ depth: Int) throws(VariantTextError) -> DBusValue {
        rest.removeFirst()
        var types: [String]?
        if let expected {
            types = expected.hasPrefix("(") ? DBusSignature.split(String(expected.dropFirst().dropLast())) : nil
            if types == nil { throw VariantTextError("a tuple where \(expected) is wanted") }
        }
        var values: [DBusValue] = []
        while !take(")") {
            // A tuple of one ends with a comma.
            if !values.isEmpty {
                try need(",")
                if take(")") { break }
            }
            if let types, values.count >= types.count { throw VariantTextError("a tuple that is too long") }
            values.append(try value(expected: types?[values.count], depth: depth + 1))
        }
        guard !values.isEmpty, types.map({ $0.count == values.count }) ?? true else {
            throw VariantTextError("a tuple that is too short")
        }
        return .structure(values)
    }

    private mutating func string() throws(VariantTextError) -> String {
        let quote = rest.removeFirst()
        var text = ""
        while let character = rest.popFirst() {
            if character == quote { return text }
            guard character == "\\" else {
                text.append(character)
                continue
            }
            guard let escaped = rest.popFirst() else { break }
            switch escaped {
            case "a": text.append("\u{7}")
            case "b": text.append("\u{8}")
            case "f": text.append("\u{C}")
            case "n": text.append("\n")
            case "r": text.append("\r")
            case "t": text.append("\t")
            case "v": text.append("\u{B}")
            case "u", "U":
                let digits = rest.prefix(escaped == "u" ? 4 : 8)
                guard let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code) else {
                    throw VariantTextError("\"\\\(escaped)\(digits)\" is no character")
                }
                rest = rest.dropFirst(digits.count)
                text.unicodeScalars.append(scalar)
            default: text.append(escaped)
            }
        }
        throw VariantTextError("unterminated string")
    }

    /// Strings are paths and signatures too, where those are wanted.
    private func converted(_ value: DBusValue, _ expected: String?) throws(VariantTextError) -> DBusValue {
        guard let expected, expected != value.signature else { return value }
        switch (expected, value) {
        case ("o", .string(let text)): return .objectPath(text)
        case ("g", .string(let text)) where DBusSignature.split(text) != nil: return .signature(text)
        case ("v", _): return .variant(value)
        default: throw VariantTextError("a value of type \(value.signature) where \(expected) is wanted")
        }
    }

    private static func number(_ word: String, _ type: String) throws(VariantTextError) -> DBusValue {
        func integer<N: FixedWidthInteger>(_ type: N.Type) -> N? {
            let isNegative = word.hasPrefix("-")
            let digits = word.dropFirst(isNegative || word.hasPrefix("+") ? 1 : 0)
            let radix = digits.hasPrefix("0x") ? 16 : digits.hasPrefix("0") && digits.count > 1 ? 8 : 10
            let text = (isNegative ? "-" : "") + digits.dropFirst(radix == 16 ? 2 : 0)
            return N(text, radix: radix)
        }
        let value: DBusValue? =
            switch type {
            case "y": integer(UInt8.self).map { .byte($0) }
            case "n": integer(Int16.self).map { .int16($0) }
            case "q": integer(UInt16.self).map { .uint16($0) }
            case "i": integer(Int32.self).map { .int32($0) }
            case "u": integer(UInt32.self).map { .uint32($0) }
            case "x": integer(Int64.self).map { .int64($0) }
            case "t": integer(UInt64.self).map { .uint64($0) }
            case "d": Double(word).map { .double($0) }
            case "v": try .variant(number(word, word.contains(".") ? "d" : "i"))
            default: nil
            }
        guard let value else { throw VariantTextError("\"\(word)\" is no value of type \(type)") }
        return value
    }
}

/// Why a text holds no value.
struct VariantTextError: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}
