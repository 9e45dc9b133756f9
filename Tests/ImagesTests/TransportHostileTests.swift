import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// Archives that lie: each is refused with one clear error, and the store is as before.
@Suite struct TransportHostileTests {
    typealias Members = [(name: String, content: [UInt8])]

    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let error: String
        let archive: @Sendable (ImageParts) throws -> [UInt8]
        var testDescription: String { name }

        /// An archive of changed members.
        static func members(
            _ name: String,
            _ error: String,
            oci: Bool = false,
            links: [(name: String, target: String)] = [],
            _ change: @Sendable @escaping (inout Members, ImageParts) throws -> Void
        ) -> Case {
            Case(name: name, error: error) { parts in
                var members = oci ? parts.layoutMembers(name: "x:1") : parts.dockerMembers(tags: ["x:1"])
                try change(&members, parts)
                return try ImageParts.tar(members, links: links)
            }
        }
    }

    static let cases: [Case] = [
        .members("a name that leads outside", "member \"../../etc/passwd\" lies outside the archive") { members, _ in
            members.append(("../../etc/passwd", [1]))
        },
        .members("an absolute name", "member \"/etc/passwd\" lies outside the archive") { members, _ in
            members.append(("/etc/passwd", [1]))
        },
        .members(
            "a link that leads outside",
            "link \"evil\" leads outside the archive",
            links: [("evil", "../../etc/shadow")]
        ) { _, _ in },
        .members("an absolute link", "link \"evil\" leads outside the archive", links: [("evil", "/etc/shadow")]) {
            _,
            _ in
        },
        .members(
            "links in a circle",
            "is a link that leads to itself",
            links: [("layer0.tar", "b"), ("b", "layer0.tar")]
        ) { members, _ in
            members.removeAll { $0.name == "layer0.tar" }
        },
        .members("a configuration outside", "has no file \"../../../etc/hostname\"") { members, _ in
            replace(&members, "manifest.json", #"[{"Config":"../../../etc/hostname","Layers":[]}]"#)
        },
        .members("a layer outside", "has no file \"/etc/passwd\"") { members, parts in
            replace(
                &members,
                "manifest.json",
                #"[{"Config":"\#(parts.id.hex).json","Layers":["/etc/passwd","layer1.tar"]}]"#
            )
        },
        .members("a layer too few", "layers length mismatch: expected 1, got 2") { members, parts in
            replace(&members, "manifest.json", #"[{"Config":"\#(parts.id.hex).json","Layers":["layer0.tar"]}]"#)
        },
        .members("a changed layer", "invalid diffID for a layer") { members, _ in
            for position in members.indices where members[position].name == "layer1.tar" {
                members[position].content[600] ^= 1
            }
        },
        .members("layers in another order", "invalid diffID for a layer") { members, parts in
            replace(
                &members,
                "manifest.json",
                #"[{"Config":"\#(parts.id.hex).json","Layers":["layer1.tar","layer0.tar"]}]"#
            )
        },
        .members("a configuration of another digest", "has the digest") { members, parts in
            replace(&members, "\(parts.id.hex).json", String(decoding: parts.configuration, as: UTF8.self) + " ")
        },
        .members("a name that is none", "must be lowercase") { members, parts in
            replace(
                &members,
                "manifest.json",
                #"[{"Config":"\#(parts.id.hex).json","RepoTags":["UPPER"],"Layers":["layer0.tar","layer1.tar"]}]"#
            )
        },
        .members("no JSON", "manifest.json: invalid JSON at byte 1") { members, _ in
            replace(&members, "manifest.json", "[")
        },
        .members("JSON nested without end", "nested too deeply") { members, _ in
            replace(&members, "manifest.json", String(repeating: "[", count: 100_000))
        },
        .members("JSON without end", "and at most 8388608 are allowed") { members, _ in
            replace(&members, "manifest.json", String(repeating: " ", count: 9 << 20) + "[]")
        },
        .members("an image too many", "too many images") { members, _ in
            replace(
                &members,
                "manifest.json",
                "[" + [String](repeating: #"{"Config":"x"}"#, count: 1001).joined(separator: ",") + "]"
            )
        },
        .members("a second image that is wrong", "has no file \"nothing.json\"") { members, parts in
            replace(
                &members,
                "manifest.json",
                """
                [{"Config":"\(parts.id.hex).json","RepoTags":["x:1"],"Layers":["layer0.tar","layer1.tar"]},{"Config":"nothing.json"}]
                """
            )
        },
        .members("a digest that is a path", "invalid digest \"sha256:../../../../etc/passwd\"", oci: true) {
            members,
            _ in
            replace(
                &members,
                "index.json",
                #"{"schemaVersion":2,"manifests":[{"digest":"sha256:../../../../etc/passwd","size":1}]}"#
            )
        },
        .members("a digest of another kind", "unsupported digest", oci: true) { members, _ in
            replace(&members, "index.json", #"{"schemaVersion":2,"manifests":[{"digest":"md5:00","size":1}]}"#)
        },
        .members("a size below nothing", "invalid descriptor", oci: true) { members, parts in
            replace(&members, "index.json", #"{"schemaVersion":2,"manifests":[{"digest":"\#(parts.id)","size":-1}]}"#)
        },
        .members("a manifest that is missing", "has no file \"blobs/sha256/", oci: true) { members, parts in
            members.removeAll { $0.name == parts.manifestDescriptor.layoutPath }
        },
        .members("a manifest of another size", "is not what its digest and size say", oci: true) { members, parts in
            for position in members.indices where members[position].name == parts.manifestDescriptor.layoutPath {
                members[position].content.append(0x20)
            }
        },
        .members("a layer of another digest", "has the digest", oci: true) { members, parts in
            for position in members.indices where members[position].name == parts.manifest.layers[1].layoutPath {
                members[position].content[1025] ^= 1
            }
        },
        .members("a layer that is too short", "instead of", oci: true) { members, parts in
            for position in members.indices where members[position].name == parts.manifest.layers[1].layoutPath {
                members[position].content.removeLast(512)
            }
        },
        .members("a manifest that is an index as well", "and is not: refused", oci: true) { members, parts in
            manifest(&members, parts) { String($0.dropLast()) + #","manifests":[]}"# }
        },
        .members("an index that is a manifest as well", "ambiguous", oci: true) { members, _ in
            replace(&members, "index.json", #"{"schemaVersion":2,"manifests":[],"layers":[]}"#)
        },
        .members("schema 1", "schema 1 is not supported", oci: true) { members, parts in
            manifest(&members, parts) { _ in #"{"schemaVersion":1,"fsLayers":[]}"# }
        },
        .members("layers without end", "an image of 1001 layers", oci: true) { members, parts in
            let layer = parts.manifest.layers[0].json.text()
            let configuration = parts.manifest.configuration.json.text()
            manifest(&members, parts) { _ in
                #"{"schemaVersion":2,"config":\#(configuration),"layers":[\#([String](repeating: layer, count: 1001).joined(separator: ","))]}"#
            }
        },
        .members("another diff id", "invalid diffID for a layer", oci: true) { members, parts in
            let other = try ImageParts([["a": "1"], ["b": "other"]])
            members.append((other.manifest.configuration.layoutPath, other.configuration))
            manifest(&members, parts) { _ in
                ImageManifest(configuration: other.manifest.configuration, layers: parts.manifest.layers).json.text()
            }
        },
        .members("another version", "an OCI layout of another version", oci: true) { members, _ in
            replace(&members, "oci-layout", #"{"imageLayoutVersion":"2.0.0"}"#)
        },
        .members("no image", "neither index.json nor manifest.json is in it") { members, _ in members = [("a", [1])] },
        Case(name: "nothing", error: "neither index.json nor manifest.json is in it") { _ in [] },
        Case(name: "no tar", error: "not a valid tar archive") { _ in [UInt8](repeating: 0x41, count: 4096) },
        Case(name: "a truncated archive", error: "not a valid tar archive: it ends inside") { parts in
            Array(try ImageParts.tar(parts.dockerMembers(tags: ["x"])).prefix(3000))
        },
        Case(name: "a truncated gzip archive", error: "ends too early") { parts in
            Array(try ImageParts.gzip(ImageParts.tar(parts.dockerMembers(tags: ["x"]))).dropLast(100))
        },
        Case(name: "a huge size", error: "it ends inside a file") { parts in
            var tar = try ImageParts.tar(parts.dockerMembers(tags: ["x"]))
            let size = Array("77777777777\0".utf8)
            tar.replaceSubrange(124..<136, with: size)
            checksum(&tar)
            return tar
        },
        Case(name: "a negative size", error: "it ends inside a file") { parts in
            var tar = try ImageParts.tar(parts.dockerMembers(tags: ["x"]))
            tar.replaceSubrange(124..<136, with: [UInt8](repeating: 0xFF, count: 12))
            checksum(&tar)
            return tar
        },
        Case(name: "a device", error: "is neither a file nor a folder") { parts in
            var tar = try ImageParts.tar(parts.dockerMembers(tags: ["x"]))
            tar[156] = UInt8(ascii: "3")
            checksum(&tar)
            return tar
        },
    ]

    @Test(arguments: cases)
    func isRefused(_ hostile: Case) throws {
        let fixture = try StoreFixture()
        try fixture.image([["kept": "1"]], names: ["kept"])
        let before = try fixture.state()
        let parts = try ImageParts([["a": "1"], ["b": "2"]])
        let archive = try hostile.archive(parts)
        let said = message { _ = try fixture.store.load(archive) }
        #expect(said.contains(hostile.error), "\(said)")
        #expect(!said.contains("\n") && said.utf8.count < 600)
        #expect(try fixture.state() == before)
    }

    @Test func aLayoutOfLinksShowsNothingOfOtherFiles() throws {
        let fixture = try StoreFixture()
        let parts = try ImageParts([["a": "1"]])
        let folder = fixture.scratch.file("layout")
        try Files.makeDirectories(folder + "/blobs/sha256")
        for (name, content) in parts.layoutMembers(name: "x:1") { try Files.write("\(folder)/\(name)", content) }
        try Files.remove("\(folder)/\(parts.manifest.configuration.layoutPath)")
        symlink("/etc/hostname", "\(folder)/\(parts.manifest.configuration.layoutPath)")
        #expect(message { _ = try fixture.store.load(path: folder) }.contains("is not what its digest and size say"))
        try Files.remove("\(folder)/index.json")
        mkfifo("\(folder)/index.json", 0o600)
        #expect(message { _ = try fixture.store.load(path: folder) }.hasSuffix("index.json is not a regular file"))
        #expect(try fixture.state() == [])
    }

    // MARK: Changing members

    private static func replace(_ members: inout Members, _ name: String, _ content: String) {
        for position in members.indices where members[position].name == name {
            members[position].content = Array(content.utf8)
        }
    }

    /// Puts another manifest in place of the image's, with a digest and a size that are right.
    private static func manifest(_ members: inout Members, _ parts: ImageParts, _ change: (String) -> String) {
        let bytes = Array(change(parts.manifest.json.text()).utf8)
        let entry = ImageStore.descriptor(of: bytes, .imageManifest)
        members.append((entry.layoutPath, bytes))
        replace(&members, "index.json", ImageIndex(manifests: [entry]).json.text())
    }

    private static func checksum(_ tar: inout [UInt8]) {
        tar.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
        let sum = tar[..<512].reduce(0) { $0 + Int($1) }
        let digits = String(sum, radix: 8)
        tar.replaceSubrange(
            148..<156,
            with: Array((String(repeating: "0", count: 6 - digits.count) + digits + "\0 ").utf8)
        )
    }
}
