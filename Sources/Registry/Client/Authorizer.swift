import LinuxSystem
import OCI

/// Who asks, for each registry: nobody at first, then what its challenge wants (distribution, docs/spec/auth).
actor Authorizer {
    /// Sends a request to a token server and returns the answer's status and body.
    typealias Fetch =
        @Sendable (_ url: WebURL, _ authorization: String?, _ form: String?) async throws -> (
            status: Int, body: [UInt8]
        )

    private struct TokenKey: Hashable {
        let realm: String
        let service: String
        let scopes: [TokenScope]
        let credentials: String
    }

    /// The credential for a registry's name and a repository. It may start a credential helper, and wait for it.
    typealias CredentialLookup = @Sendable (_ host: String, _ repository: String) throws -> Credential?

    /// What a 401 answer asks for.
    struct Refusal: Sendable {
        let challenges: [AuthenticationChallenge]
        /// The header that was not good enough.
        let header: String?
        /// What the token was to allow.
        let scopes: [TokenScope]
        /// Whether the header was one that an earlier refusal led to.
        let isAgain: Bool

        init(_ challenges: [AuthenticationChallenge], of header: String?, _ scopes: [TokenScope], isAgain: Bool) {
            self.challenges = challenges
            self.header = header
            self.scopes = scopes
            self.isAgain = isAgain
        }
    }

    private let credentials: CredentialLookup
    private let fetch: Fetch
    private let isOffline: Bool
    private var identityTokens: [String: String] = [:]
    private var challenges: [String: AuthenticationChallenge] = [:]
    private var tokens: [TokenKey: AccessToken] = [:]
    private var underWay: [TokenKey: Task<AccessToken, any Error>] = [:]
    private var known: [String: Credential?] = [:]

    /// - Parameter isOffline: whether to ask for a token that stands for the password from now on.
    init(credentials: @escaping CredentialLookup, isOffline: Bool, fetch: @escaping Fetch) {
        self.credentials = credentials
        self.isOffline = isOffline
        self.fetch = fetch
    }

    /// The token that a token server gave for the password of an endpoint.
    func identityToken(for endpoint: Endpoint) -> String? { identityTokens[endpoint.credentialsKey] }

    /// The Authorization header's value for a request; nil where nobody has asked who we are.
    func header(for endpoint: Endpoint, scopes: [TokenScope]) async throws -> String? {
        let credential = try await credential(for: endpoint)
        if case .registryToken(let token) = credential { return "Bearer \(token)" }
        guard let challenge = challenges[endpoint.origin] else { return nil }
        switch challenge.scheme {
        case "basic":
            guard case .basic(let user, let password) = credential else { return nil }
            return Credential.basicHeader(user, password)
        case "bearer": return "Bearer \(try await token(challenge, endpoint, credential, scopes).value)"
        default: return nil
        }
    }

    /// Takes up what a 401 answer asks for.
    ///
    /// - Returns: what the next token shall allow; nil where no other try can succeed.
    func learn(_ refusal: Refusal, from endpoint: Endpoint) async throws -> [TokenScope]? {
        let offered = refusal.challenges
        guard
            let challenge = offered.first(where: { $0.scheme == "bearer" && $0.parameters["realm"] != nil })
                ?? offered.first(where: { $0.scheme == "basic" })
        else { return nil }
        let isNew = challenges[endpoint.origin].map { !$0.isSamePlace(as: challenge) } ?? true
        challenges[endpoint.origin] = challenge
        if challenge.scheme == "basic" {
            guard case .basic = try await credential(for: endpoint) else {
                throw EngineError(
                    .failed,
                    "no basic auth credentials",
                    hint: "log in first: minirun login \(endpoint.credentialsKey)"
                )
            }
            return refusal.header == nil || isNew ? refusal.scopes : nil
        }
        guard let header = refusal.header else { return refusal.scopes }
        // A token that has run out, or was withdrawn.
        let before = tokens.count
        tokens = tokens.filter { "Bearer \($0.value.value)" != header }
        // Or one that allows too little: taking an upload back needs "delete" at some registries.
        let asked = TokenScope.parse(challenge.parameters["scope"] ?? "")
        let missing = asked.filter { scope in !refusal.scopes.contains { $0.covers(scope) } }
        if !missing.isEmpty { return (refusal.scopes + missing).merged }
        return !refusal.isAgain && (isNew || tokens.count != before) ? refusal.scopes : nil
    }

    private func credential(for endpoint: Endpoint) async throws -> Credential? {
        let name = "\(endpoint.credentialsKey)/\(endpoint.repository)"
        if let found = known[name] { return found }
        let lookup = credentials
        let found = try await Blocking.aside { try lookup(endpoint.credentialsKey, endpoint.repository) }
        known[name] = .some(found)
        return found
    }

    // MARK: - tokens

    private func token(
        _ challenge: AuthenticationChallenge,
        _ endpoint: Endpoint,
        _ credential: Credential?,
        _ scopes: [TokenScope]
    ) async throws -> AccessToken {
        let asked = challenge.parameters["scope"].map(TokenScope.parse) ?? []
        let key = TokenKey(
            realm: challenge.parameters["realm"] ?? "",
            service: challenge.parameters["service"] ?? "",
            scopes: (scopes.isEmpty ? asked : scopes).merged,
            credentials: endpoint.credentialsKey
        )
        if let token = tokens[key], token.expires > Clock.monotonic { return token }
        if let task = underWay[key] { return try await task.value }
        let realm = try WebURL(key.realm)
        if realm.scheme == .http, endpoint.scheme == .https, credential != nil {
            throw EngineError(
                .failed,
                "\(endpoint.authority) sends passwords to \(realm.origin), which has no TLS: refused"
            )
        }
        let question = TokenQuestion(
            realm: realm,
            service: key.service,
            scopes: key.scopes.map(\.description),
            credential: credential,
            isOffline: isOffline
        )
        let task = Task { [fetch] in try await question.ask(fetch) }
        underWay[key] = task
        defer { underWay[key] = nil }
        let token = try await task.value
        tokens[key] = token
        if let identity = token.identityToken { identityTokens[endpoint.credentialsKey] = identity }
        return token
    }
}

extension Credential {
    /// RFC 7617.
    static func basicHeader(_ user: String, _ password: String) -> String {
        "Basic \(Base64.encode("\(user):\(password)".rawBytes))"
    }
}

extension AuthenticationChallenge {
    /// Whether the same place gives what is wanted; for what it shall be good may differ.
    fileprivate func isSamePlace(as other: AuthenticationChallenge) -> Bool {
        scheme == other.scheme && ["realm", "service"].allSatisfy { parameters[$0] == other.parameters[$0] }
    }
}

extension Endpoint {
    /// Scheme and place: what a challenge and a token are kept for.
    var origin: String { "\(scheme.rawValue)://\(authority)" }
}
