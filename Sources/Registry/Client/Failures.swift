import OCI

/// No answer, or not all of one.
struct TransportFailure: Error, CustomStringConvertible {
    enum Stage: Sendable {
        /// The name is not known.
        case lookup
        /// No connection: the request was not sent.
        case connect
        /// A connection on which TLS was not agreed: the other side does not speak it, or is not who it should be. That will
        /// be so the next time too.
        case handshake
        /// The connection ended, or nothing came for too long.
        case exchange
    }

    let stage: Stage
    /// The method as Go's clients write it, and the URL.
    let request: String
    let reason: String

    var description: String { "\(request): \(reason)" }

    /// Whether the other side has not been spoken to at all, so that another way to it may be tried.
    var isUnreachable: Bool { stage == .connect || stage == .handshake }
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

    func has(_ code: String) -> Bool { entries.contains { $0.code == code } }

    var description: String {
        if let first = entries.first {
            return entries.count == 1 ? first.text : entries.map(\.text).joined(separator: "; ")
        }
        let detail = body.isEmpty ? "" : ": \(body)"
        switch status {
        case 401: return "unauthorized: authentication required"
        case 403: return "denied: requested access to the resource is denied"
        case 404: return "\(request): not found"
        case 429: return "toomanyrequests: too many requests\(detail)"
        default: return "\(request): unexpected status \(status)\(detail)"
        }
    }

    /// Whether the same may well succeed a little later.
    var isTransient: Bool { [408, 425, 429, 500, 502, 503, 504].contains(status) }

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
        case let failure as TransportFailure: [.connect, .exchange].contains(failure.stage)
        default: false
        }
    }

    static func retryAfter(_ error: any Error) -> Int? { (error as? RegistryFailure)?.retryAfter }

    /// One that a person reads.
    static func engineError(_ error: any Error) -> any Error {
        switch error {
        case let failure as RegistryFailure:
            let kind: EngineError.Kind = failure.status == 404 ? .notFound : .failed
            let hint: String? =
                failure.status == 429 ? "try again later, or log in: registries allow known users more" : nil
            return EngineError(kind, failure.description, hint: hint)
        case let failure as TransportFailure: return EngineError(.failed, failure.description)
        case is CancellationError: return EngineError(.failed, "context canceled")
        default: return error
        }
    }
}
