import OCI

/// An image whose layers can be read: one in the store, or one in an archive or a layout (`TransportImage`).
package protocol ImageContent: Sendable {
    var manifest: ImageManifest { get }
    var configuration: ImageConfiguration { get }
    /// The layer's blob, as compressed as its media type says, or more or less: only its first bytes tell. It is
    /// verified at its end.
    func open(layer: Descriptor) throws -> any ByteSource
    /// Of a compressed archive that all of it came out of, its size in bytes; nil where there was none.
    var origin: Int64? { get }
}

extension ImageContent {
    package var origin: Int64? { nil }

    /// Throws where the image has more layers than can be mounted.
    package func requireMountable() throws(EngineError) {
        try LayerCount.require(max(manifest.layers.count, configuration.diffIDs.count))
    }

    /// Layer by layer, the base's first: the blob and the digest of the tar in it. Refused unless both lists agree.
    package var layers: [(blob: Descriptor, diffID: Digest)] {
        get throws {
            let diffIDs = configuration.diffIDs
            guard manifest.layers.count == diffIDs.count else {
                throw EngineError(
                    .corrupt,
                    "invalid manifest, layers length mismatch: expected \(manifest.layers.count), got \(diffIDs.count)"
                )
            }
            return Array(zip(manifest.layers, diffIDs).map { (blob: $0, diffID: $1) })
        }
    }
}

/// An image in the store.
package struct StoredImage: ImageContent, Sendable {
    /// The configuration's digest: what docker calls the image's id.
    package let id: Digest
    /// What its references point to: its manifest, or an index that has it for one platform.
    package let target: Descriptor
    package let manifestDescriptor: Descriptor
    package let manifest: ImageManifest
    package let configuration: ImageConfiguration
    /// The configuration's own bytes, with what this engine does not know.
    package let configurationBytes: [UInt8]
    /// Names with a tag and names with a digest, sorted; empty for an image that lost its last name.
    package internal(set) var references: [ImageReference]
    let store: ImageStore

    package var manifestDigest: Digest { manifestDescriptor.digest }

    /// `name:tag`.
    package var tags: [ImageReference] { references.filter { $0.tag != nil } }
    /// `name@sha256:…`.
    package var repositoryDigests: [ImageReference] { references.filter { $0.digest != nil } }

    /// The bytes of its blobs: manifest, configuration and layers as they came.
    package var size: Int64 {
        manifestDescriptor.size + manifest.configuration.size + manifest.layers.reduce(0) { $0 + $1.size }
    }

    /// One chain id for each layer, the base's first.
    package var chainIDs: [Digest] { ImageStore.chainID(configuration.diffIDs) }

    package func open(layer: Descriptor) throws -> any ByteSource { try store.openBlob(layer) }
}
