import Images
import LinuxSystem
import OCI
import TestSupport
import Testing

@testable import Registry

extension OverHTTP {
    /// What is no registry's: `import URL`.
    @Suite struct WebDownloadTests {
        private let certificates: Certificates
        private let folder: Folder

        init() throws {
            folder = try Folder()
            certificates = try Certificates(in: folder.path)
        }

        private func server(_ locations: String, tls: Bool = false) throws -> WebServer {
            let own = tls ? try certificates.make("web", names: "DNS:web.localhost") : nil
            return try WebServer { folder, ports in
                try Files.write("\(folder)/file", [UInt8](repeating: 7, count: 300_000))
                let certificate = own.map { "ssl_certificate \($0.certificate); ssl_certificate_key \($0.key);" } ?? ""
                let listen = "listen 127.0.0.1:\(ports[0])\(tls ? " ssl" : "");"
                return "server { \(listen) \(certificate) root \(folder); \(locations) }"
            }
        }

        private func url(_ server: WebServer, _ path: String = "/file") -> String {
            "http://127.0.0.1:\(server.ports[0])\(path)"
        }

        private func message(_ side: Side, _ url: String) -> String {
            do { return try side.client.downloading(url) { "no error: \(try $0.readAll().count)" } } catch {
                return "\(error)"
            }
        }

        @Test func whatIsThereComesWithItsSize() throws {
            let server = try server("location /there { return 302 /file; }")
            let side = try Side()
            for path in ["/file", "/there"] {
                let counted = Counted()
                let (size, bytes) = try side.client.downloading(url(server, path)) { download in
                    download.progress = { counted.last = $0 }
                    return (download.size, try download.readAll())
                }
                #expect(size == 300_000 && bytes == [UInt8](repeating: 7, count: 300_000))
                #expect(counted.last == 300_000)
            }
        }

        private final class Counted: @unchecked Sendable { var last: Int64 = 0 }

        /// Nobody's credentials go to a place that is no registry's, and a token server that it names is not asked.
        @Test func noCredentialIsShown() throws {
            let server = try server(
                """
                location /file { if ($http_authorization = "") { add_header WWW-Authenticate 'Basic realm="x"' always; return 401 "who?\\n"; } }
                location /token { return 200 '{"token": "x"}'; }
                location /bearer { add_header WWW-Authenticate 'Bearer realm="http://127.0.0.1:$server_port/token"' always; return 401; }
                """
            )
            let side = try Side(credential: .basic(user: "anna", password: "secret"))
            let refused = message(side, url(server))
            #expect(refused == "failed to GET \(url(server)) with status 401 Unauthorized: who?")
            #expect(message(side, url(server, "/bearer")).contains("401"))
            #expect(server.log.allSatisfy { $0.contains("\"-\"") && !$0.contains("/token") }, "\(server.log)")
        }

        @Test func errorsAreDockers() throws {
            let server = try server(
                """
                location /down { return 502; }
                location /page { default_type text/html; return 404 "<html><title>No such page</title></html>"; }
                """
            )
            let side = try Side { ($0.attempts, $0.retryDelay) = (2, 1) }
            let missing = url(server, "/nothing")
            #expect(message(side, missing) == "failed to GET \(missing) with status 404 Not Found")
            let page = url(server, "/page")
            #expect(message(side, page) == "failed to GET \(page) with status 404 Not Found: No such page")
            #expect(message(side, url(server, "/down")).contains("with status 502 Bad Gateway"))
            #expect(server.log.filter { $0.contains("/down") }.count == 2)
            let nobody = "http://127.0.0.1:1/x"
            #expect(message(side, nobody).hasSuffix("\"\(nobody)\": connect: connection refused"))
            #expect(message(side, "http://u:p@127.0.0.1/x").contains("it holds a user's name"))
        }

        @Test func certificatesAreThoseOfRegistries() throws {
            let server = try server("", tls: true)
            let place = "web.localhost:\(server.ports[0])"
            #expect(message(try Side(), "https://\(place)/file").contains("certificate"))
            let authority = try Files.readText(certificates.authority)
            let trusting = try Side(files: ["docker/certs.d/\(place)/ca.crt": authority])
            #expect(message(trusting, "https://\(place)/file") == "no error: 300000")
            let back = try self.server("location /file { return 302 https://\(place)/file; }")
            #expect(message(trusting, url(back)) == "no error: 300000")
        }

        @Test func aCutIsNoEnd() throws {
            let script =
                "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); print(s.getsockname()[1], flush=True)\n"
                + "while True:\n c = s.accept()[0]; c.recv(9999); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 99\\r\\n\\r\\nabc'); c.close()"
            let cutting = try ServerProcess(["python3", "-c", script])
            #expect(message(try Side(), "http://127.0.0.1:\(try cutting.line())/").hasSuffix("unexpected EOF"))
        }
    }

    /// `--insecure`
    @Suite struct InsecureTests {
        @Test func aPersonMayAllowOneRegistryWhatNoFileAllows() throws {
            let side = try Side(files: ["minirun/registries.toml": "[registry.\"r.example\"]\ninsecure = false\n"])
            let configuration = side.client.configuration
            let names = ["r.example/x", "r.example:5000/x", "other.example/x"].map { try? ImageReference($0) }
            func shown(_ configuration: RegistryConfiguration) throws -> [String] {
                try names.compactMap { $0 }.map { name in
                    try configuration.endpoints(for: name, .pull).map {
                        "\($0.scheme.rawValue)\($0.tls.skipVerify ? "?" : "")"
                    }.joined(separator: " ")
                }
            }
            #expect(try shown(configuration) == ["https", "https", "https"])
            let allowing = try configuration.allowingInsecure(try ImageReference("r.example:5000/y:v1"))
            // Its token server may be at another port of the same host.
            #expect(try shown(allowing) == ["https? http", "https? http", "https"])
        }

        @Test func aMirrorIsNotMeant() throws {
            let side = try Side(
                files: ["minirun/registries.toml": "[registry.\"r.example\"]\nmirrors = [\"https://m.example\"]\n"]
            )
            let name = try ImageReference("r.example/x")
            let endpoints = try side.client.configuration.allowingInsecure(name).endpoints(for: name, .pull)
            let shown = endpoints.map { "\($0.scheme.rawValue) \($0.host) \($0.tls.skipVerify)" }
            #expect(shown == ["https m.example false", "https r.example true", "http r.example false"])
        }
    }
}
