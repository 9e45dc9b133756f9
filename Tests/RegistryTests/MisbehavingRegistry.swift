import Images
import LinuxSystem
import OCI
import TestSupport

@testable import Registry

/// `Servers/misbehaving-registry.py`, a store to pull into, and a client.
final class MisbehavingRegistry {
    let folder: String
    let store: ImageStore
    let client: RegistryClient
    let layer: Digest
    let layerSize: Int64
    let manifest: Digest
    let reference: ImageReference
    let other: Int
    private let server: ServerProcess

    /// - Parameter patience: how many milliseconds a connection may be silent: more than a loaded machine makes of it.
    init(_ plan: JSON = [:], credential: Credential? = nil, patience: Int64 = 30_000) throws {
        folder = try TemporaryFolder.make()
        var members = plan.object ?? []
        members.append(("log", .string("\(folder)/log")))
        try Files.write("\(folder)/plan", JSON.object(members).bytes())
        let script = Files.parent(of: #filePath) + "/Servers/misbehaving-registry.py"
        server = try ServerProcess(["python3", script, "\(folder)/plan"])
        let facts = try JSON.parse(Array(try server.line().utf8))
        layer = try Digest(facts["layer"]?.string ?? "")
        layerSize = Int64(facts["layerSize"]?.int ?? 0)
        manifest = try Digest(facts["manifest"]?.string ?? "")
        other = facts["other"]?.int ?? 0
        reference = try ImageReference("127.0.0.1:\(facts["port"]?.int ?? 0)/repo:latest")
        store = try ImageStore(root: "\(folder)/store")
        var options = TransferOptions()
        options.retryDelay = 1
        options.idleTimeout = patience
        options.longestDelay = 1500
        client = RegistryClient(
            configuration: try RegistryConfiguration.load(environment: [:], home: nil, etc: "\(folder)/etc"),
            credentials: { _, _ in credential },
            options: options
        )
    }

    deinit { try? Files.removeTree(folder) }

    func pull() throws -> PullResult { try client.pull(reference, into: store, unpacking: false) }

    /// The error of a pull that must fail, and nothing half-done may be visible then.
    func refusal() -> String {
        do {
            let result = try pull()
            return "no error: \(result.digest)"
        } catch { return "\(error)" }
    }

    struct Request {
        let method: String
        let path: String
        let isAtOther: Bool
        let range: String?
        let authorization: String?

        /// Where the range that was asked for begins.
        var start: Int { range.flatMap { Int($0.dropFirst(6).dropLast()) } ?? 0 }
    }

    var requests: [Request] {
        get throws {
            try Files.readText("\(folder)/log").split(separator: "\n").map { line in
                let json = try JSON.parse(Array(line.utf8))
                return Request(
                    method: json["method"]?.string ?? "",
                    path: json["path"]?.string ?? "",
                    isAtOther: json["other"]?.bool ?? false,
                    range: json["range"]?.string,
                    authorization: json["authorization"]?.string
                )
            }
        }
    }

    /// What was asked for the layer's blob.
    var layerRequests: [Request] { get throws { try requests.filter { $0.path.hasSuffix(layer.hex) } } }
    var isEmpty: Bool { get throws { try store.images().isEmpty && !store.hasBlob(layer) } }
}

/// A rule of the plan for the layer's blob, the larger of two.
func rule(_ action: String, _ more: JSON = [:], match: String = "@layer", times: Int = 1) -> JSON {
    .object([("match", .string(match)), ("do", .string(action)), ("times", .number(times))] + (more.object ?? []))
}
