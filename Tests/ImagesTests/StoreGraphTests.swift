import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// Indexes that say something wrong of others' content, and graphs of them that multiply.
@Suite struct StoreGraphTests {
    let fixture: StoreFixture
    init() throws { fixture = try StoreFixture() }

    private let unknown = MediaType(rawValue: "application/octet-stream")

    private func index(_ entries: [Descriptor]) throws -> Descriptor {
        try fixture.store.ingest(ImageIndex(manifests: entries).json.bytes(), mediaType: .imageIndex)
    }

    private func called(_ image: StoredImage, _ type: MediaType) -> Descriptor {
        Descriptor(mediaType: type, digest: image.manifestDigest, size: image.manifestDescriptor.size)
    }

    /// Whatever comes first in index.json.
    @Test(arguments: [true, false], ["application/octet-stream", "", MediaType.imageIndex.rawValue])
    func anIndexCannotDisownAnothersManifest(first: Bool, type: String) throws {
        let names = first ? ["victim", "other"] : ["other", "victim"]
        let victim = try fixture.image([["a": "1"], ["b": "2"]], names: [names[0]])
        let own = try fixture.image([["c": "3"]], names: ["own"])
        let evil = try index([own.manifestDescriptor, called(victim, MediaType(rawValue: type))])
        try fixture.store.commit(target: evil, references: [ImageReference(names[1])])
        if !first {
            // The evil one stands before the victim.
            try fixture.store.updateIndex { $0.manifests.reverse() }
        }
        let before = try fixture.blobs()
        _ = try fixture.collect()
        #expect(try fixture.blobs() == before)
        #expect(try fixture.store.resolve(names[0]).layers.count == 2)
    }

    /// An entry of index.json itself, as an archive may bring it.
    @Test func aWrongTypeIsPutRightOrRefused() throws {
        let parts = try ImageParts([["a": "1"]])
        var entry = parts.manifestDescriptor
        entry.annotations[ImageStore.referenceAnnotation] = "docker.io/library/x:latest"
        func archive(_ entries: [Descriptor], _ more: [(name: String, content: [UInt8])] = []) throws -> [UInt8] {
            var members = parts.layoutMembers(name: nil).filter { $0.name != "index.json" }
            members.append(("index.json", ImageIndex(manifests: entries).json.bytes()))
            return try ImageParts.tar(members + more)
        }
        entry.mediaType = unknown
        try fixture.store.load(archive([entry]))
        #expect(try fixture.store.index().manifests.map(\.mediaType) == [.imageManifest])
        let before = try fixture.blobs()
        _ = try fixture.collect()
        #expect(try fixture.blobs() == before)
        entry.mediaType = .imageIndex
        #expect(message { try fixture.store.load(archive([entry])) }.hasSuffix("and is not: refused"))
        // In an index nothing can be put right: its bytes are its name.
        for type in [unknown, .imageIndex] {
            var child = parts.manifestDescriptor
            child.mediaType = type
            let bytes = ImageIndex(manifests: [child]).json.bytes()
            let target = ImageStore.descriptor(of: bytes, .imageIndex)
            let error = message { try fixture.store.load(archive([target], [(target.layoutPath, bytes)])) }
            #expect(error.hasSuffix(": refused"), "\(error)")
        }
    }

    /// 20 levels of 100 entries: 100^20 ways, and 21 documents.
    @Test(.timeLimit(.minutes(20))) func levelsDoNotMultiply() throws {
        let image = try fixture.image([["a": "1"]], names: ["x"])
        var below = image.manifestDescriptor
        for _ in 0..<20 { below = try index([Descriptor](repeating: below, count: 100)) }
        try fixture.store.updateIndex { $0.manifests = [below.named(try ImageReference("deep"))] }
        let before = try fixture.blobs()
        _ = try fixture.collect()
        // As deep as it goes: the image at its bottom has no other name.
        #expect(try fixture.blobs() == before)
        #expect(try fixture.store.images().isEmpty)
        #expect(throws: EngineError.self) {
            try fixture.store.save(["deep"], to: MemorySink())
        }
    }

    /// Many indexes of many entries that are all the same manifest: it is read once.
    @Test(.timeLimit(.minutes(20))) func entriesDoNotMultiply() throws {
        let parts = try ImageParts([["a": String(repeating: "x", count: 1 << 20)]])
        var members = parts.layoutMembers(name: nil).filter { $0.name != "index.json" }
        var entries: [Descriptor] = []
        for number in 0..<200 {
            let many = [Descriptor](repeating: parts.manifestDescriptor, count: 1000)
            let bytes = ImageIndex(manifests: many, annotations: ["number": "\(number)"]).json.bytes()
            let target = ImageStore.descriptor(of: bytes, .imageIndex)
            members.append((target.layoutPath, bytes))
            entries.append(target)
        }
        members.append(("index.json", ImageIndex(manifests: entries).json.bytes()))
        #expect(try fixture.store.load(ImageParts.tar(members)).count == 200)
        #expect(try fixture.store.images().count == 1)
        _ = try fixture.collect()
        #expect(try fixture.store.resolve(parts.id.hex).id == parts.id)
    }

    @Test func anIndexOfTooManyIsRefused() throws {
        let parts = try ImageParts([["a": "1"]])
        for (count, isRight) in [(1000, true), (1001, false)] {
            // Those of other platforms are not there.
            let others = (1..<count).map { ImageStore.descriptor(of: Array("\($0)".utf8), .imageManifest) }
            let bytes = ImageIndex(manifests: [parts.manifestDescriptor] + others).json.bytes()
            let target = ImageStore.descriptor(of: bytes, .imageIndex)
            var members = parts.layoutMembers(name: nil).filter { $0.name != "index.json" }
            members += [(target.layoutPath, bytes), ("index.json", ImageIndex(manifests: [target]).json.bytes())]
            let error = message { try fixture.store.load(ImageParts.tar(members)) }
            #expect(isRight ? error == "no error" : error.contains("at most 1000"), "\(error)")
        }
    }

    // MARK: index.json

    @Test func foreignAnnotationsHaveABound() throws {
        let parts = try ImageParts([["a": "1"]])
        for (size, isRight) in [(60_000, true), (65_537, false), (6 << 20, false)] {
            var entries: [Descriptor] = []
            for number in 0..<12 {
                var entry = parts.manifestDescriptor
                entry.annotations = [
                    "note": String(repeating: "x", count: size),
                    ImageStore.referenceAnnotation: "docker.io/library/x:\(number)",
                ]
                entries.append(entry)
                if size > 1 << 20 { break }
            }
            var members = parts.layoutMembers(name: nil).filter { $0.name != "index.json" }
            members.append(("index.json", ImageIndex(manifests: entries).json.bytes()))
            let error = message { try fixture.store.load(ImageParts.tar(members)) }
            #expect(isRight ? error == "no error" : error.contains("annotations of"), "\(error)")
        }
        #expect(try fixture.store.images().count == 1)
    }

    /// The writer refuses what the reader would.
    @Test func whatIsWrittenCanBeReadAgain() throws {
        let image = try fixture.image([["a": "1"]], names: ["x"])
        let note = String(repeating: "x", count: 6 << 20)
        #expect(throws: EngineError.self) {
            try fixture.store.updateIndex { index in
                for number in 0..<12 {
                    var entry = image.target.named(try ImageReference("x:\(number)"))
                    entry.annotations["note"] = note
                    index.manifests.append(entry)
                }
            }
        }
        #expect(try fixture.names() == ["x:latest"])
    }

    /// Who writes into the spare file's room finds it there until it is index.json: a collection waits for it.
    @Test func theSpareFileStaysWhileItIsWritten() async throws {
        try fixture.image([["a": "1"]], names: ["x"])
        let store = fixture.store
        let before = try FileStatus.of(store.sparePath)
        // It has grown: the next collection makes a larger one.
        try Files.write(store.indexPath, try Files.read(store.indexPath) + [UInt8](repeating: 0x20, count: 40_000))
        let lock = try FileLock(store.path("index.lock"), .exclusive)
        let collecting = try lock.holding { () throws -> Task<Void, any Error> in
            let collecting = Task {
                guard let lease = try store.exclusive() else { return }
                _ = try store.collect(CollectionRoots(), holding: lease)
            }
            for _ in 0..<100 {
                usleep(2000)
                #expect(try FileStatus.of(store.sparePath).isSame(as: before))
            }
            return collecting
        }
        _ = consume lock
        try await collecting.value
        #expect(try FileStatus.of(store.sparePath).size >= 40_000)
    }

    /// A collection takes the file that is to be index.json for a leftover.
    @Test func aRemovalBesideACollection() async throws {
        for number in 0..<40 { try fixture.image([["a": "\(number)"]], names: ["x:\(number)"]) }
        let store = fixture.store
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for _ in 0..<300 {
                    if let lease = try store.exclusive() { try store.collect(CollectionRoots(), holding: lease) }
                }
            }
            group.addTask {
                for number in 0..<40 { _ = try store.remove("x:\(number)", force: true) { _ in [] } }
                for number in 0..<400 { try store.setLimits(StoreLimits(images: Int64(number + 1))) }
            }
            try await group.waitForAll()
        }
        #expect(try fixture.names() == [])
    }

    // MARK: Poison and leaks

    /// GHSA-f2v9-hprr-32q3: an image whose configuration names a diff id that its layer has not.
    @Test(arguments: [true, false]) func aFalseDiffIDPoisonsNothing(isLayout: Bool) throws {
        let right = try ImageParts([["secret": "right"]])
        let wrongLayer = try ImageParts.tar(["secret": "evil"])
        // The right image's configuration with the evil layer's blob.
        let blob = ImageStore.descriptor(of: wrongLayer, .layer)
        let manifest = ImageManifest(configuration: right.manifest.configuration, layers: [blob]).json.bytes()
        let target = ImageStore.descriptor(of: manifest, .imageManifest)
        let archive: [UInt8]
        if isLayout {
            archive = try ImageParts.tar([
                (blob.layoutPath, wrongLayer), (right.manifest.configuration.layoutPath, right.configuration),
                (target.layoutPath, manifest), ("index.json", ImageIndex(manifests: [target]).json.bytes()),
                ("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)),
            ])
        } else {
            var members = right.dockerMembers(tags: ["evil"])
            members = members.map { $0.name == "layer0.tar" ? ($0.name, wrongLayer) : $0 }
            archive = try ImageParts.tar(members)
        }
        let before = try fixture.state()
        for unpacking in [false, true] {
            #expect(throws: EngineError.self) { try fixture.store.load(archive, unpacking: unpacking) }
        }
        #expect(try fixture.store.storedLayers().isEmpty)
        // Blobs that are what they are called have no name, and go with the next collection.
        #expect(try fixture.names().isEmpty)
        _ = try fixture.collect()
        #expect(try fixture.state().filter { !$0.hasSuffix(".lock") } == before)
        try fixture.store.load(ImageParts.tar(right.dockerMembers(tags: ["x"])), unpacking: true)
        let layers = try fixture.store.unpackedLayers(of: fixture.store.resolve("x"))
        #expect(try Files.readText("\(layers.directories[0])/secret") == "right")
    }

    /// CVE-2026-114236: a layer that is wrong keeps no descriptor.
    @Test func corruptLayersLeakNothing() throws {
        let parts = try ImageParts([["a": "1"], ["b": "2"]], gzip: true)
        let archives = try (0..<4).map { kind -> [UInt8] in
            try ImageParts.tar(
                parts.dockerMembers(tags: ["x"]).map { member in
                    guard member.name == "layer1.tar" else { return member }
                    var bytes = member.content
                    switch kind {
                    case 0: bytes = Array(bytes.prefix(bytes.count / 2))
                    case 1: bytes[bytes.count / 2] ^= 0x55
                    case 2: bytes = Array("no layer at all".utf8)
                    default: bytes = []
                    }
                    return (member.name, bytes)
                }
            )
        }
        func descriptors() throws -> Int { try Files.list("/proc/self/fd").count }
        let before = try descriptors()
        for number in 0..<1000 {
            #expect(throws: (any Error).self) {
                try fixture.store.load(archives[number % 4], unpacking: number % 8 < 4)
            }
        }
        // Other tests of this process have theirs.
        #expect(try descriptors() < before + 300)
    }

    /// CVE-2024-36620 and its siblings: several bring one image at once, again and again.
    @Test func severalBringOneImageAtOnce() async throws {
        let parts = try ImageParts([["a": "1"], ["b": "2"], ["c": "3"]], gzip: true)
        let archive = try ImageParts.tar(parts.layoutMembers(name: "docker.io/library/x:latest"))
        for _ in 0..<60 {
            let fixture = try StoreFixture()
            let store = fixture.store
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 {
                    group.addTask {
                        try store.load(archive, unpacking: true)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try fixture.names() == ["x:latest"] && fixture.blobs().count == 5)
            #expect(try store.storedLayers().count == 3)
            let verification = StoreVerification(store)
            try verification.verifyAll()
            #expect(verification.faults.isEmpty)
        }
    }

    // MARK: Links of a layout

    /// What is not verified by a digest shows nothing of what a link leads to.
    @Test(arguments: ["index.json", "oci-layout"]) func aLinkShowsNothing(name: String) throws {
        let folder = fixture.scratch.file("layout")
        try Files.makeDirectories(folder)
        try Files.write("\(folder)/oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
        try Files.write("\(folder)/index.json", ImageIndex().json.bytes())
        let canary = "canary-7c1f"
        let secrets = [
            "\(canary)\n", #"{"auth": "\#(canary)"}"#, #"{"imageLayoutVersion": "\#(canary)"}"#,
            #"{"manifests": "\#(canary)"}"#, #"["\#(canary)"]"#, "\u{0}\(canary)", #"{"\#(canary)": "#,
        ]
        for secret in secrets {
            try Files.write(fixture.scratch.file("secret"), Array(secret.utf8))
            try Files.remove("\(folder)/\(name)")
            try Link.create("\(folder)/\(name)", to: fixture.scratch.file("secret"))
            let error = message { _ = try fixture.store.load(path: folder) }
            #expect(error != "no error" && !error.contains(canary), "\(error)")
        }
        for device in ["/dev/null", "/dev/zero", "/dev/tty"] {
            try Files.remove("\(folder)/\(name)")
            try Link.create("\(folder)/\(name)", to: device)
            let error = message { _ = try fixture.store.load(path: folder) }
            #expect(error.contains("is not a regular file"), "\(error)")
        }
    }
}
