import Images
import OCI
import Registry

/// When an image is asked for at its registry.
package enum PullPolicy: String, Sendable { case always, missing, never }

extension Engine {
    /// Brings an image into the store from its registry. `events` come from several threads.
    package typealias Puller =
        @Sendable (
            _ reference: ImageReference, _ platform: Platform?, _ store: ImageStore,
            _ events: (@Sendable (PullEvent) -> Void)?
        ) throws -> PullResult

    /// The image that a name stands for; pulled first where that is wanted.
    ///
    /// - Parameters:
    ///   - events: what the pull does; nil lets the puller show it itself.
    ///   - missing: called before a pull of what is not here.
    package func storedImage(
        _ text: String,
        platform: Platform?,
        pull policy: PullPolicy,
        events: (@Sendable (PullEvent) -> Void)? = nil,
        missing: (ImageReference) -> Void = { _ in }
    ) throws -> StoredImage {
        guard let puller, policy != .never else { return try images.resolve(text, platform: platform) }
        if policy == .missing {
            do { return try images.resolve(text, platform: platform) } catch let error as EngineError {
                guard error.kind == .notFound else { throw error }
            }
        }
        // What can only be an id is in no registry.
        guard let reference = try? ImageReference(text) else { return try images.resolve(text, platform: platform) }
        if policy == .missing { missing(reference) }
        _ = try puller(reference, platform, images, events)
        return try images.resolve(text, platform: platform)
    }
}
