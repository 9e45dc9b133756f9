import AsyncHTTPClient
import LinuxSystem
import NIOCore
import NIOHTTP1
import OCI

/// What is asked of a registry.
struct Exchange: Sendable {
    var method: HTTPMethod = .GET
    var url: WebURL
    var headers: [(name: String, value: String)] = []
    var body = Body.none
    /// What a token must allow.
    var scopes: [TokenScope]
    /// Whose credentials and connections are used. They go nowhere else.
    var endpoint: Endpoint
    /// Whether a redirection is followed, which only requests without a body may ask for.
    var followsRedirects = true

    enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// A part of a file, which is read as it is sent.
        case file(FilePart)
    }

    init(_ method: HTTPMethod, _ url: WebURL, _ endpoint: Endpoint, scopes: [TokenScope]) {
        self.method = method
        self.url = url
        self.endpoint = endpoint
        self.scopes = scopes
    }
}

/// The head of an answer, and its body still to be read.
struct Answer: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let body: HTTPClientResponse.Body
    /// Where it came from at last.
    let url: WebURL
    /// The method and the first URL, for messages.
    let request: String

    func header(_ name: String) -> String? { headers.first(name: name) }

    /// The number of bytes that the body shall have.
    var contentLength: Int64? { header("Content-Length").flatMap { Int64($0) } }

    /// Hands out the body as it comes.
    func read(_ piece: (UnsafeRawBufferPointer) throws -> Void) async throws {
        do {
            for try await buffer in body { try buffer.withUnsafeReadableBytes { try piece($0) } }
        } catch let error as EngineError { throw error } catch { throw Transport.failure(error, request) }
    }

    /// The whole body; one of more than `limit` bytes is refused.
    func bytes(limit: Int) async throws -> [UInt8] {
        func tooLarge() -> EngineError { EngineError(.corrupt, "\(request): an answer of more than \(limit) bytes") }
        if let length = contentLength, length > limit { throw tooLarge() }
        var bytes: [UInt8] = []
        try await read { piece in
            guard piece.count <= limit - bytes.count else { throw tooLarge() }
            bytes.append(contentsOf: piece)
        }
        return bytes
    }

    /// What an answer that says no says. Its body is read to a small part.
    func failure() async -> RegistryFailure {
        let body = (try? await bytes(limit: 64 << 10)) ?? []
        var failure = RegistryFailure(
            status: status,
            request: request,
            entries: oauthEntries + RegistryFailure.entries(body)
        )
        failure.retryAfter = header("Retry-After").flatMap { RetryAfter.seconds($0, now: Clock.realtime) }
        if failure.entries.isEmpty, let text = String(validating: body.prefix(200), as: UTF8.self), !text.hasPrefix("<")
        {
            failure.body = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        }
        return failure
    }

    var challenges: [AuthenticationChallenge] { AuthenticationChallenge.parse(headers["WWW-Authenticate"]) }

    /// What a challenge says of why a token was not good enough (RFC 6750, section 3.1).
    private var oauthEntries: [RegistryFailure.Entry] {
        guard status == 401 else { return [] }
        return challenges.compactMap { challenge in
            guard challenge.scheme == "bearer" else { return nil }
            let description = challenge.parameters["error_description"]
            switch challenge.parameters["error"] {
            case "invalid_token":
                return RegistryFailure.Entry(code: "UNAUTHORIZED", message: description ?? "authentication required")
            case "insufficient_scope":
                return RegistryFailure.Entry(
                    code: "DENIED",
                    message: description ?? "requested access to the resource is denied"
                )
            default: return nil
            }
        }
    }
}
