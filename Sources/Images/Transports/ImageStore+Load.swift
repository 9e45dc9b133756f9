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
    /// What `docker save`, `podman save`, `skopeo copy` and umoci write is known, compressed or not, from a file or a
    /// pipe. Digests and diff ids are verified while the blobs are written; with `unpacking` the layers for this machine
    /// are unpacked as well. If anything is wrong, no image and no name
    /// appears, and of the image that is wrong no blob stays.
    /// - Parameter path: what errors call it, and for a folder where it is.
    package func load(
        _ file: consuming FileDescriptor,
        path: String = "stdin",
        platform: Platform? = nil,
        unpacking: Bool = false
    ) throws
        -> [LoadedImage]
    {
        let lease = try lease()
        let archive = try ImageArchive.open(
            file,
            path: path,
            spool: temporaryFolder,
            limits: unpackLimits.expansion
        )
        return try lease.during { try load(archive, platform: platform, unpacking: unpacking) }
    }

    /// `load` of a file or folder.
    package func load(path: String, platform: Platform? = nil, unpacking: Bool = false) throws -> [LoadedImage] {
        let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK)
        return try load(file, path: path, platform: platform, unpacking: unpacking)
    }

    /// Copies one image from where it is into the store.
    package func load(_ location: ImageLocation, platform: Platform? = nil) throws -> LoadedImage {
        try lease().during {
            let image = try location.open(
                platform: platform,
                spool: temporaryFolder,
                limits: unpackLimits.expansion
            )
            var pending = PendingBlobs(store: self, origin: image.origin)
            let target = try pending.add(image)
            try pending.commit()
            return try name(target, image.references, platform: platform)
        }
    }

    private func load(_ archive: ImageArchive, platform: Platform?, unpacking: Bool) throws -> [LoadedImage] {
        // Everything is right before the first blob appears, and stored before the first name does.
        var pending = PendingBlobs(store: self, origin: archive.files.origin)
        var ready: [(target: Descriptor, references: [ImageReference])] = []
        switch archive {
        case .layout(let layout):
            for (entry, references) in try layout.imageEntries {
                if unpacking, let image = try layout.onlyImage(of: entry) { try pending.unpack(image) }
                ready.append((try pending.add(layout, entry: entry), references))
            }
        case .docker(let docker):
            for item in docker.distinctItems {
                let image = try docker.image(item)
                if unpacking { try pending.unpack(image) }
                ready.append((try pending.add(image), item.references))
            }
        case .legacy(let legacy):
            for (id, references) in try legacy.images { ready.append((try pending.add(legacy, id), references)) }
        }
        try pending.commit()
        // Before there is a name: a layer that cannot be unpacked is refused here and not at the first run. Most are by now.
        for (target, _) in ready where unpacking {
            guard let image = try image(target, platform: platform) else { continue }
            try setAsideChangedLayers(of: image)
            _ = try unpackedLayers(of: image)
        }
        if case .layout(let layout) = archive { try addDockersNames(layout, to: &ready) }
        return try ready.map { try name($0.target, $0.references, platform: platform) }
    }

    /// Gives images that a layout has no names for those that docker's manifest.json beside it has.
    private func addDockersNames(
        _ layout: OCILayout,
        to ready: inout [(target: Descriptor, references: [ImageReference])]
    ) throws {
        guard let docker = try DockerArchive(layout.files) else { return }
        var names: [Digest: [ImageReference]] = [:]
        for item in docker.distinctItems {
            guard let bytes = try layout.files.read(item.configuration) else { continue }
            names[SHA256Digest.of(bytes), default: []] += item.references
        }
        for position in ready.indices where ready[position].references.isEmpty {
            let ids = manifests(of: ready[position].target).map(\.manifest.configuration.digest)
            ready[position].references = ids.flatMap { names[$0] ?? [] }
        }
    }

    private func name(_ target: Descriptor, _ references: [ImageReference], platform: Platform?) throws -> LoadedImage {
        let (image, replaced) = try commit(target: target, references: references, platform: platform)
        return LoadedImage(image: image, references: references, replaced: replaced)
    }
}
