/// Base64 (RFC 4648, section 4).
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
        guard fill <= 2, !symbols.dropLast(fill).contains(padding) else { return nil }
        return decode(unpadded: symbols)
    }

    /// With or without padding, wherever it stands, as libarchive writes it. Nil for any other symbol.
    package static func decode(unpadded text: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for symbol in text where symbol != padding {
            guard let value = value(symbol) else { return nil }
            bits = (bits << 6 | value) & 0xFF_FFFF
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }

    private static func value(_ symbol: UInt8) -> UInt32? {
        switch symbol {
        case 0x41...0x5A: UInt32(symbol) - 0x41
        case 0x61...0x7A: UInt32(symbol) - 0x61 + 26
        case 0x30...0x39: UInt32(symbol) - 0x30 + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
