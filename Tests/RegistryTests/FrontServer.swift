import Images
import LinuxSystem
import OCI
import TestSupport

@testable import Registry

/// nginx before Debian's docker-registry.
struct FrontServer {
    let registry: RegistryServer
    let web: WebServer

    /// - Parameter servers: nginx's `server` blocks, from its folder, its ports and the registry's URL.
    init(
        ports: Int = 1,
        registry: RegistryServer? = nil,
        _ servers: (_ folder: String, _ ports: [Int], _ registry: String) throws -> String
    ) throws {
        let behind = try registry ?? RegistryServer()
        self.registry = behind
        web = try WebServer(ports: ports) { try servers($0, $1, "http://\(behind.name)") }
    }

    var name: String { "127.0.0.1:\(web.ports[0])" }

    /// What was asked of a port, without the port. The client's try to speak TLS there is none.
    func requests(at position: Int) -> [String] {
        let port = "\(web.ports[position]) "
        return web.log.filter { $0.hasPrefix(port) }.map { String($0.dropFirst(port.count)) }
            .filter { $0.first?.isLetter ?? false }
    }

    /// An image in the registry, put there behind nginx's back: its name by way of nginx, its manifest and its layers.
    func published(_ repository: String = "image", layers: [Int] = [300_000, 40]) throws -> Published {
        let side = try Side()
        let behind = try side.image("\(registry.name)/\(repository):v1", layers: layers)
        let target = try side.client.push(behind, from: side.store)
        return Published(
            name: try ImageReference("\(name)/\(repository):v1"),
            digest: target.digest,
            layers: try side.store.resolve("\(behind)").manifest.layers
        )
    }

    struct Published {
        let name: ImageReference
        let digest: Digest
        let layers: [Descriptor]
    }
}
