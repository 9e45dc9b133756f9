import CLinux
import LinuxSystem
import OCI

/// An image that `load` brought into the store.
package struct LoadedImage: Sendable {
    package let image: StoredImage
    /// The names it got; without any, docker says its id instead.
    package let references: [ImageReference]
    /// Names that another image had until now.
    package let replaced: [(reference: ImageReference, image: Digest)]
}

extension ImageStore {
    /// Brings all images of an archive, or of an OCI layout's folder, into the store.
    ///
    /// What `docker save`, `podman save`, `skopeo copy` and umoci write is known, compressed or not, from a file or a pipe.
    /// Digests and diff ids are verified while the blobs are written. If anything is wrong, no image and no name appears,
    /// and of the image that is wrong no blob stays.
    /// - Parameter path: what errors call it, and for a folder where it is.
    package func load(_ file: consuming FileDescriptor, path: String = "stdin", platform: Platform? = nil) throws
        -> [LoadedImage]
    {
        let lease = try lease()
        let archive = try ImageArchive.open(file, path: path, spool: temporaryFolder)
        return try lease.during { try load(archive, platform: platform) }
    }

    /// `load` of a file or folder.
    package func load(path: String, platform: Platform? = nil) throws -> [LoadedImage] {
        try load(FileDescriptor.open(path, O_RDONLY | O_NONBLOCK), path: path, platform: platform)
    }

    /// Copies one image from where it is into the store.
    package func load(_ location: ImageLocation, platform: Platform? = nil) throws -> LoadedImage {
        try lease().during {
            let image = try location.open(platform: platform, spool: temporaryFolder)
            let target = try ingest(image)
            return try name(target, image.references, platform: platform)
        }
    }

    private func load(_ archive: ImageArchive, platform: Platform?) throws -> [LoadedImage] {
        // Everything is stored before the first name appears.
        var ready: [(target: Descriptor, references: [ImageReference])] = []
        switch archive {
        case .layout(let layout):
            let names = try DockerArchive(layout.files).map { try layout.names(from: $0) } ?? [:]
            for (entry, references) in layout.grouped {
                ready.append((try ingest(layout, entry, platform), references))
            }
            for position in ready.indices where ready[position].references.isEmpty {
                ready[position].references =
                    configuration(of: ready[position].target).flatMap { names[$0] } ?? []
            }
        case .docker(let docker):
            for item in docker.items { ready.append((try ingest(docker.image(item)), item.references)) }
        case .legacy(let legacy):
            for (reference, id) in legacy.names { ready.append((try ingest(legacy, id), [reference])) }
        }
        return try ready.map { try name($0.target, $0.references, platform: platform) }
    }

    private func name(_ target: Descriptor, _ references: [ImageReference], platform: Platform?) throws -> LoadedImage {
        let (image, replaced) = try commit(target: target, references: references, platform: platform)
        return LoadedImage(image: image, references: references, replaced: replaced)
    }

    private func configuration(of target: Descriptor) -> Digest? {
        manifests(of: target).first?.manifest.configuration.digest
    }

    /// Stores an image from wherever it is, and returns what a name can point to.
    func ingest(_ image: TransportImage) throws -> Descriptor {
        switch image.origin {
        case .layout(let layout, _, let manifest):
            var pending = PendingBlobs(store: self)
            try pending.add(layout, manifest, image)
            return try pending.commit(manifest)
        case .docker(let files, let paths):
            var pending = PendingBlobs(store: self)
            let layers = try image.layers.map { _, diffID in
                guard let path = paths[diffID], let file = try files.open(path) else {
                    throw files.missing(diffID.description)
                }
                return try pending.add(layer: file.source, diffID: diffID, expected: nil)
            }
            let configuration = try pending.add(image.configurationBytes, .imageConfiguration)
            let manifest = ImageManifest(configuration: configuration, layers: layers)
            return try pending.commit(pending.add(manifest.json.bytes(), manifest.mediaType))
        }
    }

    /// Stores what an entry of a layout's index.json leads to; of an index, the platforms that are there.
    private func ingest(_ layout: OCILayout, _ entry: Descriptor, _ platform: Platform?) throws -> Descriptor {
        var pending = PendingBlobs(store: self)
        let json = try layout.parse(entry)
        guard json["manifests"] != nil else {
            try pending.add(layout, entry, layout.image(entry, target: entry))
            return try pending.commit(entry)
        }
        try pending.add(layout, index: try ImageIndex(json), platform)
        try pending.add(try layout.files.document(entry), entry.mediaType)
        return try pending.commit(entry)
    }

    private func ingest(_ legacy: LegacyArchive, _ id: String) throws -> Descriptor {
        var pending = PendingBlobs(store: self)
        let layers = try legacy.layers(id)
        var diffIDs: [Digest] = []
        let blobs = try layers.map { layer in
            guard let file = try legacy.files.open(layer.path) else { throw legacy.files.missing(layer.path) }
            return try pending.add(layer: file.source, diffID: nil, expected: nil, found: { diffIDs.append($0) })
        }
        let configuration = try pending.add(legacy.configuration(layers, diffIDs: diffIDs).bytes(), .imageConfiguration)
        let manifest = ImageManifest(configuration: configuration, layers: blobs)
        return try pending.commit(pending.add(manifest.json.bytes(), manifest.mediaType))
    }
}

extension OCILayout {
    /// Each thing that index.json points to, with all its names.
    fileprivate var grouped: [(entry: Descriptor, references: [ImageReference])] {
        var order: [Descriptor] = []
        var names: [Digest: [ImageReference]] = [:]
        for entry in index.manifests {
            if names[entry.digest] == nil { order.append(entry) }
            names[entry.digest, default: []] += layoutReference(entry).map { [$0] } ?? []
        }
        return order.map { ($0, names[$0.digest] ?? []) }
    }

    /// The names that docker's manifest.json has for configurations.
    fileprivate func names(from docker: DockerArchive) throws -> [Digest: [ImageReference]] {
        var names: [Digest: [ImageReference]] = [:]
        for item in docker.items {
            guard let bytes = try files.read(item.configuration) else { continue }
            names[SHA256Digest.of(bytes), default: []] += item.references
        }
        return names
    }
}
