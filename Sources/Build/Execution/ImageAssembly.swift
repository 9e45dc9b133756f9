import Images
import OCI

/// Makes an image of a finished stage.
struct ImageAssembly {
    let images: ImageStore
    let plan: StagePlan
    let state: StageState
    /// The time of everything, in seconds since 1970; nil takes the steps' own.
    let epoch: Int64?

    /// What the image says of itself. The same layers with the same records give the same bytes.
    func configuration() -> ImageConfiguration {
        var image = ImageConfiguration(platform: state.platform)
        image.author = plan.author
        image.config = plan.configuration
        image.diffIDs = state.diffIDs
        let times = self.times
        image.created = times.last ?? epoch.map(ImageAssembly.text) ?? state.baseCreated
        image.history = state.baseHistory
        for (step, time) in zip(state.steps, times) {
            image.history.append(
                ImageConfiguration.History(
                    created: time,
                    createdBy: step.createdBy,
                    author: nil,
                    comment: "buildkit.dockerfile.v0",
                    emptyLayer: step.created == nil
                )
            )
        }
        return image
    }

    /// A time for each step. One without a layer is as old as the layer before it, or else as the first after it, as
    /// BuildKit has it; without any, as the base.
    private var times: [String] {
        if let epoch { return state.steps.map { _ in ImageAssembly.text(epoch) } }
        let first = state.steps.lazy.compactMap(\.created).first.map(Timestamp.rfc3339)
        var last = first ?? state.baseCreated ?? ImageAssembly.text(DraftTime.standard)
        var newest: UInt64 = 0
        return state.steps.map { step in
            // A cached layer may be younger than one that was made again; an image's time does not run backwards.
            if let created = step.created, created > newest {
                newest = created
                last = Timestamp.rfc3339(nanoseconds: created)
            }
            return last
        }
    }

    private static func text(_ seconds: Int64) -> String {
        Timestamp.rfc3339(seconds: seconds)
    }

    /// Stores configuration and manifest; `named` is called before the image gets its names.
    func commit(_ references: [ImageReference], written: (Digest) -> Void) throws -> StoredImage {
        let descriptor = try images.ingest(configuration().json.bytes(), mediaType: .imageConfiguration)
        written(descriptor.digest)
        return try images.commit(
            manifest: ImageManifest(configuration: descriptor, layers: state.layers),
            references: references
        )
    }
}

/// The times of files that COPY, ADD and WORKDIR make.
enum DraftTime {
    /// 1980-01-01T00:00:00Z, the first moment that every archive format can say.
    static let standard: Int64 = 315_532_800
}
