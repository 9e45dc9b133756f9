import OCI

/// The endpoints of a repository, to be asked one after the other until one has what is wanted.
struct RepositoryChoice: Sendable {
    let repositories: [Repository]
    private let options: TransferOptions

    init(_ session: Session, _ reference: ImageReference, _ operation: RegistryOperation) throws {
        options = session.options
        repositories = try session.configuration.endpoints(for: reference, operation).map {
            Repository(session: session, endpoint: $0, operation: operation)
        }
    }

    /// Asks each endpoint with the capability.
    ///
    /// - Returns: the first answer, and all endpoints with the one that gave it in front.
    func first<R: Sendable>(with capability: Endpoint.Capabilities, _ body: (Repository) async throws -> R) async throws
        -> (R, [Repository])
    {
        let found = try await EndpointChoice.first(of: repositories.map(\.endpoint), with: capability, options) {
            position,
            patience in
            var repository = repositories[position]
            repository.patience = patience
            return try await body(repository)
        }
        return (found.answer, order(from: found.position))
    }

    /// All that may be pulled from, where none was asked yet: which of them can be spoken to is not known, nor by TLS or without.
    var unasked: [Repository] { Self.impatient(repositories.filter { $0.endpoint.capabilities.contains(.pull) }) }

    /// The endpoint in front, then those of other places that can be of use.
    private func order(from position: Int) -> [Repository] {
        let chosen = repositories[position]
        let others = repositories.enumerated().filter { index, other in
            index != position && other.endpoint.authority != chosen.endpoint.authority
                && other.endpoint.capabilities.contains(.pull)
        }
        return Self.impatient([chosen] + others.map(\.element))
    }

    /// Who has others behind it gets no second chance.
    private static func impatient(_ repositories: [Repository]) -> [Repository] {
        var repositories = repositories
        for index in repositories.indices.dropLast() {
            repositories[index].patience = Patience(attempts: 1, connections: 1)
        }
        return repositories
    }

    /// Asks one endpoint after the other.
    static func ask<R: Sendable>(_ repositories: [Repository], _ body: (Repository) async throws -> R) async throws -> R
    {
        var last: (any Error)?
        for repository in repositories where repository.endpoint.isUseful(after: last) {
            do { return try await body(repository) } catch {
                try Task.checkCancellation()
                last = error
            }
        }
        throw last ?? EngineError(.failed, "no endpoint of the registry may be asked for this")
    }
}
