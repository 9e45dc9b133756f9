import LinuxSystem
import OCI

/// A token for a registry, from its token server.
struct AccessToken: Sendable {
    let value: String
    /// Clock.monotonic
    let expires: UInt64
    /// What stands for the password from now on, where that was asked for.
    let identityToken: String?
}

/// What a token server is asked (distribution, docs/spec/auth/token.md and oauth.md).
struct TokenQuestion: Sendable {
    let realm: WebURL
    let service: String
    let scopes: [String]
    let credential: Credential?
    /// Whether a token is wanted that stands for the password.
    let isOffline: Bool

    /// As the token server is told who asks.
    private static let clientID = "minirun"

    func ask(_ fetch: Authorizer.Fetch) async throws -> AccessToken {
        var answer: (status: Int, body: [UInt8])
        if case .identityToken(let user, let token) = credential {
            answer = try await fetch(realm, nil, form(token))
            // Not every token server has the newer way; those take the token for a password.
            if answer.status == 404 || answer.status == 405 { answer = try await get(user ?? "<token>", token, fetch) }
        } else if case .basic(let user, let password) = credential {
            answer = try await get(user, password, fetch)
        } else {
            answer = try await fetch(url, nil, nil)
        }
        guard (200..<300).contains(answer.status) else { throw refusal(answer.status, answer.body) }
        return try read(answer.body)
    }

    private func form(_ refresh: String) -> String {
        var items = [
            ("grant_type", "refresh_token"), ("client_id", TokenQuestion.clientID), ("refresh_token", refresh),
        ]
        items.append(("service", service))
        if !scopes.isEmpty { items.append(("scope", scopes.joined(separator: " "))) }
        return items.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }.joined(separator: "&")
    }

    private func get(_ user: String, _ password: String, _ fetch: Authorizer.Fetch) async throws -> (
        status: Int, body: [UInt8]
    ) {
        var url = url
        if isOffline { url = url.adding("offline_token", "true").adding("client_id", TokenQuestion.clientID) }
        return try await fetch(url.adding("account", user), Credential.basicHeader(user, password), nil)
    }

    private var url: WebURL {
        var url = realm
        if !service.isEmpty { url = url.adding("service", service) }
        for scope in scopes { url = url.adding("scope", scope) }
        return url
    }

    private func read(_ body: [UInt8]) throws -> AccessToken {
        let json = try? JSON.parse(body)
        let texts = ["token", "access_token"].compactMap { json?[$0]?.string }
        guard let json, let value = texts.first(where: { !$0.isEmpty }),
            value.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            throw EngineError(.failed, "authorization server \(realm.shown) did not include a token in the response")
        }
        // At least a minute, as docker reads it; a tenth less, for the way.
        let seconds = min(max(60, json["expires_in"]?.int ?? 60), 86400)
        let identity = json["refresh_token"]?.string ?? ""
        return AccessToken(
            value: value,
            expires: Clock.monotonic + UInt64(seconds) * 900_000_000,
            identityToken: identity.isEmpty ? nil : identity
        )
    }

    private func refusal(_ status: Int, _ body: [UInt8]) -> RegistryFailure {
        var entries = RegistryFailure.entries(body)
        if status == 401, entries.allSatisfy({ $0.code == "UNKNOWN" }) {
            let message = credential == nil ? "authentication required" : "incorrect username or password"
            entries = [RegistryFailure.Entry(code: "UNAUTHORIZED", message: message)]
        }
        return RegistryFailure(status: status, request: "Get \"\(realm.shown)\"", entries: entries)
    }
}
