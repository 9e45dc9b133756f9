import Images
import OCI

/// A run as it was asked for.
package struct RunRequest: Sendable {
    /// A name in the store, an id, or a location (`oci:DIR`).
    package var image: String
    package var platform: Platform?
    package var options: ContainerOptions
    package var pull = PullPolicy.missing
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
    package func image(
        _ text: String,
        platform: Platform?,
        pull: PullPolicy = .never,
        missing: (ImageReference) -> Void = { _ in }
    ) throws -> RunnableImage {
        let image: RunnableImage
        if let location = ImageLocation.parse(text) {
            let limits = images.unpackLimits.expansion
            image = .outside(try location.open(platform: platform, spool: images.root + "/tmp", limits: limits))
        } else {
            let stored = try storedImage(text, platform: platform, pull: pull, missing: missing)
            images.touch(stored)
            image = .stored(stored)
        }
        // An index need not say what its only image is for.
        if let platform, !image.content.configuration.platform.serves(platform) {
            throw EngineError(
                .notFound,
                "image \(text) was found but does not provide the specified platform (\(platform))"
            )
        }
        return image
    }
}
