import LinuxSystem
import OCI
import Testing

@testable import Images

@Suite struct StreamTests {
    /// Bytes that compress, but not to nothing.
    static let sample: [UInt8] = (0..<700_000).map { UInt8(truncatingIfNeeded: ($0 &* $0) >> 7 ^ $0 / 1000) }

    static func decompressed(_ bytes: [UInt8], formats: Set<CompressionFormat> = .all) throws -> [UInt8] {
        try DecompressingSource(MemorySource(bytes), formats: formats).readAll()
    }

    @Test(arguments: [
        (CompressionFormat.gzip, ["gzip", "-c"]), (.bzip2, ["bzip2", "-c"]), (.xz, ["xz", "-c"]),
        (.zstd, ["zstd", "-q", "-c"]),
        (.none, ["cat"]),
    ])
    func readsWhatTheToolsWrite(format: CompressionFormat, tool: [String]) throws {
        let packed = try runTool(tool, input: Self.sample)
        let source = DecompressingSource(MemorySource(packed))
        #expect(try source.readAll() == Self.sample)
        #expect(source.format == format)
        // Two of them one after the other are one.
        if format != .none { #expect(try Self.decompressed(packed + packed) == Self.sample + Self.sample) }
    }

    @Test(arguments: [["gzip", "-c"], ["bzip2", "-c"], ["xz", "-c"], ["zstd", "-q", "-c"]])
    func refusesDamage(tool: [String]) throws {
        let packed = try runTool(tool, input: Self.sample)
        for cut in [packed.count - 1, packed.count / 2, 20] {
            #expect(throws: EngineError.self) { try Self.decompressed(Array(packed[..<cut])) }
        }
        var damaged = packed
        damaged[packed.count / 2] ^= 0x55
        #expect(throws: EngineError.self) { try Self.decompressed(damaged) }
        #expect(throws: EngineError.self) { try Self.decompressed(packed + Array("garbage".utf8)) }
        #expect(try Self.decompressed(packed + [UInt8](repeating: 0, count: 1000)) == Self.sample)
    }

    @Test func refusesFormatsThatAreNotAccepted() throws {
        let packed = try runTool(["xz", "-c"], input: [1, 2, 3])
        #expect(throws: EngineError.self) { try Self.decompressed(packed, formats: [.none, .gzip]) }
    }

    @Test func passesOverSkippableFrames() throws {
        let packed = try runTool(["zstd", "-q", "-c"], input: Self.sample)
        let skippable: [UInt8] = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]
        #expect(try Self.decompressed(skippable + packed + skippable) == Self.sample)
    }

    // MARK: Memory

    /// One byte at a time.
    private final class Trickle: ByteSource {
        private let inner: MemorySource
        init(_ bytes: [UInt8]) { inner = MemorySource(bytes) }
        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            try inner.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<1]))
        }
    }

    private static func reserved(_ bytes: [UInt8]) throws -> [Int] {
        var reserved: [Int] = []
        let whole = DecompressingSource(MemorySource(bytes)) { reserved.append($0) }
        let count = try whole.readAll().count
        var again: [Int] = []
        let trickling = DecompressingSource(Trickle(bytes)) { again.append($0) }
        #expect(try trickling.readAll().count == count && again == reserved)
        return reserved
    }

    @Test func decodersSayWhatTheyNeed() throws {
        // From a pipe: nobody knows how long it will be.
        func packed(_ command: String) throws -> [UInt8] {
            try runTool(["sh", "-c", "cat | \(command)"], input: Array(Self.sample[..<100_000]))
        }
        #expect(try Self.reserved(packed("gzip -c")) == [0])
        #expect(try Self.reserved(packed("cat")) == [0])
        #expect(try Self.reserved(packed("bzip2 -c")) == [4 << 20])
        let small = try packed("zstd -q -1 -c")
        let wide = try packed("zstd -q --long=27 -c")
        let skippable: [UInt8] = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]
        #expect(try Self.reserved(small) == [1 << 19 + 1 << 19])
        #expect(try Self.reserved(small + skippable + wide + small) == [1 << 20, 1 << 27 + 1 << 19])
        let xz = try packed("xz -9 -c")
        let needed = try #require(try Self.reserved(xz).first)
        #expect(needed > 64 << 20 && needed < 70 << 20)
        #expect(try Self.reserved(xz + xz) == [needed])
    }

    @Test(arguments: ["zstd -q --long=27 -c", "xz -9 -c", "bzip2 -c", "gzip -c"])
    func aDecoderThatMayNotTakeMemoryDoesNot(_ command: String) throws {
        let packed = try runTool(["sh", "-c", "cat | \(command)"], input: Self.sample)
        let source = DecompressingSource(MemorySource(packed)) { _ in throw EngineError(.failed, "no room") }
        #expect(message { _ = try source.readAll() }.contains("no room"))
    }

    @Test func framesSayTheirWindow() {
        let magic: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]
        #expect(ZstdFrame.window(magic) == nil && ZstdFrame.window(magic + [0]) == nil)
        #expect(ZstdFrame.window(magic + [0, 0]) == 1024 && ZstdFrame.window(magic + [0, 17 << 3]) == 128 << 20)
        #expect(ZstdFrame.window(magic + [0x04, 3]) == 1024 + 3 * 128)
        #expect(ZstdFrame.window(magic + [0, 0xff]) == (1 << 41) + 7 << 38)
        // One segment: one byte of size, two, four after a dictionary of two, and all of eight.
        #expect(ZstdFrame.window(magic + [0x20, 9]) == 9)
        #expect(ZstdFrame.window(magic + [0x60, 1]) == nil && ZstdFrame.window(magic + [0x60, 1, 1]) == 257 + 256)
        #expect(ZstdFrame.window(magic + [0xa2, 7, 7, 1, 0, 0]) == nil)
        #expect(ZstdFrame.window(magic + [0xa2, 7, 7, 1, 0, 0, 1]) == 1 << 24 + 1)
        #expect(ZstdFrame.window(magic + [0xe3] + Array(repeating: 0xff, count: 12)) == Int.max)
        #expect(ZstdFrame.window([0x53, 0x2a, 0x4d, 0x18, 3]) == 0)
    }

    @Test func nothingIsNothing() throws {
        #expect(try Self.decompressed([]) == [])
        #expect(try Self.decompressed([0x1f, 0x8b]) == [0x1f, 0x8b])
    }

    @Test(arguments: [CompressionFormat.gzip, .zstd, .none])
    func compressesTheSameWhateverThePieces(format: CompressionFormat) throws {
        func packed(piece: Int) throws -> [UInt8] {
            let sink = MemorySink()
            let compressing = try CompressingSink(sink, format)
            for start in stride(from: 0, to: Self.sample.count, by: piece) {
                try compressing.write(Array(Self.sample[start..<min(start + piece, Self.sample.count)]))
            }
            try compressing.finish()
            return sink.bytes
        }
        let whole = try packed(piece: Self.sample.count)
        if format != .zstd { #expect(try packed(piece: 999) == whole) }
        #expect(try Self.decompressed(packed(piece: 4096)) == Self.sample)
        let tool = format == .gzip ? ["gzip", "-dc"] : format == .zstd ? ["zstd", "-dcq"] : ["cat"]
        #expect(try runTool(tool, input: whole) == Self.sample)
        // No time and no name in a gzip header.
        if format == .gzip { #expect(Array(whole[3..<8]) == [0, 0, 0, 0, 0]) }
    }

    @Test func verifies() throws {
        let digest = SHA256Digest.of(Self.sample)
        func verify(_ bytes: [UInt8], size: Int64?) throws {
            try VerifiedSource(MemorySource(bytes), digest: digest, size: size).drain()
        }
        try verify(Self.sample, size: Int64(Self.sample.count))
        try verify(Self.sample, size: nil)
        #expect(throws: EngineError.self) { try verify(Self.sample + [1], size: Int64(Self.sample.count)) }
        #expect(throws: EngineError.self) { try verify(Array(Self.sample.dropLast()), size: Int64(Self.sample.count)) }
        #expect(throws: EngineError.self) { try verify([1] + Self.sample.dropFirst(), size: Int64(Self.sample.count)) }
    }

    @Test func readsWindowsOfFiles() throws {
        let file = try FileDescriptor.inMemory("window")
        try file.write(Array(0..<100) as [UInt8])
        #expect(try FileSource(owning: file.duplicate(), offset: 10, length: 5).readAll() == [10, 11, 12, 13, 14])
        #expect(try FileSource(owning: file.duplicate(), offset: 95).readAll() == [95, 96, 97, 98, 99])
        #expect(throws: EngineError.self) { try FileSource(owning: file.duplicate(), offset: 95, length: 6).readAll() }
    }

    // MARK: Digests

    /// Two streams at once, in pieces that begin and end anywhere in a block.
    @Test func twoDigestsAtOnceAreThoseOfEach() {
        var (one, other) = (RunningDigest(), RunningDigest())
        var (first, second) = (0, 0)
        for round in 0..<200 {
            let count = round * 37 % 331
            let otherCount = round * 53 % 419
            Self.sample.withUnsafeBytes { bytes in
                let piece = UnsafeRawBufferPointer(rebasing: bytes[first..<first + count])
                let otherPiece = UnsafeRawBufferPointer(rebasing: bytes[second..<second + otherCount])
                if round % 5 == 0 {
                    one.update(piece)
                    other.update(otherPiece)
                } else {
                    RunningDigest.update(&one, piece, &other, otherPiece)
                }
            }
            first += count
            second += otherCount
            #expect(one.digest == SHA256Digest.of(Array(Self.sample[..<first])) && one.count == first)
            #expect(other.digest == SHA256Digest.of(Array(Self.sample[..<second])) && other.count == second)
        }
    }

    /// A large window leaves no room for large pieces.
    @Test func piecesAreSmallBesideALargeDecoder() throws {
        for (tool, limit) in [
            (["zstd", "-q", "-c"], ReadAhead.tarPiece), (["zstd", "-q", "--long=27", "-c"], ReadAhead.smallPiece),
        ] {
            let packed = try runTool(tool, input: Self.sample)
            let largest = try LayerPipeline.run(MemorySource(packed), diffID: nil, budget: ExpansionBudget(.default)) {
                pieces in
                var largest = 0
                while case let piece = try pieces.next(), !piece.isEmpty { largest = max(largest, piece.count) }
                return largest
            }.result
            #expect(largest == min(limit, Self.sample.count))
        }
    }
}
