import OCI

extension RegistryConfiguration {
    /// Where to ask for a repository's content, in the order in which to ask: mirrors first, the registry itself last.
    ///
    /// A push goes to the registry itself, or to the mirrors that a hosts.toml names for pushing. An endpoint without the
    /// capability `resolve` is not asked what a tag means, but may be asked for what that turned out to be.
    ///
    /// - Throws: where the registry is blocked, or the configuration leaves nothing to ask.
    package func endpoints(for reference: ImageReference, _ operation: RegistryOperation) throws(EngineError)
        -> [Endpoint]
    {
        let entry = ownEntry(reference.domain, reference.path)
        if let file = try blocked(reference, entry) {
            throw EngineError(.failed, "registry \(reference.domain) is blocked in \(file)")
        }
        let route = try self.route(reference, entry, operation)
        var places = route.mirrors.filter { isUseful($0, for: reference, operation) }
        let registry = try self.registry(reference, route, entry)
        if operation == .push {
            places.append(registry)
        } else if !route.mirrorsOnly, !registry.endpoint.capabilities.isDisjoint(with: [.pull, .resolve]) {
            places.append(registry)
        }
        guard !places.isEmpty else {
            throw EngineError(.failed, "no mirror of \(reference.domain) may be asked for \(reference.familiar)")
        }
        var result: [Endpoint] = []
        for place in places { result += try settled(place) }
        return result
    }

    /// The registry itself, without mirrors and without a repository: for a login, and for what is above repositories. The
    /// credentials of a registry are no business of its mirrors.
    ///
    /// - Parameter server: as it is typed for `login`: a host, its URL, or "" for Docker Hub.
    package func endpoints(ofRegistry server: String) throws(EngineError) -> [Endpoint] {
        let name = RegistryKey(server).host
        guard let host = HostPort(name) else { throw EngineError(.invalid, "\(name) is no registry's name") }
        let entry = ownEntry(name, "")
        if let isBlocked = entry?.isBlocked ?? containers.registry(domain: name, path: "")?.isBlocked, isBlocked {
            throw EngineError(.failed, "registry \(name) is blocked")
        }
        if let hosts = try folders.hostsFile(name), let place = try hosts.route(domain: name, path: "").registry {
            return try settled(place)
        }
        return try settled(Route.Place(host: host, repository: ""))
    }

    /// The same configuration where a person said (`--insecure`) that a repository's registry need not show a good
    /// certificate, or any. Mirrors and token servers at other hosts must.
    package func allowingInsecure(_ reference: ImageReference) throws(EngineError) -> RegistryConfiguration {
        let entry = ownEntry(reference.domain, reference.path)
        let route = try self.route(reference, entry, .pull)
        var configuration = self
        configuration.insecureHost = try registry(reference, route, entry).endpoint.host
        return configuration
    }

    /// The entry of our own files with the longest name that matches; the user's file wins over the system's.
    private func ownEntry(_ domain: String, _ path: String) -> RegistriesFile.Entry? {
        for file in own {
            if let entry = file.entry(domain: domain, path: path) { return entry }
        }
        return nil
    }

    /// The file that blocks a registry.
    private func blocked(_ reference: ImageReference, _ entry: RegistriesFile.Entry?) throws(EngineError) -> String? {
        if let entry, let isBlocked = entry.isBlocked { return isBlocked ? entry.file : nil }
        guard let other = containers.registry(domain: reference.domain, path: reference.path), other.isBlocked else {
            return nil
        }
        return other.file
    }

    /// What the first source says that says anything about where the repository is.
    private func route(
        _ reference: ImageReference,
        _ entry: RegistriesFile.Entry?,
        _ operation: RegistryOperation
    ) throws(EngineError) -> Route {
        let (domain, path) = (reference.domain, reference.path)
        if let entry, entry.isRoute { return try entry.route(domain: domain, path: path) }
        if let hosts = try folders.hostsFile(domain) { return try hosts.route(domain: domain, path: path) }
        if let other = containers.registry(domain: domain, path: path) {
            return try other.route(domain: domain, path: path, operation)
        }
        if domain == "docker.io", !docker.mirrors.isEmpty { return docker.route(path: path) }
        if let hosts = try folders.defaultHostsFile() { return try hosts.route(domain: domain, path: path) }
        return Route()
    }

    /// The registry itself.
    private func registry(_ reference: ImageReference, _ route: Route, _ entry: RegistriesFile.Entry?)
        throws(EngineError) -> Route.Place
    {
        if let place = route.registry { return place }
        guard let host = HostPort(reference.domain) else {
            throw EngineError(.invalid, "\(reference.domain) is no registry's name")
        }
        var place = Route.Place(host: host, repository: reference.path)
        // An entry for a part of the registry, or with a wildcard, is not found again by the host alone.
        if let entry { entry.apply(to: &place) }
        return place
    }

    private func isUseful(_ place: Route.Place, for reference: ImageReference, _ operation: RegistryOperation) -> Bool {
        if operation == .push { return place.endpoint.capabilities.contains(.push) }
        if place.isForTagsOnly, reference.digest != nil { return false }
        return !place.endpoint.capabilities.isDisjoint(with: [.pull, .resolve])
    }

    /// How a place is spoken to by TLS that is no endpoint itself: a token server, the target of a redirection.
    func tls(of place: HostPort) throws(EngineError) -> TLSSettings {
        try settled(Route.Place(host: place, repository: "", scheme: .https)).first?.tls ?? TLSSettings()
    }

    /// A place with its certificates and headers, and with plain HTTP behind it where that is allowed.
    private func settled(_ place: Route.Place) throws(EngineError) -> [Endpoint] {
        var place = place
        let host = HostPort(host: place.endpoint.host, port: place.endpoint.port)
        if let entry = ownEntry(place.endpoint.credentialsKey, ""), entry.isForHost { entry.apply(to: &place) }
        try folders.addCertificates(of: place.endpoint, to: &place.endpoint.tls)
        place.endpoint.headers = headers + place.endpoint.headers
        let isInsecure =
            insecureHost == host.host
            || (place.isInsecure ?? (docker.isInsecure(host) || containers.isInsecure(host) || host.isLoopback))
        if place.endpoint.scheme == .http || !isInsecure { return [place.endpoint] }
        place.endpoint.tls.skipVerify = true
        if place.isSchemeFixed { return [place.endpoint] }
        var plain = place.endpoint
        plain.scheme = .http
        plain.tls = TLSSettings()
        plain.isPlainFallback = true
        return [place.endpoint, plain]
    }
}
