import OCI

/// One of the things that a name stands for: an image for a platform, or what an index says of one of them.
package struct PlatformImage: Sendable {
    /// The manifest.
    package let descriptor: Descriptor
    /// nil where not all of its documents are in the store.
    package let image: StoredImage?
    /// What BuildKit says of how an image was made, in the form of a manifest.
    package let isAttestation: Bool
    /// Whether every blob of it is in the store.
    package let isWhole: Bool
    /// The bytes of those blobs that are.
    package let contentSize: Int64

    package var platform: Platform? { descriptor.platform ?? image?.configuration.platform }
}

extension ImageStore {
    /// What names stand for, each once, with all of its names: an index counts as one, whatever it leads to.
    package func namedTargets() throws -> [(target: Descriptor, names: [ImageReference])] {
        let index = try index()
        return index.distinctTargets.map { ($0, index.references(to: $0.digest)) }
    }

    /// The image that a target stands for on this machine, or else the first that is here; nil where there is none.
    package func mainImage(of target: Descriptor, names: [ImageReference]) -> StoredImage? {
        guard var image = try? image(target, platform: nil) else { return nil }
        image.references = names
        return image
    }

    /// An index's manifests, or the one manifest that the target is.
    package func platforms(of target: Descriptor) -> [PlatformImage] {
        guard target.mediaType.isIndex else { return [platformImage(target, in: target)] }
        let index = (try? readBlob(target)).flatMap { try? JSON.parse($0) }.flatMap { try? ImageIndex($0) }
        return (index?.manifests ?? []).filter(\.mediaType.isManifest).map { platformImage($0, in: target) }
    }

    private func platformImage(_ descriptor: Descriptor, in target: Descriptor) -> PlatformImage {
        let manifest = (try? readBlob(descriptor)).flatMap { try? JSON.parse($0) }.flatMap { try? ImageManifest($0) }
        let blobs = Set([descriptor] + (manifest.map { [$0.configuration] + $0.layers } ?? []))
        let here = blobs.filter { hasBlob($0.digest, size: $0.size) }
        let isAttestation = descriptor.annotations["vnd.docker.reference.type"] == "attestation-manifest"
        return PlatformImage(
            descriptor: descriptor,
            image: isAttestation ? nil : manifest.flatMap { try? image(target, descriptor, $0) },
            isAttestation: isAttestation,
            isWhole: manifest != nil && here.count == blobs.count,
            contentSize: here.reduce(0) { $0 + $1.size }
        )
    }
}
