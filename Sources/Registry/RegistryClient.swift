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
        try asking(reference) { repository in
            try await repository.manifest(
                reference.digest?.description ?? reference.tag ?? "latest",
                expected: reference.digest
            )
        }
    }

    /// What refers to a manifest: signatures, attestations.
    package func referrers(of digest: Digest, in reference: ImageReference) throws -> [Descriptor] {
        try asking(reference) { try await $0.referrers(of: digest) }
    }

    /// A small blob of a repository, verified.
    package func blob(_ descriptor: Descriptor, in reference: ImageReference) throws -> [UInt8] {
        try asking(reference) { try await $0.blob(descriptor, limit: 8 << 20) }
    }

    /// Asks a registry's version check with a credential.
    ///
    /// - Parameter server: as it is typed for `login`; "" for Docker Hub.
    package func verifyLogin(_ server: String, _ credential: Credential) throws -> LoginAnswer {
        let client = RegistryClient(configuration: configuration, credentials: { _, _ in credential }, options: options)
        return try client.blocking { session in
            let choice = RepositoryChoice(session, try session.configuration.endpoints(ofRegistry: server), .pull)
            return try await choice.first(with: []) { repository in
                let exchange = Exchange(
                    .GET,
                    try WebURL(repository.endpoint.apiURL("")),
                    repository.endpoint,
                    scopes: []
                )
                do {
                    _ = try await session.fetch(exchange, limit: 1 << 20)
                    return LoginAnswer.accepted(identityToken: nil)
                } catch let failure as RegistryFailure where failure.status == 401 || failure.status == 403 {
                    return .refused("Get \"\(exchange.url)\": \(failure)")
                }
            }.0
        }
    }

    /// The body of a search's answer.
    package func search(_ search: RepositorySearch, _ credential: Credential?) throws -> [UInt8] {
        var headers = [(name: "X-Docker-Token", value: "true")]
        if case .basic(let user, let password) = credential {
            headers.append(("Authorization", Authorizer.basic(user, password)))
        }
        let answer = try get("https://\(search.host)\(search.path)", headers: headers)
        guard answer.status == 200 else {
            throw EngineError(.failed, "Unexpected status code \(answer.status) from \(search.host)")
        }
        return answer.body
    }

    /// Any document of the web, with no other credentials than the headers hold. They are not sent to another place where
    /// the answer is a redirection.
    package func get(_ url: String, headers: [(name: String, value: String)] = [], limit: Int = 8 << 20) throws
        -> (status: Int, body: [UInt8])
    {
        let url = try WebURL(url)
        return try blocking { session in
            var endpoint = Endpoint(
                scheme: url.scheme,
                host: url.place.host,
                port: url.place.port,
                repository: "",
                credentialsKey: ""
            )
            endpoint.tls = try session.configuration.tls(for: url)
            var exchange = Exchange(.GET, url, endpoint, scopes: [])
            exchange.headers = headers
            let request = exchange
            return try await session.retrying {
                let answer = try await session.send(request)
                if answer.isTransient { throw await answer.failure() }
                return (answer.status, try await answer.bytes(limit: limit))
            }
        }
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
