import LinuxSystem
import OCI

/// What a store takes on the disk, part by part, in bytes as du(1) counts them. The parts make up all of the root's folder:
/// every file belongs to exactly one.
package struct StoreUsage: Sendable {
    /// Blobs and unpacked layers by their digests and chain ids.
    package var blobs: [Digest: Int64] = [:]
    package var layers: [Digest: Int64] = [:]
    /// The blobs and layers that some image has.
    package var ofImages = Content()
    /// Those that no image has, but a step of the build cache.
    package var ofCache = Content()
    /// Those that only a container needs.
    package var ofContainers = Content()
    /// The container folders.
    package var containers: Int64 = 0
    /// The folders of volumes.
    package var volumes: Int64 = 0
    /// The build cache's records.
    package var cacheRecords: Int64 = 0
    /// What nothing needs: half-downloaded blobs, what is being made or was left by a kill, content without a reference.
    package var loose: Int64 = 0
    /// The store's own few files and folders.
    package var frame: Int64 = 0
    /// Manifests and indexes that are damaged, or whose configurations are: what they need is counted as needed by nobody.
    package var damaged: Set<Digest> = []

    package struct Content: Sendable {
        package var blobs: Set<Digest> = []
        package var layers: Set<Digest> = []

        package init(blobs: Set<Digest> = [], layers: Set<Digest> = []) {
            self.blobs = blobs
            self.layers = layers
        }
    }

    package func bytes(of content: Content) -> Int64 {
        content.blobs.reduce(0) { $0 + (blobs[$1] ?? 0) } + content.layers.reduce(0) { $0 + (layers[$1] ?? 0) }
    }

    /// All of it: what du(1) says of the root.
    package var total: Int64 {
        blobs.values.reduce(0, +) + layers.values.reduce(0, +) + containers + volumes + cacheRecords + loose + frame
    }

    /// What images and the build cache take, and what nothing needs: all that a limit on images can bring down.
    package var limited: Int64 { total - containers - volumes - bytes(of: ofContainers) }
}

extension ImageStore {
    /// Measures everything. Files that several parts share count for the first.
    /// - Parameters: what the build cache and the containers keep (`CollectionRoots`).
    package func usage(cache: CollectionRoots, containers: CollectionRoots) throws -> StoreUsage {
        var usage = StoreUsage()
        var disk = DiskUsage()
        for name in try Files.list(blobFolder) {
            let bytes = try disk.measure("\(blobFolder)/\(name)")
            if let digest = Digest(hex: name) { usage.blobs[digest] = bytes } else { usage.loose += bytes }
        }
        for entry in try layerEntries() {
            let bytes = try disk.measure(entry.path)
            if let chainID = entry.chainID { usage.layers[chainID, default: 0] += bytes } else { usage.loose += bytes }
        }
        usage.containers = try disk.measure(path("containers"))
        usage.volumes = try disk.measure(path("volumes"))
        usage.cacheRecords = try disk.measure(path("build"))
        for folder in ["partial", "tmp", "quarantine"] {
            // The folder itself is always there.
            let own = (try? FileStatus.of(path(folder)))?.allocated ?? 0
            usage.loose += max(0, try disk.measure(path(folder)) - own)
            usage.frame += own
        }
        try attribute(cache, containers, &usage)
        // What was measured above is not counted again.
        usage.frame += try disk.measure(root)
        return usage
    }

    private func attribute(_ cache: CollectionRoots, _ containers: CollectionRoots, _ usage: inout StoreUsage) throws {
        let images = try marked(from: index().distinctTargets, countingDamage: true)
        func share(_ marked: Marked) -> StoreUsage.Content {
            StoreUsage.Content(
                blobs: marked.blobs.intersection(usage.blobs.keys),
                layers: marked.layers.intersection(usage.layers.keys)
            )
        }
        usage.ofImages = share(images)
        var marked = Marked(countsDamage: true)
        try mark(cache, &marked)
        usage.ofCache = share(marked).subtracting(usage.ofImages)
        usage.damaged = (images.damaged ?? []).union(marked.damaged ?? [])
        marked = Marked(countsDamage: true)
        try mark(containers, &marked)
        usage.damaged.formUnion(marked.damaged ?? [])
        usage.ofContainers = share(marked).subtracting(usage.ofImages).subtracting(usage.ofCache)
        let kept = [usage.ofImages, usage.ofCache, usage.ofContainers]
        for (digest, bytes) in usage.blobs where !kept.contains(where: { $0.blobs.contains(digest) }) {
            usage.loose += bytes
            usage.blobs[digest] = nil
        }
        for (chainID, bytes) in usage.layers where !kept.contains(where: { $0.layers.contains(chainID) }) {
            usage.loose += bytes
            usage.layers[chainID] = nil
        }
    }

    /// What an image has in the store: its manifest, its configuration and its layers in every form.
    package func content(of image: StoredImage, in usage: StoreUsage) -> StoreUsage.Content {
        let blobs = [image.target.digest, image.manifestDigest, image.id] + image.manifest.layers.map(\.digest)
        return StoreUsage.Content(
            blobs: Set(blobs).intersection(usage.blobs.keys),
            layers: Set(image.chainIDs).intersection(usage.layers.keys)
        )
    }
}

extension StoreUsage.Content {
    package func subtracting(_ other: StoreUsage.Content) -> StoreUsage.Content {
        StoreUsage.Content(blobs: blobs.subtracting(other.blobs), layers: layers.subtracting(other.layers))
    }

    package func union(_ other: StoreUsage.Content) -> StoreUsage.Content {
        StoreUsage.Content(blobs: blobs.union(other.blobs), layers: layers.union(other.layers))
    }
}
