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

    private struct Token {
        let value: String
        /// Clock.monotonic
        let expires: UInt64
    }

    /// The credential for a registry's name and a repository. It may start a credential helper, and wait for it.
    typealias CredentialLookup = @Sendable (_ host: String, _ repository: String) throws -> Credential?

    private let credentials: CredentialLookup
    private let fetch: Fetch
    private var challenges: [String: AuthenticationChallenge] = [:]
    private var tokens: [TokenKey: Token] = [:]
    private var underWay: [TokenKey: Task<Token, any Error>] = [:]
    private var known: [String: Credential?] = [:]

    init(credentials: @escaping CredentialLookup, fetch: @escaping Fetch) {
        self.credentials = credentials
        self.fetch = fetch
    }

    /// The Authorization header's value for a request; nil where nobody has asked who we are.
    func header(for endpoint: Endpoint, scopes: [TokenScope]) async throws -> String? {
        let credential = try await credential(for: endpoint)
        if case .registryToken(let token) = credential { return "Bearer \(token)" }
        guard let challenge = challenges[endpoint.origin] else { return nil }
        switch challenge.scheme {
        case "basic":
            guard case .basic(let user, let password) = credential else { return nil }
            return Authorizer.basic(user, password)
        case "bearer": return "Bearer \(try await token(challenge, endpoint, credential, scopes).value)"
        default: return nil
        }
    }

    /// Takes up what a 401 answer asks for.
    ///
    /// - Parameter refused: the header that was not good enough.
    /// - Returns: whether another try may succeed.
    func learn(_ offered: [AuthenticationChallenge], from endpoint: Endpoint, refused: String?) async throws -> Bool {
        guard
            let challenge = offered.first(where: { $0.scheme == "bearer" && $0.parameters["realm"] != nil })
                ?? offered.first(where: { $0.scheme == "basic" })
        else { return false }
        let isNew = challenges[endpoint.origin] != challenge
        challenges[endpoint.origin] = challenge
        if challenge.scheme == "basic" {
            guard case .basic = try await credential(for: endpoint) else {
                throw EngineError(
                    .failed,
                    "no basic auth credentials",
                    hint: "log in first: minirun login \(endpoint.credentialsKey)"
                )
            }
            return refused == nil || isNew
        }
        guard let refused else { return true }
        // A token that has run out, or was withdrawn.
        let before = tokens.count
        tokens = tokens.filter { "Bearer \($0.value.value)" != refused }
        return isNew || tokens.count != before
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
    ) async throws -> Token {
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
        let fetch = fetch
        let task = Task { try await Authorizer.fetched(key, realm, credential, fetch) }
        underWay[key] = task
        defer { underWay[key] = nil }
        let token = try await task.value
        tokens[key] = token
        return token
    }

    private static func fetched(_ key: TokenKey, _ realm: WebURL, _ credential: Credential?, _ fetch: Fetch)
        async throws
        -> Token
    {
        let answer: (status: Int, body: [UInt8])
        let scopes = key.scopes.map(\.description)
        if case .identityToken(_, let refresh) = credential {
            var form = "grant_type=refresh_token&client_id=minirun&refresh_token=\(PercentEncoding.encode(refresh))"
            form += "&service=\(PercentEncoding.encode(key.service))"
            if !scopes.isEmpty { form += "&scope=\(PercentEncoding.encode(scopes.joined(separator: " ")))" }
            answer = try await fetch(realm, nil, form)
        } else {
            var url = realm
            if !key.service.isEmpty { url = url.adding("service", key.service) }
            for scope in scopes { url = url.adding("scope", scope) }
            var authorization: String?
            if case .basic(let user, let password) = credential {
                url = url.adding("account", user)
                authorization = basic(user, password)
            }
            answer = try await fetch(url, authorization, nil)
        }
        guard (200..<300).contains(answer.status) else { throw refusal(answer.status, answer.body, realm, credential) }
        guard let json = try? JSON.parse(answer.body),
            let value = [json["token"]?.string, json["access_token"]?.string].compactMap({ $0 }).first(where: {
                !$0.isEmpty
            }),
            value.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw EngineError(.failed, "authorization server \(realm.shown) did not include a token in the response")
        }
        // At least a minute, as docker reads it; a tenth less, for the way.
        let seconds = min(max(60, json["expires_in"]?.int ?? 60), 86400)
        return Token(value: value, expires: Clock.monotonic + UInt64(seconds) * 900_000_000)
    }

    private static func refusal(_ status: Int, _ body: [UInt8], _ realm: WebURL, _ credential: Credential?) -> any Error
    {
        var failure = RegistryFailure(
            status: status,
            request: "Get \"\(realm.shown)\"",
            entries: RegistryFailure.entries(body)
        )
        if status == 401, failure.entries.allSatisfy({ $0.code == "UNKNOWN" }) {
            let message = credential == nil ? "authentication required" : "incorrect username or password"
            failure = RegistryFailure(
                status: status,
                request: failure.request,
                entries: [RegistryFailure.Entry(code: "UNAUTHORIZED", message: message)]
            )
        }
        return failure
    }

    /// RFC 7617.
    static func basic(_ user: String, _ password: String) -> String {
        "Basic \(Base64.encode(Array("\(user):\(password)".utf8)))"
    }
}

extension Endpoint {
    /// Scheme and place: what a challenge and a token are kept for.
    var origin: String { "\(scheme.rawValue)://\(authority)" }
}
