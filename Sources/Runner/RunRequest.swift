import Images
import OCI

/// A run as it was asked for.
package struct RunRequest: Sendable {
    /// A name in the store, an id, or a location (`oci:DIR`).
    package var image: String
    package var platform: Platform?
    package var options: ContainerOptions
    /// Statistics are wanted at the end.
    package var reports = false
    /// Signals that come meanwhile go to the container.
    package var forwardsSignals = true

    package init(image: String, options: ContainerOptions) {
        self.image = image
        self.options = options
    }
}

/// An image to run, wherever it lies.
package enum RunnableImage: Sendable {
    case stored(StoredImage)
    case outside(TransportImage)

    package var content: any ImageContent {
        switch self {
        case .stored(let image): image
        case .outside(let image): image
        }
    }

    package var id: Digest {
        switch self {
        case .stored(let image): image.id
        case .outside(let image): image.id
        }
    }
}

extension Engine {
    /// Finds the image of a request, by location where it reads as one, else in the store.
    package func image(_ text: String, platform: Platform?) throws -> RunnableImage {
        if let location = ImageLocation.parse(text) {
            return .outside(try location.open(platform: platform, spool: images.root + "/tmp"))
        }
        return .stored(try images.resolve(text, platform: platform))
    }
}
