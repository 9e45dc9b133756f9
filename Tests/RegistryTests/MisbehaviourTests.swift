import Images
import LinuxSystem
import OCI
import TestSupport
import Testing

@testable import Registry

/// Suites that wait for HTTP, one test at a time: a test runs on one of the few threads that carry tasks, and the client
/// needs another.
@Suite(.serialized) enum OverHTTP {}

extension OverHTTP {
    /// Pulls from a registry that fails, stalls and lies: each ends with a right image, or with one clear line and nothing.
    @Suite struct MisbehaviourTests {
        @Test func aBlobThatIsCutGoesOnWhereItEnded() throws {
            let registry = try MisbehavingRegistry([
                "rules": [rule("cut", ["at": 100_000, "pause": 1]), rule("cut", ["at": 50_000, "pause": 1])]
            ])
            #expect(try registry.pull().digest == registry.manifest)
            // What was on its way when the connection broke may be lost.
            let starts = try registry.layerRequests.map(\.start)
            #expect(starts.count == 3 && starts[0] == 0 && starts[1] > 0 && starts[2] > starts[1])
            #expect(registry.store.hasBlob(registry.layer, size: registry.layerSize))
        }

        /// Each further try would be another second of every pull from a registry on loopback.
        @Test func aPlaceThatDoesNotSpeakTLSIsAskedForItOnce() throws {
            let registry = try MisbehavingRegistry([:])
            #expect(try registry.pull().digest == registry.manifest)
            #expect(try registry.requests.filter { $0.path == "tls" }.count == 1)
        }

        /// Nothing was asked for by then that would have shown how the registry is spoken to.
        @Test func layersOfAManifestThatIsHereCome() throws {
            let registry = try MisbehavingRegistry([:])
            _ = try registry.pull()
            try Files.remove(registry.store.blobPath(registry.layer))
            let name = try ImageReference("\(registry.reference.repository)@\(registry.manifest)")
            let again = try registry.client.pull(name, into: registry.store, unpacking: false)
            #expect(again.digest == registry.manifest)
            #expect(registry.store.hasBlob(registry.layer, size: registry.layerSize))
        }

        /// Of a status below 100 the HTTP library makes an end without a beginning, which ends the process.
        @Test(arguments: ["000", "099"]) func aStatusThatIsNoneIsRefused(status: String) throws {
            let text = "HTTP/1.1 \(status) None\r\nContent-Length: 0\r\n\r\n"
            let registry = try MisbehavingRegistry([
                "rules": [
                    rule("raw", ["text": .string(text)], match: "/manifests/", times: 50),
                    rule("raw", ["text": .string(text), "method": "HEAD"], match: "/manifests/", times: 50),
                ]
            ])
            #expect(registry.refusal().hasSuffix("malformed HTTP status code \"\(Int(status) ?? -1)\""))
            #expect(try registry.isEmpty)
        }

        /// Bytes keep coming, so that nothing runs out of time, and nothing comes of them.
        @Test(arguments: [
            ("HTTP/1.1 100 Continue\r\n\r\n", ""), ("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", ""),
            ("x", "HTTP/1.1 200 "), ("x", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;"),
        ]) func anAnswerThatNeverComesToItsContentIsGivenUp(piece: String, start: String) throws {
            let text = String(repeating: piece, count: 2000 / piece.utf8.count)
            let registry = try MisbehavingRegistry([
                "rules": [
                    rule("raw", ["text": .string(text), "start": .string(start), "often": 100_000], times: 50)
                ]
            ])
            #expect(registry.refusal().hasSuffix("an answer that does not come to its content"))
            #expect(try registry.isEmpty)
        }

        @Test func manyCutsThatBringSomethingAreNoReasonToGiveUp() throws {
            let registry = try MisbehavingRegistry(["rules": [rule("cut", ["at": 20_000], times: 12)]])
            #expect(try registry.pull().digest == registry.manifest)
        }

        @Test func cutsThatBringNothingAre() throws {
            let registry = try MisbehavingRegistry(["rules": [rule("cut", ["at": 0], times: 50)]])
            #expect(registry.refusal().contains("unexpected EOF"))
            #expect(try registry.isEmpty)
            #expect(try registry.layerRequests.count == 5)
        }

        @Test func aStalledAnswerIsGivenUpAndGoesOn() throws {
            let registry = try MisbehavingRegistry(["rules": [rule("stall", ["at": 1000])]], patience: 2000)
            #expect(try registry.pull().digest == registry.manifest)
            #expect(try registry.layerRequests.map(\.range) == [nil, "bytes=1000-"])
        }

        @Test func aRegistryThatIgnoresRangesIsReadFromItsStart() throws {
            let registry = try MisbehavingRegistry(["rules": [rule("cut", ["at": 100_000]), rule("norange")]])
            #expect(try registry.pull().digest == registry.manifest)
        }

        @Test func aRangeThatIsRefusedStartsAgain() throws {
            let registry = try MisbehavingRegistry(["rules": [rule("cut", ["at": 100_000]), rule("refuserange")]])
            #expect(try registry.pull().digest == registry.manifest)
            let starts = try registry.layerRequests.map(\.start)
            #expect(starts.count == 3 && starts[0] == 0 && starts[1] > 0 && starts[2] == 0)
        }

        @Test func aRangeOfOtherBytesIsRefused() throws {
            let registry = try MisbehavingRegistry(["rules": [rule("cut", ["at": 100_000]), rule("wrongrange")]])
            #expect(registry.refusal().contains("were asked for and \"bytes "))
            #expect(try registry.isEmpty)
        }

        @Test func wrongBytesAreRefused() throws {
            let registry = try MisbehavingRegistry(["rules": [rule("flip", times: 9)]])
            #expect(registry.refusal() == "filesystem layer verification failed for digest \(registry.layer)")
            #expect(try registry.isEmpty)
            #expect(try registry.layerRequests.count == 1)
        }

        @Test func aDamagedBeginningIsFetchedAgain() throws {
            let registry = try MisbehavingRegistry()
            try Files.makeDirectories("\(registry.folder)/store/partial")
            try Files.write(
                "\(registry.folder)/store/partial/\(registry.layer.hex)",
                [UInt8](repeating: 7, count: 5000)
            )
            #expect(try registry.pull().digest == registry.manifest)
            #expect(try registry.layerRequests.map(\.range) == ["bytes=5000-", nil])
        }

        @Test(arguments: ["long", "endless"]) func moreBytesThanThereShouldBeAreRefused(_ action: String) throws {
            let registry = try MisbehavingRegistry(["rules": [rule(action, times: 9)]])
            #expect(registry.refusal().contains("is larger than the \(registry.layerSize) bytes it should have"))
            #expect(try registry.isEmpty)
        }

        @Test func aBlobThatIsShorterThanItsDescriptorIsRefused() throws {
            let registry = try MisbehavingRegistry(["rules": [rule("short", ["at": 1234], times: 9)]])
            #expect(registry.refusal() == "blob \(registry.layer) has 1234 bytes instead of \(registry.layerSize)")
            #expect(try registry.isEmpty)
        }

        @Test(arguments: [500, 502, 503, 504, 429]) func aServerThatIsBusyIsAskedAgain(_ status: Int) throws {
            let registry = try MisbehavingRegistry([
                "rules": [
                    rule("status", ["status": .number(status)], times: 2),
                    rule("status", ["status": .number(status)], match: "/manifests/", times: 2),
                ]
            ])
            #expect(try registry.pull().digest == registry.manifest)
        }

        @Test func retryAfterIsHonoured() throws {
            let registry = try MisbehavingRegistry([
                "rules": [rule("status", ["status": 429, "headers": ["Retry-After": "1"]])]
            ])
            let began = Clock.monotonic
            #expect(try registry.pull().digest == registry.manifest)
            #expect(Clock.monotonic - began >= 1_000_000_000)
        }

        @Test func theTextOfALimitIsShown() throws {
            let text = #"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#
            let registry = try MisbehavingRegistry([
                "rules": [
                    rule("status", ["status": 429, "body": .string(text)], match: "/manifests/", times: 50),
                    ["match": "/manifests/", "method": "HEAD", "times": 50, "do": "status", "status": 404],
                ]
            ])
            #expect(registry.refusal() == "toomanyrequests: You have reached your pull rate limit.")
        }

        @Test func aManifestWithOtherBytesThanItsDigestIsRefused() throws {
            let registry = try MisbehavingRegistry(["rules": [rule("flip", match: "/manifests/", times: 9)]])
            #expect(registry.refusal().hasPrefix("manifest verification failed for digest \(registry.manifest)"))
            #expect(try registry.isEmpty)
        }

        @Test func aManifestThatIsCalledAnIndexIsRefused() throws {
            let type: JSON = ["type": .string(MediaType.imageIndex.rawValue)]
            let registry = try MisbehavingRegistry(["rules": [rule("type", type, match: "/manifests/", times: 9)]])
            #expect(registry.refusal().contains("says that it is"))
            #expect(try registry.isEmpty)
        }

        @Test func aManifestThatIsTwoThingsIsRefused() throws {
            let registry = try MisbehavingRegistry([
                "manifest": #"{"schemaVersion":2,"config":{},"layers":[],"manifests":[]}"#
            ])
            #expect(registry.refusal() == "the manifest is both an index and an image's: refused")
        }

        @Test func schemaOneIsRefused() throws {
            let registry = try MisbehavingRegistry(["manifest": #"{"schemaVersion":1,"fsLayers":[]}"#])
            #expect(registry.refusal() == "image manifest schema 1 is not supported")
        }

        @Test func aTagThatIsNotThereIsSaidInDockersWords() throws {
            let registry = try MisbehavingRegistry()
            let name = registry.reference.tagged("nope")
            #expect(
                throws: EngineError.self,
                performing: { try registry.client.pull(name, into: registry.store, unpacking: false) }
            )
            do { _ = try registry.client.pull(name, into: registry.store) } catch {
                #expect("\(error)" == "manifest for \(name) not found: manifest unknown: manifest unknown")
            }
        }

        // MARK: - redirections and credentials

        @Test(arguments: ["basic", "bearer"]) func credentialsNeverGoToAnotherHost(_ kind: String) throws {
            let registry = try MisbehavingRegistry(
                ["auth": .string(kind), "password": true, "rules": [rule("redirect", ["away": true], times: 9)]],
                credential: .basic(user: "anna", password: "secret")
            )
            #expect(try registry.pull().digest == registry.manifest)
            let away = try registry.requests.filter(\.isAtOther)
            #expect(away.count == 1)
            #expect(away.allSatisfy { $0.authorization == nil })
            #expect(try registry.layerRequests.contains { $0.authorization != nil })
        }

        @Test func redirectionsEnd() throws {
            let registry = try MisbehavingRegistry(["rules": [rule("redirect", times: 100)]])
            #expect(registry.refusal().contains("stopped after 10 redirects"))
            #expect(try registry.isEmpty)
        }

        @Test(arguments: ["token", "access_token"]) func aTokenIsFetchedOnceForAll(_ key: String) throws {
            let registry = try MisbehavingRegistry(["auth": "bearer", "tokenKey": .string(key)])
            #expect(try registry.pull().digest == registry.manifest)
            let tokens = try registry.requests.filter { $0.path.hasPrefix("/token") }
            #expect(tokens.count == 1)
            #expect(tokens.first?.path == "/token?service=here&scope=repository%3Arepo%3Apull")
        }

        @Test func withoutCredentialsWhereTheyAreNeeded() throws {
            #expect(try MisbehavingRegistry(["auth": "basic"]).refusal() == "no basic auth credentials")
            #expect(
                try MisbehavingRegistry(["auth": "bearer", "password": true]).refusal()
                    == "unauthorized: authentication required"
            )
        }
    }
}
