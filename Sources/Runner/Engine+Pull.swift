import Images
import OCI
import Registry

/// When an image is asked for at its registry.
package enum PullPolicy: String, Sendable { case always, missing, never }

/// Where images come from that are not in the store.
package struct ImageSource: Sendable {
    /// Brings an image into the store. `events` come from several threads; nil lets it show them itself.
    package typealias Pull =
        @Sendable (
            _ reference: ImageReference, _ platform: Platform?, _ store: ImageStore,
            _ events: (@Sendable (PullEvent) -> Void)?
        ) throws -> PullResult
    /// Stores what a name stands for, without a name and without layers (`RegistryClient.documents`).
    package typealias Documents =
        @Sendable (_ reference: ImageReference, _ platform: Platform, _ store: ImageStore) throws -> Descriptor

    package let pull: Pull
    package let documents: Documents

    package init(pull: @escaping Pull, documents: @escaping Documents) {
        self.pull = pull
        self.documents = documents
    }
}

extension Engine {
    /// The image that a name stands for; pulled first where that is wanted.
    ///
    /// - Parameter missing: called before a pull of what is not here.
    package func storedImage(
        _ text: String,
        platform: Platform?,
        pull policy: PullPolicy,
        missing: (ImageReference) -> Void = { _ in }
    ) throws -> StoredImage {
        guard let source, policy != .never else { return try images.resolve(text, platform: platform) }
        if policy == .missing, let image = try stored(text, platform) { return image }
        // What can only be an id is in no registry.
        guard let reference = try? ImageReference(text) else { return try images.resolve(text, platform: platform) }
        if policy == .missing { missing(reference) }
        _ = try source.pull(reference, platform, images, nil)
        return try images.resolve(text, platform: platform)
    }

    /// What is known of the image that a name stands for before its layers are needed: its documents come from its
    /// registry where that is wanted, its layers by `bring` if `isWhole` says that they are missing.
    ///
    /// The caller holds a lease: nothing else keeps documents that have no name yet.
    /// - Parameter asking: runs what waits for a registry.
    package func described(
        _ reference: ImageReference,
        platform: Platform,
        pull policy: PullPolicy,
        asking: (@escaping @Sendable () throws -> Descriptor) throws -> Descriptor
    ) throws -> (image: StoredImage, isWhole: Bool) {
        let text = reference.description
        guard let source, policy != .never else { return (try images.resolve(text, platform: platform), true) }
        let here = try stored(text, platform)
        if policy == .missing, let here { return (here, true) }
        let target = try asking { [images] in try source.documents(reference, platform, images) }
        guard let image = try images.image(target, platform: platform) else {
            throw EngineError(.notFound, "no matching manifest for \(platform) in the manifest list entries")
        }
        if let here, here.target.digest == target.digest, here.id == image.id { return (here, true) }
        return (image, false)
    }

    /// Brings what `described` has left out, and gives the image its name.
    package func bring(
        _ image: StoredImage,
        as reference: ImageReference,
        platform: Platform,
        events: @escaping @Sendable (PullEvent) -> Void
    ) throws {
        guard let source else { return }
        // By its digest: the name may stand for another image by now.
        let exact = try ImageReference("\(reference.repository)@\(image.target.digest)")
        let pulled = try source.pull(exact, platform, images, events)
        if reference.digest == nil { try images.tag(pulled.image, as: reference) }
    }

    private func stored(_ text: String, _ platform: Platform?) throws -> StoredImage? {
        do { return try images.resolve(text, platform: platform) } catch let error as EngineError {
            guard error.kind == .notFound else { throw error }
            return nil
        }
    }
}
