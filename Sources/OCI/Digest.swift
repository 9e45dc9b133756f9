/// The name of some content: `sha256:` and 64 lower-case hexadecimal digits (image-spec, descriptor.md#digests).
///
/// A value of this type is always well formed, so its parts are safe in a path.
package struct Digest: Hashable, Sendable, CustomStringConvertible {
    /// The 64 hexadecimal digits.
    package let hex: String

    /// Reads `sha256:…`. Other algorithms are refused: the store keeps sha256 only.
    package init(_ text: String) throws(EngineError) {
        guard text.hasPrefix("sha256:") else {
            throw EngineError(.invalid, "unsupported digest \"\(text.prefix(100))\"")
        }
        let hex = String(text.dropFirst(7))
        guard Digest.isHex(hex) else { throw EngineError(.invalid, "invalid digest \"\(text.prefix(100))\"") }
        self.hex = hex
    }

    /// From the 32 bytes of a SHA-256.
    package init(sha256 bytes: [UInt8]) {
        var hex: [UInt8] = []
        hex.reserveCapacity(64)
        let digits = Array("0123456789abcdef".utf8)
        for byte in bytes {
            hex.append(digits[Int(byte >> 4)])
            hex.append(digits[Int(byte & 15)])
        }
        self.hex = String(decoding: hex, as: UTF8.self)
    }

    /// From 64 hexadecimal digits, or nil.
    package init?(hex: String) {
        guard Digest.isHex(hex) else { return nil }
        self.hex = hex
    }

    private static func isHex(_ text: String) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }

    package var description: String { "sha256:\(hex)" }

    /// The 12 digits that people are shown.
    package var short: String { String(hex.prefix(12)) }
}
