/// What a zstd frame says of itself before it comes (RFC 8878, 3.1.1.1).
enum ZstdFrame {
    /// A magic number, a descriptor, and up to 13 bytes of fields.
    static let headerLimit = 18
    private static let magic: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]

    /// Bytes of what was decompressed that a decoder has to keep; 0 for a skippable frame and for what is none. Nil while
    /// too little of the header is there to tell.
    static func window(_ header: [UInt8]) -> Int? {
        guard header.count > magic.count else { return nil }
        guard header.starts(with: magic) else { return 0 }
        let descriptor = header[magic.count]
        let fields = header[(magic.count + 1)...]
        if descriptor & 0x20 == 0 {
            guard let window = fields.first else { return nil }
            let base = 1 << (10 + Int(window >> 3))
            return base + base / 8 * Int(window & 7)
        }
        // Without a window of its own: all of the content is one.
        let dictionary = [0, 1, 2, 4][Int(descriptor & 3)]
        let size = [1, 2, 4, 8][Int(descriptor >> 6)]
        guard fields.count >= dictionary + size else { return nil }
        let content = fields.dropFirst(dictionary).prefix(size).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Int(clamping: size == 2 ? content + 256 : content)
    }
}
