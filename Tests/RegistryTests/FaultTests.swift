import Images
import LinuxSystem
import OCI
import TestSupport
import Testing

@testable import Registry

extension OverHTTP {
    /// A registry behind an nginx that cuts, refuses, redirects and packs: each pull and push ends right, or with one line.
    @Suite struct FaultTests {
        /// nginx gives up on the server behind it in the midst of a blob, whose next part is asked for then.
        @Test(arguments: ["", "ssi on; ssi_types *;"]) func aBlobThatIsCut(_ chunked: String) throws {
            let front = try FrontServer(ports: 2) { _, ports, registry in
                """
                server { listen 127.0.0.1:\(ports[0]);
                  location / { proxy_pass \(registry); }
                  location ~ /blobs/ {
                    proxy_pass http://127.0.0.1:\(ports[1]); proxy_buffering off; proxy_read_timeout 200ms; \(chunked)
                  }
                }
                server { listen 127.0.0.1:\(ports[1]); limit_rate_after 120k; limit_rate 1;
                  location / { proxy_pass \(registry); }
                }
                """
            }
            let image = try front.published()
            let side = try Side()
            #expect(try side.pull(image.name).digest == image.digest)
            let parts = front.requests(at: 0).filter { $0.contains(image.layers[0].digest.hex) }
            #expect(parts.count >= 3, "\(parts)")
            #expect(parts.dropFirst().allSatisfy { $0.contains(" 206 ") && $0.contains("\"bytes=") }, "\(parts)")
        }

        /// A part of all requests fails, each in another way; two of them without an answer.
        @Test func aShareOfRequestsFails() throws {
            let front = try FrontServer { _, ports, registry in
                """
                split_clients $request_id $fate { 6% 444; 6% 500; 6% 502; 6% 503; 6% 504; 6% 429; * 200; }
                server { listen 127.0.0.1:\(ports[0]);
                  if ($fate = 444) { return 444; }
                  if ($fate = 500) { return 500; }
                  if ($fate = 502) { return 502; }
                  if ($fate = 503) { return 503; }
                  if ($fate = 504) { return 504; }
                  if ($fate = 429) { return 429; }
                  location / { proxy_pass \(registry); }
                }
                """
            }
            let patient: (inout TransferOptions) -> Void = { options in
                options.attempts = 20
                options.retryDelay = 1
                options.longestDelay = 10
                options.chunkSize = 60_000
            }
            let (side, other) = (try Side { patient(&$0) }, try Side { patient(&$0) })
            for round in 0..<3 {
                let name = try side.image("\(front.name)/image:v\(round)", layers: [300_000, 40, 70_000, 50])
                let target = try side.client.push(name, from: side.store)
                #expect(try other.pull(name).digest == target.digest)
            }
            #expect(front.web.log.contains { !$0.contains(" 20") }, "nothing has failed")
        }

        /// nginx's own limit of requests, which comes without Retry-After.
        @Test func aLimitOfRequests() throws {
            let front = try FrontServer { _, ports, registry in
                """
                limit_req_zone $server_port zone=all:1m rate=20r/s;
                server { listen 127.0.0.1:\(ports[0]); limit_req zone=all; limit_req_status 429;
                  location / { proxy_pass \(registry); }
                }
                """
            }
            let side = try Side { $0.attempts = 30 }
            let name = try side.image("\(front.name)/image:v1", layers: [1000, 40, 50, 60])
            let target = try side.client.push(name, from: side.store)
            #expect(try Side { $0.attempts = 30 }.pull(name).digest == target.digest)
            #expect(front.requests(at: 0).contains { $0.contains(" 429 ") })
        }

        @Test func aRegistryThatAsksForTooMuchPatience() throws {
            let front = try FrontServer { _, ports, _ in
                """
                server { listen 127.0.0.1:\(ports[0]);
                  error_page 429 @slow;
                  location / { return 429; }
                  location @slow { add_header Retry-After 3600 always; return 429; }
                }
                """
            }
            let refusal = try Side().refusal(try ImageReference("\(front.name)/image:v1"))
            #expect(refusal.text == "toomanyrequests: too many requests")
            #expect(refusal.hint.hasPrefix("try again in 3600 seconds, or log in"))
            #expect(front.requests(at: 0).count == 1)
        }

        @Test(arguments: [(500, "Internal Server Error"), (503, "Service Temporarily Unavailable")])
        func aServerThatStaysBroken(_ status: Int, _ words: String) throws {
            let front = try FrontServer { _, ports, _ in "server { listen 127.0.0.1:\(ports[0]); return \(status); }" }
            let side = try Side()
            let name = try side.image("\(front.name)/image:v1")
            let text = "received unexpected HTTP status: \(status) \(words)"
            // What a HEAD is answered has no words of the server's own.
            let pull = try Side().refusal(name).text
            #expect(pull.contains("/v2/image/manifests/v1\": received unexpected HTTP status: \(status) "), "\(pull)")
            #expect(side.pushRefusal(name).text == "Get \"http://\(front.name)/v2/\": \(text)")
        }

        @Test func aBodyThatIsTooLargeForNginx() throws {
            let front = try FrontServer { _, ports, registry in
                """
                server { listen 127.0.0.1:\(ports[0]); client_max_body_size 100k;
                  location / { proxy_pass \(registry); }
                }
                """
            }
            let side = try Side()
            let name = try side.image("\(front.name)/image:v1", layers: [3_000_000])
            let refusal = side.pushRefusal(name)
            #expect(refusal.text.hasPrefix("Put \"http://\(front.name)/v2/image/blobs/uploads/"), "\(refusal)")
            #expect(
                refusal.text.hasSuffix(": received unexpected HTTP status: 413 Request Entity Too Large"),
                "\(refusal)"
            )
            #expect(refusal.hint.contains("client_max_body_size") && refusal.hint.contains("MINIRUN_CHUNK_SIZE"))
            #expect(!refusal.text.contains("\n") && !refusal.hint.contains("\n"))
            // Nothing is left of it, and what the hint says helps.
            #expect(front.registry.uploads(of: "image").isEmpty)
            side.client = RegistryClient(
                configuration: side.client.configuration,
                credentials: side.client.credentials,
                options: with(side.client.options) { $0.chunkSize = 90_000 }
            )
            let target = try side.client.push(name, from: side.store)
            #expect(try Side().pull(name).digest == target.digest)
        }

        private func with(_ options: TransferOptions, _ change: (inout TransferOptions) -> Void) -> TransferOptions {
            var options = options
            change(&options)
            return options
        }

        @Test(arguments: [301, 307]) func blobsThatLieElsewhere(_ status: Int) throws {
            let folder = try TemporaryFolder.make()
            defer { try? Files.removeTree(folder) }
            try tool("sh", "-c", "htpasswd -nbB -C 4 anna secret > \(folder)/passwords")
            let registry = try RegistryServer(passwords: "\(folder)/passwords")
            // As S3 does, the other place refuses a request that is signed twice.
            let front = try FrontServer(ports: 2, registry: registry) { _, ports, registry in
                """
                server { listen 127.0.0.1:\(ports[0]);
                  location / { proxy_pass \(registry); }
                  location ~ /blobs/sha256: {
                    if ($request_method = GET) { return \(status) http://cdn.localhost:\(ports[1])$request_uri?signed=yes; }
                    proxy_pass \(registry);
                  }
                }
                server { listen 127.0.0.1:\(ports[1]);
                  if ($http_authorization) { return 400; }
                  location / { proxy_pass \(registry); proxy_set_header Authorization "Basic YW5uYTpzZWNyZXQ="; }
                }
                """
            }
            let anna = Credential.basic(user: "anna", password: "secret")
            let (side, other) = (try Side(credential: anna), try Side(credential: anna))
            let name = try side.image("\(front.name)/image:v1")
            let target = try side.client.push(name, from: side.store)
            #expect(try other.pull(name).digest == target.digest)
            let away = front.requests(at: 1)
            #expect(away.count == 3 && away.allSatisfy { $0.contains("?signed=yes 200 \"-\"") }, "\(away)")
        }

        /// A push through a place that sends all of it elsewhere, with method and body.
        @Test(arguments: [307, 308]) func aRegistryThatHasMoved(_ status: Int) throws {
            let front = try FrontServer(ports: 2) { _, ports, registry in
                """
                server { listen 127.0.0.1:\(ports[0]); return \(status) http://127.0.0.1:\(ports[1])$request_uri; }
                server { listen 127.0.0.1:\(ports[1]); location / { proxy_pass \(registry); } }
                """
            }
            let side = try Side()
            let name = try side.image("\(front.name)/image:v1")
            let target = try side.client.push(name, from: side.store)
            #expect(try Side().pull(name).digest == target.digest)
        }

        @Test func aRegistryBelowAPath() throws {
            let registry = try RegistryServer(http: ", prefix: /some/where/")
            let front = try FrontServer(registry: registry) { _, ports, registry in
                "server { listen 127.0.0.1:\(ports[0]); location /some/where/ { proxy_pass \(registry); } }"
            }
            let entry = "[registry.\"\(front.name)\"]\npath-prefix = \"/some/where\"\n"
            let files = ["minirun/registries.toml": entry]
            let (side, other) = (try Side(files: files) { $0.chunkSize = 70_000 }, try Side(files: files))
            let name = try side.image("\(front.name)/image:v1")
            let target = try side.client.push(name, from: side.store)
            #expect(try other.pull(name).digest == target.digest)
            #expect(front.requests(at: 0).allSatisfy { $0.contains(" /some/where/v2/") })
        }

        @Test func aServerBehindItOfTheOldestKind() throws {
            let relative = try RegistryServer(http: ", relativeurls: true")
            let front = try FrontServer(registry: relative) { _, ports, registry in
                """
                server { listen 127.0.0.1:\(ports[0]); proxy_http_version 1.0; proxy_buffering off; keepalive_timeout 0;
                  location / { proxy_pass \(registry); }
                }
                """
            }
            let side = try Side()
            let name = try side.image("\(front.name)/image:v1")
            let target = try side.client.push(name, from: side.store)
            #expect(try Side().pull(name).digest == target.digest)
        }

        /// nginx packs what it sends for those who want that: we do not.
        @Test func answersThatMayBePacked() throws {
            let front = try FrontServer { _, ports, registry in
                """
                server { listen 127.0.0.1:\(ports[0]); gzip on; gzip_types *; gzip_min_length 0;
                  location / { proxy_pass \(registry); }
                }
                """
            }
            let image = try front.published()
            #expect(try Side().pull(image.name).digest == image.digest)
        }

        @Test(arguments: ["manifests", "blobs"]) func answersThatArePackedUnasked(_ kind: String) throws {
            let front = try FrontServer(ports: 2) { _, ports, registry in
                """
                server { listen 127.0.0.1:\(ports[0]);
                  location / { proxy_pass \(registry); }
                  location ~ /\(kind)/ { proxy_pass http://127.0.0.1:\(ports[1]); proxy_set_header Accept-Encoding gzip; }
                }
                server { listen 127.0.0.1:\(ports[1]);
                  gzip on; gzip_types *; gzip_min_length 0; gzip_proxied any; gzip_http_version 1.0;
                  location / { proxy_pass \(registry); }
                }
                """
            }
            let image = try front.published()
            let refusal = try Side().refusal(image.name)
            #expect(!refusal.text.hasPrefix("no error"), "\(refusal)")
            #expect(refusal.hint == "the answer came with the Content-Encoding \"gzip\", which nobody asked for")
        }
    }
}
