import Build
import OCI

extension Fuzz {
    /// JSON, and what images are made of. What was understood is written and read again as the same.
    static func documents(_ bytes: UnsafeRawBufferPointer) {
        guard let json = try? JSON.parse(Array(bytes)) else { return }
        requireEqual((try? JSON.parse(json.bytes()))?.bytes(), json.bytes(), "JSON survives")
        requireEqual(json, json, "a value is itself")
        if let manifest = try? ImageManifest(json) {
            requireEqual(try? ImageManifest(manifest.json), manifest, "a manifest survives")
        }
        if let index = try? ImageIndex(json) {
            requireEqual(try? ImageIndex(index.json), index, "an index survives")
            _ = index.manifest(for: .host)
        }
        if let configuration = try? ImageConfiguration(json) {
            let again = try? ImageConfiguration(configuration.json)
            require(again != nil, "a configuration survives")
            requireEqual(again?.diffIDs, configuration.diffIDs, "its layers survive")
        }
    }

    /// A runtime's `config.json` and its seccomp profile.
    static func specification(_ bytes: UnsafeRawBufferPointer) {
        guard let json = try? JSON.parse(Array(bytes)) else { return }
        _ = try? SeccompConfiguration(json)
        guard let specification = try? RuntimeSpec(json) else { return }
        let again = try? RuntimeSpec(specification.json)
        requireEqual(again?.json, specification.json, "a specification survives")
    }

    /// Names of images, digests and platforms.
    static func references(_ bytes: UnsafeRawBufferPointer) {
        let text = String(decoding: bytes, as: UTF8.self)
        _ = try? Platform(text)
        if let digest = try? Digest(text) { requireEqual(digest.description, text, "a digest is its text") }
        guard let reference = try? ImageReference(text) else { return }
        requireEqual(try? ImageReference(reference.description), reference, "a name survives in full")
        requireEqual(try? ImageReference(reference.familiar), reference, "a name survives as people see it")
        require(!reference.repository.contains(".."), "a name is no way out of a folder")
    }

    static func dockerfile(_ bytes: UnsafeRawBufferPointer) {
        let content = Array(bytes)
        _ = try? Dockerfile(content)
        _ = try? DockerIgnore(content).excludes(Array(content.prefix(40)))
    }
}
