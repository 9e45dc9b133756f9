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
    /// Of blobs on the disk, and of layers as their records say.
    package var bytes: Int64 = 0
}

extension ImageStore {
    /// Removes every blob and every unpacked layer that neither index.json nor a root leads to, and all of tmp/.
    ///
    /// If anything that must be read to know what to keep cannot be read, nothing is removed.
    /// - Parameter lease: nobody else is making or using what has no root yet.
    @discardableResult
    package func collect(_ roots: CollectionRoots, holding lease: borrowing CollectionLease) throws -> CollectionSummary
    {
        var marked = Marked(blobs: roots.blobs)
        for target in try index().distinctTargets { try mark(target.digest, target.mediaType, &marked) }
        for manifest in roots.manifests { try mark(manifest, .imageManifest, &marked) }
        for layer in roots.layers { try mark(layer: layer, &marked) }
        var summary = CollectionSummary()
        try sweepBlobs(marked, &summary)
        try sweepLayers(marked, &summary)
        try sweepTemporary()
        return summary
    }

    private struct Marked {
        var blobs: Set<Digest>
        var layers: Set<Digest> = []
        var documents: Set<Digest> = []
    }

    /// Marks a manifest or an index and what it needs. What is not there needs nothing: other platforms of an index.
    /// One that is damaged ends the collection, because nobody knows what it needs.
    private func mark(_ digest: Digest, _ type: MediaType, depth: Int = 0, _ marked: inout Marked) throws {
        guard depth < 4, marked.documents.insert(digest).inserted, hasBlob(digest) else { return }
        marked.blobs.insert(digest)
        // Something else that another tool put into index.json.
        guard type.isManifest || type.isIndex else { return }
        let document = try readDocument(digest)
        for entry in document["manifests"]?.array ?? [] {
            let entry = try Descriptor(entry)
            try mark(entry.digest, entry.mediaType, depth: depth + 1, &marked)
        }
        guard document["config"] != nil, document["layers"] != nil else { return }
        let manifest = try ImageManifest(document)
        for blob in [manifest.configuration] + manifest.layers { marked.blobs.insert(blob.digest) }
        guard manifest.configuration.mediaType.isImageConfiguration, hasBlob(manifest.configuration.digest) else {
            return
        }
        // An attestation's may lack what an image's has.
        let json = try readDocument(manifest.configuration.digest)
        if let configuration = try? ImageConfiguration(json) {
            marked.layers.formUnion(ImageStore.chainID(configuration.diffIDs))
        }
    }

    private func readDocument(_ digest: Digest) throws -> JSON {
        let bytes = try Files.read(blobPath(digest), limit: ImageStore.documentLimit)
        guard SHA256Digest.of(bytes) == digest, let json = try? JSON.parse(bytes) else {
            throw EngineError(
                .corrupt,
                "blob \(digest) is damaged, so nothing was collected",
                hint: "remove the image that it belongs to"
            )
        }
        return json
    }

    /// Marks an unpacked layer and those below it.
    private func mark(layer: Digest, _ marked: inout Marked) throws {
        var next: Digest? = layer
        while let layer = next, marked.layers.insert(layer).inserted {
            next = try LayerRecord.read(in: layerPath(layer))?.parent
        }
    }

    private func sweepBlobs(_ marked: Marked, _ summary: inout CollectionSummary) throws {
        for name in try Files.list(blobFolder) {
            guard let digest = Digest(hex: name), !marked.blobs.contains(digest) else { continue }
            summary.bytes += (try? FileStatus.of(blobPath(digest)))?.allocated ?? 0
            try Files.remove(blobPath(digest))
            summary.blobs += 1
        }
    }

    private func sweepLayers(_ marked: Marked, _ summary: inout CollectionSummary) throws {
        for chainID in try storedLayers() where !marked.layers.contains(chainID) {
            summary.bytes += (try? LayerRecord.read(in: layerPath(chainID)))?.bytes ?? 0
            try discardLayer(chainID)
            summary.layers += 1
        }
    }

    /// Removes what killed processes left in tmp/, unless somebody is at work with the store: then a later command will.
    package func sweep() throws {
        guard let lease = try exclusive() else { return }
        try sweepTemporary()
        _ = consume lease
    }

    /// What killed processes left, and lock files: nobody holds one of them without a lease.
    private func sweepTemporary() throws {
        for name in try Files.list(temporaryFolder) { try Files.removeTree(path("tmp/\(name)")) }
        for name in try Files.list(path("images")) where name.hasSuffix(".tmp") {
            try Files.remove(path("images/\(name)"))
        }
    }
}
