import Images
import LinuxSystem
import NIOHTTP1
import OCI

/// One image under one tag to one repository: its blobs, several at once, then its manifests, then the index.
struct ImagePush: Sendable {
    let session: Session
    let store: ImageStore
    let reference: ImageReference
    let content: PushContent
    let events: @Sendable (PushEvent) -> Void

    func run() async throws -> Descriptor {
        let choice = try RepositoryChoice(session, reference, .push)
        // The version check finds the way to speak to the registry, and what credentials it wants, before much is sent.
        let (repository, _) = try await choice.first(with: .push) { repository in
            let exchange = Exchange(
                .GET,
                try WebURL(repository.endpoint.apiURL("")),
                repository.endpoint,
                scopes: [.repository(repository.name, .push)]
            )
            let answer = try await session.retrying(repository.patience) {
                let answer = try await session.send(exchange)
                if answer.isTransient { throw await answer.failure() }
                return answer
            }
            _ = try? await answer.bytes(limit: 1 << 20)
            return repository
        }
        try await upload(to: repository)
        for manifest in content.manifests { try await put(manifest, as: "\(manifest.digest)", to: repository) }
        try await put(content.target, as: reference.tag ?? "\(content.target.digest)", to: repository)
        return content.target
    }

    private func upload(to repository: Repository) async throws {
        for blob in content.blobs where !blob.isSilent { events(.preparing(blob.digest)) }
        for blob in content.blobs.dropFirst(session.options.parallel) where !blob.isSilent {
            events(.waiting(blob.digest))
        }
        for blob in content.skipped { events(.skipped(blob.digest)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (position, blob) in content.blobs.enumerated() {
                if position >= session.options.parallel { try await group.next() }
                let silence: @Sendable (PushEvent) -> Void = { _ in }
                let upload = BlobUpload(
                    repository: repository,
                    descriptor: blob,
                    path: store.blobPath(blob.digest),
                    mountSources: content.mountSources[blob.digest] ?? [],
                    events: blob.isSilent ? silence : events
                )
                group.addTask { try await upload.run() }
            }
            try await group.waitForAll()
        }
    }

    private func put(_ manifest: Descriptor, as name: String, to repository: Repository) async throws {
        let bytes = try store.readBlob(manifest)
        var exchange = try repository.exchange(.PUT, "manifests/\(name)")
        exchange.headers = [("Content-Type", manifest.mediaType.rawValue)]
        exchange.body = .bytes(bytes)
        let request = exchange
        let (answer, _) = try await session.fetch(request, limit: 1 << 20, accepting: [200, 201, 202])
        if let text = answer.header("Docker-Content-Digest"), text.hasPrefix("sha256:"), text != "\(manifest.digest)" {
            throw EngineError(.corrupt, "\(answer.request): the registry stored \(text) instead of \(manifest.digest)")
        }
    }
}

extension Descriptor {
    /// Whether docker shows no line for it: a configuration.
    fileprivate var isSilent: Bool { mediaType.isImageConfiguration }
}

/// What belongs to an image that is pushed.
struct PushContent: Sendable {
    /// What the tag will stand for.
    var target: Descriptor
    /// The manifests of an index.
    var manifests: [Descriptor] = []
    /// Each once, the base's layers first.
    var blobs: [Descriptor] = []
    /// Foreign layers.
    var skipped: [Descriptor] = []
    fileprivate var added: Set<Digest>
    /// Repositories of the same registry that have a blob, by its digest.
    var mountSources: [Digest: [String]] = [:]
    /// Something that a person should know.
    var note: String?
}

extension PushContent {
    /// What has to be sent for an image: all platforms of an index if all are here, else the one that is.
    init(_ image: StoredImage, to reference: ImageReference, in store: ImageStore, platform: Platform?) throws {
        self.init(target: image.target, added: [])
        if image.target.mediaType.isIndex {
            let entries = platform == nil ? try PushContent.complete(image.target, store) : nil
            if let entries {
                for entry in entries { try add(entry, store) }
                manifests = entries
            } else {
                target = image.manifestDescriptor
                target.annotations = [:]
                target.platform = nil
                if platform == nil {
                    note =
                        "Not all multiplatform-content is present and only the available single-platform image was "
                        + "pushed\n\(image.target.digest) -> \(target.digest)"
                }
                try add(target, store)
            }
        } else {
            try add(target, store)
        }
        try findMountSources(reference, store)
    }

    /// The entries of an index; nil where a blob of one of them is missing.
    private static func complete(_ target: Descriptor, _ store: ImageStore) throws -> [Descriptor]? {
        let index = try ImageIndex(JSON.parse(store.readBlob(target)))
        try index.checkSize()
        var seen: Set<Digest> = []
        let entries = index.manifests.filter { seen.insert($0.digest).inserted }
        for entry in entries {
            guard store.hasBlob(entry.digest), let manifest = try? manifest(entry, store) else { return nil }
            for blob in [manifest.configuration] + manifest.layers where !blob.mediaType.isForeignLayer {
                guard store.hasBlob(blob.digest, size: blob.size) else { return nil }
            }
        }
        return entries
    }

    private static func manifest(_ descriptor: Descriptor, _ store: ImageStore) throws -> ImageManifest {
        try ImageManifest(JSON.parse(store.readBlob(descriptor)))
    }

    private mutating func add(_ descriptor: Descriptor, _ store: ImageStore) throws {
        let manifest = try PushContent.manifest(descriptor, store)
        for blob in manifest.layers + [manifest.configuration] where added.insert(blob.digest).inserted {
            if blob.mediaType.isForeignLayer { skipped.append(blob) } else { blobs.append(blob) }
        }
    }

    /// Other repositories of the registry from which images came, or to which they went.
    private mutating func findMountSources(_ reference: ImageReference, _ store: ImageStore) throws {
        let wanted = Set(blobs.map(\.digest))
        for image in try store.images() {
            let repositories = Set(image.repositoryDigests.filter { $0.domain == reference.domain }.map(\.path))
            for path in repositories.sorted() where path != reference.path {
                for blob in [image.manifest.configuration] + image.manifest.layers where wanted.contains(blob.digest) {
                    if !(mountSources[blob.digest] ?? []).contains(path) {
                        mountSources[blob.digest, default: []].append(path)
                    }
                }
            }
        }
    }
}
