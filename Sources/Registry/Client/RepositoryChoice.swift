import OCI

/// The endpoints of a repository, to be asked one after the other until one has what is wanted.
struct RepositoryChoice: Sendable {
    let repositories: [Repository]

    init(_ session: Session, _ reference: ImageReference, _ operation: RegistryOperation) throws {
        self.init(session, try session.configuration.endpoints(for: reference, operation), operation)
    }

    init(_ session: Session, _ endpoints: [Endpoint], _ operation: RegistryOperation) {
        repositories = endpoints.map { Repository(session: session, endpoint: $0, operation: operation) }
    }

    /// Asks each endpoint with the capability.
    ///
    /// - Returns: the first answer, and all endpoints with the one that gave it in front. Where none answers the last
    ///   error is thrown: that of the registry itself, which stands last.
    func first<R: Sendable>(with capability: Endpoint.Capabilities, _ body: (Repository) async throws -> R) async throws
        -> (R, [Repository])
    {
        var last: (any Error)?
        // Whether the endpoint before could not be spoken to at all.
        var isUnreachable = true
        for (position, repository) in repositories.enumerated()
        where repository.endpoint.capabilities.contains(capability) {
            if repository.endpoint.isPlainFallback, !isUnreachable { continue }
            do {
                let answer = try await body(repository)
                return (answer, order(from: position))
            } catch {
                try Task.checkCancellation()
                isUnreachable = (error as? TransportFailure)?.isUnreachable ?? false
                // What is wrong with plain HTTP as well is wrong with the place: what TLS said is no news.
                last = error
            }
        }
        throw last ?? EngineError(.failed, "no endpoint of the registry may be asked for this")
    }

    /// The endpoint in front, then the others that can be of use: of one place only the way that works.
    private func order(from position: Int) -> [Repository] {
        let chosen = repositories[position]
        let others = repositories.enumerated().filter { index, other in
            index != position && other.endpoint.authority != chosen.endpoint.authority
                && !other.endpoint.isPlainFallback
                && other.endpoint.capabilities.contains(.pull)
        }
        return [chosen] + others.map(\.element)
    }

    /// Asks one endpoint after the other.
    static func ask<R: Sendable>(_ repositories: [Repository], _ body: (Repository) async throws -> R) async throws -> R
    {
        var last: (any Error)?
        for repository in repositories {
            do { return try await body(repository) } catch {
                try Task.checkCancellation()
                last = error
            }
        }
        throw last ?? EngineError(.failed, "no endpoint of the registry may be asked for this")
    }
}
