import LinuxSystem
import OCI
import Testing

@testable import Images

/// What `load` does with an image that it also unpacks: each layer's file is read once.
@Suite struct CopiedImageTests {
    private let fixture: StoreFixture
    private var store: ImageStore

    init() throws {
        fixture = try StoreFixture()
        store = fixture.store
        // Images can be written without root; only mounting them takes it.
        store.driver = .erofs
    }

    @Test(arguments: [false, true], [false, true])
    func aLayerIsReadOnceForItsBlobAndItsFiles(isLayout: Bool, gzip: Bool) throws {
        defer { try? store.unmountLayers() }
        let parts = try ImageParts([["a": "1"], ["b": "2"]], gzip: gzip)
        let archive = try CountedArchive(
            isLayout ? parts.layoutMembers(name: "x:1") : parts.dockerMembers(tags: ["x:1"])
        )
        let image = try archive.image(isLayout: isLayout)
        var pending = PendingBlobs(store: store)
        try pending.unpack(image)
        let target = try pending.add(image)
        try pending.commit()

        let loaded = try store.commit(target: target, references: [try ImageReference("x:1")], platform: nil).image
        #expect(loaded.manifest.layers.map(\.digest) == parts.manifest.layers.map(\.digest))
        #expect(loaded.manifest.layers.map(\.mediaType) == parts.manifest.layers.map(\.mediaType))
        for (layer, bytes) in zip(loaded.manifest.layers, parts.layers) {
            #expect(try Files.read(store.blobPath(layer.digest)) == bytes)
        }
        for (number, layer) in parts.layers.enumerated() {
            let name = isLayout ? parts.manifest.layers[number].layoutPath : "layer\(number).tar"
            #expect(archive.read(name) == layer.count, "\(name)")
        }
        for chainID in ImageStore.chainID(loaded.configuration.diffIDs) {
            #expect(FileStatus.exists(store.layerPath(chainID, .erofs) + "/" + ImageStore.imageName))
        }
    }

    @Test(arguments: [false, true])
    func aLayerThatIsWrongIsSaidByTheCopy(isLayout: Bool) throws {
        defer { try? store.unmountLayers() }
        let parts = try ImageParts([["a": "1"], ["b": "2"]])
        var members = isLayout ? parts.layoutMembers(name: nil) : parts.dockerMembers(tags: [])
        let name = isLayout ? parts.manifest.layers[1].layoutPath : "layer1.tar"
        let position = try #require(members.firstIndex { $0.name == name })
        members[position].content[0] ^= 1
        let image = try CountedArchive(members).image(isLayout: isLayout)
        var pending = PendingBlobs(store: store)
        try pending.unpack(image)
        let said = message { _ = try pending.add(image) }
        #expect(said.contains(isLayout ? "has the digest" : "invalid diffID for a layer"), "\(said)")
        #expect(try fixture.blobs() == [])
    }
}

/// A folder's files, with how many bytes were read of each.
struct CountedArchive: ArchiveFiles {
    private let scratch: Scratch
    private let files: FolderFiles
    private let counts = Monitor<[String: Int]>([:])

    init(_ members: [(name: String, content: [UInt8])]) throws {
        scratch = try Scratch()
        for (name, content) in members {
            try Files.makeDirectories(Files.parent(of: scratch.file(name)))
            try Files.replace(scratch.file(name), with: content)
        }
        files = FolderFiles(path: scratch.path)
    }

    var description: String { files.description }

    func image(isLayout: Bool) throws -> TransportImage {
        guard isLayout else { return try #require(try DockerArchive(self)).image(named: nil) }
        let layout = try #require(try OCILayout(self))
        return try #require(try layout.onlyImage(of: layout.index.manifests[0]))
    }

    func read(_ name: String) -> Int { counts.update { $0[name] ?? 0 } }

    func open(_ name: String) throws -> (source: any ByteSource, size: Int64)? {
        guard let (source, size) = try files.open(name) else { return nil }
        return (CountedSource(source) { count in counts.update { $0[name, default: 0] += count } }, size)
    }
}

final class CountedSource: ByteSource {
    private let inner: any ByteSource
    private let report: (Int) -> Void

    init(_ inner: any ByteSource, _ report: @escaping (Int) -> Void) {
        self.inner = inner
        self.report = report
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try inner.read(into: buffer)
        report(count)
        return count
    }
}
