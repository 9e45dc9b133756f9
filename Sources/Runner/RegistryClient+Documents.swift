import Images
import OCI
import Registry

extension RegistryClient {
    /// Stores what a name stands for and what describes the image: an index, the platform's manifest, its configuration.
    /// What the store has already is not asked for. None of it gets a name, and no layer comes: the caller's lease keeps
    /// it until `pull` finds it there.
    ///
    /// - Returns: what the name stands for.
    package func documents(of reference: ImageReference, into store: ImageStore, platform: Platform) throws
        -> Descriptor
    {
        let target = try document(reference, in: store)
        var manifest = target
        if target.json["manifests"] != nil {
            guard let entry = try ImageIndex(target.json).manifest(for: platform) else {
                throw EngineError(.notFound, "no matching manifest for \(platform) in the manifest list entries")
            }
            manifest = try document(ImageReference("\(reference.repository)@\(entry.digest)"), in: store)
            guard manifest.descriptor.size == entry.size, manifest.json["manifests"] == nil else {
                throw EngineError(.corrupt, "manifest \(entry.digest) is not what the index says")
            }
        }
        let configuration = try ImageManifest(manifest.json).configuration
        guard configuration.mediaType.isImageConfiguration else {
            throw EngineError(
                .unsupported,
                "\(reference.familiar) is no image: its configuration is of type "
                    + "\"\(configuration.mediaType.rawValue)\""
            )
        }
        let bytes = try (try? store.readBlob(configuration)) ?? blob(configuration, in: reference)
        let found = try ImageConfiguration(JSON.parse(bytes)).platform
        guard found.serves(platform) else {
            throw EngineError(
                .notFound,
                "image with reference \(reference.familiar) was found but its platform (\(found)) "
                    + "does not match the specified platform (\(platform))"
            )
        }
        try store.ingest(bytes, mediaType: configuration.mediaType)
        return target.descriptor
    }

    private func document(_ reference: ImageReference, in store: ImageStore) throws
        -> (descriptor: Descriptor, json: JSON)
    {
        if let digest = reference.digest, let bytes = try? store.document(digest), let json = try? JSON.parse(bytes),
            let type = json["mediaType"]?.string
        {
            return (Descriptor(mediaType: MediaType(rawValue: type), digest: digest, size: Int64(bytes.count)), json)
        }
        let manifest = try manifest(reference)
        try store.ingest(manifest.bytes, mediaType: manifest.mediaType)
        return (manifest.descriptor, manifest.json)
    }
}
