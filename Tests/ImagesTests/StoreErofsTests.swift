import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// A store whose layers are images.
@Suite(.enabled(if: isRoot, "not root")) final class StoreErofsTests {
    let fixture: StoreFixture
    let store: ImageStore
    let image: StoredImage

    init() throws {
        fixture = try StoreFixture()
        var store = fixture.store
        store.driver = .erofs
        self.store = store
        image = try fixture.image([["a": "1", "etc/x": "lower"], ["etc/x": "upper"]], names: ["app"], gzip: true)
    }

    deinit { try? store.unmountLayers() }

    private func point(_ position: Int) -> String { store.mountPoint(image.chainIDs[position]) }
    private func isMounted(_ position: Int) -> Bool {
        ImageMount.isMounted(at: point(position), magic: ImageMount.erofsMagic)
    }
    private func file(_ position: Int) -> String {
        store.layerPath(image.chainIDs[position], .erofs) + "/" + ImageStore.imageName
    }

    private func change(_ position: Int, _ body: (inout LayerRecord) -> Void) throws {
        let folder = store.layerPath(image.chainIDs[position])
        var record = try #require(try LayerRecord.read(in: folder))
        body(&record)
        try Files.write(folder + "/" + LayerRecord.name, record.json.bytes())
    }

    @Test func layersAreMountedOnceTheTopOneFirst() throws {
        var seen = 0
        let stack = try store.unpackedLayers(of: image) { _ in seen += 1 }
        #expect(stack.directories == [point(1), point(0)])
        #expect(try Files.readText(point(1) + "/etc/x") == "upper" && Files.readText(point(0) + "/etc/x") == "lower")
        let record = try #require(try store.usableLayer(image.chainIDs[1]))
        #expect(try record.image?.size == FileStatus.of(file(1)).size && record.bytes == 5 && record.files == 1)
        try store.verifyLayer(record)
        let before = seen
        let mounts = try Files.readText("/proc/self/mounts")
        _ = try store.unpackedLayers(of: image) { _ in seen += 1 }
        #expect(seen == before)
        #expect(try Files.readText("/proc/self/mounts") == mounts)
        #expect(try store.unpackedSize(of: image) == 11)
        #expect(try Files.list(store.layerFolder(.dir)) == [])
    }

    @Test func alostMountIsMadeAgain() throws {
        _ = try store.unpackedLayers(of: image)
        try store.unmountLayers()
        #expect(!isMounted(0) && !isMounted(1))
        rmdir(store.mounts)
        #expect(!FileStatus.exists(store.mounts))
        let stack = try store.unpackedLayers(of: image) { _ in Issue.record("unpacked again") }
        #expect(try stack.read("/etc/x", limit: 9) == Array("upper".utf8))
    }

    @Test func layersOfBothFormsStandOnEachOther() throws {
        _ = try fixture.store.unpackedLayers(of: image)
        let other = try fixture.image([["a": "1", "etc/x": "lower"], ["new": "3"]], names: ["other"])
        let stack = try store.unpackedLayers(of: other)
        #expect(stack.directories[1] == fixture.store.layerPath(image.chainIDs[0], .dir) + "/fs")
        #expect(ImageMount.isMounted(at: stack.directories[0], magic: ImageMount.erofsMagic))
        // A driver is for new layers only.
        #expect(try fixture.store.unpackedLayers(of: other).directories == stack.directories)
        let third = try fixture.image([["a": "1", "etc/x": "lower"], ["new": "3"], ["more": "4"]], names: ["third"])
        let mixed = try fixture.store.unpackedLayers(of: third)
        #expect(try mixed.list("/") == ["a", "etc", "more", "new"])
    }

    @Test func aCollectionUnmountsWhatGoes() throws {
        _ = try store.unpackedLayers(of: image)
        #expect(isMounted(0) && isMounted(1))
        _ = try fixture.collect()
        #expect(isMounted(0) && isMounted(1))
        try store.updateIndex { $0.manifests = [] }
        // Somebody stands in one of them: it goes all the same.
        let inside = try FileDescriptor.open(point(0) + "/a")
        #expect(try fixture.collect().layers == 2)
        #expect(!FileStatus.exists(point(0)) && !FileStatus.exists(point(1)))
        #expect(try inside.readAll() == [0x31])
        #expect(try Files.list(store.layerFolder(.erofs)) == [] && Files.list(store.mounts) == [])
    }

    // MARK: Trust

    @Test func anotherBootsImageIsTakenIfItIsWhole() throws {
        _ = try store.unpackedLayers(of: image)
        try store.unmountLayers()
        for position in 0...1 { try change(position) { $0.bootID = "another" } }
        // One was cut by the power failure.
        let cut = try FileDescriptor.open(file(1), O_WRONLY)
        try cut.write([0xff], at: 4100)
        var unpacked: [Digest] = []
        _ = try store.unpackedLayers(of: image) { if case .unpacked(let layer) = $0 { unpacked.append(layer) } }
        #expect(unpacked == [image.manifest.layers[1].digest])
        #expect(try store.usableLayer(image.chainIDs[0])?.bootID == LayerRecord.bootID)
        #expect(try Files.readText(point(1) + "/etc/x") == "upper")
    }

    @Test func aChangedImageIsFound() throws {
        _ = try store.unpackedLayers(of: image)
        let record = try #require(try store.usableLayer(image.chainIDs[0]))
        let damaged = try FileDescriptor.open(file(0), O_WRONLY)
        try damaged.write([0x58], at: record.image.map { $0.size - 4096 + 70 } ?? 0)
        let error = #expect(throws: EngineError.self) { try store.verifyLayer(record) }
        #expect(error?.kind == .corrupt)
    }

    /// An image that was protected by fs-verity, on a file system without it: a copy of the store, or a fake.
    @Test func anotherFileInTheProtectedOnesPlaceIsNotMounted() throws {
        _ = try store.unpackedLayers(of: image)
        try store.unmountLayers()
        let kept = try store.usableLayer(image.chainIDs[0])?.image?.verity
        #expect(try FileDescriptor.open(file(0)).verityDigest().map { Digest(sha256: $0) } == kept)
        try change(0) { $0.image?.verity = Digest(sha256: [UInt8](repeating: 9, count: 32)) }
        let error = #expect(throws: EngineError.self) { try store.unpackedLayers(of: image) }
        #expect(error?.kind == .corrupt && error?.message.contains("is not what was unpacked") == true)
        #expect(!isMounted(0))
    }

    @Test func syncedImagesSaySo() throws {
        _ = try store.unpackedLayers(of: image)
        try store.syncLayers()
        try change(1) { $0.bootID = "another" }
        #expect(try store.usableLayer(image.chainIDs[1])?.isSynced == true)
    }

    @Test func aDamagedBlobLeavesNoLayer() throws {
        let path = store.blobPath(image.manifest.layers[1].digest)
        var bytes = try Files.read(path)
        bytes[bytes.count / 2] ^= 1
        try Files.write(path, bytes)
        #expect(throws: EngineError.self) { try store.unpackedLayers(of: image) }
        #expect(try Files.list(store.layerFolder(.erofs)) == [image.chainIDs[0].hex])
        #expect(try fixture.temporaries().filter { !$0.hasSuffix(".lock") } == [])
    }

    @Test func driversHaveNames() throws {
        #expect(try StorageDriver(parsing: "dir") == .dir && StorageDriver(parsing: "erofs") == .erofs)
        _ = try StorageDriver(parsing: "auto")
        #expect(throws: EngineError.self) { try StorageDriver(parsing: "overlay2") }
    }
}
