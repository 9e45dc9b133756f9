/// Base64 with padding (RFC 4648, section 4).
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    package static func encode(_ bytes: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var rest = bytes[...]
        while !rest.isEmpty {
            let three = Array(rest.prefix(3))
            rest = rest.dropFirst(3)
            let bits = (0..<3).reduce(0) { $0 << 8 | ($1 < three.count ? Int(three[$1]) : 0) }
            for place in 0..<4 {
                text.append(place > three.count ? padding : alphabet[bits >> (18 - 6 * place) & 63])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil where the text is no base64. Line ends in it are left out, as Go does; other blanks are not.
    package static func decode(_ text: String) -> [UInt8]? {
        let symbols = text.utf8.filter { $0 != 0x0A && $0 != 0x0D }
        guard symbols.count % 4 == 0 else { return nil }
        let fill = symbols.reversed().prefix { $0 == padding }.count
        guard fill <= 2 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(symbols.count / 4 * 3)
        var bits = 0
        for (index, symbol) in symbols.dropLast(fill).enumerated() {
            guard let value = value(symbol) else { return nil }
            bits = (bits << 6 | value) & 0xFF_FFFF
            // The first of four symbols fills no byte yet; each of the others does.
            switch index % 4 {
            case 1: bytes.append(UInt8(bits >> 4 & 0xFF))
            case 2: bytes.append(UInt8(bits >> 2 & 0xFF))
            case 3: bytes.append(UInt8(bits & 0xFF))
            default: break
            }
        }
        return bytes
    }

    private static func value(_ symbol: UInt8) -> Int? {
        switch symbol {
        case 0x41...0x5A: Int(symbol) - 0x41
        case 0x61...0x7A: Int(symbol) - 0x61 + 26
        case 0x30...0x39: Int(symbol) - 0x30 + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
