import OCI

/// What a configuration file's entry is for: `docker.io`, `host:5000`, `quay.io/team`, `*.example.com`, or `*`.
struct RegistryPattern: Hashable, Sendable {
    let text: String

    init(_ text: String) {
        var rest = Substring(text)
        while rest.hasSuffix("/") { rest.removeLast() }
        self.text = rest == "index.docker.io" || rest == "registry-1.docker.io" ? "docker.io" : String(rest)
    }

    /// A host with its port, an optional path, or one of the wildcards.
    var isValid: Bool {
        if text == "*" { return true }
        if text.hasPrefix("*.") { return HostPort(text.dropFirst(2)).map { $0.port == nil } ?? false }
        return HostPort(text.prefix { $0 != "/" }) != nil
    }

    /// How many bytes of `domain/path` the entry stands for; nil where it is for something else. A wildcard stands for the
    /// whole domain.
    func match(domain: String, path: String) -> Int? {
        if text == "*" { return domain.utf8.count }
        if text.hasPrefix("*.") {
            guard let place = HostPort(domain), place.host.hasSuffix(text.dropFirst()) else { return nil }
            return domain.utf8.count
        }
        let name = "\(domain)/\(path)"
        guard name == text || name.hasPrefix(text + "/") else { return nil }
        return text.utf8.count
    }

    /// The longer one wins where several match.
    var weight: Int { text == "*" ? 0 : text.utf8.count }
}
