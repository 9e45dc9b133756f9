import OCI

/// Reads documents of one repository, one after the other, over the same connections and with the same token. The endpoint
/// that answered first is the first to be asked again.
package final class RepositoryReader {
    private let session: Session
    private let reference: ImageReference
    /// The endpoints with the one in front that answered; nil before the first answer.
    private var sources: [Repository]?

    fileprivate init(_ session: Session, _ reference: ImageReference) {
        self.session = session
        self.reference = reference
    }

    /// The manifest or the index that the name stands for, as it is there.
    package func manifest() throws -> RemoteManifest {
        let digest = reference.digest
        let name = digest?.description ?? reference.tag ?? "latest"
        return try asking { try await $0.manifest(name, expected: digest) }
    }

    /// Another manifest of the repository.
    package func manifest(_ digest: Digest) throws -> RemoteManifest {
        try asking { try await $0.manifest("\(digest)", expected: digest) }
    }

    /// A small blob of the repository, verified.
    package func blob(_ descriptor: Descriptor) throws -> [UInt8] {
        try asking { try await $0.blob(descriptor, limit: 8 << 20) }
    }

    private func asking<R: Sendable>(_ body: @escaping @Sendable (Repository) async throws -> R) throws -> R {
        let (session, reference, known) = (session, reference, sources)
        do {
            let (answer, sources) = try Blocking.run {
                if let known { return (try await RepositoryChoice.ask(known, body), known) }
                return try await RepositoryChoice(session, reference, .pull).first(with: .resolve, body)
            }
            self.sources = sources
            return answer
        } catch { throw Failures.pullError(error, reference) }
    }
}

extension RegistryClient {
    /// Runs `body` with a reader of a name's repository, whose connections end with it.
    package func reading<R>(_ reference: ImageReference, _ body: (RepositoryReader) throws -> R) throws -> R {
        let session = session()
        defer { try? Blocking.run { await session.close() } }
        return try body(RepositoryReader(session, reference))
    }
}
