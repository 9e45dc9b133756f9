import AsyncHTTPClient
import CLinux
import LinuxSystem
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import OCI

/// Sends one request to one place and gives the answer's head; redirects, retries and credentials are for those above.
///
/// There is a client for each address of a place, because the HTTP library looks no names up here: it is given an address,
/// and still checks certificates against the name.
actor Transport {
    /// Who is connected to, and how.
    private struct Place: Hashable {
        let origin: String
        let tls: TLSSettings
        let proxy: Proxy?
    }

    private struct Client: Hashable {
        let place: Place
        let address: String
    }

    /// As much at once as came: a system call, a change of threads and a write for every 64 KiB would be a tenth of a pull's time.
    private static let readSizes = AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 8192, maximum: 256 << 10)

    nonisolated let options: TransferOptions
    nonisolated let configuration: RegistryConfiguration
    private var clients: [Client: HTTPClient] = [:]
    /// The address that answered last.
    private var working: [Place: String] = [:]
    private var looked: [String: [String]] = [:]

    init(_ options: TransferOptions, _ configuration: RegistryConfiguration) {
        self.options = options
        self.configuration = configuration
    }

    /// Closes every connection. Nothing may be sent afterwards.
    func shutdown() async {
        for client in clients.values { try? await client.shutdown().get() }
        clients = [:]
    }

    /// - Throws: TransportFailure, or CancellationError.
    func send(_ request: HTTPClientRequest, to url: WebURL, tls: TLSSettings, proxy: Proxy?) async throws
        -> HTTPClientResponse
    {
        let named = "\(request.method.goName) \"\(url.shown)\""
        let place = Place(origin: url.origin, tls: tls, proxy: proxy)
        let host = proxy?.host ?? url.place.host
        var addresses = try await look(host, named)
        if let known = working[place], let index = addresses.firstIndex(of: known) { addresses.swapAt(0, index) }
        var last: (any Error)?
        for address in addresses {
            let client = try client(Client(place: place, address: address), url)
            do {
                let answer = try await client.execute(request, deadline: .distantFuture)
                working[place] = address
                return answer
            } catch {
                if Task.isCancelled { throw CancellationError() }
                if Transport.isRefusal(error) {
                    last = error
                    continue
                }
                let failure = Transport.failure(error, named)
                guard let failure = failure as? TransportFailure, failure.stage == .certificate, proxy == nil else {
                    throw failure
                }
                throw await CertificateDiagnosis(place: url.place, address: address, tls: tls).explain(failure)
            }
        }
        throw last.map { Transport.failure($0, named) }
            ?? TransportFailure(stage: .lookup, request: named, reason: "lookup \(host): no such host")
    }

    private func look(_ host: String, _ named: String) async throws -> [String] {
        if let known = looked[host] { return known }
        do {
            let addresses = try await NameResolver.addresses(of: host)
            looked[host] = addresses
            return addresses
        } catch { throw TransportFailure(stage: .lookup, request: named, reason: "\(error)") }
    }

    private func client(_ key: Client, _ url: WebURL) throws -> HTTPClient {
        if let known = clients[key] { return known }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: try key.place.tls.configuration(),
            redirectConfiguration: .disallow,
            timeout: .init(
                connect: .milliseconds(options.connectTimeout),
                read: .milliseconds(options.idleTimeout),
                write: .milliseconds(options.idleTimeout)
            ),
            decompression: .disabled
        )
        // A connection for each layer: the windows of one shared HTTP/2 connection would slow all of them down.
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        // The library has no other way to a channel's options and handlers.
        configuration.http1_1ConnectionDebugInitializer = { channel in
            channel.setOption(.recvAllocator, value: Transport.readSizes).flatMap { ResponseGuard.watch(channel) }
        }
        if let proxy = key.place.proxy {
            configuration.proxy = try proxy.setting(address: key.address)
        } else if key.address != url.place.host {
            configuration.dnsOverride = [url.place.host: key.address]
        }
        let client = HTTPClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
        clients[key] = client
        return client
    }

    /// Whether the request cannot have been sent, so that another address may be tried.
    private static func isRefusal(_ error: any Error) -> Bool {
        if error is NIOConnectionError || ((error as? IOError)?.isRefusal ?? false) { return true }
        return (error as? HTTPClientError) == .connectTimeout
    }

    /// What went wrong, in the words of Go's clients where they have some.
    static func failure(_ error: any Error, _ named: String) -> any Error {
        func failure(_ stage: TransportFailure.Stage, _ reason: String) -> TransportFailure {
            TransportFailure(stage: stage, request: named, reason: reason)
        }
        switch error {
        case is CancellationError, is TransportFailure: return error
        case let error as NIOConnectionError:
            let cause = error.connectionErrors.first.map { "\($0.error)" } ?? "no address"
            return failure(.connect, "dial tcp \(error.host):\(error.port): \(reason(cause))")
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: return tlsFailure("\(error)", named)
        case let error as IOError:
            let text = SystemError.text(error.errnoCode).lowercased()
            return error.isRefusal ? failure(.connect, "connect: \(text)") : failure(.exchange, text)
        case let error as HTTPParserError where error == .invalidEOFState: return failure(.exchange, "unexpected EOF")
        case let error as HTTPClientError:
            switch error {
            case .connectTimeout, .tlsHandshakeTimeout, .httpProxyHandshakeTimeout, .socksHandshakeTimeout:
                return failure(.connect, "i/o timeout")
            case .proxyAuthenticationRequired, .invalidProxyResponse:
                return failure(.connect, "the proxy refuses: \(error)")
            case .readTimeout, .writeTimeout: return failure(.exchange, "i/o timeout: nothing came for too long")
            case .remoteConnectionClosed, .uncleanShutdown: return failure(.exchange, "unexpected EOF")
            case .cancelled: return Task.isCancelled ? CancellationError() : failure(.exchange, "canceled")
            default: return failure(.exchange, "\(error)")
            }
        default: return failure(.exchange, "\(error)")
        }
    }

    /// The library has names for what went wrong only inside of its texts.
    private static func tlsFailure(_ text: String, _ named: String) -> TransportFailure {
        func failure(_ stage: TransportFailure.Stage, _ reason: String) -> TransportFailure {
            TransportFailure(stage: stage, request: named, reason: "tls: \(reason)")
        }
        if text.contains("CERTIFICATE_VERIFY_FAILED") || text.contains("ailedToValidateHostname") {
            return failure(.certificate, "failed to verify certificate")
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            return failure(.connect, "server gave HTTP response to HTTPS client")
        }
        let alerts = ["CERTIFICATE_REQUIRED", "ALERT_BAD_CERTIFICATE", "ALERT_UNKNOWN_CA", "ALERT_CERTIFICATE_EXPIRED"]
        if alerts.contains(where: text.contains) {
            return failure(.certificate, "the server refuses the client's certificate, or wants one")
        }
        return failure(.connect, text)
    }

    /// The kernel's words out of the library's ("connection reset (error set): Connection refused (errno: 111)").
    private static func reason(_ text: String) -> String {
        guard let end = text.firstRange(of: " (errno") else { return text }
        let front = text[..<end.lowerBound]
        guard let colon = front.lastIndex(of: ":") else { return String(front) }
        return front[front.index(after: colon)...].trimmingPrefix(" ").lowercased()
    }
}

extension IOError {
    /// No connection came about.
    fileprivate var isRefusal: Bool {
        [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, EADDRNOTAVAIL].contains(errnoCode)
    }
}

extension HTTPMethod {
    /// "Get", as Go's clients begin their messages.
    var goName: String { rawValue.prefix(1) + rawValue.dropFirst().lowercased() }
}

extension Proxy {
    /// - Parameter address: the proxy's.
    fileprivate func setting(address: String) throws(EngineError) -> HTTPClient.Configuration.Proxy {
        switch scheme {
        case .http:
            guard let user else { return .server(host: address, port: port) }
            return .server(host: address, port: port, authorization: .basic(username: user, password: password ?? ""))
        case .socks5, .socks5h:
            guard user == nil else {
                throw EngineError(.unsupported, "the proxy \(host): user and password are not supported with SOCKS")
            }
            return .socksServer(host: address, port: port)
        case .https:
            throw EngineError(.unsupported, "the proxy \(host): proxies that are spoken to by TLS are not supported")
        }
    }
}

extension TLSSettings {
    /// Reads the files.
    func configuration() throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        func read<R>(_ path: String, _ body: () throws -> R) throws -> R {
            do { return try body() } catch {
                throw EngineError(.invalid, "reading \(path): it holds no usable PEM: \(error)")
            }
        }
        let roots = try additionalRoots.flatMap { path in try read(path) { try NIOSSLCertificate.fromPEMFile(path) } }
        if replacesRoots {
            configuration.trustRoots = .certificates(roots)
        } else {
            configuration.additionalTrustRoots = [.certificates(roots)]
        }
        if let client = clientCertificates.first {
            let chain = try read(client.certificate) { try NIOSSLCertificate.fromPEMFile(client.certificate) }
            configuration.certificateChain = chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(
                try read(client.key) { try NIOSSLPrivateKey(file: client.key, format: .pem) }
            )
        }
        if skipVerify { configuration.certificateVerification = .none }
        return configuration
    }
}
