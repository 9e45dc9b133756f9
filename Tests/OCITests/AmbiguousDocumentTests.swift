import OCI
import Testing

/// CVE-2026-111361: one document, one meaning, whoever reads it.
@Suite struct AmbiguousDocumentTests {
    private static let descriptor = #"{"mediaType":"a/b","digest":"\#(NumberTests.digest)","size":1}"#
    private static let other = #"{"mediaType":"a/b","digest":"\#(NumberTests.digest)","size":2}"#

    @Test(arguments: ["layers", "Layers", "LAYERS", "layer\u{17F}"]) func manifests(_ key: String) throws {
        let text = #"""
            {"schemaVersion":2,"config":\#(Self.descriptor),"layers":[\#(Self.descriptor)],"\#(key)":[\#(Self.other)]}
            """#
        #expect(throws: EngineError.self) { try ImageManifest(JSON.parse(Array(text.utf8))) }
        let alone = #"{"schemaVersion":2,"config":\#(Self.descriptor),"layers":[],"Config":\#(Self.other)}"#
        #expect(throws: EngineError.self) { try ImageManifest(JSON.parse(Array(alone.utf8))) }
    }

    @Test(arguments: ["manifests", "Manifests", "Layers", "CONFIG"]) func indexes(_ key: String) {
        let text = #"{"manifests":[\#(Self.descriptor)],"\#(key)":[\#(Self.other)]}"#
        #expect(throws: EngineError.self) { try ImageIndex(JSON.parse(Array(text.utf8))) }
    }

    @Test(arguments: ["digest", "Digest", "Size", "size", "MediaType", "\u{17F}ize"]) func descriptors(_ key: String) {
        let text = #"{"mediaType":"a/b","digest":"\#(NumberTests.digest)","size":1,"\#(key)":2}"#
        #expect(throws: EngineError.self) { try Descriptor(JSON.parse(Array(text.utf8))) }
    }

    @Test(arguments: [
        #""rootfs":{"diff_ids":[]},"RootFS":{"diff_ids":["\#(NumberTests.digest)"]}"#,
        #""rootfs":{"diff_ids":[],"Diff_IDs":[]}"#, #""rootfs":{"diff_ids":[]},"config":{"User":"1","user":"0"}"#,
        #""rootfs":{"diff_ids":[]},"config":{"User":"1","User":"0"}"#,
        #""rootfs":{"diff_ids":[]},"config":{},"Config":{}"#,
        #""rootfs":{"diff_ids":[]},"config":{"user":"0"}"#,
    ]) func configurations(_ members: String) {
        #expect(throws: EngineError.self) { try ImageConfiguration(JSON.parse(Array("{\(members)}".utf8))) }
    }

    @Test func whatFollowsTheDocumentIsRefused() {
        for rest in ["{}", "x", "\u{0}", ","] {
            #expect(throws: EngineError.self) { try JSON.parse(Array(#"{"a":1}\#(rest)"#.utf8)) }
        }
    }

    /// Keys that are a person's may differ in case alone, and old documents have keys that look like others.
    @Test func whatImagesHaveIsTaken() throws {
        let text = #"""
            {"architecture":"amd64","os":"linux","id":"x","container":"y","container_config":{"User":"a"},"os.version":"1",
            "config":{"User":"1","Labels":{"Maintainer":"a","maintainer":"b"},"Image":"x","AttachStdin":false},
            "rootfs":{"type":"layers","diff_ids":[]}}
            """#
        let image = try ImageConfiguration(JSON.parse(Array(text.utf8)))
        #expect(image.config.labels == ["Maintainer": "a", "maintainer": "b"] && image.config.user == "1")
    }
}
