import Images
import LinuxSystem
import OCI
import TestSupport
import Testing

@testable import Registry

extension OverHTTP {
    /// The documents of an image without its layers, over one session: each session begins with a try to speak TLS.
    @Suite struct DocumentTests {
        private let server: FrontServer
        private let image: FrontServer.Published
        private let index: ImageReference

        init() throws {
            server = try FrontServer { _, ports, registry in
                "server { listen 127.0.0.1:\(ports[0]); location / { proxy_pass \(registry); } }"
            }
            image = try server.published()
            var list = ImageIndex()
            let side = try Side()
            let manifest = try side.client.manifest(image.name)
            var entry = manifest.descriptor
            entry.platform = .host
            list.manifests = [entry]
            index = image.name.tagged("index")
            try Files.write("\(side.folder)/index.json", list.json.bytes())
            try server.registry.put(
                "\(side.folder)/index.json",
                MediaType.imageIndex.rawValue,
                in: "image",
                as: "index"
            )
        }

        /// So many sessions, and so many requests with an answer.
        private var counts: [Int] {
            let all = server.web.log.count
            let answered = server.requests(at: 0).count
            return [all - answered, answered]
        }

        @Test func anIndexItsManifestAndItsConfigurationComeTogether() throws {
            let side = try Side()
            let before = counts
            let target = try side.store.lease().during {
                try side.client.documents(of: index, into: side.store, platform: .host)
            }
            // A question for the tag's digest, index, manifest, configuration.
            #expect(zip(counts, before).map(-) == [1, 4])
            #expect(target.mediaType == .imageIndex)
            let found = try #require(try side.store.image(target, platform: .host))
            #expect(found.manifestDigest == image.digest && !side.store.hasBlob(image.layers[0].digest))
            // What is here is not asked for again.
            let again = counts
            _ = try side.client.documents(of: index, into: side.store, platform: .host)
            #expect(zip(counts, again).map(-) == [1, 1])
        }

        @Test func whatIsNotThereIsSaid() throws {
            let side = try Side()
            func message(_ name: ImageReference, _ platform: Platform) -> String {
                side.failure { _ = try side.client.documents(of: name, into: side.store, platform: platform) }.text
            }
            let other = Platform(architecture: "mips")
            #expect(message(index, other) == "no matching manifest for linux/mips in the manifest list entries")
            #expect(message(image.name, other).contains("does not match the specified platform (linux/mips)"))
            let missing = image.name.tagged("nope")
            #expect(message(missing, .host).hasPrefix("manifest for \(missing) not found: manifest unknown"))
        }

        @Test func aReaderKeepsItsConnection() throws {
            let side = try Side()
            let before = counts
            let size = try side.client.reading(index) { reader in
                let entry = try Descriptor(reader.manifest().json["manifests"]?.array?.first ?? .null)
                let manifest = try reader.manifest(entry.digest)
                return try reader.blob(ImageManifest(manifest.json).configuration).count
            }
            #expect(size > 0 && zip(counts, before).map(-) == [1, 3])
        }
    }
}
