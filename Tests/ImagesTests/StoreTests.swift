import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

@Suite struct StoreTests {
    @Test func aNewStoreIsAnEmptyLayout() throws {
        let fixture = try StoreFixture()
        #expect(try Files.readText(fixture.scratch.file("store/version")) == "1\n")
        #expect(
            try Files.readText(fixture.scratch.file("store/images/oci-layout")) == #"{"imageLayoutVersion":"1.0.0"}"#
        )
        #expect(try FileStatus.of(fixture.store.root).mode == 0o711)
        #expect(try FileStatus.of(fixture.store.root + "/images").mode == 0o700)
        #expect(try fixture.store.images().isEmpty)
        // Opening it again changes nothing, however it is written.
        for text in ["", "/", "/.", "/../store", "//"] {
            #expect(try ImageStore(root: fixture.store.root + text) == fixture.store)
        }
        #expect(try ImageStore(root: "/tmp//../\(fixture.store.root)") == fixture.store)
    }

    @Test func anotherVersionIsRefused() throws {
        let fixture = try StoreFixture()
        try Files.write(fixture.store.path("version"), Array("2\n".utf8))
        #expect(
            message { _ = try ImageStore(root: fixture.store.root) }.hasSuffix(
                "has format \"2\" and this minirun only knows format \"1\""
            )
        )
    }

    @Test func chainIDsAreTheSpecifications() throws {
        let a = Digest(sha256: [UInt8](repeating: 1, count: 32))
        let b = Digest(sha256: [UInt8](repeating: 2, count: 32))
        #expect(ImageStore.chainID([]) == [])
        #expect(
            ImageStore.chainID([a, b, a]) == [
                a, SHA256Digest.of(Array("\(a) \(b)".utf8)),
                SHA256Digest.of(Array("\(SHA256Digest.of(Array("\(a) \(b)".utf8))) \(a)".utf8)),
            ]
        )
    }

    // MARK: Blobs

    @Test func aBlobIsVerifiedAndStoredOnce() throws {
        let fixture = try StoreFixture()
        let content = Array("content".utf8)
        let expected = ImageStore.descriptor(of: content, .layer)
        #expect(try fixture.store.ingest(MemorySource(content), expected: expected).digest == expected.digest)
        // One that is there is not read again.
        try fixture.store.ingest(MemorySource([]), expected: expected)
        #expect(try fixture.store.openBlob(expected).readAll() == content)
        #expect(try fixture.blobs() == [expected.digest.hex])
        var wrong = ImageStore.descriptor(of: Array("other".utf8), .layer)
        #expect(
            message { try fixture.store.ingest(MemorySource(content), expected: wrong) }.contains(
                "is larger than the 5 bytes"
            )
        )
        wrong.size = 7
        #expect(message { try fixture.store.ingest(MemorySource(content), expected: wrong) }.contains("has the digest"))
        #expect(try fixture.blobs() == [expected.digest.hex])
        #expect(try fixture.temporaries() == [])
    }

    @Test func aBlobThatIsNotCommittedLeavesNothing() throws {
        let fixture = try StoreFixture()
        do {
            let writer = try fixture.store.blobWriter()
            try writer.write(Array("half".utf8))
        }
        #expect(try fixture.blobs() == [] && fixture.temporaries() == [])
    }

    @Test func damageIsFoundOnReading() throws {
        let fixture = try StoreFixture()
        let blob = try fixture.store.ingest(Array("content".utf8), mediaType: .layer)
        try Files.write(fixture.store.blobPath(blob.digest), Array("CONTENT".utf8))
        #expect(throws: EngineError.self) { try fixture.store.readBlob(blob) }
        #expect(throws: EngineError.self) { try fixture.store.openBlob(blob).readAll() }
        // A blob of the wrong size counts as missing, and the next one to store it mends it.
        try Files.write(fixture.store.blobPath(blob.digest), [])
        #expect(!fixture.store.hasBlob(blob.digest, size: blob.size))
        try fixture.store.ingest(Array("content".utf8), mediaType: .layer)
        #expect(try fixture.store.readBlob(blob) == Array("content".utf8))
        #expect(
            message { _ = try fixture.store.readBlob(ImageStore.descriptor(of: [1], .layer)) }.hasSuffix(
                "is not in the store"
            )
        )
    }

    // MARK: Names

    @Test func namesAreResolvedAsDockerDoes() throws {
        let fixture = try StoreFixture()
        let image = try fixture.image([["a": "1"]], names: ["python:3.8-slim", "localhost:5000/x/y:1"])
        for text in [
            "python:3.8-slim", "library/python:3.8-slim", "docker.io/library/python:3.8-slim", "localhost:5000/x/y:1",
            image.id.hex, image.id.description, image.id.short, String(image.id.description.prefix(10)),
            String(image.id.hex.prefix(1)),
            "python@\(image.manifestDigest)", "python:other@\(image.manifestDigest)", image.manifestDigest.description,
        ] {
            #expect(try fixture.store.resolve(text).id == image.id, "\(text)")
        }
        #expect(
            try fixture.store.resolve("python:3.8-slim").references.map(\.familiar) == [
                "python:3.8-slim", "localhost:5000/x/y:1",
            ]
        )
        #expect(message { _ = try fixture.store.resolve("python") } == "No such image: python:latest")
        #expect(message { _ = try fixture.store.resolve("docker.io/library/python") } == "No such image: python:latest")
        #expect(message { _ = try fixture.store.resolve("sha256:ffff") } == "No such image: sha256:ffff")
        #expect(message { _ = try fixture.store.resolve("Python") }.contains("must be lowercase"))
        #expect(message { _ = try fixture.store.resolve("") } != "no error")
    }

    @Test func thePrefixOfSeveralIdsFindsNone() throws {
        let fixture = try StoreFixture()
        for number in 0..<20 { try fixture.image([["a": "\(number)"]], names: ["n\(number)"]) }
        let ids = try fixture.store.images().map(\.id.hex)
        for digit in "0123456789abcdef" {
            let fitting = ids.filter { $0.first == digit }
            let found = try? fixture.store.resolve(String(digit)).id.hex
            #expect(found == (fitting.count == 1 ? fitting[0] : nil))
        }
    }

    @Test func aMovedNameLeavesAnImageWithoutOne() throws {
        let fixture = try StoreFixture()
        let first = try fixture.image([["a": "1"]], names: ["app", "app:old"])
        let second = try fixture.image([["a": "2"]], names: [])
        #expect(try fixture.names() == ["<none>", "app:latest", "app:old"])
        try fixture.store.tag(second, as: ImageReference("app"))
        #expect(try fixture.names() == ["app:latest", "app:old"])
        try fixture.store.tag(second, as: ImageReference("app:old"))
        #expect(try fixture.names() == ["<none>", "app:latest", "app:old"])
        #expect(try fixture.store.resolve(first.id.hex).references == [])
        // Tagging it again takes the nameless entry's place.
        try fixture.store.tag(first, as: ImageReference("app:first"))
        #expect(try fixture.names() == ["app:first", "app:latest", "app:old"])
        try fixture.store.tag(first, as: ImageReference("app:first"))
        #expect(try fixture.names() == ["app:first", "app:latest", "app:old"])
        #expect(throws: EngineError.self) { try fixture.store.tag(first, as: ImageReference("a@\(first.id)")) }
    }

    @Test func imagesAreListedOnceTheNewestFirst() throws {
        let fixture = try StoreFixture()
        let old = try fixture.image([["a": "1"]], names: ["old", "alias"], created: "2020-01-01T00:00:00Z")
        let new = try fixture.image([["a": "2"]], names: ["new"], created: "2024-01-01T00:00:00Z")
        // The same image by another manifest: compressed.
        try fixture.image([["a": "1"]], names: ["old:gz"], created: "2020-01-01T00:00:00Z", gzip: true)
        #expect(try fixture.store.images().map(\.id) == [new.id, old.id])
        #expect(try fixture.store.images()[1].references.map(\.familiar) == ["alias:latest", "old:gz", "old:latest"])
    }

    @Test func anIncompleteImageGetsNoName() throws {
        let fixture = try StoreFixture()
        var parts = try ImageParts([["a": "1"], ["b": "2"]])
        let missing = try #require(parts.manifest.layers.last)
        parts.blobs[missing.digest] = nil
        for blob in parts.blobs.values { try fixture.store.ingest(MemorySource(blob)) }
        #expect(throws: EngineError.self) {
            try fixture.store.commit(manifest: parts.manifest, references: [ImageReference("x")])
        }
        #expect(try fixture.names() == [])
    }

    // MARK: Platforms

    @Test func anIndexStaysAndIsResolvedByPlatform() throws {
        let fixture = try StoreFixture()
        let here = try ImageParts([["a": "here"]])
        let there = try ImageParts([["a": "there"]], platform: Platform(architecture: "riscv64"))
        let absent = try ImageParts([["a": "absent"]], platform: Platform(architecture: "s390x"))
        var entries: [Descriptor] = []
        for (parts, architecture) in [(there, "riscv64"), (absent, "s390x"), (here, Platform.host.architecture)] {
            var entry = parts.manifestDescriptor
            entry.platform = Platform(architecture: architecture, variant: architecture == "arm64" ? "v8" : nil)
            entries.append(entry)
            if architecture == "s390x" { continue }
            for blob in Array(parts.blobs.values) + [parts.manifest.json.bytes()] {
                try fixture.store.ingest(MemorySource(blob))
            }
        }
        let index = try fixture.store.ingest(ImageIndex(manifests: entries).json.bytes(), mediaType: .imageIndex)
        let (image, _) = try fixture.store.commit(
            target: index,
            references: [ImageReference("m"), ImageReference("m@\(index.digest)")]
        )
        #expect(
            image.id == here.id && image.target.digest == index.digest
                && image.repositoryDigests.map(\.digest) == [index.digest]
        )
        #expect(try fixture.store.resolve("m").id == here.id)
        #expect(try fixture.store.resolve("m", platform: Platform(architecture: "riscv64")).id == there.id)
        #expect(
            message { _ = try fixture.store.resolve("m", platform: Platform(architecture: "s390x")) }
                == "no matching manifest for linux/s390x in the manifest list entries"
        )
        #expect(try fixture.store.resolve("m@\(index.digest)").id == here.id)
        #expect(Set(try fixture.store.images().map(\.id)) == [here.id, there.id])
        // All of it is one thing to the collector.
        _ = try fixture.collect()
        #expect(try fixture.store.resolve("m", platform: Platform(architecture: "riscv64")).id == there.id)
    }

    @Test func anotherPlatformIsRefused() throws {
        let fixture = try StoreFixture()
        try fixture.image([["a": "1"]], names: ["x"])
        #expect(
            message { _ = try fixture.store.resolve("x", platform: Platform(architecture: "s390x")) }
                == "image with reference x was found but its platform (\(Platform.host)) does not match the specified platform (linux/s390x)"
        )
    }

    // MARK: Names that would lie

    /// Who asks for a digest, or for an id, must get that: an archive may call its image anything.
    @Test func aNameWithADigestIsThatDigests() throws {
        let fixture = try StoreFixture()
        let good = try fixture.image([["a": "1"]], names: ["good"])
        let other = try fixture.image([["b": "2"]], names: ["other"])
        for name in ["good@\(good.target.digest)", "good:latest@\(good.target.digest)", "good@\(good.id)"] {
            let reference = try ImageReference(name)
            #expect(throws: EngineError.self) {
                try fixture.store.commit(target: other.target, references: [ImageReference("next"), reference])
            }
        }
        let ambiguous = try ImageReference("sha256:\(good.id.hex)")
        #expect(throws: EngineError.self) { try fixture.store.commit(target: other.target, references: [ambiguous]) }
        #expect(throws: EngineError.self) { try fixture.store.tag(good, as: ambiguous) }
        #expect(try fixture.names() == ["good:latest", "other:latest"])
        let own = try ImageReference("other@\(other.target.digest)")
        try fixture.store.commit(target: other.target, references: [own])
        #expect(try fixture.store.resolve(own.description).id == other.id)
    }

    /// An archive of a few hundred kilobytes may give an image ten thousand names.
    @Test func manyNamesAreGivenAtOnce() throws {
        let fixture = try StoreFixture()
        let first = try fixture.image([["a": "1"]], names: ["kept"])
        let names = (0..<10_000).map { "many:\($0)" }
        let began = Clock.monotonic
        // Twice the same name, and names that have another image already.
        let second = try fixture.image([["b": "2"]], names: names + ["many:0", "kept"])
        try fixture.image([["c": "3"]], names: names)
        #expect(Clock.monotonic - began < 60_000_000_000)
        #expect(try fixture.store.resolve("many:9999").id != second.id)
        #expect(try fixture.store.resolve("kept").id == second.id)
        #expect(try fixture.store.index().manifests.count == 10_002)
        #expect(try fixture.names().filter { $0 == "<none>" }.count == 1)
        #expect(try fixture.store.resolve(first.id.hex).references.isEmpty)
    }

    /// What could not be read again is not written.
    @Test(arguments: [MediaType.imageConfiguration, .imageManifest, .imageIndex])
    func aDocumentHasItsLimit(type: MediaType) throws {
        let fixture = try StoreFixture()
        let most = [UInt8](repeating: UInt8(ascii: " "), count: ImageStore.documentLimit)
        let written = try fixture.store.ingest(most, mediaType: type)
        #expect(try fixture.store.readBlob(written).count == most.count)
        let error = #expect(throws: EngineError.self) { try fixture.store.ingest(most + [0x20], mediaType: type) }
        #expect(error?.message.contains("at most \(ImageStore.documentLimit) are allowed") ?? false)
        #expect(try fixture.blobs() == [written.digest.hex])
    }

    /// A removal beside a check is collected by whoever lets the store go last: what it left is no damage.
    @Test func whatWaitsForACollectionIsNoProblem() throws {
        let fixture = try StoreFixture()
        try fixture.store.ingest(Array("loose".utf8), mediaType: .layer)
        func problems() throws -> [String] {
            try fixture.store.problems(isAlone: true, keeping: CollectionRoots(), readsBlobs: false).map(\.message)
        }
        #expect(try problems() == ["is a blob that nothing needs"])
        fixture.store.awaitCollection()
        #expect(try problems() == [])
    }
}
