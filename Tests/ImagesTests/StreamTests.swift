import Images
import LinuxSystem
import OCI
import Testing

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
}
