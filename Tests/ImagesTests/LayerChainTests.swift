import CLinux
import Images
import LayerSamples
import LinuxSystem
import OCI
import Testing

/// Layers from any bytes, as the fuzzer makes them (`Scripts/fuzz erofs`): images read by our own reader, by the kernel and by
/// fsck.erofs show what folders of the same layers have.
@Suite struct LayerChainTests {
    private static func bytes(_ seed: Int) -> [UInt8] {
        var random = SeededGenerator(state: UInt64(seed))
        return (0..<Int.random(in: 100...2500, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    /// The fuzzer's own corpus: an input in each line, in base64.
    private static let corpus: [[UInt8]] = {
        let file = Files.parent(of: Files.parent(of: #filePath)) + "/Fuzz/corpora/erofs"
        let bytes = (try? Files.read(file)) ?? []
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap {
            Base64.decode(String(decoding: $0, as: UTF8.self))
        }
    }()

    @Test func theReaderTakesOurImages() throws {
        var read = 0
        for seed in 0..<60 {
            for tar in try LayerChain(Self.bytes(seed)).archives {
                guard let image = try? ErofsImageTests.image(tar) else { continue }
                let tree = try ErofsReader.tree(of: image)
                #expect(tree.nodes[[]]?.isFolder == true)
                read += tree.nodes.count
            }
        }
        #expect(read > 150)
    }

    /// A byte that somebody changed is noticed, but for those that nobody reads.
    @Test func theReaderLooksAtEverything() throws {
        let image = try ErofsImageTests.image(ErofsImageTests.sample())
        let tree = try ErofsReader.tree(of: image)
        var overlooked: [Int] = []
        for offset in image.indices {
            var changed = image
            changed[offset] ^= 1
            if (try? ErofsReader.tree(of: changed)) == tree { overlooked.append(offset) }
        }
        // Numbers that stat(2) shows, one in each inode behind the first block, and places that belong to nothing.
        #expect(overlooked.count { image[$0] != 0 } <= 3)
        #expect(overlooked.count < image.count / 2)
    }

    @Test func theReaderSurvivesDamage() throws {
        var random = SeededGenerator(state: 99)
        for seed in 0..<40 {
            guard let image = try? ErofsImageTests.image(LayerChain(Self.bytes(seed)).archives[0]) else { continue }
            for _ in 0..<20 {
                var changed = image
                for _ in 0..<Int.random(in: 1...8, using: &random) {
                    changed[Int.random(in: 0..<changed.count, using: &random)] = UInt8.random(
                        in: 0...255,
                        using: &random
                    )
                }
                let sum = ErofsReader.checkSum(of: changed)
                for index in 0..<4 { changed[1028 + index] = UInt8(truncatingIfNeeded: sum >> UInt32(index * 8)) }
                _ = try? ErofsReader.tree(of: changed)
                _ = try? ErofsReader.tree(of: Array(changed[..<Int.random(in: 0..<changed.count, using: &random)]))
            }
        }
    }

    @Test(.enabled(if: isRoot, "not root"), arguments: 0..<24) func theKernelSeesTheSame(seed: Int) throws {
        try Self.check(LayerChain(Self.bytes(seed)))
    }

    /// Every third: each takes four file systems.
    @Test(.enabled(if: isRoot, "not root"), arguments: stride(from: 0, to: corpus.count, by: 3).map { corpus[$0] })
    func theKernelSeesTheSame(input: [UInt8]) throws {
        try Self.check(LayerChain(input))
    }

    @Test func theCorpusIsThere() { #expect(Self.corpus.count >= 20) }

    /// Folders lie on a file system in memory, which keeps every time and attribute.
    private static func check(_ chain: LayerChain) throws {
        let (memory, images) = (try TemporaryFolder(), try TemporaryFolder())
        try retrying("mounting") { mount("none", memory.path, "tmpfs", 0, "size=256m") }
        defer { umount2(memory.path, CInt(MNT_DETACH)) }
        var below: [String] = []
        for (index, tar) in chain.archives.enumerated() {
            let folder = try memory.folder("\(index)")
            let stack = LayerStack(directories: below)
            do {
                _ = try LayerUnpacker.unpack(MemorySource(tar), into: folder, over: stack)
            } catch let error as EngineError {
                let said = #expect(throws: EngineError.self) { try ErofsImageTests.image(tar, over: stack) }
                #expect(said?.message == error.message)
                return
            }
            let image: [UInt8]
            do { image = try ErofsImageTests.image(tar, over: stack) } catch let error as EngineError {
                // The one thing that only a folder takes.
                #expect(error.message.hasSuffix(" bytes of attributes"))
                return
            }
            let expected = try LayerTree(folder: folder)
            #expect(try ErofsReader.tree(of: image).differences(from: expected) == [])
            let file = "\(images.path)/\(index).erofs"
            try Files.write(file, image)
            try runTool(["fsck.erofs", file])
            let point = try images.folder("mounted")
            try ImageMount.mount(file, at: point, type: "erofs")
            defer { _ = try? ImageMount.unmount(point) }
            #expect(try LayerTree(folder: point).differences(from: expected) == [])
            below.insert(folder, at: 0)
        }
    }
}
