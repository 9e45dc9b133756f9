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
            let session = Session(configuration, credentials: { _, _ in credential }, options)
            return try await Session.during(session) { session in
                try await session.first(of: endpoints) { endpoint in
                    try await session.verify(endpoint)
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
                try await session.first(of: asked) { endpoint in
                    let url = try WebURL("\(endpoint.origin)\(path)")
                    let exchange = Exchange(.GET, url, endpoint, scopes: [])
                    do { return try await session.fetch(exchange, limit: 8 << 20).1 } catch {
                        throw error is RegistryFailure ? Failures.engineError(error) : error
                    }
                }
            }
        }
    }
}

extension Session {
    /// What the first endpoint says that can be spoken to; the next is a plain one at the same place.
    fileprivate func first<R>(of endpoints: [Endpoint], _ body: (Endpoint) async throws -> R) async throws -> R {
        var failure: any Error = EngineError(.failed, "the registry has no place")
        for (index, endpoint) in endpoints.enumerated() {
            do { return try await body(endpoint) } catch {
                failure = error
                let isPlainNext = index + 1 < endpoints.count && endpoints[index + 1].isPlainFallback
                guard isPlainNext, (error as? TransportFailure)?.isUnreachable ?? false else { break }
            }
        }
        throw Failures.engineError(failure)
    }

    fileprivate func verify(_ endpoint: Endpoint) async throws -> LoginAnswer {
        let url = try WebURL(endpoint.apiURL(""))
        let failure: RegistryFailure
        do {
            let answer = try await retrying { try await send(Exchange(.GET, url, endpoint, scopes: [])) }
            if answer.status == 200 { return .accepted(identityToken: nil) }
            failure = await answer.failure()
        } catch let refusal as RegistryFailure { failure = refusal }
        guard failure.status == 401 || failure.status == 403 else {
            throw EngineError(
                .failed,
                "login attempt to \(url.shown) failed with status: \(failure.status)",
                hint: failure.entries.first?.text
            )
        }
        return .refused("Get \"\(url.shown)\": \(failure)")
    }
}
