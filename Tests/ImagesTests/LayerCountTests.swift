import LinuxSystem
import OCI
import Testing

@testable import Images

/// Images of more layers than can be mounted are refused where they would come in.
@Suite struct LayerCountTests {
    private let fixture: StoreFixture
    private var store: ImageStore { fixture.store }

    init() throws { fixture = try StoreFixture() }

    @Test(arguments: [
        ("6.18.44-generic", 500), ("6.7.0", 500), ("10.0.1", 500), ("6.6.99", 222), ("5.15.0-101-generic", 222),
        ("4.19", 222), ("", 222), ("none", 222), ("6", 222), ("99999999999999999999.1", 222),
    ]) func whatTheKernelTakes(release: String, layers: Int) {
        #expect(LayerCount.mountable(kernel: release) == layers)
    }

    /// Each a file of its own, so that none is another one's.
    private static func parts(_ count: Int) throws -> ImageParts {
        try ImageParts((0..<count).map { ["f\($0)": "\($0)"] })
    }

    @Test(arguments: [1, LayerCount.limit, LayerCount.limit + 1, 1000], [false, true])
    func archives(count: Int, isLayout: Bool) throws {
        let parts = try Self.parts(count)
        let archive = try ImageParts.tar(
            isLayout ? parts.layoutMembers(name: "x:1") : parts.dockerMembers(tags: ["x:1"])
        )
        let said = message { _ = try store.load(archive) }
        if count <= LayerCount.limit {
            #expect(said == "no error")
        } else {
            #expect(said.contains("an image of \(count) layers cannot be mounted"), "\(said)")
            #expect(try fixture.state() == [])
        }
    }

    /// What a build or a pull puts together.
    @Test(arguments: [LayerCount.limit, LayerCount.limit + 1]) func commits(count: Int) throws {
        let parts = try Self.parts(count)
        for blob in parts.blobs.values { try store.ingest(MemorySource(blob)) }
        let said = message { _ = try store.commit(manifest: parts.manifest, references: []) }
        #expect(
            count <= LayerCount.limit
                ? said == "no error" : said.contains("an image of \(count) layers cannot be mounted"),
            "\(said)"
        )
        #expect(try store.images().count == (count <= LayerCount.limit ? 1 : 0))
    }

    /// A container would not start: it is said before anything is unpacked.
    @Test func unpacking() throws {
        let parts = try Self.parts(LayerCount.limit + 1)
        struct Content: ImageContent {
            let manifest: ImageManifest
            let configuration: ImageConfiguration
            func open(layer: Descriptor) throws -> any ByteSource { throw EngineError(.failed, "opened") }
        }
        let content = Content(
            manifest: parts.manifest,
            configuration: try ImageConfiguration(JSON.parse(parts.configuration))
        )
        #expect(message { _ = try store.unpackedLayers(of: content) }.contains("cannot be mounted"))
    }
}
