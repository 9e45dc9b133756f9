/// A cursor over a header's value with the pieces of RFC 9110, section 5.6. It takes what it can and never fails: what
/// stands there may come from anybody.
struct HeaderText {
    private let bytes: [UInt8]
    private var at = 0

    init(_ value: String) { bytes = Array(value.utf8) }

    var isAtEnd: Bool { at >= bytes.count }
    var isAtComma: Bool { peek == UInt8(ascii: ",") }
    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let byte = peek, UInt32(byte) == character.value else { return false }
        at += 1
        return true
    }

    mutating func skipBlanks() {
        while let byte = peek, HeaderText.isBlank(byte) { at += 1 }
    }

    /// Blanks and commas: a list may have empty elements.
    mutating func skipSeparators() {
        while let byte = peek, HeaderText.isBlank(byte) || byte == UInt8(ascii: ",") { at += 1 }
    }

    /// To the next comma that stands outside of a quoted string.
    mutating func skipToComma() {
        while let byte = peek, byte != UInt8(ascii: ",") {
            if quotedString() == nil { at += 1 }
        }
    }

    /// A token; empty where none stands here.
    mutating func token() -> String {
        let start = at
        while let byte = peek, HeaderText.isTokenByte(byte) { at += 1 }
        return text(start..<at)
    }

    /// One word of the token68 form that ends at a comma or the end; nil, and nothing is taken, where it is something else
    /// (a word before "=" is a parameter's name, unless the "=" only fill it up).
    mutating func token68() -> String? {
        let start = at
        while let byte = peek, HeaderText.isToken68Byte(byte) { at += 1 }
        let word = at
        while peek == UInt8(ascii: "=") { at += 1 }
        let end = at
        skipBlanks()
        guard word > start, isAtEnd || isAtComma else {
            at = start
            return nil
        }
        return text(start..<end)
    }

    /// A quoted string without its quotes and with its escapes resolved; nil where none begins here. One that does not end
    /// goes to the end.
    mutating func quotedString() -> String? {
        guard take("\"") else { return nil }
        var content: [UInt8] = []
        while let byte = peek {
            at += 1
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\"), let escaped = peek {
                at += 1
                content.append(escaped)
            } else {
                content.append(byte)
            }
        }
        return String(decoding: content, as: UTF8.self)
    }

    /// What stands before the next blank, comma or semicolon.
    mutating func bareValue() -> String {
        let start = at
        while let byte = peek, !HeaderText.isBlank(byte), byte != UInt8(ascii: ","), byte != UInt8(ascii: ";") {
            at += 1
        }
        return text(start..<at)
    }

    /// What stands before a byte, which is taken as well; nil, and nothing is taken, where that byte does not come.
    mutating func upTo(_ character: Unicode.Scalar) -> String? {
        guard let end = bytes[min(at, bytes.count)...].firstIndex(where: { UInt32($0) == character.value }) else {
            return nil
        }
        defer { at = end + 1 }
        return text(at..<end)
    }

    private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }

    private static func isToken68Byte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "-._~+/".utf8.contains(byte)
        }
    }
}
