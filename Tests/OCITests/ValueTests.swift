import OCI
import Testing

@Suite struct DigestTests {
    @Test(arguments: [
        "", "sha256:", "sha256:../../x", "sha512:" + String(repeating: "a", count: 128),
        "sha256:" + String(repeating: "A", count: 64), "md5:0",
    ])
    func refuses(text: String) {
        #expect(throws: EngineError.self) { try Digest(text) }
    }

    @Test func isWrittenInLowerCase() {
        #expect(Digest(sha256: (0..<32).map(UInt8.init)).short == "000102030405")
    }
}

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00Z"),
            (1_709_208_000_500_000_000, "2024-02-29T12:00:00.5Z"),
            (4_102_444_799_999_999_999, "2099-12-31T23:59:59.999999999Z"),
        ] as [(UInt64, String)]
    )
    func roundTrips(nanoseconds: UInt64, text: String) {
        #expect(Timestamp.rfc3339(nanoseconds: nanoseconds) == text)
        #expect(Timestamp.nanoseconds(rfc3339: text) == nanoseconds)
    }

    @Test func readsOffsets() {
        #expect(Timestamp.nanoseconds(rfc3339: "1970-01-01T02:30:00+02:30") == 0)
        #expect(Timestamp.nanoseconds(rfc3339: "1969-12-31T23:00:00-01:00") == 0)
        #expect(Timestamp.nanoseconds(rfc3339: "yesterday") == nil)
        #expect(Timestamp.nanoseconds(rfc3339: "1970-01-01T00:00:00") == nil)
    }
}

@Suite struct PlatformTests {
    @Test(arguments: [
        ("linux/amd64", "linux/amd64"), ("amd64", "linux/amd64"), ("linux/aarch64", "linux/arm64/v8"),
        ("LINUX/ARM/v7", "linux/arm/v7"),
    ])
    func reads(text: String, written: String) throws { #expect(try Platform(text).description == written) }

    @Test(arguments: ["", "linux//x", "a/b/c/d", "linux/amd 64"])
    func refuses(text: String) { #expect(throws: EngineError.self) { try Platform(text) } }

    @Test func aMissingVariantIsTheUsualOne() {
        #expect(Platform(architecture: "arm64").serves(Platform(architecture: "arm64", variant: "v8")))
        #expect(!Platform(architecture: "arm", variant: "v6").serves(Platform(architecture: "arm", variant: "v7")))
    }
}

@Suite struct ManifestTests {
    static let digest = "sha256:" + String(repeating: "0", count: 64)
    static let descriptor = #"{"mediaType":"x","digest":"\#(digest)","size":1}"#

    /// CVE-2021-41190: a document that one reader takes for an image and another for an index.
    @Test func ambiguousDocumentsAreRefused() {
        let both = #"{"schemaVersion":2,"config":\#(Self.descriptor),"layers":[],"manifests":[]}"#
        #expect(throws: EngineError.self) { try ImageManifest(JSON.parse(both)) }
        #expect(throws: EngineError.self) { try ImageIndex(JSON.parse(both)) }
        let (manifest, index) = (MediaType.imageManifest.rawValue, MediaType.imageIndex.rawValue)
        let misnamed =
            #"{"schemaVersion":2,"mediaType":"\#(index)","config":\#(Self.descriptor),"layers":[]}"#
        #expect(throws: EngineError.self) { try ImageManifest(JSON.parse(misnamed)) }
        let other = #"{"schemaVersion":2,"mediaType":"\#(manifest)","manifests":[]}"#
        #expect(throws: EngineError.self) { try ImageIndex(JSON.parse(other)) }
    }

    @Test(arguments: [
        #"{"schemaVersion":1,"fsLayers":[]}"#, #"{"schemaVersion":2,"layers":[]}"#,
        #"{"schemaVersion":2,"config":{"digest":"x","size":1},"layers":[]}"#,
        #"{"schemaVersion":2,"config":{"digest":"\#(digest)","size":-1},"layers":[]}"#,
    ])
    func refuses(text: String) { #expect(throws: EngineError.self) { try ImageManifest(JSON.parse(text)) } }

    @Test func anIndexGivesThePlatformsManifestAndNeverAnAttestation() throws {
        func entry(_ architecture: String, _ digit: Character) -> String {
            #"{"mediaType":"x","digest":"sha256:\#(String(repeating: digit, count: 64))","size":1,"platform":{"os":"\#(architecture == "unknown" ? "unknown" : "linux")","architecture":"\#(architecture)"}}"#
        }
        let index = try ImageIndex(
            JSON.parse(
                #"{"schemaVersion":2,"manifests":[\#(entry("unknown", "1")),\#(entry("arm64", "2")),\#(entry("amd64", "3"))]}"#
            )
        )
        #expect(index.manifest(for: Platform(architecture: "amd64"))?.digest.hex.first == "3")
        #expect(index.manifest(for: Platform(architecture: "arm64", variant: "v8"))?.digest.hex.first == "2")
        #expect(index.manifest(for: Platform(architecture: "s390x")) == nil)
    }

    @Test func aConfigurationKeepsDockersAdditions() throws {
        let text =
            #"{"created":"2024-01-01T00:00:00Z","architecture":"amd64","os":"linux","config":{"Env":["A=b"],"Cmd":["x"],"Healthcheck":{"Test":["CMD","y"],"Interval":5},"OnBuild":["RUN z"],"Shell":["/bin/bash","-c"]},"rootfs":{"type":"layers","diff_ids":["\#(Self.digest)"]},"history":[{"created_by":"c","empty_layer":true}]}"#
        let configuration = try ImageConfiguration(JSON.parse(text))
        #expect(try configuration.json == JSON.parse(text))
    }
}
