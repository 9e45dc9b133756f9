import Images
import OCI

/// What a stage is made of so far.
struct StageState {
    /// Of the base and of every step.
    private(set) var layers: [Descriptor] = []
    private(set) var diffIDs: [Digest] = []
    /// The base's entries.
    var baseHistory: [ImageConfiguration.History] = []
    /// The steps' own; those without a layer have no time yet.
    var steps: [Entry] = []
    var platform: Platform
    /// When the base was made.
    var baseCreated: String?
    /// The image at the bottom, whose layers may still be at its registry; nil for scratch.
    private(set) var base: ImageRequest?

    struct Entry {
        let createdBy: String
        /// When the layer was made, in nanoseconds since 1970; nil without a layer.
        let created: UInt64?
    }

    init(platform: Platform) { self.platform = platform }

    /// Starts from an image of the store.
    init(_ image: StoredImage, named base: ImageRequest) throws {
        self.base = base
        platform = image.configuration.platform
        baseHistory = image.configuration.history
        baseCreated = image.configuration.created
        for (blob, diffID) in try image.layers {
            layers.append(Descriptor(mediaType: blob.mediaType.inOCI, digest: blob.digest, size: blob.size))
            diffIDs.append(diffID)
        }
    }

    /// Starts from another stage: its steps count as this one's.
    var chainID: Digest? { ImageStore.chainID(diffIDs).last }

    mutating func add(_ record: BuildCache.Record, createdBy: String) {
        layers.append(record.layer)
        diffIDs.append(record.layer.digest)
        steps.append(Entry(createdBy: createdBy, created: record.created))
    }

    mutating func addWithoutLayer(createdBy: String) { steps.append(Entry(createdBy: createdBy, created: nil)) }

    /// The layers as an image's, for whoever unpacks them.
    func content(in store: ImageStore) -> StageContent {
        var configuration = ImageConfiguration(platform: platform)
        configuration.diffIDs = diffIDs
        // Nobody looks at the configuration's blob: there is none yet.
        let none = Descriptor(mediaType: .imageConfiguration, digest: SHA256Digest.of([]), size: 0)
        return StageContent(
            manifest: ImageManifest(configuration: none, layers: layers),
            configuration: configuration,
            store: store
        )
    }
}

/// An image in the making.
struct StageContent: ImageContent {
    let manifest: ImageManifest
    let configuration: ImageConfiguration
    let store: ImageStore

    func open(layer: Descriptor) throws -> any ByteSource { try store.openBlob(layer) }
}

extension MediaType {
    /// A layer's type in an OCI manifest, whatever manifest it comes from.
    fileprivate var inOCI: MediaType {
        switch self {
        case .dockerLayer: .layer
        case .dockerLayerGzip: .layerGzip
        default: self
        }
    }
}
