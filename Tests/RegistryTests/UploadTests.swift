import Images
import LinuxSystem
import OCI
import TestSupport
import Testing

@testable import Registry

extension OverHTTP {
    /// Pushes to Debian's docker-registry whose connections are cut while a layer is on its way.
    @Suite struct UploadTests {
        /// In pieces the upload goes on, or begins anew where the registry has lost count; in one piece it begins anew.
        @Test(arguments: [70_000, 64 << 20] as [Int64]) func aConnectionThatIsCut(_ chunk: Int64) throws {
            let registry = try RegistryServer()
            let script = Files.parent(of: #filePath) + "/Servers/cutting-proxy.py"
            let proxy = try ServerProcess(["python3", script, "\(registry.port)", "100000", "3"])
            let place = "127.0.0.1:\(try proxy.line())"
            let side = try Side { $0.chunkSize = chunk }
            let name = try side.image("\(place)/image:v1", layers: [600_000, 40])
            let target = try side.client.push(name, from: side.store)
            let pulled = try Side().pull(try ImageReference("\(registry.name)/image:v1"))
            #expect(pulled.digest == target.digest)
        }

        /// nginx closes half of the connections with a piece on them before the registry sees any of it.
        @Test func piecesThatAreDropped() throws {
            let front = try FrontServer { _, ports, registry in
                """
                split_clients $request_id $fate { 50% 444; * 200; }
                map $request_method$fate $drop { PATCH444 1; default 0; }
                server { listen 127.0.0.1:\(ports[0]);
                  if ($drop) { return 444; }
                  location / { proxy_pass \(registry); }
                }
                """
            }
            let side = try Side { options in
                options.attempts = 30
                options.retryDelay = 1
                options.longestDelay = 5
                options.chunkSize = 30_000
            }
            let name = try side.image("\(front.name)/image:v1")
            let target = try side.client.push(name, from: side.store)
            #expect(try Side().pull(name).digest == target.digest)
            // It was asked how far the upload is, and gone on with: one upload for each blob.
            let requests = front.requests(at: 0)
            #expect(requests.filter { $0.hasPrefix("POST ") }.count == 3, "\(requests)")
            #expect(requests.contains { $0.hasPrefix("GET /v2/image/blobs/uploads/") && $0.contains(" 204 ") })
        }

        /// Pushes an image with a layer of 300,000 bytes; the result is the ranges of its pieces.
        private func pieces(_ plan: JSON) throws -> [String] {
            let registry = try MisbehavingRegistry(plan)
            let side = try Side { options in
                options.chunkSize = 100_000
                options.parallel = 1
            }
            let name = try side.image("\(registry.reference.domain)/repo:v2", layers: [300_000])
            try side.client.push(name, from: side.store)
            return try registry.requests.filter { $0.method == "PATCH" }.compactMap(\.range)
        }

        /// A tar of 300,000 bytes of data has 307,200.
        @Test func piecesHaveTheSizeThatTheRegistryWants() throws {
            #expect(try pieces([:]) == ["0-99999", "100000-199999", "200000-299999", "300000-307199"])
            #expect(try pieces(["least": 200_000]) == ["0-199999", "200000-307199"])
        }

        @Test func aRegistryThatHasLessThanItSaid() throws {
            let lost: JSON = ["match": "/uploads/", "method": "PATCH", "do": "lose"]
            let ranges = try pieces(["rules": [lost, lost]])
            #expect(ranges.prefix(3) == ["0-99999", "100000-199999", "50000-149999"], "\(ranges)")
            #expect(ranges.last?.hasSuffix("-307199") ?? false)
        }

        /// The digest of what comes is the registry's to check; a Location elsewhere gets no credentials.
        @Test func anUploadElsewhereGetsNoCredentials() throws {
            let other = try MisbehavingRegistry()
            let away: JSON = [
                "match": "/uploads/", "method": "POST", "do": "status", "status": 202, "times": 9,
                "headers": ["Location": .string("http://\(other.reference.domain)/v2/repo/blobs/uploads/1")],
            ]
            let registry = try MisbehavingRegistry(["auth": "basic", "rules": [away]])
            let side = try Side(credential: .basic(user: "anna", password: "secret")) { $0.parallel = 1 }
            let name = try side.image("\(registry.reference.domain)/repo:v2", layers: [100])
            try side.client.push(name, from: side.store)
            let requests = try other.requests
            #expect(requests.count == 2 && requests.allSatisfy { $0.method == "PUT" && $0.authorization == nil })
            #expect(try registry.requests.contains { $0.authorization != nil })
        }

        /// An index with several platforms goes with all of them, and is the same for skopeo and podman.
        @Test func anIndexGoesWithAllItsPlatforms() throws {
            let server = try RegistryServer()
            let side = try Side()
            var entries: [Descriptor] = []
            for architecture in ["amd64", "arm64"] {
                let name = try side.image("\(server.name)/\(architecture):v1", layers: [2000])
                var entry = try side.store.resolve("\(name)").target
                entry.platform = Platform(architecture: architecture)
                entries.append(entry)
            }
            let index: JSON = [
                "schemaVersion": 2, "mediaType": .string(MediaType.imageIndex.rawValue),
                "manifests": .array(entries.map(\.json)),
            ]
            let target = try side.store.ingest(index.bytes(), mediaType: .imageIndex)
            let name = try ImageReference("\(server.name)/all:v1")
            try side.store.commit(target: target, references: [name], platform: Platform(architecture: "amd64"))
            #expect(try side.client.push(name, from: side.store).digest == target.digest)
            try tool(
                "skopeo",
                "copy",
                "-q",
                "--all",
                "--src-tls-verify=false",
                "docker://\(name)",
                "dir:\(side.folder)/dir"
            )
            #expect(SHA256Digest.of(try Files.read("\(side.folder)/dir/manifest.json")) == target.digest)
            try tool(
                "skopeo",
                "copy",
                "-q",
                "--all",
                "--dest-tls-verify=false",
                "dir:\(side.folder)/dir",
                "docker://\(server.name)/back:v1"
            )
            let other = try Side()
            #expect(try other.pull(try ImageReference("\(server.name)/back:v1")).digest == target.digest)
        }
    }
}
