import CLinux
import LinuxSystem
import OCI

/// What a collection keeps beside the images of index.json. Each holds what it stands for with all it needs.
package struct CollectionRoots: Sendable {
    /// Manifests, or indexes: with their configurations and layers, packed and unpacked. A container's image, whose
    /// last name may be gone.
    package var manifests: Set<Digest> = []
    /// Chain ids of unpacked layers: with those below them. The builder's cache.
    package var layers: Set<Digest> = []
    /// Other blobs.
    package var blobs: Set<Digest> = []

    package init(manifests: Set<Digest> = [], layers: Set<Digest> = [], blobs: Set<Digest> = []) {
        self.manifests = manifests
        self.layers = layers
        self.blobs = blobs
    }
}

/// What a collection removed.
package struct CollectionSummary: Equatable, Sendable {
    package var blobs = 0
    package var layers = 0
    /// What they took on the disk.
    package var bytes: Int64 = 0

    package static func + (a: CollectionSummary, b: CollectionSummary) -> CollectionSummary {
        CollectionSummary(blobs: a.blobs + b.blobs, layers: a.layers + b.layers, bytes: a.bytes + b.bytes)
    }
}

extension ImageStore {
    /// Notes that something was removed whose content is still there.
    /// On a full disk nothing can be noted, and that must not keep anybody from making room.
    package func awaitCollection() { try? Files.createEmpty(uncollectedPath) }

    /// Whether removed content waits for a collection.
    package var awaitsCollection: Bool { FileStatus.exists(uncollectedPath) }

    /// Removes every blob and every unpacked layer that neither index.json nor a root leads to, and all of tmp/.
    ///
    /// If anything that must be read to know what to keep cannot be read, nothing is removed.
    /// - Parameter lease: nobody else is making or using what has no root yet.
    @discardableResult
    package func collect(_ roots: CollectionRoots, holding lease: borrowing CollectionLease) throws -> CollectionSummary
    {
        // What is removed from the index after this waits for the next collection.
        try Files.remove(uncollectedPath)
        var marked = try marked(from: index().distinctTargets)
        try mark(roots, &marked)
        var summary = CollectionSummary()
        try sweepBlobs(marked, &summary)
        try sweepLayers(marked, &summary)
        try sweepTemporary()
        // What a pull left that was cut off is the beginning of the next one, but not for ever.
        try removePartial(olderThan: 24 * 3600)
        try renewSpare()
        return summary
    }

    /// What something leads to.
    struct Marked {
        var blobs: Set<Digest> = []
        var layers: Set<Digest> = []
        /// Manifests, indexes and configurations that were read.
        fileprivate var documents: Set<Digest> = []
        /// What cannot be understood, where that is no error; nil where it is.
        fileprivate(set) var damaged: Set<Digest>?

        /// - Parameter countsDamage: what is damaged is noted and leads to nothing. Never for what is removed afterwards.
        init(countsDamage: Bool = false) { damaged = countsDamage ? [] : nil }
    }

    /// What entries of an index lead to.
    func marked(from targets: [Descriptor], countingDamage: Bool = false) throws -> Marked {
        var marked = Marked(countsDamage: countingDamage)
        try mark(targets.map(\.digest), &marked)
        return marked
    }

    func mark(_ roots: CollectionRoots, _ marked: inout Marked) throws {
        marked.blobs.formUnion(roots.blobs)
        try mark(Array(roots.manifests), &marked)
        for layer in roots.layers { try mark(layer: layer, &marked) }
    }

    /// Marks manifests and indexes and whatever they need. What is not there needs nothing: other platforms of an index.
    ///
    /// What a blob is, its content says, whatever those call it that lead to it: of two images one must not be able to call
    /// the other's manifest something else. Each is read once, however many lead to it and over how many others.
    private func mark(_ documents: [Digest], _ marked: inout Marked) throws {
        var waiting = documents
        while let digest = waiting.popLast() {
            guard hasBlob(digest) else { continue }
            marked.blobs.insert(digest)
            guard marked.documents.insert(digest).inserted else { continue }
            guard let document = try understand(digest, &marked) else { continue }
            for entry in document["manifests"]?.array ?? [] {
                if let child = entry["digest"]?.string.flatMap({ try? Digest($0) }) { waiting.append(child) }
            }
            try markImage(document, &marked)
        }
    }

    /// A manifest's configuration and layers. Not by `ImageManifest`, which refuses some: what is to be kept is more than what
    /// can be run.
    private func markImage(_ manifest: JSON, _ marked: inout Marked) throws {
        guard let configuration = manifest["config"], let layers = manifest["layers"]?.array else { return }
        for blob in [configuration] + layers {
            if let digest = blob["digest"]?.string.flatMap({ try? Digest($0) }) { marked.blobs.insert(digest) }
        }
        guard let descriptor = try? Descriptor(configuration), descriptor.mediaType.isImageConfiguration,
            hasBlob(descriptor.digest), marked.documents.insert(descriptor.digest).inserted,
            let document = try understand(descriptor.digest, &marked)
        else { return }
        // An attestation's may lack what an image's has.
        let diffIDs = document["rootfs"]?["diff_ids"]?.strings ?? []
        marked.layers.formUnion(
            ImageStore.chainID(diffIDs.prefix { (try? Digest($0)) != nil }.compactMap { try? Digest($0) })
        )
    }

    /// The JSON in a blob; nil for what is something else: another tool's artifact. One that is damaged ends the collection,
    /// because nobody knows what it needs.
    private func understand(_ digest: Digest, _ marked: inout Marked) throws -> JSON? {
        guard let status = try? FileStatus.of(blobPath(digest)), status.size <= ImageStore.documentLimit else {
            return nil
        }
        if let bytes = try document(digest) { return try? JSON.parse(bytes) }
        guard marked.damaged != nil else {
            throw EngineError(
                .corrupt,
                "blob \(digest) is damaged, so nothing was collected",
                hint: "remove the image that it belongs to"
            )
        }
        marked.damaged?.insert(digest)
        return nil
    }

    /// Marks an unpacked layer and those below it.
    private func mark(layer: Digest, _ marked: inout Marked) throws {
        var next: Digest? = layer
        while let layer = next, marked.layers.insert(layer).inserted {
            next = try LayerRecord.read(in: layerPath(layer))?.parent
        }
    }

    private func sweepBlobs(_ marked: Marked, _ summary: inout CollectionSummary) throws {
        for name in try Files.list(blobFolder, followingLink: false) {
            guard let digest = Digest(hex: name), !marked.blobs.contains(digest) else { continue }
            summary.bytes += (try? FileStatus.of(blobPath(digest)))?.allocated ?? 0
            try Files.remove(blobPath(digest))
            summary.blobs += 1
        }
    }

    private func sweepLayers(_ marked: Marked, _ summary: inout CollectionSummary) throws {
        var usage = DiskUsage()
        for entry in try layerEntries() {
            guard let chainID = entry.chainID, !marked.layers.contains(chainID) else { continue }
            summary.bytes += try usage.measure(entry.path)
            try discard(entry)
            summary.layers += 1
        }
    }

    /// Removes what killed processes left in tmp/, unless somebody is at work with the store: then a later command will.
    package func sweep() throws {
        guard let lease = try exclusive() else { return }
        try sweepTemporary()
        _ = consume lease
    }

    /// Files that were to replace others (`Files.replace`) when their writers were killed.
    func temporaryReplacements() throws -> [String] {
        try [root, path("images"), path("build/steps"), path("build/digests")].flatMap { folder in
            let names: [String]
            do throws(SystemError) { names = try Files.list(folder, followingLink: folder == root) } catch {
                if error.code == SystemError.notFound { return [String]() }
                throw error
            }
            return names.filter { $0.hasSuffix(".tmp") }.map { "\(folder)/\($0)" }
        }
    }

    /// What killed processes left, and lock files: nobody holds one of them without a lease.
    private func sweepTemporary() throws {
        for name in try Files.list(temporaryFolder, followingLink: false) { try Files.removeTree(path("tmp/\(name)")) }
        for file in try temporaryReplacements() { try Files.remove(file) }
    }
}
