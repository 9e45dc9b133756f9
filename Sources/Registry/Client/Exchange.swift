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
    /// Whose credentials and connections are used. They go nowhere else. Nil for a place that is no registry's and gets none.
    var endpoint: Endpoint?

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

    /// What is asked of a place that is no registry's.
    init(_ method: HTTPMethod, _ url: WebURL) {
        self.method = method
        self.url = url
        scopes = []
    }

    /// Whether the same is to be asked at another place. What changes something is asked again only where the answer says
    /// that method and body stay (RFC 9110, section 15.4).
    func isRedirected(by status: Int) -> Bool {
        switch status {
        case 307, 308: true
        case 301, 302, 303: method == .GET || method == .HEAD
        default: false
        }
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
        if failure.entries.isEmpty {
            let text = String(decoding: body.prefix(400), as: UTF8.self)
            if let title = Answer.title(text) {
                // nginx: "413 Request Entity Too Large"
                failure.title = Answer.line(title.trimmingPrefix("\(status) "))
            } else {
                failure.body = Answer.line(text[...])
            }
        }
        return failure
    }

    /// The title of a page; "" for one without. Nil where the text is none.
    private static func title(_ text: String) -> Substring? {
        guard text.drop(while: \.isWhitespace).hasPrefix("<") else { return nil }
        guard let start = text.firstRange(of: "<title>"), let end = text.firstRange(of: "</title>"),
            start.upperBound <= end.lowerBound
        else { return "" }
        return text[start.upperBound..<end.lowerBound]
    }

    private static func line(_ text: Substring) -> String {
        let line = text.split(whereSeparator: \.isNewline).first ?? ""
        return String(String.UnicodeScalarView(line.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
    }

    /// Runs `read` over what came. Where that is not what it should be, and packed although nobody asked for that, that is why.
    func withHint<R>(_ read: () throws -> R) throws -> R {
        do { return try read() } catch {
            guard let error = error as? EngineError, let encoding = header("Content-Encoding"), encoding != "identity"
            else { throw error }
            throw EngineError(error.kind, error.message, hint: error.hint ?? Answer.hint(encoding))
        }
    }

    static func hint(_ encoding: String) -> String {
        "the answer came with the Content-Encoding \"\(encoding.prefix(40))\", which nobody asked for"
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
