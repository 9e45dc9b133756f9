/// A value as D-Bus carries it (D-Bus specification, "Type System"), of the types that systemd's properties have.
indirect enum DBusValue: Equatable, Sendable {
    case byte(UInt8)
    case bool(Bool)
    case int16(Int16)
    case uint16(UInt16)
    case int32(Int32)
    case uint32(UInt32)
    case int64(Int64)
    case uint64(UInt64)
    case double(Double)
    case string(String)
    case objectPath(String)
    case signature(String)
    /// With the signature of its elements, which an empty one has too.
    case array(of: String, [DBusValue])
    case structure([DBusValue])
    case variant(DBusValue)

    var signature: String {
        switch self {
        case .byte: "y"
        case .bool: "b"
        case .int16: "n"
        case .uint16: "q"
        case .int32: "i"
        case .uint32: "u"
        case .int64: "x"
        case .uint64: "t"
        case .double: "d"
        case .string: "s"
        case .objectPath: "o"
        case .signature: "g"
        case .array(let element, _): "a\(element)"
        case .structure(let members): "(\(members.map(\.signature).joined()))"
        case .variant: "v"
        }
    }

    /// The text of a string or an object path.
    var text: String? {
        switch self {
        case .string(let text), .objectPath(let text): text
        case .variant(let value): value.text
        default: nil
        }
    }

    static func strings(_ values: [String]) -> DBusValue { .array(of: "s", values.map { .string($0) }) }
    static func bytes(_ values: [UInt8]) -> DBusValue { .array(of: "y", values.map { .byte($0) }) }
}

/// The types in a signature, "sa(sv)" being a string and an array.
struct DBusSignature {
    private var rest: Substring

    init(_ text: String) { rest = text[...] }

    /// The signature split into those of its values; nil where it is none.
    static func split(_ text: String) -> [String]? {
        var signature = DBusSignature(text)
        var parts: [String] = []
        while !signature.rest.isEmpty {
            guard let part = signature.next() else { return nil }
            parts.append(part)
        }
        return parts
    }

    /// The first complete type.
    private mutating func next(depth: Int = 0) -> String? {
        // The specification allows 32 of each kind.
        guard depth < 32, let first = rest.popFirst() else { return nil }
        switch first {
        case "a": return next(depth: depth + 1).map { "a\($0)" }
        case "(", "{":
            let end: Character = first == "(" ? ")" : "}"
            var text = String(first)
            while rest.first != end {
                guard let part = next(depth: depth + 1) else { return nil }
                text += part
            }
            text.append(rest.removeFirst())
            return text
        case "y", "b", "n", "q", "i", "u", "x", "t", "d", "s", "o", "g", "v", "h": return String(first)
        default: return nil
        }
    }
}
