import NIOHTTP1
import OCI

/// No answer, or not all of one.
struct TransportFailure: Error, CustomStringConvertible {
    enum Stage: Sendable {
        /// The name is not known.
        case lookup
        /// No connection, or none by TLS: the request was not sent.
        case connect
        /// The place is there, and its certificate is not good, or ours is not good enough for it.
        case certificate
        /// The connection ended, or nothing came for too long.
        case exchange
    }

    let stage: Stage
    /// The method as Go's clients write it, and the URL.
    let request: String
    let reason: String
    /// What a person can do about it.
    var hint: String?

    var description: String { "\(request): \(reason)" }
}

/// An answer that says no (distribution-spec, "Error Codes").
struct RegistryFailure: Error, CustomStringConvertible {
    struct Entry: Sendable, Equatable {
        /// `MANIFEST_UNKNOWN`
        let code: String
        let message: String

        /// `manifest unknown: manifest unknown`, as docker shows it.
        var text: String {
            let words = code.lowercased().map { $0 == "_" ? " " : String($0) }.joined()
            return message.isEmpty ? words : "\(words): \(message)"
        }
    }

    let status: Int
    let request: String
    let entries: [Entry]
    /// Seconds that the server asks to wait.
    var retryAfter: Int?
    /// The body's beginning, where it is no list of errors.
    var body = ""
    /// What the server calls the status, where it sent a page with that as its title.
    var title: String?

    func has(_ code: String) -> Bool { entries.contains { $0.code == code } }

    var description: String {
        if let first = entries.first {
            return entries.count == 1 ? first.text : entries.map(\.text).joined(separator: "; ")
        }
        let detail = body.isEmpty ? "" : ": \(body)"
        switch status {
        case 401: return "unauthorized: authentication required"
        case 403: return "denied: requested access to the resource is denied\(detail)"
        case 404: return "\(request): not found"
        case 429: return "toomanyrequests: too many requests\(detail)"
        default: return "\(request): received unexpected HTTP status: \(status) \(phrase)\(detail)"
        }
    }

    /// The status in words.
    var phrase: String { title ?? HTTPResponseStatus(statusCode: status).reasonPhrase }

    /// What a person can do about it.
    var hint: String? {
        switch status {
        case 429:
            let wait = retryAfter.map { "in \($0) seconds" } ?? "later"
            return "try again \(wait), or log in: registries allow known users more"
        case 413:
            return "the server before the registry takes no larger request (nginx: client_max_body_size); "
                + "MINIRUN_CHUNK_SIZE=BYTES sends layers in pieces of that size"
        default: return nil
        }
    }

    /// Whether the same may well succeed a little later.
    var isTransient: Bool { [408, 425, 429, 500, 502, 503, 504].contains(status) || isLostUpload }

    /// The registry knows nothing of an upload any more, or cannot go on with it: it is to be begun anew.
    var isLostUpload: Bool { has("BLOB_UPLOAD_UNKNOWN") || has("BLOB_UPLOAD_INVALID") }

    /// The errors of an answer's body; none where it is something else.
    static func entries(_ body: [UInt8]) -> [Entry] {
        guard let json = try? JSON.parse(body) else { return [] }
        if let errors = json["errors"]?.array {
            return errors.prefix(16).map {
                Entry(
                    code: String(($0["code"]?.string ?? "UNKNOWN").prefix(80)),
                    message: String(($0["message"]?.string ?? "").prefix(1000))
                )
            }
        }
        // Token servers, and Hub at times.
        if let details = json["details"]?.string ?? json["detail"]?.string ?? json["message"]?.string {
            return [Entry(code: "UNKNOWN", message: String(details.prefix(1000)))]
        }
        return []
    }
}

/// What is to be said of an error, and whether it is worth another try.
enum Failures {
    static func isTransient(_ error: any Error) -> Bool {
        switch error {
        case let failure as RegistryFailure: failure.isTransient
        case let failure as TransportFailure: failure.stage == .connect || failure.stage == .exchange
        default: false
        }
    }

    /// No connection came about, or none by TLS.
    static func isUnreachable(_ error: any Error) -> Bool { (error as? TransportFailure)?.stage == .connect }

    static func retryAfter(_ error: any Error) -> Int? { (error as? RegistryFailure)?.retryAfter }

    /// One that a person reads.
    static func engineError(_ error: any Error) -> any Error {
        switch error {
        case let failure as RegistryFailure:
            let kind: EngineError.Kind = failure.status == 404 ? .notFound : .failed
            return EngineError(kind, failure.description, hint: failure.hint)
        case let failure as TransportFailure: return EngineError(.failed, failure.description, hint: failure.hint)
        case is CancellationError: return EngineError(.failed, "context canceled")
        default: return error
        }
    }
}
