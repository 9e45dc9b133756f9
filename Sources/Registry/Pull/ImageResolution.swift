import Images
import OCI

/// What a name stands for at a registry: all documents of the image, and where they came from.
struct ImageResolution: Sendable {
    /// What the name points to: a manifest or an index.
    let target: RemoteManifest
    let manifest: RemoteManifest
    let image: ImageManifest
    let configuration: ImageConfiguration
    let configurationBytes: [UInt8]
    let sources: [Repository]
}

/// Finds out what a name stands for: mirrors first, then the registry itself.
struct ImageResolver: Sendable {
    let session: Session
    let reference: ImageReference
    let platform: Platform?
    let store: ImageStore

    func resolve() async throws -> ImageResolution {
        let (target, sources) = try await self.target()
        let manifest = target.isIndex ? try await chosen(from: target, sources) : target
        let image = try ImageManifest(manifest.json)
        guard image.configuration.mediaType.isImageConfiguration else {
            throw EngineError(
                .unsupported,
                "\(reference.familiar) is no image: its configuration is of type \"\(image.configuration.mediaType.rawValue)\""
            )
        }
        let bytes = try await document(image.configuration, sources)
        let configuration = try ImageConfiguration(JSON.parse(bytes))
        if let platform, !configuration.platform.serves(platform) {
            throw EngineError(
                .notFound,
                "image with reference \(reference.familiar) was found but its platform (\(configuration.platform)) "
                    + "does not match the specified platform (\(platform))"
            )
        }
        return ImageResolution(
            target: target,
            manifest: manifest,
            image: image,
            configuration: configuration,
            configurationBytes: bytes,
            sources: sources
        )
    }

    /// The manifest or index that the name stands for, from the first place that has it. What is here already by its digest
    /// needs no registry.
    func target() async throws -> (RemoteManifest, [Repository]) {
        let choice = try RepositoryChoice(session, reference, .pull)
        if let digest = reference.digest, let stored = try stored(digest) { return (stored, choice.unasked) }
        return try await choice.first(with: reference.digest == nil ? .resolve : .pull) { try await fetch($0) }
    }

    private func fetch(_ repository: Repository) async throws -> RemoteManifest {
        if let digest = reference.digest { return try await repository.manifest("\(digest)", expected: digest) }
        let tag = reference.tag ?? "latest"
        // What is here already need not be sent.
        if let digest = try await repository.digest(of: tag), let stored = try stored(digest) { return stored }
        return try await repository.manifest(tag)
    }

    /// The platform's manifest.
    private func chosen(from index: RemoteManifest, _ sources: [Repository]) async throws -> RemoteManifest {
        let wanted = platform ?? .host
        let list = try ImageIndex(index.json)
        try list.checkSize()
        guard let entry = list.manifest(for: wanted) else {
            throw EngineError(.notFound, "no matching manifest for \(wanted) in the manifest list entries")
        }
        if let stored = try stored(entry.digest) { return try checked(stored, entry) }
        let manifest = try await RepositoryChoice.ask(sources) {
            try await $0.manifest("\(entry.digest)", expected: entry.digest)
        }
        guard Int64(manifest.bytes.count) == entry.size else {
            throw EngineError(
                .corrupt,
                "manifest \(entry.digest) has \(manifest.bytes.count) bytes instead of \(entry.size)"
            )
        }
        return try checked(manifest, entry)
    }

    /// What an index leads to must be what it calls it.
    private func checked(_ manifest: RemoteManifest, _ entry: Descriptor) throws -> RemoteManifest {
        guard !manifest.isIndex else { throw EngineError(.unsupported, "an index in an index") }
        guard entry.mediaType.isManifest || entry.mediaType.rawValue.isEmpty else {
            throw EngineError(
                .corrupt,
                "\(entry.digest) is called \"\(entry.mediaType.rawValue)\", and is a manifest: refused"
            )
        }
        return manifest
    }

    private func stored(_ digest: Digest) throws -> RemoteManifest? {
        guard let bytes = try? store.document(digest) else { return nil }
        return try RemoteManifest(bytes: bytes, contentType: nil, expected: digest)
    }

    private func document(_ descriptor: Descriptor, _ sources: [Repository]) async throws -> [UInt8] {
        if let bytes = try? store.readBlob(descriptor) { return bytes }
        return try await RepositoryChoice.ask(sources) {
            try await $0.blob(descriptor, limit: ImageStore.documentLimit)
        }
    }
}
