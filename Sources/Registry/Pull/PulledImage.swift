import Images
import OCI

/// An image on its way into the store: layers that are still being fetched are read as they come.
struct PulledImage: ImageContent, Sendable {
    let manifest: ImageManifest
    let configuration: ImageConfiguration
    let partials: [Digest: PartialBlob]
    let store: ImageStore

    func open(layer: Descriptor) throws -> any ByteSource {
        try partials[layer.digest]?.source() ?? store.openBlob(layer)
    }
}
