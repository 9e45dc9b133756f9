import LinuxSystem
import OCI

extension ImageStore {
    /// Makes an image of blobs that are in the store: writes its manifest and gives it its names. When it returns, the
    /// image survives a power cut. Without references it is there, and only its id finds it.
    ///
    /// The caller holds a lease since before it wrote the first blob.
    @discardableResult
    package func commit(manifest: ImageManifest, references: [ImageReference]) throws -> StoredImage {
        let target = try ingest(manifest.json.bytes(), mediaType: manifest.mediaType)
        return try commit(target: target, references: references).image
    }

    /// Gives names to a manifest, or to an index, that was stored as it came. All of the image for `platform` must be
    /// there; of an index other platforms' may be missing.
    ///
    /// - Returns: the image, and what names pointed to before where that was another image.
    @discardableResult
    package func commit(target: Descriptor, references: [ImageReference], platform: Platform? = nil) throws
        -> (image: StoredImage, replaced: [(reference: ImageReference, image: Digest)])
    {
        guard var image = try image(target, platform: platform) else {
            throw EngineError(.notFound, "no matching manifest for \(platform ?? .host) in the manifest list entries")
        }
        try checkComplete(image)
        try ImageStore.checkAnnotations(target)
        try Files.syncDirectory(of: blobPath(target.digest))
        let plain = Descriptor(
            mediaType: target.mediaType,
            digest: target.digest,
            size: target.size,
            annotations: target.annotations
        )
        let wanted = try references.map { reference in
            let name = try reference.withoutTagBesideDigest
            try ImageStore.checkName(name, of: plain)
            return name
        }
        let (names, before) = try updateIndex { index in
            let before = index.point(wanted, to: plain)
            var seen: Set<Digest> = []
            for (_, old) in before where seen.insert(old.digest).inserted {
                // The same image packed otherwise: nobody needs the old packing's blobs for the image's sake.
                if Set(manifests(of: old).map(\.manifest.configuration.digest)) == [image.id] {
                    index.removeNameless(old.digest)
                    awaitCollection()
                }
            }
            if references.isEmpty { index.keep(plain) }
            return (index.references(to: target.digest), before)
        }
        image.references = names
        touch(image)
        return (
            image,
            before.compactMap { name, old in
                guard let id = try? self.image(old, platform: platform)?.id, id != image.id else { return nil }
                return (name, id)
            }
        )
    }

    /// Throws where a name would say something else than what it is given to: who asks for a digest, or for an id, must get that.
    private static func checkName(_ name: ImageReference, of target: Descriptor) throws(EngineError) {
        if name.digest == nil, name.familiarRepository == "sha256" {
            throw EngineError(.invalid, "refusing to create an ambiguous tag using digest algorithm as name")
        }
        if let digest = name.digest, digest != target.digest {
            throw EngineError(.invalid, "\(name.familiar) cannot be the name of what has the digest \(target.digest)")
        }
    }

    /// Throws unless all blobs of the image are there and its parts agree.
    private func checkComplete(_ image: StoredImage) throws {
        try image.requireMountable()
        for (blob, _) in try image.layers {
            guard hasBlob(blob.digest, size: blob.size) else {
                throw EngineError(.corrupt, "blob \(blob.digest) is not in the store")
            }
        }
    }

    /// Gives an image one more name, which it may have had another image until now.
    package func tag(_ image: StoredImage, as reference: ImageReference) throws {
        if reference.digest != nil {
            throw EngineError(.invalid, "refusing to create a tag with a digest reference")
        }
        try ImageStore.checkName(reference, of: image.target)
        try lease().during {
            guard hasBlob(image.target.digest) else { throw EngineError(.notFound, "No such image: \(image.id)") }
            _ = try updateIndex { $0.point([reference], to: image.target) }
        }
    }
}

extension ImageReference {
    /// `name:tag@digest` as `name@digest`: a digest says it all.
    fileprivate var withoutTagBesideDigest: ImageReference {
        get throws {
            guard let digest, tag != nil else { return self }
            return try ImageReference("\(repository)@\(digest)")
        }
    }
}
