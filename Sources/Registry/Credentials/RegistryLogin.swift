import NIOHTTP1
import OCI

/// Asks a registry whether a credential is right.
package enum RegistryLogin {
    /// Makes the version check as the credential's user. HTTP without TLS is tried only where TLS cannot be spoken.
    ///
    /// - Parameter server: as it is typed for `login`; "" for Docker Hub.
    package static func verify(
        _ server: String,
        _ credential: Credential,
        _ configuration: RegistryConfiguration,
        _ options: TransferOptions
    ) throws -> LoginAnswer {
        let endpoints = try configuration.endpoints(ofRegistry: server)
        return try Blocking.run {
            let session = Session(configuration, credentials: { _, _ in credential }, options, isOffline: true)
            return try await Session.during(session) { session in
                try await session.first(of: endpoints) { endpoint, patience in
                    try await session.verify(endpoint, patience)
                }
            }
        }
    }
}

extension RepositorySearch {
    /// Makes the request; the result is the answer's body.
    ///
    /// - Parameter credentials: what is shown to a registry that asks for it.
    package func fetch(
        _ configuration: RegistryConfiguration,
        credentials: @escaping @Sendable (_ host: String, _ repository: String) throws -> Credential?,
        _ options: TransferOptions
    ) throws -> [UInt8] {
        var endpoints = try configuration.endpoints(ofRegistry: registry)
        if registry == "docker.io" { for place in endpoints.indices { endpoints[place].host = host } }
        let (asked, path) = (endpoints, path)
        return try Blocking.run {
            let session = Session(configuration, credentials: credentials, options)
            return try await Session.during(session) { session in
                try await session.first(of: asked) { endpoint, patience in
                    let url = try WebURL("\(endpoint.origin)\(path)")
                    let exchange = Exchange(.GET, url, endpoint, scopes: [])
                    do { return try await session.fetch(exchange, limit: 8 << 20, patience).1 } catch {
                        throw error is RegistryFailure ? Failures.engineError(error) : error
                    }
                }
            }
        }
    }
}

extension Session {
    /// What the first endpoint says that can be spoken to.
    fileprivate func first<R: Sendable>(
        of endpoints: [Endpoint],
        _ body: (Endpoint, Patience) async throws -> R
    ) async throws -> R {
        do {
            return try await EndpointChoice.first(of: endpoints, options) { try await body(endpoints[$0], $1) }.answer
        } catch { throw Failures.engineError(error) }
    }

    fileprivate func verify(_ endpoint: Endpoint, _ patience: Patience) async throws -> LoginAnswer {
        let url = try WebURL(endpoint.apiURL(""))
        do {
            _ = try await fetch(Exchange(.GET, url, endpoint, scopes: []), limit: 1 << 20, patience)
            return .accepted(identityToken: await identityToken(for: endpoint))
        } catch let failure as RegistryFailure {
            if failure.status == 401 || failure.status == 403 {
                return .refused("Get \"\(url.shown)\": \(failure)")
            }
            throw EngineError(
                .failed,
                "login attempt to \(url.shown) failed with status: \(failure.status) \(failure.phrase)",
                hint: failure.entries.first?.text
            )
        }
    }
}
