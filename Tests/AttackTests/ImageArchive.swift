import LinuxSystem
import OCI
import TestSupport

/// An image of one layer as `docker save` writes it: what every engine loads.
struct ImageArchive {
    let path: String
    let name: String

    /// Of a bundle's root and what the attack says of the image. `extra` is python's, and adds members: it has `archive`, a
    /// tarfile that is open for writing.
    init(
        of bundle: Bundle,
        _ attack: Attack,
        diffID given: String? = nil,
        layer: String? = nil,
        extra: String = ""
    ) throws {
        // Engines take names in lower case only, and folders differ in the case of a letter.
        let code = bundle.id.utf8.map { String($0, radix: 16) }.joined()
        name = "attack-\(code.suffix(12)):1"
        path = bundle.path("image.tar")
        let layerFile = layer ?? bundle.path("layer.tar")
        if layer == nil {
            try tool("tar", "-C", bundle.path("rootfs"), "-S", "--numeric-owner", "-cf", layerFile, ".")
        }
        let diffID = try given ?? "sha256:\(tool("sha256sum", layerFile).prefix(64))"
        var members = attack.image.map { (key: $0.0, value: $0.1) }
        if !members.contains(where: { $0.key == "Env" }) { members.append((key: "Env", value: ["PATH=/bin"])) }
        var document: JSON = [
            "architecture": .string(Platform.host.architecture), "os": "linux", "config": .object(members),
            "rootfs": ["type": "layers", "diff_ids": [.string(diffID)]],
        ]
        attack.document?(&document)
        let manifest: JSON = [["Config": "config.json", "RepoTags": [.string(name)], "Layers": ["layer.tar"]]]
        try Files.write(bundle.path("config-of-image.json"), document.bytes())
        try Files.write(bundle.path("manifest.json"), manifest.bytes())
        let script = """
            import sys, tarfile, io, os
            folder, layer, path = sys.argv[1:]
            def member(name, **fields):
                info = tarfile.TarInfo(name)
                for key, value in fields.items(): setattr(info, key, value)
                return info
            def text(name, content, **fields):
                archive.addfile(member(name, size=len(content), **fields), io.BytesIO(content))
            archive = tarfile.open(path, 'w', format=tarfile.PAX_FORMAT)
            archive.add(folder + '/config-of-image.json', 'config.json')
            archive.add(layer, 'layer.tar')
            \(extra)
            archive.add(folder + '/manifest.json', 'manifest.json')
            archive.close()
            """
        try tool("python3", "-c", script, bundle.folder, layerFile, path)
    }
}
