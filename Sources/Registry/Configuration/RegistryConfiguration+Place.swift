import OCI

extension RegistryConfiguration {
    /// How a place is spoken to by TLS that is no endpoint itself: a token server, the target of a redirection.
    func tls(for url: WebURL) throws(EngineError) -> TLSSettings {
        let place = url.place
        var endpoint = Endpoint(
            scheme: url.scheme,
            host: place.host,
            port: place.port,
            repository: "",
            credentialsKey: place.description
        )
        try folders.addCertificates(of: endpoint, to: &endpoint.tls)
        if docker.isInsecure(place) || containers.isInsecure(place) || place.isLoopback {
            endpoint.tls.skipVerify = true
        }
        return endpoint.tls
    }
}
