import Images

/// Layers on top of each other, made from any bytes: archives with entries of all kinds and few names, so that they meet.
/// A change of some bytes changes some entries, which is what a fuzzer wants.
package struct LayerChain: Sendable {
    /// The lowest layer first.
    package private(set) var archives: [[UInt8]] = []
    /// What becomes of a finished image: a place in 65536 parts, and the byte that is put there.
    package private(set) var damage: [(place: Int, byte: UInt8)] = []

    /// - Throws: EngineError where an entry cannot be written, as one without a name.
    package init(_ bytes: some Sequence<UInt8>) throws {
        var source = ByteSupply(bytes)
        for _ in 0..<Int(source.next() & 7) {
            damage.append((Int(source.next()) << 8 | Int(source.next()), source.next()))
        }
        repeat { archives.append(try LayerChain.archive(&source)) } while !source.isEmpty && archives.count < 4
    }

    private static func archive(_ source: inout ByteSupply) throws -> [UInt8] {
        let sink = MemorySink()
        let writer = TarWriter(sink)
        var count = 0
        while !source.isEmpty, count < 64 {
            let kind = source.next()
            if kind & 15 == 15 { break }
            var sample = EntrySample(path: path(&source))
            try sample.fill(kind: Int(kind & 15), flags: kind >> 4, &source)
            if let segments = sample.entry.sparse {
                try sink.write(GNUTar.sparse(sample.entry, segments, sample.content))
            } else {
                try writer.append(sample.entry, content: MemorySource(sample.content))
            }
            count += 1
        }
        try writer.finish()
        return sink.bytes
    }

    private static let names: [[UInt8]] =
        [
            "a", "b", "c", "d", "-x", ".b", "Z", "ab", "a.b", ".wh.a", ".wh.b", "..", ".wh..wh..opq", ".wh..wh.plnk",
        ].map { Array($0.utf8) } + [[0xff, 0xfe], [UInt8](repeating: 0x6e, count: 255)]

    static func path(_ source: inout ByteSupply) -> [UInt8] {
        let depth = source.next()
        // Now and then a deep one.
        let count = depth == 0xff ? 16 + Int(source.next() & 63) : 1 + Int(depth & 3)
        var parts: [[UInt8]] = []
        for index in 0..<count {
            parts.append(index < 8 ? names[Int(source.next() & 15)] : names[index & 7])
        }
        let path = Array(parts.joined(separator: [UInt8(ascii: "/")]))
        return depth & 0x80 != 0 ? [UInt8(ascii: "/")] + path : path
    }
}

/// Bytes one after the other; zeros when there are none left.
struct ByteSupply {
    private var bytes: [UInt8]
    private var at = 0

    init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    var isEmpty: Bool { at >= bytes.count }

    mutating func next() -> UInt8 {
        guard at < bytes.count else { return 0 }
        defer { at += 1 }
        return bytes[at]
    }

    mutating func number(_ count: Int) -> UInt64 { (0..<count).reduce(0) { number, _ in number << 8 | UInt64(next()) } }

    mutating func choose<T>(_ values: [T]) -> T { values[Int(next()) % values.count] }
}

/// One entry with its content.
struct EntrySample {
    var entry: TarEntry
    var content: [UInt8] = []

    init(path: [UInt8]) { entry = TarEntry(path: path, kind: .file) }

    mutating func fill(kind: Int, flags: UInt8, _ source: inout ByteSupply) throws {
        switch kind {
        case 0..<4:
            let sizes = [0, 1, 100, 2047, 2048, 2049, 4095, 4096, 4097, 6145, 8192, 20_000]
            content = Array(repeating: source.next(), count: source.choose(sizes))
            entry.size = Int64(content.count)
        case 4, 5: entry.kind = .directory
        case 6, 7:
            entry.kind = .symlink
            entry.linkTarget = target(&source)
        case 8, 9:
            entry.kind = .hardlink
            entry.linkTarget = target(&source)
        case 10:
            entry.kind = source.next() & 1 == 0 ? .characterDevice : .blockDevice
            entry.major = source.choose([0, 1, 5, 4095, 4096])
            entry.minor = source.choose([0, 3, 255, 256, 1 << 20 - 1, 1 << 20])
        case 11: entry.kind = .fifo
        case 12: entry.path += Array("/.wh..wh..opq".utf8)
        case 13: entry.path = whiteout(entry.path)
        default: holes(&source)
        }
        if entry.kind == .directory { entry.mode = 0o755 }
        if flags & 1 != 0 { metadata(&source) }
        if flags & 2 != 0 { attributes(&source) }
    }

    private func target(_ source: inout ByteSupply) -> [UInt8] {
        let kind = source.next()
        let path =
            kind == 0xff ? Array(repeating: 0x6c, count: 4090 + Int(source.next() & 15)) : LayerChain.path(&source)
        switch kind & 7 {
        case 0: return Array("../".utf8) + path
        case 1: return Array("../../../../".utf8) + path
        case 2: return [0x2e]
        default: return path
        }
    }

    private func whiteout(_ path: [UInt8]) -> [UInt8] {
        let slash = path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        return path[..<slash] + Array(".wh.".utf8) + path[slash...]
    }

    /// A sparse file of up to 40 stretches.
    private mutating func holes(_ source: inout ByteSupply) {
        var segments: [TarEntry.Segment] = []
        var end: Int64 = 0
        let fill = source.next()
        for _ in 0..<Int(source.next() % 41) {
            let offset = end + source.choose([0, 1, 511, 512, 4095, 4096, 65536, 1 << 20, 1 << 28])
            let length: Int64 = source.choose([0, 1, 512, 4096, 5000])
            segments.append(TarEntry.Segment(offset: offset, length: length))
            end = offset + length
            content += Array(repeating: fill &+ UInt8(segments.count), count: Int(length))
        }
        entry.sparse = segments
        entry.size = end + source.choose([0, 1, 4096, 1 << 30, 1 << 34])
    }

    private mutating func metadata(_ source: inout ByteSupply) {
        entry.mode = UInt32(source.number(2)) & 0o7777
        entry.uid = source.choose([0, 1, 1000, 65_535, 2_097_152, 4_294_967_294])
        entry.gid = source.choose([0, 7, 100_000, 4_294_967_294])
        entry.mtime = source.choose([0, 1, -1, -2_000_000_000, 1 << 31, 1 << 33, 1 << 35, 1_700_000_000])
        entry.mtimeNanoseconds = source.choose([0, 1, 500_000_000, 999_999_999])
    }

    private mutating func attributes(_ source: inout ByteSupply) {
        for _ in 0...Int(source.next() & 3) {
            let capability: [UInt8] = [1, 0, 0, 2] + [UInt8](repeating: 0, count: 16)
            switch source.next() % 9 {
            case 0: entry.xattrs.append(("user.a", [source.next()]))
            case 1: entry.xattrs.append(("user.b", []))
            case 2: entry.xattrs.append(("trusted.t", Array(repeating: source.next(), count: 4 * Int(source.next()))))
            case 3: entry.xattrs.append(("security.capability", capability))
            case 4: entry.xattrs.append(("trusted.overlay.opaque", [0x79]))
            case 5: entry.xattrs.append(("nobody.knows", [1]))
            case 6: entry.xattrs.append(("user." + String(repeating: "n", count: 250), [1]))
            case 7: entry.xattrs.append(("user.large", Array(repeating: source.next(), count: 65_535)))
            default: entry.xattrs.append(("security.evm", [3]))
            }
        }
    }
}
