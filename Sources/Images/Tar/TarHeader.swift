import OCI

func corruptTar(_ what: String) -> EngineError { EngineError(.corrupt, "not a valid tar archive: \(what)") }

/// The fields of one 512-byte header block (POSIX.1-1988 ustar, and where GNU, star and v7 tar differ from it).
struct TarHeader {
    enum Dialect { case v7, ustar, star, gnu }

    /// A block that is valid for as long as the reader does not read on.
    let block: UnsafeRawBufferPointer
    let dialect: Dialect

    static let size = 512

    /// - Throws: EngineError(.corrupt) where the checksum is wrong.
    init(_ block: UnsafeRawBufferPointer) throws {
        self.block = block
        dialect = TarHeader.dialect(of: block)
        try TarHeader.verify(block)
    }

    private static func dialect(of block: UnsafeRawBufferPointer) -> Dialect {
        if block[257..<262].elementsEqual("ustar".utf8) {
            if block[262] == 0 { return block[508..<512].elementsEqual([0x74, 0x61, 0x72, 0]) ? .star : .ustar }
            if block[262] == 0x20, block[263] == 0x20, block[264] == 0 { return .gnu }
        }
        return .v7
    }

    /// The checksum counts the bytes of the block, its own field as spaces. Old systems summed signed bytes.
    private static func verify(_ block: UnsafeRawBufferPointer) throws {
        var unsigned: Int64 = 0
        var signed: Int64 = 0
        for byte in block {
            unsigned += Int64(byte)
            signed += Int64(Int8(bitPattern: byte))
        }
        for byte in block[148..<156] {
            unsigned += 32 - Int64(byte)
            signed += 32 - Int64(Int8(bitPattern: byte))
        }
        let stored = try TarHeader.number(block[148..<156], "checksum")
        if stored != unsigned && stored != signed { throw corruptTar("a header's checksum is wrong") }
    }

    var type: UInt8 { block[156] }

    /// The name with its ustar or star prefix.
    var path: [UInt8] {
        let name = text(0..<100)
        switch dialect {
        case .v7, .gnu: return name
        case .ustar: return joined(text(345..<500), name)
        case .star: return joined(text(345..<476), name)
        }
    }

    private func joined(_ prefix: [UInt8], _ name: [UInt8]) -> [UInt8] {
        prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
    }

    var linkTarget: [UInt8] { text(157..<257) }

    func mode() throws -> Int64 { try number(100..<108, "mode") }
    func uid() throws -> Int64 { try number(108..<116, "owner") }
    func gid() throws -> Int64 { try number(116..<124, "group") }
    func size() throws -> Int64 { try number(124..<136, "size") }
    func mtime() throws -> Int64 { try number(136..<148, "time") }
    func major() throws -> Int64 { dialect == .v7 ? 0 : try number(329..<337, "device") }
    func minor() throws -> Int64 { dialect == .v7 ? 0 : try number(337..<345, "device") }

    /// A field up to its first NUL.
    func text(_ range: Range<Int>) -> [UInt8] {
        let field = block[range]
        return Array(field[..<(field.firstIndex(of: 0) ?? field.endIndex)])
    }

    func number(_ range: Range<Int>, _ what: String) throws -> Int64 { try TarHeader.number(block[range], what) }

    /// Octal digits between spaces and NULs, or GNU's base 256: two's complement behind a set first bit.
    static func number(_ field: Slice<UnsafeRawBufferPointer>, _ what: String) throws -> Int64 {
        guard let first = field.first else { return 0 }
        if first & 0x80 != 0 { return try base256(field, what) }
        var value: Int64 = 0
        var hasEnded = false
        var hasDigits = false
        for byte in field {
            switch byte {
            case 0x30...0x37 where !hasEnded:
                // Twelve digits are 36 bits: no overflow.
                value = value << 3 | Int64(byte - 0x30)
                hasDigits = true
            case 0x20, 0:
                // Before the digits both are padding. Behind them a NUL ends the field; behind a space only more
                // padding may follow.
                if byte == 0, hasDigits { return value }
                hasEnded = hasDigits
            default: throw corruptTar("its \(what) is not a number")
            }
        }
        return value
    }

    private static func base256(_ field: Slice<UnsafeRawBufferPointer>, _ what: String) throws -> Int64 {
        // The first byte's top bit is the mark, the next one the sign.
        let isNegative = field[field.startIndex] & 0x40 != 0
        var value: Int64 = isNegative ? -1 : 0
        for (index, byte) in field.enumerated() {
            var digit = byte
            if index == 0 { digit = isNegative ? byte | 0x80 : byte & 0x7f }
            let (product, overflow) = value.multipliedReportingOverflow(by: 256)
            if overflow { throw corruptTar("its \(what) is too large") }
            value = product | Int64(digit)
        }
        return value
    }
}
