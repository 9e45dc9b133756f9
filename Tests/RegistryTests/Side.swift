import Images
import LinuxSystem
import OCI
import TestSupport

@testable import Registry

/// A store with an image of two layers, and a client.
final class Side {
    let folder: String
    let store: ImageStore
    var client: RegistryClient

    /// - Parameter files: what stands in the client's /etc, by path.
    init(
        credential: Credential? = nil,
        files: [String: String] = [:],
        _ configure: (inout TransferOptions) -> Void = { _ in }
    ) throws {
        folder = try TemporaryFolder.make()
        store = try ImageStore(root: "\(folder)/store")
        for (name, text) in files {
            try Files.makeDirectories(Files.parent(of: "\(folder)/etc/\(name)"))
            try Files.write("\(folder)/etc/\(name)", Array(text.utf8))
        }
        var options = TransferOptions()
        options.retryDelay = 5
        configure(&options)
        client = RegistryClient(
            configuration: try RegistryConfiguration.load(environment: [:], home: nil, etc: "\(folder)/etc"),
            credentials: { _, _ in credential },
            options: options
        )
    }

    deinit { try? Files.removeTree(folder) }

    /// An image whose layers are so large, of bytes that no two images share.
    func image(_ name: String, layers: [Int] = [300_000, 40]) throws -> ImageReference {
        let reference = try ImageReference(name)
        var blobs: [Descriptor] = []
        var configuration = ImageConfiguration()
        var random = SystemRandomNumberGenerator()
        for (position, size) in layers.enumerated() {
            let tree = "\(folder)/tree\(position)"
            try Files.makeDirectories(tree)
            var bytes: [UInt8] = []
            while bytes.count < size { withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) } }
            try Files.write("\(tree)/file\(position)", bytes)
            try tool("tar", "-C", tree, "-cf", "\(folder)/layer.tar", ".")
            let tar = try Files.read("\(folder)/layer.tar")
            configuration.diffIDs.append(SHA256Digest.of(tar))
            blobs.append(try store.ingest(tar, mediaType: .layer))
        }
        let config = try store.ingest(configuration.json.bytes(), mediaType: .imageConfiguration)
        let manifest = ImageManifest(configuration: config, layers: blobs)
        try store.commit(manifest: manifest, references: [reference])
        return reference
    }
}

extension Side {
    @discardableResult
    func pull(_ name: ImageReference) throws -> PullResult { try client.pull(name, into: store, unpacking: false) }

    /// The error of a pull that must fail: its line, and the hint.
    func refusal(_ name: ImageReference) -> (text: String, hint: String) { failure { try pull(name) } }

    func pushRefusal(_ name: ImageReference) -> (text: String, hint: String) {
        failure { try client.push(name, from: store) }
    }

    func failure<R>(_ body: () throws -> R) -> (text: String, hint: String) {
        do {
            return ("no error: \(try body())", "")
        } catch { return ("\(error)", (error as? EngineError)?.hint ?? "") }
    }
}

/// What the events said, in order.
final class Lines: @unchecked Sendable {
    private let lock = Lock()
    private var all: [PushEvent] = []
    func add(_ event: PushEvent) { lock.locked { all.append(event) } }
    var existing: Int { lock.locked { all.filter { if case .exists = $0 { true } else { false } }.count } }
    var mounted: Int { lock.locked { all.filter { if case .mounted = $0 { true } else { false } }.count } }
    var pushed: Int { lock.locked { all.filter { if case .pushed = $0 { true } else { false } }.count } }
}
