/// What a registry is shown to prove who asks.
package enum Credential: Equatable, Sendable {
    /// For Basic, and for a token by the password.
    case basic(user: String, password: String)
    /// A refresh token: a token server gives an access token for it (`grant_type=refresh_token`).
    case identityToken(user: String?, token: String)
    /// A bearer token that is sent to the registry as it is.
    case registryToken(String)
}
