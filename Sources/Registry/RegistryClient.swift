import Images
import LinuxSystem
import NIOHTTP1
import OCI

/// Registries for synchronous callers: every function waits until it is done.
///
/// Nothing is kept between calls but the configuration: neither threads' work nor connections nor tokens.
package struct RegistryClient: Sendable {
    package let configuration: RegistryConfiguration
    package let options: TransferOptions
    let credentials: Authorizer.CredentialLookup

    package init(
        configuration: RegistryConfiguration,
        credentials: @escaping @Sendable (_ host: String, _ repository: String) throws -> Credential?,
        options: TransferOptions = TransferOptions()
    ) {
        self.configuration = configuration
        self.credentials = credentials
        self.options = options
    }

    func session() -> Session { Session(configuration, credentials: credentials, options) }

    /// Runs `body` with a session to its end. Errors are such as a person reads.
    func blocking<R: Sendable>(_ body: @escaping @Sendable (Session) async throws -> R) throws -> R {
        let session = session()
        do { return try Blocking.run { try await Session.during(session, body) } } catch {
            throw Failures.engineError(error)
        }
    }

    /// The same for one repository, at the first of its endpoints that gives an answer.
    private func asking<R: Sendable>(
        _ reference: ImageReference,
        _ body: @escaping @Sendable (Repository) async throws -> R
    ) throws -> R {
        do {
            return try Blocking.run { [self] in
                try await Session.during(session()) { session in
                    try await RepositoryChoice(session, reference, .pull).first(with: .resolve, body).0
                }
            }
        } catch { throw Failures.pullError(error, reference) }
    }

    /// All tags of a repository, in the registry's order.
    package func tags(of reference: ImageReference) throws -> [String] { try asking(reference) { try await $0.tags() } }

    /// The manifest or the index that a name stands for, as it is there.
    package func manifest(_ reference: ImageReference) throws -> RemoteManifest {
        try reading(reference) { try $0.manifest() }
    }

    /// What refers to a manifest: signatures, attestations.
    package func referrers(of digest: Digest, in reference: ImageReference) throws -> [Descriptor] {
        try asking(reference) { try await $0.referrers(of: digest) }
    }
}

extension Failures {
    /// A failed pull's error in docker's words (moby, distribution/errors.go).
    static func pullError(_ error: any Error, _ reference: ImageReference) -> any Error {
        guard let failure = error as? RegistryFailure else { return engineError(error) }
        if failure.has("DENIED") || failure.status == 403 && failure.entries.isEmpty {
            return EngineError(
                .notFound,
                "pull access denied for \(reference.familiarRepository), repository does not exist or may require "
                    + "'docker login': \(failure)"
            )
        }
        if failure.has("MANIFEST_UNKNOWN") || failure.status == 404 && failure.entries.isEmpty {
            let reason = failure.entries.isEmpty ? "manifest unknown" : "\(failure)"
            return EngineError(.notFound, "manifest for \(reference.familiar) not found: \(reason)")
        }
        if failure.has("NAME_UNKNOWN") {
            return EngineError(.notFound, "repository \(reference.familiarRepository) not found: \(failure)")
        }
        return engineError(failure)
    }
}
