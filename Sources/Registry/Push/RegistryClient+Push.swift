import Images
import LinuxSystem
import OCI

extension RegistryClient {
    /// Brings an image to the registry that its name names, under the name's tag. When it returns, the registry has said
    /// that it has everything.
    ///
    /// - Parameters:
    ///   - platform: only this one of an index.
    ///   - events: called from several threads.
    /// - Returns: what the tag stands for now.
    @discardableResult
    package func push(
        _ reference: ImageReference,
        from store: ImageStore,
        platform: Platform? = nil,
        events: @escaping @Sendable (PushEvent) -> Void = { _ in }
    ) throws -> Descriptor {
        guard reference.digest == nil else {
            throw EngineError(.invalid, "cannot push a digest reference")
        }
        return try store.lease().during {
            guard let image = try? store.resolve(reference.description, platform: platform) else {
                throw EngineError(
                    .notFound,
                    "An image does not exist locally with the tag: \(reference.familiarRepository)"
                )
            }
            let content = try PushContent(image, to: reference, in: store, platform: platform)
            events(.pushing(to: reference.repository))
            let target = try interruptible { session in
                try await ImagePush(
                    session: session,
                    store: store,
                    reference: reference,
                    content: content,
                    events: events
                )
                .run()
            }
            if let note = content.note { events(.note(note)) }
            events(.tagged(reference.tag ?? "", digest: target.digest, size: target.size))
            // As docker does: where the image is from now on.
            let name = try ImageReference("\(reference.repository)@\(target.digest)")
            try store.commit(target: target, references: [name], platform: platform ?? image.configuration.platform)
            return target
        }
    }

    /// Like `blocking`, but SIGINT and SIGTERM stop it, so that uploads that were begun are taken back.
    private func interruptible<R: Sendable>(_ body: @escaping @Sendable (Session) async throws -> R) throws -> R {
        let session = session()
        do {
            return try Blocking.untilSignal { try await Session.during(session, body) }
        } catch { throw Failures.engineError(error) }
    }
}
