import LinuxSystem

extension JSON {
    /// The value as JSON text: compact, or with two spaces of indentation. The same value always gives the same text.
    package func text(pretty: Bool = false) -> String { String(decoding: bytes(pretty: pretty), as: UTF8.self) }

    /// `text` as UTF-8.
    package func bytes(pretty: Bool = false) -> [UInt8] { bytes(indent: pretty ? 2 : nil) }

    /// The text with `indent` spaces for each level (docker's `inspect` uses four), or compact.
    package func bytes(indent: Int?) -> [UInt8] {
        bytes(unit: indent.map { [UInt8](repeating: UInt8(ascii: " "), count: $0) })
    }

    /// The text with a tab for each level, as runc writes a specification.
    package func bytesIndentedByTabs() -> [UInt8] { bytes(unit: [UInt8(ascii: "\t")]) }

    private func bytes(unit: [UInt8]?) -> [UInt8] {
        var out: [UInt8] = []
        write(to: &out, indent: unit, level: 0)
        return out
    }

    private func write(to out: inout [UInt8], indent: [UInt8]?, level: Int) {
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
        indent: [UInt8]?,
        level: Int,
        _ write: (E, inout [UInt8]) -> Void
    ) {
        out += Array(open.utf8)
        for (index, element) in elements.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            if let indent { newLine(indent, level + 1, to: &out) }
            write(element, &out)
        }
        if let indent, !elements.isEmpty { newLine(indent, level, to: &out) }
        out += Array(close.utf8)
    }

    private static func newLine(_ indent: [UInt8], _ level: Int, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\n"))
        for _ in 0..<level { out += indent }
    }

    private static func quote(_ text: String, to out: inout [UInt8]) {
        let hex = Array("0123456789abcdef".utf8)
        out.append(UInt8(ascii: "\""))
        let bytes = text.rawBytes
        let standsForBytes = bytes.count != text.utf8.count
        // Of the scalar that is looked at, and of what has been written.
        var (end, written) = (0, 0)
        for (at, byte) in bytes.enumerated() where at >= written {
            if standsForBytes, byte >= 0x80, at >= end {
                end = at + ByteText.scalarLength(bytes, at)
                // What is no UTF-8 is no JSON: such a byte stands there as the lone surrogate that it is in Python, and the parser
                // reads it as the byte again; others read U+FFFD.
                let isLost = end == at
                // A scalar that would stand for a byte in the text that is made of this goes as a pair of surrogates.
                let isStandIn = end - at == 4 && ByteText.isStandIn(bytes, at)
                if isLost || isStandIn {
                    let value = isLost ? byte : ByteText.byte(bytes, at)
                    out +=
                        Array((isLost ? "\\udc" : "\\udbff\\udf").utf8) + [hex[Int(value >> 4)], hex[Int(value & 15)]]
                    written = max(end, at + 1)
                    continue
                }
            }
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
