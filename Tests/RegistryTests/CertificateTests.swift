import Images
import LinuxSystem
import OCI
import TestSupport
import Testing

@testable import Registry

extension OverHTTP {
    /// TLS by an nginx before Debian's docker-registry, at a name whose certificates are checked.
    @Suite struct CertificateTests {
        let folder: Folder
        let certificates: Certificates

        init() throws {
            folder = try Folder()
            certificates = try Certificates(in: folder.path)
        }

        /// - Parameter more: for nginx.
        private func server(names: String = "DNS:registry.localhost", days: Int = 2, _ more: String = "") throws
            -> FrontServer
        {
            let own = try certificates.make("server", names: names, days: days)
            return try FrontServer { _, ports, registry in
                """
                server { listen 127.0.0.1:\(ports[0]) ssl;
                  ssl_certificate \(own.certificate); ssl_certificate_key \(own.key); \(more)
                  location / { proxy_pass \(registry); }
                }
                """
            }
        }

        private func place(_ server: FrontServer) -> String { "registry.localhost:\(server.web.ports[0])" }

        private var authority: String { get throws { try Files.readText(certificates.authority) } }

        /// Pushes and pulls with that in /etc; the result is what the pull said, "" where all went well.
        private func result(_ place: String, _ files: [String: String]) throws -> String {
            let side = try Side(files: files)
            let name = try side.image("\(place)/image:v1", layers: [100])
            let push = side.pushRefusal(name)
            guard push.text.hasPrefix("no error") else { return push.text }
            let pull = try Side(files: files).refusal(name)
            return pull.text.hasPrefix("no error") ? "" : pull.text
        }

        @Test func anAuthorityOfOnesOwn() throws {
            let server = try server()
            let place = place(server)
            let authority = try authority
            for folder in ["docker/certs.d", "containers/certs.d", "containerd/certs.d"] {
                #expect(try result(place, ["\(folder)/\(place)/ca.crt": authority]) == "", "\(folder)")
            }
            let file = certificates.authority
            for text in ["ca = \"\(file)\"", "ca = [\"\(file)\"]\nonly-ca = true"] {
                let entry = "[registry.\"\(place)\"]\n\(text)\n"
                #expect(try result(place, ["minirun/registries.toml": entry]) == "", "\(text)")
            }
            let hosts = "server = \"https://\(place)\"\n[host.\"https://\(place)\"]\nca = \"\(file)\"\n"
            let byHosts = try result(place, ["containerd/certs.d/\(place)/hosts.toml": hosts])
            #expect(byHosts == "")
        }

        @Test func unchecked() throws {
            let server = try server(days: -1)
            let place = place(server)
            let hosts = "server = \"https://\(place)\"\n[host.\"https://\(place)\"]\nskip_verify = true\n"
            for (file, text) in [
                ("containerd/certs.d/\(place)/hosts.toml", hosts),
                ("minirun/registries.toml", "[registry.\"\(place)\"]\ninsecure = true\n"),
                ("containers/registries.conf", "[[registry]]\nlocation = \"\(place)\"\ninsecure = true\n"),
                ("docker/daemon.json", "{\"insecure-registries\": [\"\(place)\"]}"),
            ] {
                let said = try result(place, [file: text])
                #expect(said == "", "\(file)")
            }
        }

        @Test func anUnknownAuthority() throws {
            let server = try server()
            let refusal = try Side().refusal(try ImageReference("\(place(server))/image:v1"))
            #expect(
                refusal.text == "Head \"https://\(place(server))/v2/image/manifests/v1\": tls: failed to verify "
                    + "certificate: x509: certificate signed by unknown authority"
            )
            #expect(refusal.hint.contains("/etc/containers/certs.d/\(place(server))/ca.crt"))
            // A certificate that is not good does not become so, and nobody is spoken to without TLS.
            #expect(server.web.log.isEmpty)
        }

        @Test func whatElseIsWrongWithACertificate() throws {
            let name = try server(names: "DNS:other.localhost,DNS:*.elsewhere.test")
            let text = try result(place(name), ["docker/certs.d/\(place(name))/ca.crt": authority])
            #expect(
                text.hasSuffix(
                    "x509: certificate is valid for other.localhost, *.elsewhere.test, not registry.localhost"
                )
            )
            let expired = try server(days: -1)
            let files = ["docker/certs.d/\(place(expired))/ca.crt": try authority]
            let refusal = try Side(files: files).refusal(try ImageReference("\(place(expired))/image:v1"))
            #expect(refusal.text.hasSuffix("x509: certificate has expired or is not yet valid"), "\(refusal)")
            #expect(refusal.hint.hasPrefix("it is valid from "), "\(refusal)")
        }

        @Test func aCertificateForTheClient() throws {
            let server = try server("ssl_client_certificate \(certificates.authority); ssl_verify_client on;")
            let place = place(server)
            let own = try certificates.make("client", names: "DNS:client.test")
            let (certificate, key) = (try Files.readText(own.certificate), try Files.readText(own.key))
            let authority = try authority
            for folder in ["docker/certs.d", "containers/certs.d"] {
                let files = [
                    "\(folder)/\(place)/ca.crt": authority, "\(folder)/\(place)/client.cert": certificate,
                    "\(folder)/\(place)/client.key": key,
                ]
                #expect(try result(place, files) == "", "\(folder)")
            }
            let hosts =
                "server = \"https://\(place)\"\n[host.\"https://\(place)\"]\nca = \"\(certificates.authority)\"\n"
                + "client = [[\"\(own.certificate)\", \"\(own.key)\"]]\n"
            let byHosts = try result(place, ["containerd/certs.d/\(place)/hosts.toml": hosts])
            #expect(byHosts == "")
            let without = try result(place, ["docker/certs.d/\(place)/ca.crt": authority])
            #expect(without.hasSuffix("received unexpected HTTP status: 400 No required SSL certificate was sent"))
        }
    }
}
