import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// A thousand folders in each other take neither a descriptor nor a frame each.
@Suite(.enabled(if: isRoot, "not root")) struct NestedFolderTests {
    private static let depth = 1000

    private static func tar(_ text: String = "1") throws -> [UInt8] {
        try archive { writer in
            var path = ""
            for number in 0..<depth {
                path += "\(number % 10)/"
                try writer.folder(path)
                if number % 100 == 99 { try writer.file(path + "+file", text) }
            }
        }
    }

    private static var limits: UnpackLimits {
        var limits = UnpackLimits()
        limits.tar.depth = 2000
        return limits
    }

    /// Counts the descriptors that lead into a folder while bytes are taken: as many as there ever are.
    private final class CountingSink: ByteSink {
        let folder: String
        var most = 0
        var bytes: [UInt8] = []
        init(_ folder: String) { self.folder = folder }

        func write(_ piece: UnsafeRawBufferPointer) throws {
            most = max(most, CorruptInputTests.descriptors(in: folder).count)
            bytes += piece
        }
    }

    private final class CountingSource: ByteSource {
        let inner: MemorySource
        let folder: String
        var most = 0
        init(_ bytes: [UInt8], _ folder: String) {
            inner = MemorySource(bytes)
            self.folder = folder
        }

        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            most = max(most, CorruptInputTests.descriptors(in: folder).count)
            return try inner.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(4096)))
        }
    }

    @Test func packing() throws {
        let folder = try TemporaryFolder()
        let layer = try folder.folder("layer")
        let tar = try Self.tar()
        let source = CountingSource(tar, folder.path)
        _ = try LayerUnpacker.unpack(source, into: layer, over: LayerStack(directories: []), limits: Self.limits)
        #expect(source.most <= 3)
        let sink = CountingSink(folder.path)
        _ = try LayerPacker.pack(layer, to: sink)
        #expect(sink.most <= 4, "\(sink.most)")
        // In the order of the names, as the archive is; two megabytes of numbers would say nothing.
        let isSame = sink.bytes == tar
        #expect(isSame)
    }

    /// In the order of the names, and back up again.
    @Test func packsWhatComesAfterAFolder() throws {
        let fixture = try LayerFixture()
        let names = ["a/", "a/b/", "a/b/c/", "a/b/c/f", "a/b/d", "a/e/", "a/g", "h"]
        let layer = try fixture.add { writer in
            for name in names { if name.hasSuffix("/") { try writer.folder(name) } else { try writer.file(name) } }
        }
        var options = PackOptions()
        #expect(try TarReaderTests.members(LayerPackTests.packed(layer)).map(\.entry.name) == names)
        options.exclude = ["a/b/c", "h"]
        #expect(
            try TarReaderTests.members(LayerPackTests.packed(layer, options)).map(\.entry.name)
                == ["a/", "a/b/", "a/b/d", "a/e/", "a/g"]
        )
    }

    /// Nobody could unpack such a layer again, and no call takes the path.
    @Test func aPathThatIsTooLong() throws {
        let folder = try TemporaryFolder()
        let layer = try folder.folder("layer")
        try runTool([
            "python3", "-c",
            "import os, sys\nos.chdir(sys.argv[1])\nfor n in range(30): os.mkdir('x' * 200); os.chdir('x' * 200)",
            layer,
        ])
        let said = message { _ = try LayerPackTests.packed(layer) }
        #expect(said.contains("a folder's path has 4221 bytes, and a layer's at most 4096"), "\(said)")
    }

    @Test(arguments: LayerFixture.Form.allCases) func unpackingOverAndComparing(form: LayerFixture.Form) throws {
        let folder = try TemporaryFolder()
        var stacks: [LayerStack] = []
        for (number, text) in ["1", "2"].enumerated() {
            var stack = LayerStack(directories: [])
            for (layer, tar) in [try Self.tar(text), try archive { try $0.file("new\(number)") }].enumerated() {
                let place = try folder.folder("\(form)\(number)\(layer)")
                if form == .erofs {
                    let image = try FileDescriptor.open(place + ".erofs", O_RDWR | O_CREAT | O_TRUNC)
                    _ = try LayerUnpacker.write(
                        MemorySource(tar),
                        image: image,
                        uuid: Array(repeating: UInt8(10 * number + layer + 1), count: 16),
                        over: stack,
                        limits: Self.limits
                    )
                    try ImageMount.mount(place + ".erofs", at: place, type: "erofs")
                } else {
                    _ = try LayerUnpacker.unpack(MemorySource(tar), into: place, over: stack, limits: Self.limits)
                }
                stack = LayerStack(directories: [place] + stack.directories)
            }
            stacks.append(stack)
        }
        defer { if form == .erofs { for path in stacks.flatMap(\.directories) { _ = try? ImageMount.unmount(path) } } }
        let changes = try ImageDiff.compare(stacks[0], stacks[1])
        #expect(changes.map(\.kind.rawValue) == Array(repeating: "C", count: 10) + ["D", "A"])
        #expect(changes.map(\.path.utf8.count).prefix(10) == (1...10).map { $0 * 200 + 6 }[...])
    }

    /// Of hundreds of layers not all are open at once.
    @Test func manyLayers() throws {
        let folder = try TemporaryFolder()
        let directories = try (0..<300).map { number in
            let path = try folder.folder("\(number)")
            try Files.write("\(path)/\(number)", [])
            return path
        }
        let layers = OpenLayers(LayerStack(directories: directories))
        #expect(try layers.names(in: layers.root()).count == 300)
        #expect(try layers.child("299".utf8, of: layers.root())?.layers == [299])
        #expect(try layers.child("0".utf8, of: layers.root())?.layers == [0])
        #expect(CorruptInputTests.descriptors(in: folder.path).count <= 64)
    }
}
