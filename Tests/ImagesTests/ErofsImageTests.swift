import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// The image's bytes, without mounting it.
@Suite struct ErofsImageTests {
    static func image(
        _ tar: [UInt8],
        uuid: [UInt8] = Array(repeating: 7, count: 16),
        over lower: LayerStack = LayerStack(directories: [])
    ) throws -> [UInt8] {
        let file = try FileDescriptor.inMemory("image")
        _ = try LayerUnpacker.write(MemorySource(tar), image: file.duplicate(), uuid: uuid, over: lower)
        try file.rewind()
        return try file.readAll(limit: 1 << 30)
    }

    private static func number(_ image: [UInt8], _ offset: Int, _ bytes: Int) -> UInt64 {
        image[offset..<offset + bytes].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    static func sample() throws -> [UInt8] {
        try archive { tar in
            try tar.folder("./", mode: 0o750) { ($0.uid, $0.gid, $0.mtime) = (70_000, 3, 99) }
            try tar.file("big", String(repeating: "0123456789abcdef", count: 1000)) { $0.mtime = 5 }
            try tar.file("small", "text")
            try tar.link("link", to: "small")
            try tar.link("twin", to: "small", kind: .hardlink)
        }
    }

    @Test func theSuperblockSaysWhatIsThere() throws {
        let image = try Self.image(Self.sample())
        #expect(image.count % 4096 == 0)
        #expect(Self.number(image, 1024, 4) == 0xe0f5_e1e2)
        // Checksum and times; blocks of 2^12; the root's number; four inodes.
        #expect(Self.number(image, 1032, 4) == 3 && image[1036] == 12 && image[1037] == 0)
        #expect(Self.number(image, 1038, 2) == 36 && Self.number(image, 1040, 8) == 4)
        #expect(Self.number(image, 1060, 4) == UInt64(image.count / 4096))
        #expect(Array(image[1072..<1088]) == Array(repeating: 7, count: 16))
        #expect(Self.number(image, 1104, 4) == 0)
        var block = Array(image[..<4096])
        let sum = Self.number(image, 1028, 4)
        block.replaceSubrange(1028..<1032, with: [0, 0, 0, 0])
        #expect(UInt64(CRC32C.of(block[1024...])) == sum)
        // The root: 64 bytes, with its content behind it; mode, size, owner, time, links.
        let root = 36 * 32
        #expect(Self.number(image, root, 2) == 5 && Self.number(image, root + 4, 2) == 0o40750)
        #expect(Self.number(image, root + 8, 8) == 91)
        #expect(Self.number(image, root + 24, 4) == 70_000 && Self.number(image, root + 28, 4) == 3)
        #expect(Self.number(image, root + 32, 8) == 99 && Self.number(image, root + 44, 4) == 2)
    }

    @Test func theChecksumIsTheKernels() {
        // RFC 3720, B.4: 32 bytes of zeros; there the end is inverted.
        #expect(~CRC32C.of([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
    }

    @Test func theSameArchiveGivesTheSameBytes() throws {
        var archives = RandomArchives(seed: 1)
        for _ in 0..<4 {
            let tar = try archives.next()
            guard let first = try? Self.image(tar) else { continue }
            #expect(try Self.image(tar) == first)
        }
        let one = try Self.image(Self.sample())
        #expect(try Self.image(Self.sample(), uuid: Array(repeating: 8, count: 16)) != one)
    }

    @Test func otherToolsReadIt() throws {
        let folder = try Scratch()
        try Files.write(folder.file("image"), Self.image(Self.sample()))
        try tool("fsck.erofs", folder.file("image"))
        let said = try tool("dump.erofs", "--path=/big", folder.file("image"))
        #expect(said.contains("Size: 16000"))
        #expect(
            try tool("dump.erofs", "-s", folder.file("image")).contains(
                "Filesystem inode count:                       4"
            )
        )
    }

    /// Folders with so many names that they need several blocks, and names that fill blocks to the last byte.
    @Test(arguments: [1, 14, 15, 16, 200, 3000]) func foldersOfManyNames(count: Int) throws {
        let folder = try Scratch()
        let tar = try archive { tar in
            for number in 0..<count {
                let name = "\(number)"
                try tar.file(name + String(repeating: "n", count: 255 - name.count))
            }
        }
        try Files.write(folder.file("image"), Self.image(tar))
        try tool("fsck.erofs", folder.file("image"))
    }

    @Test func direntsAreSortedByBytes() {
        let names = ErofsDirents([Array("b".utf8), Array("-".utf8), [0xff], Array("B".utf8), Array("..a".utf8)]).names
        #expect(
            names == [
                Array("-".utf8), [0x2e], [0x2e, 0x2e], Array("..a".utf8), Array("B".utf8), Array("b".utf8), [0xff],
            ]
        )
    }

    @Test func attributesAreSortedAndBounded() throws {
        let one = try ErofsAttributes.encode([("user.b", [1]), ("user.a", [2, 3])])
        #expect(try ErofsAttributes.encode([("user.a", [2, 3]), ("user.b", [1])]) == one)
        #expect(one == [UInt8](repeating: 0, count: 12) + [1, 1, 2, 0, 0x61, 2, 3, 0, 1, 1, 1, 0, 0x62, 1, 0, 0])
        #expect(ErofsAttributes.count(one) == 5 && ErofsAttributes.count([]) == 0)
        #expect(throws: SystemError.self) { try ErofsAttributes.encode([("user.", [])]) }
        #expect(throws: SystemError.self) {
            try ErofsAttributes.encode([("user.x", Array(repeating: 0, count: 65536))])
        }
        let many = (0..<5).map { (name: "user.\($0)", value: [UInt8](repeating: 1, count: 60_000)) }
        #expect(throws: SystemError.self) { try ErofsAttributes.encode(many) }
        // As much as there is room for: more than a block, and more than the stretches in which inodes come.
        let folder = try Scratch()
        let tar = try archive { tar in
            for number in 1...4 { try tar.file("\(number)") { $0.xattrs = Array(many.prefix(number)) } }
        }
        try Files.write(folder.file("image"), Self.image(tar))
        try tool("fsck.erofs", folder.file("image"))
    }

    @Test func aFileWithoutEndIsRefused() throws {
        // 17 TiB, all but one byte of it a hole, in chunks of a size that leaves no choice.
        let chunks = ErofsChunks(size: 17 << 40, segments: [TarEntry.Segment(offset: 16 << 40, length: 1)])
        #expect(chunks.table.count <= 4 << 16 && chunks.blocks < 1 << 20)
        let image = ErofsImage(try FileDescriptor.inMemory("image"))
        var inode = ErofsInode(mode: UInt16(S_IFREG))
        inode.size = 17 << 40
        let error = #expect(throws: EngineError.self) { _ = try image.addFile(inode) { nil } }
        #expect(error?.kind == .unsupported)
    }

    @Test func aTornArchiveLeavesAnError() throws {
        let tar = try Self.sample()
        for length in stride(from: 700, to: tar.count - 1024, by: 700) {
            #expect(throws: EngineError.self) { _ = try Self.image(Array(tar[..<length])) }
        }
    }

    // MARK: The digest

    @Test func theDigestSeesEveryByteAndNoHoles() throws {
        let file = try FileDescriptor.inMemory("image")
        try retrying("growing") { ftruncate(file.raw, 50 << 20) }
        let empty = try ErofsDigest.of(file)
        try file.write([1], at: 20 << 20)
        let one = try ErofsDigest.of(file)
        #expect(one != empty)
        try file.write([1], at: 21 << 20)
        try file.write([0], at: 20 << 20)
        #expect(try ErofsDigest.of(file) != one)
        try file.write([0], at: 21 << 20)
        try file.write([UInt8](repeating: 0, count: 1 << 20), at: 5 << 20)
        #expect(try ErofsDigest.of(file) == empty)
        try retrying("growing") { ftruncate(file.raw, 51 << 20) }
        #expect(try ErofsDigest.of(file) != empty)
    }

    /// What is counted while an image is written is what counting its file gives.
    @Test func theDigestOfWhatIsWrittenIsThatOfTheFile() throws {
        let large = String(repeating: "0123456789abcdef", count: 40_000)
        let zeros = [UInt8](repeating: 0, count: 200_000)
        let archives = [
            try archive { _ in },
            try Self.sample(),
            // Folders and names of files that have left memory when they are known.
            try archive { tar in
                for number in 0..<3000 {
                    try tar.folder("folder\(number)")
                    try tar.file("folder\(number)/file", String(repeating: "x", count: number % 2500))
                    if number % 97 == 0 {
                        try tar.link("twin\(number)", to: "folder\(number / 2)/file", kind: .hardlink)
                    }
                }
                try tar.file("large", large)
                try tar.file("zeros", String(decoding: zeros, as: UTF8.self))
                try tar.file("again", large + "end")
            },
        ]
        for tar in archives {
            let file = try FileDescriptor.inMemory("image")
            let form = ErofsForm(try file.duplicate(), uuid: Array(repeating: 7, count: 16))
            let lower = LowerLayers.finished(LayerStack(directories: []))
            _ = try LayerUnpacker.unpack(into: { form }, over: lower, limits: .default) { read in
                try read(BufferedPieces(MemorySource(tar)))
            }
            #expect(try form.image.digest() == ErofsDigest.of(file))
        }
    }

    /// In any order, with gaps, over the pieces' ends, and twice.
    @Test func theDigestDoesNotDependOnTheOrder() throws {
        let file = try FileDescriptor.inMemory("image")
        let image = ErofsFile(try file.duplicate())
        let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 3) }
        for (first, last, offset) in [
            (0, 300_000, 1_000_000), (5, 77, 40_000), (100, 65_636, 131_072), (9, 10, 65_535),
        ] {
            try bytes[first..<last].withUnsafeBytes { try image.write($0, at: Int64(offset)) }
        }
        try image.setSize(1_400_000)
        #expect(try image.digest() == ErofsDigest.of(file))
        try image.overwrite([1, 2, 3, 4], at: 65_534)
        try image.overwrite([UInt8](repeating: 0, count: 65_536), at: 131_072)
        #expect(try image.digest() == ErofsDigest.of(file))
        // What does not reach the file any more does not count.
        try image.setSize(1_000_001)
        #expect(try image.digest() == ErofsDigest.of(file))
    }
}
