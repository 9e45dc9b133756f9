import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// A folder of the test's own, gone with it.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path = "/tmp/minirun-test.\(getpid()).\(UInt64.random(in: 0 ... .max))"
        try retrying("creating folder", path) { mkdir(path, 0o700) }
    }

    deinit { try? Files.removeTree(path) }

    func file(_ name: String) -> String { path + "/" + name }
}

/// A store of the test's own, and images to put into it.
struct StoreFixture {
    let scratch: Scratch
    let store: ImageStore

    init() throws {
        scratch = try Scratch()
        store = try ImageStore(root: scratch.file("store"))
    }

    /// Stores an image of the given files, a layer for each dictionary.
    @discardableResult
    func image(_ layers: [[String: String]], names: [String], created: String? = nil, gzip: Bool = false) throws
        -> StoredImage
    {
        let parts = try ImageParts(layers, created: created, gzip: gzip)
        for blob in parts.blobs.values { try store.ingest(MemorySource(blob)) }
        return try store.commit(manifest: parts.manifest, references: names.map { try ImageReference($0) })
    }

    func names() throws -> [String] { try store.index().manifests.map { $0.reference?.familiar ?? "<none>" }.sorted() }
    func blobs() throws -> [String] { try Files.list(store.blobFolder).sorted() }
    func temporaries() throws -> [String] { try Files.list(store.temporaryFolder).sorted() }

    /// What a failed command must not change.
    func state() throws -> [String] { try names() + blobs() + temporaries() }

    func collect(_ roots: CollectionRoots = CollectionRoots()) throws -> CollectionSummary {
        // A tool that another test starts has our descriptors between its fork and its exec, and with them the lease.
        for _ in 0..<50 {
            if let lease = try store.exclusive() { return try store.collect(roots, holding: lease) }
            usleep(10_000)
        }
        throw EngineError(.conflict, "somebody has a lease")
    }
}

/// An image in memory.
struct ImageParts {
    var blobs: [Digest: [UInt8]] = [:]
    var layers: [[UInt8]] = []
    let configuration: [UInt8]
    let manifest: ImageManifest

    init(_ layers: [[String: String]], created: String? = nil, gzip: Bool = false, platform: Platform = .host) throws {
        var configuration = ImageConfiguration(platform: platform)
        configuration.created = created
        configuration.config.cmd = ["/bin/hello"]
        var descriptors: [Descriptor] = []
        for files in layers {
            let tar = try ImageParts.tar(files)
            configuration.diffIDs.append(SHA256Digest.of(tar))
            let blob = gzip ? try ImageParts.gzip(tar) : tar
            self.layers.append(blob)
            descriptors.append(ImageStore.descriptor(of: blob, gzip ? .layerGzip : .layer))
            blobs[SHA256Digest.of(blob)] = blob
        }
        self.configuration = configuration.json.bytes()
        let descriptor = ImageStore.descriptor(of: self.configuration, .imageConfiguration)
        blobs[descriptor.digest] = self.configuration
        manifest = ImageManifest(configuration: descriptor, layers: descriptors)
    }

    var id: Digest { manifest.configuration.digest }
    var manifestDescriptor: Descriptor { ImageStore.descriptor(of: manifest.json.bytes(), .imageManifest) }

    static func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
        let sink = MemorySink()
        let compressing = try CompressingSink(sink, .gzip)
        try compressing.write(bytes)
        try compressing.finish()
        return sink.bytes
    }

    static func tar(_ files: [String: String]) throws -> [UInt8] {
        try tar(files.sorted { $0.key < $1.key }.map { ($0.key, Array($0.value.utf8)) })
    }

    static func tar(_ files: [(name: String, content: [UInt8])], links: [(name: String, target: String)] = []) throws
        -> [UInt8]
    {
        let sink = MemorySink()
        let writer = TarWriter(sink)
        for (name, content) in files {
            var entry = TarEntry(path: name, kind: .file)
            entry.size = Int64(content.count)
            try writer.append(entry, content: MemorySource(content))
        }
        for (name, target) in links {
            var entry = TarEntry(path: name, kind: .symlink)
            entry.linkTarget = Array(target.utf8)
            try writer.append(entry)
        }
        try writer.finish()
        return sink.bytes
    }

    /// As a docker archive's members.
    func dockerMembers(tags: [String]) -> [(name: String, content: [UInt8])] {
        var members: [(name: String, content: [UInt8])] = [("\(id.hex).json", configuration)]
        for (position, layer) in layers.enumerated() { members.append(("layer\(position).tar", layer)) }
        let manifest: JSON = [
            [
                "Config": .string("\(id.hex).json"), "RepoTags": .strings(tags),
                "Layers": .strings(layers.indices.map { "layer\($0).tar" }),
            ]
        ]
        return members + [("manifest.json", manifest.bytes())]
    }

    /// As an OCI archive's members.
    func layoutMembers(name: String?) -> [(name: String, content: [UInt8])] {
        var entry = manifestDescriptor
        if let name { entry.annotations[ImageStore.referenceAnnotation] = name }
        var members = blobs.sorted { $0.key.hex < $1.key.hex }.map {
            (name: "blobs/sha256/\($0.key.hex)", content: $0.value)
        }
        members.append((entry.layoutPath, manifest.json.bytes()))
        members.append(("index.json", ImageIndex(manifests: [entry]).json.bytes()))
        members.append(("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)))
        return members
    }
}

extension ImageStore {
    /// `load` of an archive in memory.
    @discardableResult
    func load(_ archive: [UInt8], unpacking: Bool = false) throws -> [LoadedImage] {
        let file = try FileDescriptor.inMemory("archive")
        try file.write(archive)
        return try load(file, unpacking: unpacking)
    }
}

/// Runs a program that must succeed, and returns what it printed.
@discardableResult
func tool(_ arguments: String..., environment: [String] = [], directory: String? = nil) throws -> String {
    let result = try Subprocess.run(
        arguments,
        environment: ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin", "HOME=/root"] + environment,
        directory: directory,
        timeout: 120_000
    )
    #expect(result.status == .exited(0), "\(arguments.joined(separator: " ")): \(result.errorText)")
    return result.outputText
}

func message(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "no error"
    } catch {
        return "\(error)"
    }
}
