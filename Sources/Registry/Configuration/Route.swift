import OCI

/// Where one source of configuration says that a repository is: its mirrors in order, and the registry itself.
package struct Route: Sendable {
    package var mirrors: [Place] = []
    /// Nil where the registry is at its own name.
    package var registry: Place?
    /// Only the mirrors are asked for content.
    var mirrorsOnly = false

    /// A place before certificates and the rules for plain HTTP are looked up.
    package struct Place: Equatable, Sendable {
        package var endpoint: Endpoint
        /// The scheme was written down: there is no other to fall back to.
        var isSchemeFixed = false
        /// Nil where the source does not say.
        var isInsecure: Bool?
        /// Used for tags only (registries.conf, `pull-from-mirror = "tag-only"`).
        var isForTagsOnly = false

        /// `host[:port]/prefix` with the rest of the repository's path behind it. The host docker.io is where Docker Hub's
        /// registry is.
        init(host: HostPort, repository: String, scheme: Endpoint.Scheme? = nil) {
            let isHub =
                ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(host.host) && host.port == nil
            endpoint = Endpoint(
                scheme: scheme ?? .https,
                host: isHub ? "registry-1.docker.io" : host.host,
                port: host.port,
                repository: repository,
                credentialsKey: isHub ? "docker.io" : host.description
            )
            isSchemeFixed = scheme != nil
        }
    }
}
