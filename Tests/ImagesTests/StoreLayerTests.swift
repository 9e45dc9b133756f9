import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

@Suite struct StoreLayerTests {
    let fixture: StoreFixture
    let image: StoredImage

    init() throws {
        fixture = try StoreFixture()
        image = try fixture.image([["a": "1", "etc/x": "lower"], ["etc/x": "upper"]], names: ["app"], gzip: true)
    }

    private func folder(_ position: Int) -> String { fixture.store.layerPath(image.chainIDs[position]) }

    private func record(_ position: Int) throws -> LayerRecord {
        try #require(try LayerRecord.read(in: folder(position)))
    }

    @Test func layersAreUnpackedOnceTheTopOneFirst() throws {
        var seen: [String] = []
        let stack = try fixture.store.unpackedLayers(of: image) { event in
            if case .unpacked(let layer) = event { seen.append(layer.hex) }
        }
        #expect(stack.directories == [folder(1) + "/fs", folder(0) + "/fs"])
        #expect(seen == image.manifest.layers.map(\.digest.hex))
        #expect(
            try Files.readText(folder(1) + "/fs/etc/x") == "upper" && Files.readText(folder(0) + "/fs/etc/x") == "lower"
        )
        #expect(try FileStatus.of(folder(0) + "/fs").mode == 0o755)
        let record = try record(1)
        #expect(
            record.parent == image.chainIDs[0] && record.diffID == image.configuration.diffIDs[1] && record.bytes == 5
                && record.files == 1
        )
        seen = []
        _ = try fixture.store.unpackedLayers(of: image) { _ in seen.append("again") }
        #expect(seen == [])
        #expect(try fixture.store.unpackedSize(of: image) == 11)
    }

    @Test func anImageIsUnpackedFromWhereItIs() throws {
        let parts = try ImageParts([["a": "1"]])
        try Files.write(fixture.scratch.file("d.tar"), ImageParts.tar(parts.dockerMembers(tags: [])))
        let stack = try fixture.store.unpackedLayers(
            of: ImageLocation(.dockerArchive, path: fixture.scratch.file("d.tar")).open()
        )
        #expect(try Files.readText(stack.directories[0] + "/a") == "1")
        #expect(!fixture.store.hasBlob(parts.id))
    }

    @Test func theSameLayersOfAnotherImageAreShared() throws {
        _ = try fixture.store.unpackedLayers(of: image)
        let other = try fixture.image([["a": "1", "etc/x": "lower"], ["new": "3"]], names: ["other"])
        let stack = try fixture.store.unpackedLayers(of: other)
        #expect(stack.directories[1] == folder(0) + "/fs")
        #expect(try Files.list(fixture.store.layerFolder(.dir)).count == 3)
    }

    // MARK: Trust

    @Test func anotherBootsLayerIsUnpackedAgainUnlessSynced() throws {
        _ = try fixture.store.unpackedLayers(of: image)
        for position in 0...1 {
            var record = try record(position)
            record.bootID = "another"
            record.isSynced = position == 0
            try Files.write(folder(position) + "/" + LayerRecord.name, record.json.bytes())
            try Files.write(folder(position) + "/fs/etc/x", Array("cut".utf8))
        }
        _ = try fixture.store.unpackedLayers(of: image)
        #expect(
            try Files.readText(folder(1) + "/fs/etc/x") == "upper" && Files.readText(folder(0) + "/fs/etc/x") == "cut"
        )
        #expect(try fixture.temporaries().filter { !$0.hasSuffix(".lock") } == [])
    }

    @Test func syncedLayersSaySo() throws {
        _ = try fixture.store.unpackedLayers(of: image)
        #expect(try !record(0).isSynced)
        try fixture.store.syncLayers()
        #expect(try record(0).isSynced && record(1).isSynced && record(1).bytes == 5)
    }

    @Test(arguments: ["", "{", "{\"version\":2}"]) func aDamagedRecordIsNotTrusted(_ text: String) throws {
        _ = try fixture.store.unpackedLayers(of: image)
        try Files.write(folder(1) + "/" + LayerRecord.name, Array(text.utf8))
        try Files.remove(folder(1) + "/fs/etc/x")
        _ = try fixture.store.unpackedLayers(of: image)
        #expect(try Files.readText(folder(1) + "/fs/etc/x") == "upper")
    }

    @Test func whatAKilledUnpackingLeftIsRemoved() throws {
        let left = "\(fixture.store.temporaryFolder)/layer-\(image.chainIDs[0].hex)"
        try Files.makeDirectories(left + "/fs")
        try Files.write(left + "/fs/half", [1])
        _ = try fixture.store.unpackedLayers(of: image)
        #expect(!FileStatus.exists(left) && !FileStatus.exists(folder(0) + "/fs/half"))
    }

    // MARK: Wrong layers

    @Test func aDamagedBlobLeavesNoLayer() throws {
        let path = fixture.store.blobPath(image.manifest.layers[1].digest)
        var bytes = try Files.read(path)
        bytes[bytes.count / 2] ^= 1
        try Files.write(path, bytes)
        #expect(throws: EngineError.self) { try fixture.store.unpackedLayers(of: image) }
        #expect(try Files.list(fixture.store.layerFolder(.dir)) == [image.chainIDs[0].hex])
        #expect(try fixture.temporaries().filter { !$0.hasSuffix(".lock") } == [])
    }

    @Test func anotherDiffIDLeavesNoLayer() throws {
        let parts = try ImageParts([["a": "other"]])
        var configuration = try ImageConfiguration(JSON.parse(parts.configuration))
        configuration.diffIDs = [image.configuration.diffIDs[0]]
        let wrong = try fixture.store.ingest(configuration.json.bytes(), mediaType: .imageConfiguration)
        try fixture.store.ingest(MemorySource(parts.layers[0]))
        let manifest = ImageManifest(configuration: wrong, layers: parts.manifest.layers)
        let stored = try fixture.store.commit(manifest: manifest, references: [])
        #expect(message { _ = try fixture.store.unpackedLayers(of: stored) }.contains("has the digest"))
        #expect(try Files.list(fixture.store.layerFolder(.dir)) == [])
    }

    // MARK: The builder's layers

    @Test func aFolderBecomesALayer() throws {
        _ = try fixture.store.unpackedLayers(of: image)
        let upper = fixture.store.path("build/upper")
        try Files.makeDirectories(upper + "/new")
        let diffID = Digest(sha256: [UInt8](repeating: 9, count: 32))
        let chainID = try fixture.store.adoptLayer(upper, diffID: diffID, parent: image.chainIDs[1], bytes: 7, files: 1)
        #expect(chainID == ImageStore.chainID(image.configuration.diffIDs + [diffID])[2])
        #expect(FileStatus.exists(fixture.store.layerPath(chainID) + "/fs/new") && !FileStatus.exists(upper))
        #expect(try fixture.store.usableLayer(chainID)?.bytes == 7)
        // A second time the first one stays, and the folder goes.
        try Files.makeDirectories(upper + "/other")
        #expect(try fixture.store.adoptLayer(upper, diffID: diffID, parent: image.chainIDs[1]) == chainID)
        #expect(FileStatus.exists(fixture.store.layerPath(chainID) + "/fs/new") && !FileStatus.exists(upper))
        // As a root it keeps those below it.
        try fixture.store.updateIndex { $0.manifests = [] }
        _ = try fixture.collect(CollectionRoots(layers: [chainID]))
        #expect(try Files.list(fixture.store.layerFolder(.dir)).count == 3)
        _ = try fixture.collect()
        #expect(try Files.list(fixture.store.layerFolder(.dir)) == [] && fixture.temporaries() == [])
    }
}
