extension JSON {
    /// JSON text laid out anew, as Go's `json.Indent` does it: strings and numbers keep the way in which they are written,
    /// which reading them and writing them again would not. What is no JSON gives no sense, and no harm.
    ///
    /// - Parameter indent: what stands for each level.
    package static func laidOut(_ text: [UInt8], indent: String = "\t") -> [UInt8] {
        var layout = Layout(Array(indent.utf8))
        for byte in text { layout.add(byte) }
        // Go keeps what follows the value.
        return layout.out + text.reversed().prefix(while: Layout.isBlank).reversed()
    }

    /// JSON text with `<`, `>`, `&` and the line separators as Go's `json.Marshal` writes them, which is made to stand in
    /// HTML. Outside of strings there are none.
    package static func escapedForHTML(_ text: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        for byte in text {
            switch byte {
            case UInt8(ascii: "<"): out += Array("\\u003c".utf8)
            case UInt8(ascii: ">"): out += Array("\\u003e".utf8)
            case UInt8(ascii: "&"): out += Array("\\u0026".utf8)
            // U+2028 and U+2029 in UTF-8.
            case 0xA8 where out.suffix(2) == [0xE2, 0x80], 0xA9 where out.suffix(2) == [0xE2, 0x80]:
                out.removeLast(2)
                out += Array((byte == 0xA8 ? "\\u2028" : "\\u2029").utf8)
            default: out.append(byte)
            }
        }
        return out
    }

    private struct Layout {
        let indent: [UInt8]
        var out: [UInt8] = []
        private var level = 0
        private var isInString = false
        private var isEscaped = false
        /// A bracket was opened, and nothing came since.
        private var isOpen = false

        init(_ indent: [UInt8]) { self.indent = indent }

        static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

        mutating func add(_ byte: UInt8) {
            if isInString { return addInString(byte) }
            if Layout.isBlank(byte) { return }
            let closes = byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]")
            if closes { level = max(0, level - 1) }
            if isOpen != closes { startLine() }
            isOpen = false
            out.append(byte)
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["): (level, isOpen) = (level + 1, true)
            case UInt8(ascii: ","): startLine()
            case UInt8(ascii: ":"): out.append(0x20)
            case UInt8(ascii: "\""): isInString = true
            default: break
            }
        }

        private mutating func startLine() {
            out.append(0x0A)
            for _ in 0..<level { out += indent }
        }

        private mutating func addInString(_ byte: UInt8) {
            if byte == UInt8(ascii: "\""), !isEscaped { isInString = false }
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
            out.append(byte)
        }
    }
}
