import OCI

/// What happens while an image is pushed. Layers are named by their blobs' digests.
package enum PushEvent: Sendable {
    /// The whole name of the repository.
    case pushing(to: String)
    case preparing(Digest)
    case waiting(Digest)
    case exists(Digest)
    case uploading(Digest, bytes: Int64, size: Int64)
    case pushed(Digest)
    /// Taken over from another repository of the registry.
    case mounted(Digest, from: String)
    /// A foreign layer, which may not be handed on.
    case skipped(Digest)
    case note(String)
    /// A tag, and the manifest or index that it now stands for.
    case tagged(String, digest: Digest, size: Int64)
}
