import CLinux
import LinuxSystem
import OCI
import TestSupport

/// The images of `rootfs-fixtures`, and images that a test makes from a folder.
enum Fixtures {
    static let folder = GuestProgram.fixtures
    static let busybox = "oci:\(folder)/oci:busybox"
    static let guest = "oci:\(folder)/oci:guest"
    static let python = "oci:\(folder)/oci:python-3.8-slim"

    /// The path of the guest program, for mounting it into other images.
    static let guestProgram = GuestProgram.path

    /// Makes an image of one layer from a folder's content and returns its location.
    ///
    /// - Parameters:
    ///   - above: the content of so many more layers, which are the same but for their places.
    ///   - document: members of the image's configuration beside the container's.
    @discardableResult static func image(
        from tree: String,
        configuration: JSON = [:],
        at layout: String,
        above: (tree: String, count: Int)? = nil,
        document: [(key: String, value: JSON)] = []
    ) throws -> String {
        try Files.makeDirectories("\(layout)/blobs/sha256")
        var layers: [(diffID: JSON, descriptor: JSON)] = []
        for (tree, count) in [(tree, 1)] + (above.map { [($0.tree, $0.count)] } ?? []) {
            let tar = "\(layout)/layer.tar"
            try tool("tar", "-C", tree, "--numeric-owner", "--sort=name", "--sparse", "-cf", tar, ".")
            let diffID = JSON.string(try sha256(tar))
            let layer = try adopt(tar, in: layout, mediaType: "application/vnd.oci.image.layer.v1.tar")
            layers += Array(repeating: (diffID, layer), count: count)
        }
        let usual: JSON = [
            "architecture": .string(Platform.host.architecture), "os": "linux", "config": configuration,
            "rootfs": ["type": "layers", "diff_ids": .array(layers.map(\.diffID))],
        ]
        let config = JSON.object((usual.object ?? []) + document)
        let manifest: JSON = [
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": try store(config, in: layout, mediaType: "application/vnd.oci.image.config.v1+json"),
            "layers": .array(layers.map(\.descriptor)),
        ]
        let entry = try store(manifest, in: layout, mediaType: "application/vnd.oci.image.manifest.v1+json")
        let index: JSON = ["schemaVersion": 2, "manifests": [entry]]
        try Files.write("\(layout)/index.json", index.bytes())
        try Files.write("\(layout)/oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
        return "oci:\(layout)"
    }

    /// An image of so many layers, in which a shell runs.
    static func image(of layers: Int, _ engine: Minirun) throws -> String {
        try engine.write("above/etc/mark", "")
        let above = (tree: engine.path("above"), count: layers - 1)
        return try image(from: try tree(engine), at: engine.path("layout"), above: above)
    }

    private static func store(_ json: JSON, in layout: String, mediaType: String) throws -> JSON {
        try Files.write("\(layout)/new", json.bytes())
        return try adopt("\(layout)/new", in: layout, mediaType: mediaType)
    }

    private static func adopt(_ file: String, in layout: String, mediaType: String) throws -> JSON {
        let digest = try sha256(file)
        let size = try FileStatus.of(file).size
        try retrying("naming", file) { rename(file, "\(layout)/blobs/sha256/\(digest.dropFirst(7))") }
        return ["mediaType": .string(mediaType), "digest": .string(digest), "size": .number(size)]
    }

    static func sha256(_ file: String) throws -> String { try "sha256:" + tool("sha256sum", file).prefix(64) }

    /// A folder that busybox and the guest can run in: `/bin/sh` and `/guest`.
    static func tree(_ engine: Minirun, _ name: String = "tree") throws -> String {
        let tree = try engine.makeFolder(name)
        for folder in ["bin", "etc", "tmp", "root"] { try Files.makeDirectories("\(tree)/\(folder)") }
        try tool("cp", "/bin/busybox", "\(tree)/bin/busybox")
        for applet in ["sh", "cat", "ls", "id", "echo", "stat", "sleep", "mount", "readlink", "touch"] {
            try Link.create("\(tree)/bin/\(applet)", to: "busybox")
        }
        try tool("cp", "-p", guestProgram, "\(tree)/guest")
        return tree
    }
}
