import Images
import OCI

/// What happens while an image is pulled. Layers are named by their blobs' digests.
package enum PullEvent: Sendable {
    /// The repository's path, and the tag or digest that is pulled.
    case pulling(reference: String, from: String)
    /// A layer that will be fetched, in the manifest's order.
    case layer(Digest, size: Int64)
    /// A layer whose blob is in the store.
    case exists(Digest)
    /// A layer that has to wait for its turn.
    case waiting(Digest)
    /// So many of the layer's bytes are there.
    case downloading(Digest, bytes: Int64, size: Int64)
    case verifying(Digest)
    case downloaded(Digest)
    /// So many of the layer's bytes were unpacked.
    case extracting(Digest, bytes: Int64, size: Int64)
    /// The layer is ready.
    case complete(Digest)
}

/// What came of a pull.
package struct PullResult: Sendable {
    package let reference: ImageReference
    package let image: StoredImage
    /// Of the manifest or index that the name stands for.
    package let digest: Digest
    /// Whether the store has something that it had not before.
    package let isNewer: Bool
}
