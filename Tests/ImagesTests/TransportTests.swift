import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

@Suite struct TransportTests {
    let fixture: StoreFixture
    let parts: ImageParts

    init() throws {
        fixture = try StoreFixture()
        parts = try ImageParts([["a": "1"], ["b": "2"]], created: "2024-01-01T00:00:00Z")
    }

    // MARK: Locations

    @Test func locationsAreParsed() throws {
        let scratch = try Scratch()
        try Files.makeDirectories(scratch.file("with:colon"))
        try Files.makeDirectories(scratch.file("plain"))
        for (text, expected) in [
            ("oci:/a/b", ImageLocation(.layout, path: "/a/b")),
            ("oci:./a:tag", ImageLocation(.layout, path: "./a", name: "tag")),
            ("oci:a/b:docker.io/library/x:1", ImageLocation(.layout, path: "a/b", name: "docker.io/library/x:1")),
            ("oci:\(scratch.file("with:colon"))", ImageLocation(.layout, path: scratch.file("with:colon"))),
            ("oci-archive:/x.tar:y", ImageLocation(.layoutArchive, path: "/x.tar", name: "y")),
            ("docker-archive:/x.tar:y:1", ImageLocation(.dockerArchive, path: "/x.tar", name: "y:1")),
            ("docker-archive:/x.tar:@2", ImageLocation(.dockerArchive, path: "/x.tar", name: "@2")),
            ("oci:latest", nil), ("oci-archive:1.0", nil), ("oci:", nil), ("busybox", nil), ("docker://x", nil),
            ("python:3", nil),
        ] as [(String, ImageLocation?)] {
            #expect(ImageLocation.parse(text) == expected, "\(text)")
        }
        #expect(ImageLocation.parse("oci-archive:/x.tar:y")?.description == "oci-archive:/x.tar:y")
    }

    // MARK: Docker archives

    @Test func aDockerArchiveIsLoaded() throws {
        let loaded = try fixture.store.load(ImageParts.tar(parts.dockerMembers(tags: ["x:1", "localhost/y:2"])))
        #expect(loaded.map(\.references) == [[try ImageReference("x:1"), try ImageReference("localhost/y:2")]])
        let image = try fixture.store.resolve("x:1")
        #expect(
            image.id == parts.id && image.configurationBytes == parts.configuration
                && image.manifest.layers == parts.manifest.layers
        )
        #expect(try image.open(layer: image.manifest.layers[1]).readAll() == parts.layers[1])
        #expect(try fixture.blobs().count == 4 && fixture.temporaries() == [])
    }

    @Test(arguments: [CompressionFormat.gzip, .zstd])
    func aCompressedArchiveAndAPipeAreLoaded(_ format: CompressionFormat) throws {
        let sink = MemorySink()
        let compressing = try CompressingSink(sink, format)
        try compressing.write(ImageParts.tar(parts.dockerMembers(tags: [])))
        try compressing.finish()
        let pipe = try Pipe()
        try pipe.writing.write(sink.bytes)
        let loaded = try fixture.store.load(pipe.keepReading())
        #expect(loaded.count == 1 && loaded[0].image.id == parts.id && loaded[0].references == [])
        #expect(try fixture.names() == ["<none>"] && fixture.temporaries() == [])
    }

    @Test func compressedLayersAreKeptAsTheyAre() throws {
        let zipped = try ImageParts([["a": "1"]], gzip: true)
        let loaded = try fixture.store.load(ImageParts.tar(zipped.dockerMembers(tags: ["z"])))
        #expect(loaded[0].image.manifest.layers == zipped.manifest.layers)
        #expect(loaded[0].image.manifest.layers[0].mediaType == .layerGzip)
    }

    @Test func layersMayBeLinks() throws {
        var members = parts.dockerMembers(tags: ["x"]).filter { $0.name != "layer0.tar" && $0.name != "layer1.tar" }
        members.append(("real/0/layer.tar", parts.layers[0]))
        members.append(("\(parts.id.hex.reversed())/one", parts.layers[1]))
        let links = [
            ("layer0.tar", "middle/link"), ("middle/link", "../real/0/layer.tar"),
            ("layer1.tar", "./\(parts.id.hex.reversed())/one"),
        ]
        let loaded = try fixture.store.load(ImageParts.tar(members, links: links.map { ($0.0, $0.1) }))
        #expect(loaded[0].image.id == parts.id)
    }

    @Test func aMovedNameIsReported() throws {
        let old = try fixture.image([["old": "1"]], names: ["x"])
        let loaded = try fixture.store.load(ImageParts.tar(parts.dockerMembers(tags: ["x"])))
        #expect(
            loaded[0].replaced.map(\.image) == [old.id] && loaded[0].replaced.map(\.reference.familiar) == ["x:latest"]
        )
        // The same again replaces nothing.
        #expect(try fixture.store.load(ImageParts.tar(parts.dockerMembers(tags: ["x"])))[0].replaced.isEmpty)
    }

    @Test func theSameImagePackedOtherwiseTakesThePlace() throws {
        try fixture.store.load(ImageParts.tar(parts.dockerMembers(tags: ["x"])))
        let zipped = try ImageParts([["a": "1"], ["b": "2"]], created: "2024-01-01T00:00:00Z", gzip: true)
        let loaded = try fixture.store.load(ImageParts.tar(zipped.dockerMembers(tags: ["x"])))
        #expect(loaded[0].image.id == parts.id && loaded[0].replaced.isEmpty)
        #expect(try fixture.names() == ["x:latest"])
    }

    @Test func docker1Point9sArchiveIsLoaded() throws {
        let ids = ["a", "b"].map { String(repeating: $0, count: 64) }
        let members: [(name: String, content: [UInt8])] = [
            ("repositories", Array(#"{"old":{"1":"\#(ids[1])"}}"#.utf8)),
            (
                "\(ids[0])/json",
                Array(
                    ##"{"id":"x","created":"2015-01-01T00:00:00Z","container_config":{"Cmd":["/bin/sh","-c","#(nop) ADD"]}}"##
                        .utf8
                )
            ),
            ("\(ids[0])/layer.tar", parts.layers[0]),
            (
                "\(ids[1])/json",
                Array(
                    #"{"parent":"\#(ids[0])","created":"2015-01-02T00:00:00Z","config":{"Cmd":["x"]},"architecture":"amd64","os":"linux"}"#
                        .utf8
                )
            ),
            ("\(ids[1])/layer.tar", parts.layers[1]),
        ]
        let image = try fixture.store.load(ImageParts.tar(members))[0].image
        #expect(image.references.map(\.familiar) == ["old:1"] && image.configuration.config.cmd == ["x"])
        #expect(image.configuration.diffIDs == parts.layers.map { SHA256Digest.of($0) })
        #expect(image.configuration.history.map(\.createdBy) == ["/bin/sh -c #(nop) ADD", nil])
    }

    // MARK: OCI layouts

    @Test(
        arguments: [
            ("docker.io/library/x:1", "x:1"), ("busybox", "busybox:latest"), ("busybox:1", "busybox:1"),
            ("latest", nil), ("3.8-slim", nil),
            ("v1.2", nil), (nil, nil),
        ] as [(String?, String?)]
    )
    func aLayoutIsLoadedWithItsName(_ annotation: String?, _ name: String?) throws {
        let loaded = try fixture.store.load(ImageParts.tar(parts.layoutMembers(name: annotation)))
        #expect(loaded.map { $0.references.map(\.familiar) } == [name.map { [$0] } ?? []])
        // The manifest is the very one.
        #expect(loaded[0].image.manifestDigest == parts.manifestDescriptor.digest)
    }

    @Test func namesOfDockersManifestAreTakenToo() throws {
        let docker = parts.dockerMembers(tags: ["named:1"]).filter { $0.name.hasSuffix(".json") }
        let loaded = try fixture.store.load(ImageParts.tar(parts.layoutMembers(name: "1") + docker))
        #expect(
            loaded[0].references.map(\.familiar) == ["named:1"]
                && loaded[0].image.manifestDigest == parts.manifestDescriptor.digest
        )
    }

    @Test func whatIsNoImageIsLeftOut() throws {
        let note = Array("signature".utf8)
        let signature = ImageManifest(
            configuration: ImageStore.descriptor(of: note, MediaType(rawValue: "application/vnd.dev.cosign.v1+json")),
            layers: []
        ).json.bytes()
        let entries = [
            ImageStore.descriptor(of: signature, .imageManifest),
            parts.manifestDescriptor.named(try ImageReference("x:1")),
        ]
        var members = parts.layoutMembers(name: nil).filter { $0.name != "index.json" }
        members.append((entries[0].layoutPath, signature))
        members.append(("index.json", ImageIndex(manifests: entries).json.bytes()))
        let loaded = try fixture.store.load(ImageParts.tar(members))
        #expect(loaded.map { $0.references.map(\.familiar) } == [["x:1"]])
        #expect(try fixture.names() == ["x:1"])
    }

    @Test func imagesMayShareLayers() throws {
        let other = try ImageParts([["a": "1"], ["c": "3"]])
        var members = parts.dockerMembers(tags: ["x"]).filter { $0.name != "manifest.json" }
        members.append(("\(other.id.hex).json", other.configuration))
        members.append(("other.tar", other.layers[1]))
        members.append(
            (
                "manifest.json",
                Array(
                    """
                    [{"Config":"\(parts.id.hex).json","RepoTags":["x"],"Layers":["layer0.tar","layer1.tar"]},
                     {"Config":"\(other.id.hex).json","RepoTags":["y"],"Layers":["layer0.tar","other.tar"]}]
                    """.utf8
                )
            )
        )
        let loaded = try fixture.store.load(ImageParts.tar(members))
        #expect(loaded.map(\.image.id) == [parts.id, other.id])
        #expect(try fixture.blobs().count == 7)
    }

    @Test func anIndexIsLoadedWithWhatIsThere() throws {
        let other = try ImageParts([["a": "other"]], platform: Platform(architecture: "riscv64"))
        var here = parts.manifestDescriptor
        here.platform = .host
        var there = other.manifestDescriptor
        there.platform = Platform(architecture: "riscv64")
        // An attestation, as buildkit adds it.
        let statement = Array(#"{"_type":"https://in-toto.io/Statement/v0.1"}"#.utf8)
        let note = Array(#"{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]}}"#.utf8)
        let attestation = ImageManifest(
            configuration: ImageStore.descriptor(of: note, .imageConfiguration),
            layers: [ImageStore.descriptor(of: statement, MediaType(rawValue: "application/vnd.in-toto+json"))]
        )
        var about = ImageStore.descriptor(of: attestation.json.bytes(), .imageManifest)
        about.platform = Platform(os: "unknown", architecture: "unknown")
        let index = ImageIndex(manifests: [there, here, about]).json.bytes()
        var top = ImageStore.descriptor(of: index, .imageIndex)
        top.annotations[ImageStore.referenceAnnotation] = "multi:1"
        var members = parts.layoutMembers(name: nil).filter { $0.name != "index.json" }
        for blob in [statement, note, attestation.json.bytes(), index] {
            members.append(("blobs/sha256/\(SHA256Digest.of(blob).hex)", blob))
        }
        members.append(("index.json", ImageIndex(manifests: [top]).json.bytes()))
        let archive = try ImageParts.tar(members)
        let loaded = try fixture.store.load(archive)
        #expect(loaded[0].image.id == parts.id && loaded[0].image.target.digest == top.digest)
        _ = try fixture.collect()
        #expect(fixture.store.hasBlob(SHA256Digest.of(statement)))
        #expect(try fixture.store.images().map(\.id) == [parts.id])

        try Files.write(fixture.scratch.file("m.tar"), archive)
        let location = ImageLocation(.layoutArchive, path: fixture.scratch.file("m.tar"))
        #expect(try location.open().id == parts.id)
        #expect(throws: EngineError.self) { try location.open(platform: Platform(architecture: "riscv64")) }
    }

    @Test func anImageIsReadWhereItIs() throws {
        let scratch = fixture.scratch
        for (name, content) in parts.layoutMembers(name: "x:1") {
            try Files.makeDirectories(scratch.file("layout/blobs/sha256"))
            try Files.write(scratch.file("layout/\(name)"), content)
        }
        try Files.write(scratch.file("oci.tar"), ImageParts.tar(parts.layoutMembers(name: "x:1")))
        try Files.write(scratch.file("oci.tar.gz"), ImageParts.gzip(ImageParts.tar(parts.layoutMembers(name: "x:1"))))
        try Files.write(scratch.file("docker.tar"), ImageParts.tar(parts.dockerMembers(tags: ["x:1"])))
        for text in [
            "oci:layout", "oci:layout:x:1", "oci-archive:oci.tar", "oci-archive:oci.tar.gz:x:1",
            "docker-archive:docker.tar:x:1", "docker-archive:docker.tar:@0",
        ] {
            let parts = text.split(separator: ":", maxSplits: 1)
            let location = try #require(ImageLocation.parse("\(parts[0]):\(scratch.path)/\(parts[1])"))
            let image = try location.open()
            #expect(image.id == self.parts.id && image.references.map(\.familiar) == ["x:1"], "\(text)")
            let layers = try image.layers.map { try image.open(layer: $0.blob).readAll() }
            #expect(layers == self.parts.layers, "\(text)")
            #expect(try fixture.store.load(location).image.id == self.parts.id)
        }
        let wrong = ImageLocation(.layout, path: scratch.file("layout"), name: "y")
        #expect(message { _ = try wrong.open() } == "\(scratch.file("layout")) has no image \"y\"")
        #expect(
            message { _ = try ImageLocation(.dockerArchive, path: scratch.file("oci.tar")).open() }.hasSuffix(
                "is not what docker-archive: stands for"
            )
        )
        #expect(
            message { _ = try ImageLocation(.layout, path: "/nothing").open() }
                == "opening /nothing: No such file or directory"
        )
    }

    // MARK: Saving

    @Test func whatIsSavedLoadsAgain() throws {
        let image = try fixture.image([["a": "1"], ["b": "2"]], names: ["x:1", "x:2", "y"], gzip: true)
        let other = try fixture.image([["c": "3"]], names: [])
        let sink = MemorySink()
        try fixture.store.save(["x", "y:latest", other.id.hex], to: sink)
        let again = MemorySink()
        try fixture.store.save(["x", "y:latest", other.id.hex], to: again)
        #expect(sink.bytes == again.bytes)
        let second = try StoreFixture()
        let loaded = try second.store.load(sink.bytes)
        #expect(loaded.map { $0.references.map(\.familiar) } == [["x:1", "x:2", "y:latest"], []])
        #expect(loaded.map(\.image.manifestDigest) == [image.manifestDigest, other.manifestDigest])
        let one = MemorySink()
        try fixture.store.save(["x:2"], to: one)
        #expect(try second.store.load(one.bytes).map { $0.references.map(\.familiar) } == [["x:2"]])
        #expect(message { try fixture.store.save(["z"], to: one) } == "No such image: z:latest")
    }

    // MARK: Importing

    @Test(arguments: CompressionFormat.allCases)
    func aRootFileSystemIsImported(_ format: CompressionFormat) throws {
        let tar = try ImageParts.tar(["etc/hostname": "x", "bin/sh": "sh"])
        try Files.write(fixture.scratch.file("rootfs"), tar)
        let tools: [CompressionFormat: [String]] = [
            .gzip: ["gzip"], .zstd: ["zstd", "-q", "--rm"], .bzip2: ["bzip2"], .xz: ["xz"],
        ]
        if let command = tools[format] {
            #expect(try Subprocess.run(command + ["-f", fixture.scratch.file("rootfs")]).status == .exited(0))
            let name = try #require(Files.list(fixture.scratch.path).first { $0.hasPrefix("rootfs.") })
            rename(fixture.scratch.file(name), fixture.scratch.file("rootfs"))
        }
        var configuration = ImageConfiguration()
        configuration.config.cmd = ["sh"]
        let image = try fixture.store.importRootfs(
            FileSource(path: fixture.scratch.file("rootfs")),
            configuration: configuration,
            message: "Imported from -",
            reference: ImageReference("imported")
        )
        #expect(image.configuration.diffIDs == [SHA256Digest.of(tar)] && image.configuration.config.cmd == ["sh"])
        let expected: MediaType = format == .gzip ? .layerGzip : format == .zstd ? .layerZstd : .layer
        #expect(image.manifest.layers[0].mediaType == expected)
        #expect(try fixture.store.resolve("imported").configuration.history.map(\.comment) == ["Imported from -"])
    }

    @Test func whatIsNoTarIsNotImported() throws {
        for content in [
            [], Array("not a tar".utf8), [UInt8](repeating: 0, count: 1024),
            Array(try ImageParts.tar(["a": "1"]).dropLast(1200)),
        ] {
            #expect(throws: EngineError.self) {
                try fixture.store.importRootfs(MemorySource(content), message: "", reference: ImageReference("x"))
            }
        }
        #expect(try fixture.state() == [])
    }
}
