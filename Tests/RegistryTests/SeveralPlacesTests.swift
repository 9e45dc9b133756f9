import Images
import LinuxSystem
import OCI
import TestSupport
import Testing

@testable import Registry

extension OverHTTP {
    /// More than one place to ask: a name's addresses, mirrors, the pages of a list.
    @Suite struct SeveralPlacesTests {
        /// `x.localhost` is 127.0.0.1 and ::1; nobody listens at the first.
        @Test func theNextAddressOfAName() throws {
            let front = try FrontServer(ports: 2) { _, ports, registry in
                """
                server { listen 127.0.0.1:\(ports[0]); location / { proxy_pass \(registry); } }
                server { listen [::1]:\(ports[1]); location / { proxy_pass \(registry); } }
                """
            }
            let image = try front.published()
            let place = "six.localhost:\(front.web.ports[1])"
            let entry = "[registry.\"\(place)\"]\ninsecure = true\n"
            let side = try Side(files: ["minirun/registries.toml": entry])
            #expect(try side.pull(try ImageReference("\(place)/image:v1")).digest == image.digest)
            #expect(!front.requests(at: 1).isEmpty)
        }

        /// Whatever is wrong with a mirror, the registry itself has the image, and is asked soon.
        @Test(arguments: [
            "return 404;", "return 401;", "return 403;", "return 503;", "return 444;", "limit_rate 1;", "",
        ])
        func aMirrorThatIsOfNoUse(_ fault: String) throws {
            let front = try FrontServer(ports: 2) { folder, ports, registry in
                try Files.makeDirectories("\(folder)/slow/v2/image/manifests")
                try Files.write("\(folder)/slow/v2/image/manifests/v1", [UInt8](repeating: 0x20, count: 5000))
                let mirror =
                    fault.isEmpty ? "" : "server { listen 127.0.0.1:\(ports[1]); root \(folder)/slow; \(fault) }"
                return "\(mirror) server { listen 127.0.0.1:\(ports[0]); location / { proxy_pass \(registry); } }"
            }
            let image = try front.published()
            let entry = "[registry.\"\(front.name)\"]\nmirrors = [\"http://127.0.0.1:\(front.web.ports[1])\"]\n"
            // A second try of the mirror would take longer than the test may.
            let side = try Side(files: ["minirun/registries.toml": entry]) { options in
                options.retryDelay = 20_000
                options.idleTimeout = 500
            }
            #expect(try side.pull(image.name).digest == image.digest)
        }

        /// The mirror has the manifest, and stops in the midst of its layers.
        @Test func aMirrorWhoseBlobsNeverCome() throws {
            let front = try FrontServer(ports: 2) { _, ports, registry in
                """
                server { listen 127.0.0.1:\(ports[0]); location / { proxy_pass \(registry); } }
                server { listen 127.0.0.1:\(ports[1]);
                  location / { proxy_pass \(registry); }
                  location ~ /blobs/ { return 444; }
                }
                """
            }
            let image = try front.published()
            let entry = "[registry.\"\(front.name)\"]\nmirrors = [\"http://127.0.0.1:\(front.web.ports[1])\"]\n"
            let side = try Side(files: ["minirun/registries.toml": entry]) { $0.retryDelay = 20_000 }
            #expect(try side.pull(image.name).digest == image.digest)
        }

        // MARK: - lists

        private func page(_ tags: String, next: String? = nil) -> JSON {
            let headers = next.map { link -> JSON in ["Link": .string("<\(link)>; rel=\"next\"")] } ?? [:]
            return ["status": 200, "body": .string("{\"name\":\"repo\",\"tags\":[\(tags)]}"), "headers": headers]
        }

        @Test func tagsComePageByPage() throws {
            let registry = try MisbehavingRegistry([
                "rules": [
                    rule("status", page("\"a\",\"b\"", next: "/v2/repo/tags/list?last=b&n=2"), match: "n=1000"),
                    rule("status", page("\"c\"", next: "list?last=c"), match: "last=b"),
                    rule("status", page("\"d\""), match: "last=c"),
                ]
            ])
            #expect(try registry.client.tags(of: registry.reference) == ["a", "b", "c", "d"])
        }

        @Test func aListWithoutAnEndIsRefused() throws {
            let again = page("\"a\"", next: "/v2/repo/tags/list?n=1000")
            let registry = try MisbehavingRegistry(["rules": [rule("status", again, match: "/tags/", times: 9)]])
            #expect(throws: EngineError.self) { try registry.client.tags(of: registry.reference) }
        }

        /// A page may lie at another host, which is told nothing.
        @Test(arguments: ["basic", "bearer"]) func aPageElsewhereGetsNoCredentials(_ kind: String) throws {
            let other = try MisbehavingRegistry(["rules": [rule("status", page("\"b\""), match: "/tags/")]])
            let place = "http://\(other.reference.domain)/v2/repo/tags/list?from=away"
            let registry = try MisbehavingRegistry(
                [
                    "auth": .string(kind), "password": true,
                    "rules": [rule("page", page("\"a\"", next: place), match: "/tags/", times: 2)],
                ],
                credential: .basic(user: "anna", password: "secret")
            )
            #expect(try registry.client.tags(of: registry.reference) == ["a", "b"])
            #expect(try registry.requests.contains { $0.authorization != nil && $0.path.contains("/tags/") })
            #expect(try other.requests.count == 1)
            #expect(try other.requests.allSatisfy { $0.authorization == nil })
        }

        private func index(_ size: Int, next: String? = nil) -> JSON {
            let digest = "sha256:" + String(repeating: "a", count: 64)
            let type = MediaType.imageManifest.rawValue
            let body =
                "{\"schemaVersion\":2,\"mediaType\":\"\(MediaType.imageIndex.rawValue)\",\"manifests\":"
                + "[{\"mediaType\":\"\(type)\",\"digest\":\"\(digest)\",\"size\":\(size)}]}"
            var headers: [(key: String, value: JSON)] = [("Content-Type", .string(MediaType.imageIndex.rawValue))]
            if let next { headers.append(("Link", .string("<\(next)>; rel=\"next\""))) }
            return ["status": 200, "body": .string(body), "headers": .object(headers)]
        }

        @Test func referrersComePageByPage() throws {
            let registry = try MisbehavingRegistry([
                "rules": [
                    rule("status", index(2), match: "page=2"),
                    rule("status", index(1, next: "?page=2"), match: "/referrers/"),
                ]
            ])
            let found = try registry.client.referrers(of: registry.manifest, in: registry.reference)
            #expect(found.map(\.size) == [1, 2])
        }

        /// Debian's docker-registry has no such list: an index under the digest's tag stands for it.
        @Test func referrersByTag() throws {
            let server = try RegistryServer()
            let side = try Side()
            let name = try side.image("\(server.name)/image:v1", layers: [100])
            let target = try side.client.push(name, from: side.store)
            #expect(try side.client.referrers(of: target.digest, in: name).isEmpty)
            let index: JSON = [
                "schemaVersion": 2, "mediaType": .string(MediaType.imageIndex.rawValue), "manifests": [target.json],
            ]
            let list = try side.store.ingest(index.bytes(), mediaType: .imageIndex)
            let tag = name.tagged("sha256-\(target.digest.hex)")
            try side.store.commit(target: list, references: [tag], platform: nil)
            try side.client.push(tag, from: side.store)
            #expect(try side.client.referrers(of: target.digest, in: name).map(\.digest) == [target.digest])
        }
    }
}
