import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// A whole image's layers, of which none is finished before all are begun.
@Suite(.enabled(if: isRoot, "not root"), .timeLimit(.minutes(20))) struct StoreSideBySideTests {
    /// A store whose mounts go with it.
    final class Shelf {
        let fixture: StoreFixture
        let store: ImageStore

        init(_ driver: StorageDriver) throws {
            fixture = try StoreFixture()
            var store = fixture.store
            store.driver = driver
            self.store = store
        }

        deinit { try? store.unmountLayers() }

        /// An image of layers' tars, packed.
        func image(
            _ tars: [[UInt8]],
            _ type: MediaType = .layerGzip,
            pack: ([UInt8]) throws -> [UInt8] = ImageParts.gzip
        )
            throws -> StoredImage
        {
            var configuration = ImageConfiguration(platform: .host)
            configuration.diffIDs = tars.map { SHA256Digest.of($0) }
            let layers = try tars.map { try store.ingest(pack($0), mediaType: type) }
            let blob = try store.ingest(configuration.json.bytes(), mediaType: .imageConfiguration)
            return try store.commit(manifest: ImageManifest(configuration: blob, layers: layers), references: [])
        }

        /// What is on the disk of an image's layers: of a folder every file, of an image its bytes.
        func content(of image: StoredImage) throws -> [LayerSideBySideTests.Outcome] {
            try image.chainIDs.map { chainID in
                let record = try #require(try store.usableLayer(chainID))
                var summary = UnpackSummary()
                (summary.bytes, summary.files) = (record.bytes, record.files)
                let path = "\(store.layerPath(chainID, store.driver))/\(ImageStore.contentName(store.driver))"
                switch store.driver {
                case .dir: return .folder(summary, try LayerListing.lines(of: path))
                case .erofs: return .image(summary, try Files.read(path, limit: 1 << 30))
                }
            }
        }
    }

    /// The lowest layer is not there before all others are being read.
    struct LateImage: ImageContent {
        let inner: StoredImage
        let opened = Monitor<Set<Digest>>([])
        var manifest: ImageManifest { inner.manifest }
        var configuration: ImageConfiguration { inner.configuration }

        func open(layer: Descriptor) throws -> any ByteSource {
            opened.update { _ = $0.insert(layer.digest) }
            let source = try inner.open(layer: layer)
            guard layer.digest == manifest.layers[0].digest else { return source }
            let count = Set(manifest.layers.map(\.digest)).count
            return LateSource(source) { [opened] in opened.wait { $0.count == count ? () : nil } }
        }
    }

    final class LateSource: ByteSource {
        private let inner: any ByteSource
        private let wait: () throws -> Void

        init(_ inner: any ByteSource, _ wait: @escaping () throws -> Void) { (self.inner, self.wait) = (inner, wait) }

        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            try wait()
            return try inner.read(into: buffer)
        }
    }

    // MARK: The same layers

    private static func check(_ tars: [[UInt8]], _ driver: StorageDriver) throws {
        let inOrder = try Shelf(driver)
        for count in 1...tars.count {
            _ = try inOrder.store.unpackedLayers(of: inOrder.image(Array(tars.prefix(count))))
        }
        let beside = try Shelf(driver)
        let image = try beside.image(tars)
        _ = try beside.store.unpackedLayers(of: LateImage(inner: image))
        let expected = try inOrder.content(of: inOrder.image(tars))
        for (layer, (found, expected)) in zip(try beside.content(of: image), expected).enumerated() {
            let entries = try RandomLayers.describe(tars[layer])
            #expect(found == expected, "layer \(layer): \(entries) \(found.difference(from: expected))")
        }
        #expect(try beside.fixture.temporaries().filter { !$0.hasSuffix(".lock") } == [])
    }

    /// Four layers, which all begin at once wherever this runs; none is refused over those below it.
    @Test(arguments: StorageDriver.allCases, 0..<10) func aChainIsTheSame(_ driver: StorageDriver, seed: Int) throws {
        var random = RandomLayers(seed: UInt64(100 + seed))
        let fixture = try LayerFixture()
        var tars: [[UInt8]] = []
        while tars.count < 4 {
            let tar = try random.next()
            guard (try? fixture.add(tar)) != nil else {
                try Files.removeTree("\(fixture.folder.path)/layer\(tars.count)")
                continue
            }
            tars.append(tar)
        }
        try Self.check(tars, driver)
    }

    @Test(arguments: StorageDriver.allCases) func everyKindOfDependenceIsTheSame(_ driver: StorageDriver) throws {
        try Self.check(
            [
                archive { tar in
                    try tar.folder("./", mode: 0o711) { ($0.uid, $0.mtime) = (7, 1000) }
                    try tar.folder("usr/lib", mode: 0o1750) {
                        ($0.gid, $0.mtime) = (3, 77)
                        $0.xattrs = [("user.note", [1])]
                    }
                    try tar.link("lib", to: "usr/lib")
                    try tar.file("usr/lib/one", "one")
                    try tar.file("usr/lib/two", "two")
                    try tar.folder("var/cache/deep")
                    try tar.file("var/cache/deep/x", "x")
                },
                archive { tar in
                    // Folders without entries, a hard link to what is below, and what was whited out before.
                    try tar.file("usr/lib/three", "three")
                    try tar.link("usr/lib/uno", to: "usr/lib/one", kind: .hardlink)
                    try tar.whiteout("usr/lib/.wh.two")
                    try tar.file("usr/lib/two", "again")
                    try tar.whiteout("var/cache/.wh..wh..opq")
                    try tar.file("var/cache/new", "new")
                },
                archive { tar in
                    // Through the link of the lowest layer: once more, when that is there.
                    try tar.file("lib/four", "four")
                    try tar.whiteout("lib/.wh.three")
                    try tar.folder("usr/lib", mode: 0o700) { $0.xattrs = [("user.other", [2])] }
                },
                archive { tar in
                    try tar.whiteout(".wh.var")
                    try tar.file("var/x", "after")
                    try tar.whiteout(".wh..wh..opq")
                },
            ],
            driver
        )
    }

    /// All others are read, more of them than are read at once, before the lowest one comes.
    @Test(arguments: StorageDriver.allCases) func manyLayersAreUnpackedTogether(_ driver: StorageDriver) throws {
        let shelf = try Shelf(driver)
        let image = try shelf.image(
            (0..<12).map { number in
                try archive { tar in
                    try tar.file("shared", "\(number)")
                    try tar.file("own\(number)", String(repeating: "x", count: 10_000 * number))
                    try tar.file("d/\(number)")
                }
            }
        )
        var seen: [String] = []
        let stack = try shelf.store.unpackedLayers(of: LateImage(inner: image)) { event in
            if case .unpacked(let layer) = event { seen.append(layer.hex) }
        }
        #expect(seen == image.manifest.layers.map(\.digest.hex))
        #expect(try stack.read("shared", limit: 10) == Array("11".utf8))
        #expect(try stack.list("/d").count == 12)
    }

    // MARK: Failures

    @Test(arguments: StorageDriver.allCases) func theLowestWrongLayerIsNamedAndThoseBelowStay(_ driver: StorageDriver)
        throws
    {
        let shelf = try Shelf(driver)
        let image = try shelf.image((0..<6).map { number in try archive { try $0.file("f", "\(number)") } })
        for position in [2, 4] {
            let layer = image.manifest.layers[position]
            try Files.write(shelf.store.blobPath(layer.digest), Array(repeating: 0, count: Int(layer.size)))
        }
        let text = message { _ = try shelf.store.unpackedLayers(of: image) }
        #expect(text.contains(image.manifest.layers[2].digest.description))
        let stored = try Files.list(shelf.store.layerFolder(driver)).sorted()
        #expect(stored == image.chainIDs[..<2].map(\.hex).sorted())
        #expect(try shelf.fixture.temporaries().filter { !$0.hasSuffix(".lock") } == [])
    }

    /// The lowest layer fails when all others have begun, of which one waits for bytes that never come.
    struct StuckImage: ImageContent {
        let late: LateImage
        var manifest: ImageManifest { late.manifest }
        var configuration: ImageConfiguration { late.configuration }

        func open(layer: Descriptor) throws -> any ByteSource {
            let source = try late.open(layer: layer)
            return layer.digest == manifest.layers[2].digest ? StuckSource() : source
        }
    }

    final class StuckSource: WaitingSource {
        private let isCancelled = Monitor(false)

        func cancel() { isCancelled.update { $0 = true } }

        func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            isCancelled.wait { $0 ? () : nil }
            throw EngineError(.failed, "stopped")
        }
    }

    @Test(arguments: StorageDriver.allCases) func aFailureEndsThoseThatWait(_ driver: StorageDriver) throws {
        let shelf = try Shelf(driver)
        let image = try shelf.image((0..<4).map { number in try archive { try $0.file("f", "\(number)") } })
        let lowest = image.manifest.layers[0]
        try Files.write(shelf.store.blobPath(lowest.digest), Array(repeating: 0, count: Int(lowest.size)))
        let text = message { _ = try shelf.store.unpackedLayers(of: StuckImage(late: LateImage(inner: image))) }
        #expect(text.contains(lowest.digest.description))
        #expect(try shelf.store.storedLayers() == [])
        #expect(try shelf.fixture.temporaries().filter { !$0.hasSuffix(".lock") } == [])
    }

    @Test func aReaderOfABlobThatIsFetchedIsCancelled() throws {
        let shelf = try Shelf(.dir)
        let blob = PartialBlob(ImageStore.descriptor(of: [1, 2, 3], .layer), in: shelf.store)
        let source = blob.source()
        let reader = try Thread {
            let text = message { _ = try source.readAll() }
            #expect(text.contains("stopped"))
        }
        source.cancel()
        reader.join()
        #expect(message { _ = try source.readAll() }.contains("stopped"))
    }

    /// Others hash what comes, as far as they get; what they leave is hashed at the end. Nothing of it depends on who was when.
    @Test(arguments: [0, 1, 3, 100]) func othersHelpWithABlobsDigest(_ helps: Int) throws {
        let shelf = try Shelf(.dir)
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 5) }
        let blob = PartialBlob(ImageStore.descriptor(of: bytes, .layer), in: shelf.store)
        let scratch = try PageBuffer(count: 7000)
        var (running, beside) = (RunningDigest(), 0)
        func help() throws {
            let end = beside + 4999
            try bytes[beside..<end].withUnsafeBytes { piece in
                if try blob.update(beside: &running, piece, scratch.bytes) { beside = end }
            }
        }
        try help()
        #expect(beside == 0 && running.count == 0)
        #expect(try blob.claim() == .mine(count: 0))
        blob.join()
        for start in stride(from: 0, to: bytes.count, by: 10_000) {
            try bytes[start..<start + 10_000].withUnsafeBytes { try blob.append($0) }
            if start / 10_000 < helps { try help() }
        }
        blob.leave()
        #expect(beside == min(helps, 10) * 4999 && running.count == beside)
        #expect(running.digest == SHA256Digest.of(Array(bytes[..<beside])))
        #expect(try blob.finish())
        try help()
        #expect(running.count == beside)
        #expect(try Files.read(shelf.store.blobPath(blob.descriptor.digest)) == bytes)
    }

    @Test func helpDoesNotMakeAWrongBlobRight() throws {
        let shelf = try Shelf(.dir)
        let bytes = [UInt8](repeating: 1, count: 9000)
        let blob = PartialBlob(ImageStore.descriptor(of: bytes, .layer), in: shelf.store)
        let scratch = try PageBuffer(count: 4096)
        #expect(try blob.claim() == .mine(count: 0))
        blob.join()
        var running = RunningDigest()
        for wrong in [true, false] {
            try (bytes.dropLast() + [wrong ? 2 : 1]).withUnsafeBytes { try blob.append($0) }
            #expect(try bytes.withUnsafeBytes { try blob.update(beside: &running, $0, scratch.bytes) })
            #expect(try blob.finish() == !wrong)
        }
        #expect(blob.wasRestarted)
    }

    // MARK: Memory

    /// A zstd frame whose header asks for a window of 128 MiB, of blocks that are not compressed.
    static func wideFrame(_ bytes: [UInt8]) -> [UInt8] {
        var frame: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3]
        for start in stride(from: 0, to: bytes.count, by: 1 << 17) {
            let block = bytes[start..<min(start + 1 << 17, bytes.count)]
            let header = block.count << 3 | (block.endIndex == bytes.count ? 1 : 0)
            frame += [UInt8(truncatingIfNeeded: header), UInt8(truncatingIfNeeded: header >> 8), UInt8(header >> 16)]
            frame += block
        }
        return frame
    }

    @Test(arguments: StorageDriver.allCases) func widestWindowsAreReadOneAtATime(_ driver: StorageDriver) throws {
        let shelf = try Shelf(driver)
        let text = String(repeating: "some text of a file. ", count: 50_000)
        let tars = try (0..<4).map { number in try archive { try $0.file("f\(number)", text) } }
        let image = try shelf.image(tars, .layerZstd, pack: Self.wideFrame)
        var order: [Int] = []
        let places = Dictionary(
            uniqueKeysWithValues: image.manifest.layers.enumerated().map { ($0.element.digest, $0.offset) }
        )
        _ = try shelf.store.unpackedLayers(of: image) { event in
            if case .progress(let layer, _) = event, let place = places[layer] { order.append(place) }
        }
        #expect(order.count >= 8 && order == order.sorted())
        #expect(try shelf.content(of: image).count == 4)
    }
}
