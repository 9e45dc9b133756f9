import Images
import LinuxSystem
import OCI
import TestSupport

@testable import Registry

/// Debian's docker-registry that wants tokens, and `Servers/token-server.py`, which gives them.
final class TokenRegistry {
    let folder: String
    let registry: RegistryServer
    let port: Int
    private let server: ServerProcess

    /// - Parameter plan: as the script has it, without its files.
    init(_ plan: JSON = [:]) throws {
        folder = try TemporaryFolder.make()
        let certificates = try Certificates(in: folder)
        let own = try certificates.make("tokens", names: "DNS:tokens.test")
        let files: JSON = [
            "log": .string("\(folder)/log"), "key": .string(own.key), "certificate": .string(own.certificate),
            "users": ["anna": "secret"],
        ]
        try Files.write("\(folder)/plan", JSON.object((plan.object ?? []) + (files.object ?? [])).bytes())
        let script = Files.parent(of: #filePath) + "/Servers/token-server.py"
        server = try ServerProcess(["python3", script, "\(folder)/plan"])
        port = Int(try server.line()) ?? 0
        registry = try RegistryServer(
            more: "auth: {token: {realm: \"http://127.0.0.1:\(port)/token\", service: here, issuer: test, "
                + "rootcertbundle: \(own.certificate)}}\n"
        )
    }

    deinit { try? Files.removeTree(folder) }

    static let anna = Credential.basic(user: "anna", password: "secret")

    /// What the token server was asked: method, target, form.
    var questions: [(method: String, path: String, form: JSON?)] {
        get throws {
            let text = (try? Files.readText("\(folder)/log")) ?? ""
            return try text.split(separator: "\n").map { line in
                let json = try JSON.parse(Array(line.utf8))
                return (json["method"]?.string ?? "", json["path"]?.string ?? "", json["form"])
            }
        }
    }

    func image(_ name: String) throws -> ImageReference { try ImageReference("\(registry.name)/\(name)") }
}
