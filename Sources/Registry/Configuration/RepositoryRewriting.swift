/// What becomes of a repository's name where a file says that a registry, or a part of one, is somewhere else.
enum RepositoryRewriting {
    /// `location` takes the place of what the pattern matches of `domain/path`; nil where no repository is left.
    static func place(_ location: String, _ pattern: RegistryPattern, domain: String, path: String) -> Route.Place? {
        guard let matched = pattern.match(domain: domain, path: path) else { return nil }
        var location = Substring(location)
        while location.hasSuffix("/") { location.removeLast() }
        let name = location + String(decoding: "\(domain)/\(path)".utf8.dropFirst(matched), as: UTF8.self)
        guard let slash = name.firstIndex(of: "/"), let host = HostPort(name[..<slash]) else { return nil }
        let repository = name[name.index(after: slash)...]
        guard !repository.isEmpty, repository.utf8.allSatisfy({ isPathByte($0) }) else { return nil }
        return Route.Place(host: host, repository: String(repository))
    }

    private static func isPathByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "/"): true
        default: false
        }
    }
}
