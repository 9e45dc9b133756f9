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

    init(
        _ configuration: RegistryConfiguration,
        credentials: @escaping Authorizer.CredentialLookup,
        _ options: TransferOptions
    ) {
        let transport = Transport(options)
        self.configuration = configuration
        self.options = options
        self.transport = transport
        authorizer = Authorizer(credentials: credentials) { url, authorization, form in
            try await Session.fetchToken(url, authorization, form, transport, configuration, options)
        }
    }

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
    /// - Parameter progress: counts what comes; while it grows, failures do not add up.
    func retrying<R>(progress: () -> Int64 = { 0 }, _ body: () async throws -> R) async throws -> R {
        var failures = 0
        var reached = progress()
        while true {
            do { return try await body() } catch {
                try Task.checkCancellation()
                let now = progress()
                failures = now > reached ? 1 : failures + 1
                reached = max(reached, now)
                let limit =
                    (error as? TransportFailure)?.stage == .connect ? min(3, options.attempts) : options.attempts
                guard Failures.isTransient(error), failures < limit else { throw error }
                let delay = options.delay(after: failures, asked: Failures.retryAfter(error))
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
    func fetch(_ exchange: Exchange, limit: Int, accepting: Set<Int> = [200]) async throws -> (Answer, [UInt8]) {
        try await retrying {
            let answer = try await send(exchange, accepting: accepting)
            return (answer, try await answer.bytes(limit: limit))
        }
    }

    // MARK: - one exchange

    /// One request, to the answer that is no redirection and asks for no credentials that we have.
    func send(_ exchange: Exchange) async throws -> Answer {
        var url = exchange.url
        var hops = 0
        var hasLearned = false
        let home = exchange.url
        while true {
            let isHome = url.hasSameOrigin(as: home)
            let authorization =
                isHome ? try await authorizer.header(for: exchange.endpoint, scopes: exchange.scopes) : nil
            let answer = try await once(exchange, url, isHome: isHome, authorization: authorization)
            if answer.status == 401, isHome, !hasLearned {
                hasLearned = true
                if try await authorizer.learn(answer.challenges, from: exchange.endpoint, refused: authorization) {
                    try await discard(answer)
                    continue
                }
            }
            guard exchange.followsRedirects, [301, 302, 303, 307, 308].contains(answer.status),
                let location = answer.header("Location")
            else { return answer }
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

    private func once(_ exchange: Exchange, _ url: WebURL, isHome: Bool, authorization: String?) async throws -> Answer
    {
        var request = HTTPClientRequest(url: url.description)
        request.method = exchange.method
        request.headers.add(name: "User-Agent", value: options.userAgent)
        request.headers.add(name: "Accept-Encoding", value: "identity")
        for header in exchange.headers where isHome || header.name != "Authorization" {
            request.headers.add(name: header.name, value: header.value)
        }
        if isHome {
            for header in exchange.endpoint.headers {
                request.headers.replaceOrAdd(name: header.name, value: header.value)
            }
        }
        if let authorization { request.headers.replaceOrAdd(name: "Authorization", value: authorization) }
        switch exchange.body {
        case .none: if exchange.method == .POST || exchange.method == .PUT { request.body = .bytes(ByteBuffer()) }
        case .bytes(let bytes): request.body = .bytes(ByteBuffer(bytes: bytes))
        case .file(let part): request.body = .stream(part, length: .known(part.length))
        }
        let response = try await transport.send(
            request,
            to: url,
            tls: try isHome ? exchange.endpoint.tls : configuration.tls(for: url),
            proxy: try configuration.proxy(for: url.scheme, host: url.place.host, port: url.place.port)
        )
        return Answer(
            status: Int(response.status.code),
            headers: response.headers,
            body: response.body,
            url: url,
            request:
                "\(exchange.method.rawValue.prefix(1))\(exchange.method.rawValue.dropFirst().lowercased()) \"\(url.shown)\""
        )
    }

    private static func fetchToken(
        _ url: WebURL,
        _ authorization: String?,
        _ form: String?,
        _ transport: Transport,
        _ configuration: RegistryConfiguration,
        _ options: TransferOptions
    ) async throws -> (status: Int, body: [UInt8]) {
        var request = HTTPClientRequest(url: url.description)
        request.headers.add(name: "User-Agent", value: options.userAgent)
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        if let form {
            request.method = .POST
            request.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
            request.body = .bytes(ByteBuffer(string: form))
        }
        var failures = 0
        while true {
            let response = try await transport.send(
                request,
                to: url,
                tls: try configuration.tls(for: url),
                proxy: try configuration.proxy(for: url.scheme, host: url.place.host, port: url.place.port)
            )
            let answer = Answer(
                status: Int(response.status.code),
                headers: response.headers,
                body: response.body,
                url: url,
                request: "Get \"\(url.shown)\""
            )
            let body = try await answer.bytes(limit: 1 << 20)
            failures += 1
            guard answer.status == 429 || answer.status >= 500, failures < options.attempts else {
                return (answer.status, body)
            }
            let asked = answer.header("Retry-After").flatMap { RetryAfter.seconds($0, now: Clock.realtime) }
            try await Task.sleep(nanoseconds: UInt64(options.delay(after: failures, asked: asked)) * 1_000_000)
        }
    }
}
