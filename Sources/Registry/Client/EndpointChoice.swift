import OCI

/// Endpoints that are asked one after the other until one answers.
enum EndpointChoice {
    /// Asks each endpoint with the capabilities; a plain one only where the place before it could not be spoken to by TLS.
    /// Who has others behind it gets no second chance: they have the same.
    ///
    /// - Returns: the first answer, and the endpoint's position. Where none answers the last error is thrown: that of the
    ///   registry itself, which stands last.
    static func first<R: Sendable>(
        of endpoints: [Endpoint],
        with capabilities: Endpoint.Capabilities = [],
        _ options: TransferOptions,
        _ body: (_ position: Int, Patience) async throws -> R
    ) async throws -> (answer: R, position: Int) {
        let positions = endpoints.indices.filter { endpoints[$0].capabilities.isSuperset(of: capabilities) }
        let lastPlace = positions.last { !endpoints[$0].isPlainFallback } ?? 0
        var failure: (any Error)?
        for position in positions where endpoints[position].isUseful(after: failure) {
            var patience = position < lastPlace ? Patience(attempts: 1, connections: 1) : options.patience
            let next = position + 1
            if endpoints.indices.contains(next), endpoints[next].isPlainFallback { patience.connections = 1 }
            do { return (try await body(position, patience), position) } catch {
                try Task.checkCancellation()
                // What is wrong with plain HTTP as well is wrong with the place: what TLS said is no news.
                failure = error
            }
        }
        throw failure ?? EngineError(.failed, "no endpoint of the registry may be asked for this")
    }
}

extension Endpoint {
    /// Whether what is secret at the endpoint may be sent to a URL.
    func isHome(of url: WebURL) -> Bool {
        url.scheme == scheme && url.place.host == host && url.port == (port ?? (scheme == .https ? 443 : 80))
    }

    /// Whether the endpoint may be asked after what the one before it said: without TLS only where that could not be
    /// spoken.
    func isUseful(after failure: (any Error)?) -> Bool {
        guard isPlainFallback, let failure else { return true }
        return Failures.isUnreachable(failure)
    }

    /// What an answer's Location or Link means. A registry behind a proxy may forget that it is spoken to by TLS.
    func resolve(_ text: String, in answer: Answer) throws(EngineError) -> WebURL {
        let url = try answer.url.resolving(text)
        guard url.place == HostPort(host: host, port: port), url.scheme != scheme else { return url }
        return try WebURL("\(scheme.rawValue)://\(url.place)\(url.target)")
    }
}
