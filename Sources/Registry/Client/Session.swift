import AsyncHTTPClient
import LinuxSystem
import NIOCore
import NIOHTTP1
import OCI

/// Requests with all that is around them: credentials, redirections, further tries.
final class Session: Sendable {
    let configuration: RegistryConfiguration
    let options: TransferOptions
    private let transport: Transport
    private let authorizer: Authorizer

    /// - Parameter isOffline: whether token servers are asked for a token that stands for the password from now on.
    init(
        _ configuration: RegistryConfiguration,
        credentials: @escaping Authorizer.CredentialLookup,
        _ options: TransferOptions,
        isOffline: Bool = false
    ) {
        let transport = Transport(options, configuration)
        self.configuration = configuration
        self.options = options
        self.transport = transport
        authorizer = Authorizer(credentials: credentials, isOffline: isOffline) { url, authorization, form in
            try await Session.fetchToken(url, authorization, form, transport)
        }
    }

    /// The token that a token server gave for the password of an endpoint.
    func identityToken(for endpoint: Endpoint) async -> String? { await authorizer.identityToken(for: endpoint) }

    /// Closes the connections.
    func close() async { await transport.shutdown() }

    /// Runs `body` with a session that is closed after it.
    static func during<R: Sendable>(_ session: Session, _ body: (Session) async throws -> R) async throws -> R {
        let result: R
        do { result = try await body(session) } catch {
            await session.close()
            throw error
        }
        await session.close()
        return result
    }

    // MARK: - further tries

    /// Calls `body` until it succeeds, fails for good, or has failed too often.
    ///
    /// - Parameters:
    ///   - patience: how often; nil is as the options say.
    ///   - progress: counts what comes; while it grows, failures do not add up.
    func retrying<R>(
        _ patience: Patience? = nil,
        progress: () -> Int64 = { 0 },
        _ body: () async throws -> R
    ) async throws -> R {
        let patience = patience ?? options.patience
        var failures = 0
        var reached = progress()
        while true {
            do { return try await body() } catch {
                try Task.checkCancellation()
                let now = progress()
                failures = now > reached ? 1 : failures + 1
                reached = max(reached, now)
                let limit = Failures.isUnreachable(error) ? patience.connections : patience.attempts
                guard Failures.isTransient(error), failures < limit,
                    let delay = options.delay(after: failures, asked: Failures.retryAfter(error))
                else { throw error }
                try await Task.sleep(nanoseconds: UInt64(delay) * 1_000_000)
            }
        }
    }

    /// One request for which only some answers are good. Others are errors.
    func send(_ exchange: Exchange, accepting: Set<Int>) async throws -> Answer {
        let answer = try await send(exchange)
        guard accepting.contains(answer.status) else { throw await answer.failure() }
        return answer
    }

    /// A whole small answer, with further tries.
    func fetch(_ exchange: Exchange, limit: Int, accepting: Set<Int> = [200], _ patience: Patience? = nil) async throws
        -> (Answer, [UInt8])
    {
        try await retrying(patience) {
            let answer = try await send(exchange, accepting: accepting)
            return (answer, try await answer.bytes(limit: limit))
        }
    }

    // MARK: - one exchange

    /// One request, to the answer that is no redirection and asks for no credentials that we have.
    func send(_ exchange: Exchange) async throws -> Answer {
        var url = exchange.url
        var hops = 0
        var scopes = exchange.scopes
        var learned = 0
        while true {
            // A registry may send us elsewhere, and name other places: credentials stay at home.
            let home = exchange.endpoint.flatMap { $0.isHome(of: url) ? $0 : nil }
            var authorization: String?
            if let home { authorization = try await authorizer.header(for: home, scopes: scopes) }
            let answer = try await once(exchange, url, home, authorization: authorization)
            if answer.status == 401, let home, learned < 2 {
                let refusal = Authorizer.Refusal(answer.challenges, of: authorization, scopes, isAgain: learned > 0)
                learned += 1
                if let wider = try await authorizer.learn(refusal, from: home) {
                    scopes = wider
                    try await discard(answer)
                    continue
                }
            }
            guard exchange.isRedirected(by: answer.status), let location = answer.header("Location") else {
                return answer
            }
            hops += 1
            guard hops <= 10 else { throw EngineError(.failed, "\(answer.request): stopped after 10 redirects") }
            let next = try url.resolving(location)
            if url.scheme == .https, next.scheme == .http {
                throw EngineError(.failed, "\(answer.request): a redirection from https to \(next.origin) is refused")
            }
            try await discard(answer)
            url = next
        }
    }

    /// Reads the rest of a short answer so that its connection can be used again.
    private func discard(_ answer: Answer) async throws { _ = try? await answer.bytes(limit: 64 << 10) }

    /// - Parameter home: the endpoint, where the URL is one of it.
    private func once(_ exchange: Exchange, _ url: WebURL, _ home: Endpoint?, authorization: String?) async throws
        -> Answer
    {
        var request = HTTPClientRequest(url: url.description)
        request.method = exchange.method
        for header in exchange.headers where home != nil || header.name != "Authorization" {
            request.headers.add(name: header.name, value: header.value)
        }
        for header in home?.headers ?? [] {
            request.headers.replaceOrAdd(name: header.name, value: header.value)
        }
        if let authorization { request.headers.replaceOrAdd(name: "Authorization", value: authorization) }
        switch exchange.body {
        case .none: if exchange.method == .POST || exchange.method == .PUT { request.body = .bytes(ByteBuffer()) }
        case .bytes(let bytes): request.body = .bytes(ByteBuffer(bytes: bytes))
        case .file(let part): request.body = .stream(part, length: .known(part.length))
        }
        return try await transport.answer(request, from: url, tls: home?.tls)
    }

    /// What a token server answers. Further tries are those of the request that needs the token.
    private static func fetchToken(_ url: WebURL, _ authorization: String?, _ form: String?, _ transport: Transport)
        async throws -> (status: Int, body: [UInt8])
    {
        var request = HTTPClientRequest(url: url.description)
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        if let form {
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(string: form))
        }
        do {
            let answer = try await transport.answer(request, from: url)
            if answer.isTransient { throw await answer.failure() }
            return (answer.status, try await answer.bytes(limit: 1 << 20))
        } catch let failure as TransportFailure where failure.stage == .connect {
            // It is not the registry that cannot be reached: plain HTTP there would not help.
            throw TransportFailure(stage: .exchange, request: failure.request, reason: failure.reason)
        }
    }
}

extension Transport {
    /// Sends a request, with what every request has.
    ///
    /// - Parameter tls: nil for what the configuration says of the place.
    fileprivate func answer(_ request: HTTPClientRequest, from url: WebURL, tls: TLSSettings? = nil) async throws
        -> Answer
    {
        var request = request
        request.headers.replaceOrAdd(name: "User-Agent", value: options.userAgent)
        request.headers.replaceOrAdd(name: "Accept-Encoding", value: "identity")
        let response = try await send(
            request,
            to: url,
            tls: try tls ?? configuration.tls(for: url),
            proxy: try configuration.proxy(for: url.scheme, host: url.place.host, port: url.place.port)
        )
        return Answer(
            status: Int(response.status.code),
            headers: response.headers,
            body: response.body,
            url: url,
            request: "\(request.method.goName) \"\(url.shown)\""
        )
    }
}
