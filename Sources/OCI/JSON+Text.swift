extension JSON {
    /// The value as JSON text: compact, or with two spaces of indentation. The same value always gives the same text.
    package func text(pretty: Bool = false) -> String { String(decoding: bytes(pretty: pretty), as: UTF8.self) }

    /// `text` as UTF-8.
    package func bytes(pretty: Bool = false) -> [UInt8] { bytes(indent: pretty ? 2 : nil) }

    /// The text with `indent` spaces for each level (docker's `inspect` uses four), or compact.
    package func bytes(indent: Int?) -> [UInt8] {
        var out: [UInt8] = []
        write(to: &out, indent: indent, level: 0)
        return out
    }

    private func write(to out: inout [UInt8], indent: Int?, level: Int) {
        switch self {
        case .null: out += Array("null".utf8)
        case .bool(let value): out += Array((value ? "true" : "false").utf8)
        case .number(let text): out += Array(text.utf8)
        case .string(let text): JSON.quote(text, to: &out)
        case .array(let elements):
            JSON.list(elements, "[", "]", to: &out, indent: indent, level: level) { element, out in
                element.write(to: &out, indent: indent, level: level + 1)
            }
        case .object(let members):
            JSON.list(members, "{", "}", to: &out, indent: indent, level: level) { member, out in
                JSON.quote(member.key, to: &out)
                out += Array((indent == nil ? ":" : ": ").utf8)
                member.value.write(to: &out, indent: indent, level: level + 1)
            }
        }
    }

    private static func list<E>(
        _ elements: [E],
        _ open: Character,
        _ close: Character,
        to out: inout [UInt8],
        indent: Int?,
        level: Int,
        _ write: (E, inout [UInt8]) -> Void
    ) {
        out += Array(open.utf8)
        for (index, element) in elements.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            if let indent { newLine(indent * (level + 1), to: &out) }
            write(element, &out)
        }
        if let indent, !elements.isEmpty { newLine(indent * level, to: &out) }
        out += Array(close.utf8)
    }

    private static func newLine(_ spaces: Int, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\n"))
        out.append(contentsOf: repeatElement(UInt8(ascii: " "), count: spaces))
    }

    private static func quote(_ text: String, to out: inout [UInt8]) {
        let hex = Array("0123456789abcdef".utf8)
        out.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): out += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\\"): out += [byte, byte]
            case UInt8(ascii: "\n"): out += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
            case UInt8(ascii: "\r"): out += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
            case UInt8(ascii: "\t"): out += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
            case 0..<0x20: out += Array("\\u00".utf8) + [hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}
