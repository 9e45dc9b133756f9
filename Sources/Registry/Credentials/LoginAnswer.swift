/// What a registry says to a credential.
package enum LoginAnswer: Equatable, Sendable {
    /// With a refresh token to keep in place of the password, where the token server gives one.
    case accepted(identityToken: String?)
    /// The credential is not right; with the registry's words: `Get "https://…/v2/": unauthorized: …`.
    case refused(String)
}
