/// The names under which a registry's credential may be stored.
struct RegistryKey: Equatable, Sendable {
    /// Docker Hub's key in docker's config.json, and for helpers.
    static let hub = "https://index.docker.io/v1/"

    /// `host[:port]`; "docker.io" for Docker Hub, whichever of its hosts was named.
    let host: String

    /// From a host, a registry's name as it is typed for `login`, or a URL of one.
    init(_ text: String) {
        var rest = Substring(text)
        for scheme in ["https://", "http://"] where rest.lowercased().hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
        }
        let host = rest.prefix { $0 != "/" }
        self.host = RegistryKey.hubHosts.contains(String(host)) || host.isEmpty ? "docker.io" : String(host)
    }

    private static let hubHosts: Set<String> = ["docker.io", "index.docker.io", "registry-1.docker.io"]

    var isHub: Bool { host == "docker.io" }

    /// What docker stores it under.
    var name: String { isHub ? RegistryKey.hub : host }

    /// Every name that the registry itself may have in a file.
    var names: [String] { isHub ? [RegistryKey.hub, "docker.io", "index.docker.io"] : [host] }

    /// The keys that an entry may have, the most exact first: podman's for a repository and each part of it, then the
    /// registry's.
    func paths(_ repository: String) -> [String] {
        var result: [String] = []
        var parts = repository.split(separator: "/")
        while !parts.isEmpty {
            result.append("\(host)/\(parts.joined(separator: "/"))")
            parts.removeLast()
        }
        return result + names
    }

    /// The registry that an entry's key stands for as a whole: a URL's host, or the key. Nil for a part of a registry.
    static func host(ofEntry key: String) -> String? {
        let isURL = key.lowercased().hasPrefix("http://") || key.lowercased().hasPrefix("https://")
        return isURL || !key.contains("/") ? RegistryKey(key).host : nil
    }
}
