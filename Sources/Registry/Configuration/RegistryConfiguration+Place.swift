import OCI

extension RegistryConfiguration {
    /// How a place is spoken to by TLS that is no endpoint itself: a token server, the target of a redirection.
    func tls(for url: WebURL) throws(EngineError) -> TLSSettings {
        url.scheme == .https ? try tls(of: url.place) : TLSSettings()
    }
}
