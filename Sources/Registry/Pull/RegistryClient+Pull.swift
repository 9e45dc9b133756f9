import Images
import LinuxSystem
import OCI

extension RegistryClient {
    /// Brings an image into the store: its documents, its layers, several at once, and their unpacked form, which is made
    /// while they come. When it returns, the image survives a power cut. What it leaves when it fails, or is killed, is
    /// complete blobs, parts of blobs from which the next pull goes on, and no name.
    ///
    /// - Parameters:
    ///   - unpacking: false leaves the layers packed.
    ///   - events: called from several threads.
    package func pull(
        _ reference: ImageReference,
        into store: ImageStore,
        platform: Platform? = nil,
        unpacking: Bool = true,
        events: @escaping @Sendable (PullEvent) -> Void = { _ in }
    ) throws -> PullResult {
        do {
            return try store.lease().during {
                let session = session()
                defer { try? Blocking.run { await session.close() } }
                return try pull(reference, session, store, platform, unpacking, events)
            }
        } catch { throw Failures.pullError(error, reference) }
    }

    private func pull(
        _ reference: ImageReference,
        _ session: Session,
        _ store: ImageStore,
        _ platform: Platform?,
        _ unpacking: Bool,
        _ events: @escaping @Sendable (PullEvent) -> Void
    ) throws -> PullResult {
        let before = try? store.resolve(reference.description, platform: platform)
        let found = try resolution(of: reference, session, store, platform)
        events(.pulling(reference: reference.digest?.description ?? reference.tag ?? "latest", from: reference.path))
        let fetch = LayerFetch(session: session, store: store, resolution: found, events: events)
        if unpacking { try fetch.unpacking() } else { try fetch.fetchOnly() }

        try store.ingest(found)
        let digest = found.target.digest
        var names = [try ImageReference("\(reference.repository)@\(digest)")]
        if let tag = reference.tag, reference.digest == nil { names.insert(reference.tagged(tag), at: 0) }
        let image = try store.commit(target: found.target.descriptor, references: names, platform: platform).image
        let isNewer = fetch.hasFetched || before?.target.digest != digest || before?.id != image.id
        return PullResult(reference: reference, image: image, digest: digest, isNewer: isNewer)
    }

    /// Stores what a name stands for and what describes the image: an index, the platform's manifest, its configuration.
    /// What the store has already is not asked for. None of it gets a name, and no layer comes: the caller's lease keeps
    /// it until `pull` finds it there.
    ///
    /// - Returns: what the name stands for.
    package func documents(of reference: ImageReference, into store: ImageStore, platform: Platform) throws
        -> Descriptor
    {
        do {
            let session = session()
            defer { try? Blocking.run { await session.close() } }
            let found = try resolution(of: reference, session, store, platform)
            try store.ingest(found)
            return found.target.descriptor
        } catch { throw Failures.pullError(error, reference) }
    }

    private func resolution(
        of reference: ImageReference,
        _ session: Session,
        _ store: ImageStore,
        _ platform: Platform?
    ) throws -> ImageResolution {
        let resolver = ImageResolver(session: session, reference: reference, platform: platform, store: store)
        return try Blocking.run { try await resolver.resolve() }
    }
}

extension ImageStore {
    /// Stores an image's documents.
    fileprivate func ingest(_ found: ImageResolution) throws {
        try ingest(found.configurationBytes, mediaType: found.image.configuration.mediaType)
        for document in [found.manifest, found.target] {
            try ingest(document.bytes, mediaType: document.mediaType)
        }
    }
}

/// The layers of one image: those that are missing come side by side, and are unpacked meanwhile.
final class LayerFetch: Sendable {
    private let session: Session
    private let store: ImageStore
    private let image: PulledImage
    private let downloads: [BlobDownload]
    private let events: @Sendable (PullEvent) -> Void

    /// Whether anything had to come.
    var hasFetched: Bool { !downloads.isEmpty }

    init(
        session: Session,
        store: ImageStore,
        resolution: ImageResolution,
        events: @escaping @Sendable (PullEvent) -> Void
    ) {
        self.session = session
        self.store = store
        self.events = events
        var partials: [Digest: PartialBlob] = [:]
        var downloads: [BlobDownload] = []
        let named = store.lastNamed(resolution.target.digest)
        for layer in resolution.image.layers where partials[layer.digest] == nil {
            if store.isSound(layer, since: named) {
                events(.exists(layer.digest))
                continue
            }
            // A damaged one: whoever fetches a blob takes one that is there for the same.
            try? Files.remove(store.blobPath(layer.digest))
            let blob = PartialBlob(layer, in: store)
            partials[layer.digest] = blob
            events(.layer(layer.digest, size: layer.size))
            downloads.append(BlobDownload(session: session, sources: resolution.sources, blob: blob, events: events))
        }
        self.downloads = downloads
        image = PulledImage(
            manifest: resolution.image,
            configuration: resolution.configuration,
            partials: partials,
            store: store
        )
    }

    func fetchOnly() throws {
        _ = try image.layers
        try image.requireMountable()
        try Blocking.run { [self] in try await fetchAll() }
        for download in downloads { events(.complete(download.blob.descriptor.digest)) }
    }

    /// Unpacks while the layers come.
    func unpacking() throws {
        _ = try image.layers
        try image.requireMountable()
        let running = Blocking.start { [self] in try await fetchAll() }
        do {
            do { try unpack() } catch {
                // A reader that was told to begin anew: what it had was not what the digest says.
                guard image.partials.values.contains(where: \.wasRestarted) else { throw error }
                try running.value()
                try unpack()
            }
        } catch {
            // Where the fetching failed by itself, that is why the unpacking did.
            throw running.cancel() ?? error
        }
        try running.value()
    }

    private func unpack() throws {
        try store.setAsideChangedLayers(of: image)
        var done: Set<Digest> = []
        let sizes = Dictionary(image.manifest.layers.map { ($0.digest, $0.size) }, uniquingKeysWith: { $1 })
        _ = try store.unpackedLayers(of: image) { event in
            switch event {
            case .unpacking: break
            case .progress(let layer, let bytes): events(.extracting(layer, bytes: bytes, size: sizes[layer] ?? 0))
            case .unpacked(let layer): if done.insert(layer).inserted { events(.complete(layer)) }
            }
        }
        // Layers that were unpacked already, from another packing of the same content.
        for download in downloads where done.insert(download.blob.descriptor.digest).inserted {
            events(.complete(download.blob.descriptor.digest))
        }
    }

    /// All layers, the base's first, so many at once.
    private func fetchAll() async throws {
        for download in downloads.dropFirst(session.options.parallel) {
            events(.waiting(download.blob.descriptor.digest))
        }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (position, download) in downloads.enumerated() {
                    if position >= session.options.parallel { try await group.next() }
                    group.addTask {
                        do { try await download.run() } catch {
                            download.blob.fail(error)
                            throw error
                        }
                    }
                }
                try await group.waitForAll()
            }
        } catch {
            // Those that never had their turn: nobody shall wait for them.
            for download in downloads { download.blob.fail(error) }
            throw error
        }
    }
}
