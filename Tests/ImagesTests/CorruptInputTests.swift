import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// Damaged and cut archives, by all ways in: whatever is wrong with them, nothing of them stays but what is whole
/// (CVE-2026-114236, and the temporary files that other engines forget).
@Suite(.serialized, .enabled(if: isRoot, "not root")) struct CorruptInputTests {
    enum Way: String, CaseIterable, CustomTestStringConvertible {
        case docker, dockerCompressed, layout, layoutCompressed, layoutFolder, old, imported, importedGzip, importedXz
        var testDescription: String { rawValue }
        var isImport: Bool { rawValue.hasPrefix("imported") }
    }

    /// Descriptors of this process that lead into a folder, or to a file without a name that was made there.
    static func descriptors(in folder: String) -> [String] {
        ((try? Files.list("/proc/self/fd")) ?? []).compactMap { name in
            guard let target = try? Files.linkTarget(LayerPath.cString("/proc/self/fd/\(name)".utf8)) else {
                return nil
            }
            let text = String(decoding: target, as: UTF8.self)
            return text.hasPrefix(folder) ? text : nil
        }
    }

    private static func input(_ way: Way) throws -> [UInt8] {
        let text = String(repeating: "some text that is no noise ", count: 200)
        let parts = try ImageParts([["a": text, "b": "2"], ["c": text]], gzip: way == .layout || way == .layoutFolder)
        let id = String(repeating: "a", count: 64)
        switch way {
        case .docker: return try ImageParts.tar(parts.dockerMembers(tags: ["x:1"]))
        case .dockerCompressed: return try ImageParts.gzip(ImageParts.tar(parts.dockerMembers(tags: ["x:1"])))
        case .layout, .layoutFolder: return try ImageParts.tar(parts.layoutMembers(name: "x:1"))
        case .layoutCompressed: return try ImageParts.gzip(ImageParts.tar(parts.layoutMembers(name: "x:1")))
        case .old:
            return try ImageParts.tar([
                ("\(id)/json", Array(#"{"created":"2014-01-01T00:00:00Z"}"#.utf8)),
                ("\(id)/layer.tar", parts.layers[0]),
                ("repositories", Array(#"{"old":{"1":"\#(id)"}}"#.utf8)),
            ])
        case .imported: return parts.layers[0]
        case .importedGzip: return try ImageParts.gzip(parts.layers[0])
        case .importedXz: return try runTool(["xz", "-c"], input: parts.layers[0])
        }
    }

    private func bring(_ bytes: [UInt8], _ way: Way, into store: ImageStore, unpacking: Bool, _ scratch: Scratch) throws
    {
        if way.isImport {
            let image = try store.importRootfs(MemorySource(bytes), message: "", reference: nil)
            if unpacking { _ = try store.lease().during { try store.unpackedLayers(of: image) } }
            return
        }
        if way == .layoutFolder {
            let folder = scratch.file("layout")
            try Files.removeTree(folder)
            try Files.makeDirectories(folder)
            // What is cut off is missing in the folder as well.
            _ = try? runTool(["tar", "-C", folder, "-xf", "-"], input: bytes)
            _ = try store.load(path: folder, unpacking: unpacking)
            return
        }
        let file = scratch.file("archive")
        try Files.replace(file, with: bytes)
        _ = try store.load(path: file, unpacking: unpacking)
    }

    @Test(arguments: Way.allCases, [nil, StorageDriver.dir, .erofs]) func leavesNothing(
        way: Way,
        driver: StorageDriver?
    )
        throws
    {
        let good = try Self.input(way)
        var random = SeededGenerator(state: way.rawValue.utf8.reduce(7 as UInt64) { $0 &* 31 &+ UInt64($1) })
        var refused = 0
        for round in 0..<8 {
            var bytes = good
            if round % 2 == 0 {
                bytes = Array(good.prefix(Int.random(in: 0..<good.count, using: &random)))
            } else {
                for _ in 0..<Int.random(in: 1...20, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
                }
                if round % 4 == 1 { TarReaderTests.mendChecksums(&bytes) }
            }
            let fixture = try StoreFixture()
            var store = fixture.store
            if let driver { store.driver = driver }
            defer { try? store.unmountLayers() }
            let before = Self.descriptors(in: fixture.scratch.path)
            #expect(before == [])
            do { try bring(bytes, way, into: store, unpacking: driver != nil, fixture.scratch) } catch {
                refused += 1
                #expect(error is EngineError || error is SystemError, "\(error)")
                // An import that is a tar but no layer is an image all the same: it is found when it is unpacked.
                // Blobs that were whole have no name, and go with the next collection.
                if !way.isImport {
                    #expect(try fixture.names() == [])
                    _ = try fixture.collect()
                    #expect(try fixture.blobs() == [])
                }
            }
            #expect(Self.descriptors(in: fixture.scratch.path) == [], "round \(round)")
            #expect(try fixture.temporaries().filter { !$0.hasSuffix(".lock") } == [], "round \(round)")
            for entry in try store.layerEntries() { #expect(try store.fault(of: entry) == nil, "\(entry.path)") }
        }
        #expect(refused > 2)
    }
}
