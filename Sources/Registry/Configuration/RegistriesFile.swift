import LinuxSystem
import OCI

/// Our own file, /etc/minirun/registries.toml: docs/registries.md describes it.
package struct RegistriesFile: Sendable {
    private let entries: [Entry]

    /// What it says about a registry, a part of one, or several.
    package struct Entry: Sendable {
        let pattern: RegistryPattern
        let file: String
        var mirrors: [Mirror]?
        var location: String?
        var mirrorsOnly = false
        var isBlocked: Bool?
        var connection = Connection()

        /// It says where the repositories are, and not only how to speak to the registry.
        var isRoute: Bool { mirrors != nil || location != nil }
        /// It is for one registry as a whole.
        var isForHost: Bool { !pattern.text.hasPrefix("*") && !pattern.text.contains("/") }
    }

    struct Mirror: Sendable {
        let url: EndpointURL
        let isSchemeFixed: Bool
        /// As registries.conf has it: all, digest or tag.
        let use: Use
        let connection: Connection

        enum Use: String, Sendable { case all, digest, tag }
    }

    /// How to speak to a place.
    struct Connection: Sendable {
        var isInsecure: Bool?
        var tls = TLSSettings()
        var headers: [Endpoint.Header] = []
        var pathPrefix: String?

        static let keys: Set<String> = [
            "insecure", "ca", "only-ca", "client-certificate", "client-key", "headers", "path-prefix",
        ]
    }

    package init(_ bytes: [UInt8], file: String) throws(EngineError) {
        let reader = try TOMLReader(bytes, file: file)
        try reader.expect(["registry"])
        var entries: [Entry] = []
        for (name, table) in try reader.tables("registry") {
            let pattern = RegistryPattern(name)
            guard pattern.isValid else { throw reader.error("\"\(name)\" is no registry's name", at: "registry") }
            entries.append(try RegistriesFile.entry(pattern, table))
        }
        self.entries = entries
    }

    /// The one with the longest name that matches.
    package func entry(domain: String, path: String) -> Entry? {
        entries.filter { $0.pattern.match(domain: domain, path: path) != nil }
            .max { $0.pattern.weight < $1.pattern.weight }
    }
}

// MARK: - reading

extension RegistriesFile {
    private static func entry(_ pattern: RegistryPattern, _ table: TOMLReader) throws(EngineError) -> Entry {
        try table.expect(Connection.keys.union(["mirrors", "mirror", "location", "mirrors-only", "blocked"]))
        var entry = Entry(pattern: pattern, file: table.file)
        if let urls = try table.strings("mirrors") {
            var mirrors: [Mirror] = []
            for text in urls { mirrors.append(try mirror(text, in: table, at: "mirrors", .all, Connection())) }
            entry.mirrors = mirrors
        }
        for inner in try table.list("mirror") {
            try inner.expect(Connection.keys.union(["url", "pull"]))
            guard let text = try inner.string("url") else { throw inner.error("\"url\" is missing") }
            let word = try inner.string("pull") ?? "all"
            guard let use = Mirror.Use(rawValue: word) else {
                throw inner.error("\"pull\" is neither \"all\" nor \"digest\" nor \"tag\"", at: "pull")
            }
            let mirror = try mirror(text, in: inner, at: "url", use, connection(inner))
            entry.mirrors = (entry.mirrors ?? []) + [mirror]
        }
        entry.location = try table.string("location")
        if let location = entry.location, HostPort(location.prefix { $0 != "/" }) == nil {
            throw table.error("\"location\" is no registry's name", at: "location")
        }
        entry.mirrorsOnly = try table.boolean("mirrors-only") ?? false
        entry.isBlocked = try table.boolean("blocked")
        entry.connection = try connection(table)
        return entry
    }

    private static func mirror(
        _ text: String,
        in table: TOMLReader,
        at key: String,
        _ use: Mirror.Use,
        _ connection: Connection
    ) throws(EngineError) -> Mirror {
        do throws(EndpointURL.Invalid) {
            let url = try EndpointURL(text, schemeRequired: false)
            let isFixed = text.lowercased().hasPrefix("\(url.scheme.rawValue)://")
            return Mirror(url: url, isSchemeFixed: isFixed, use: use, connection: connection)
        } catch {
            throw table.error("the mirror \"\(text)\" is not valid: \(error.reason)", at: key)
        }
    }

    private static func connection(_ table: TOMLReader) throws(EngineError) -> Connection {
        let folder = Files.parent(of: table.file)
        var result = Connection()
        result.isInsecure = try table.boolean("insecure")
        result.tls.additionalRoots = try table.stringOrStrings("ca").map { Files.absolute($0, from: folder) }
        result.tls.replacesRoots = try table.boolean("only-ca") ?? false
        if result.tls.replacesRoots, result.tls.additionalRoots.isEmpty {
            throw table.error("\"only-ca\" needs \"ca\"", at: "only-ca")
        }
        if let certificate = try table.string("client-certificate") {
            let key = try table.string("client-key") ?? certificate
            result.tls.clientCertificates = [
                .init(certificate: Files.absolute(certificate, from: folder), key: Files.absolute(key, from: folder))
            ]
        } else if table.table["client-key"] != nil {
            throw table.error("\"client-key\" needs \"client-certificate\"", at: "client-key")
        }
        if let headers = try table.table("headers") { result.headers = try HeaderTable.read(headers) }
        if let prefix = try table.string("path-prefix") {
            guard let url = try? EndpointURL("https://localhost/" + prefix) else {
                throw table.error("\"path-prefix\" is no path", at: "path-prefix")
            }
            result.pathPrefix = url.path
        }
        return result
    }
}

// MARK: - what it means

extension RegistriesFile.Entry {
    package func route(domain: String, path: String) throws(EngineError) -> Route {
        var route = Route()
        route.mirrorsOnly = mirrorsOnly
        for mirror in mirrors ?? [] { route.mirrors.append(mirror.place(domain: domain, path: path)) }
        guard let location else { return route }
        guard var place = RepositoryRewriting.place(location, pattern, domain: domain, path: path) else {
            throw EngineError(.invalid, "\(file): \(domain)/\(path) has no repository at \(location)")
        }
        apply(to: &place)
        route.registry = place
        return route
    }

    func apply(to place: inout Route.Place) { connection.apply(to: &place) }
}

extension RegistriesFile.Mirror {
    fileprivate func place(domain: String, path: String) -> Route.Place {
        let prefix = url.path.hasPrefix("/v2/") ? url.path.dropFirst(3) : url.path[...]
        let repository = prefix.isEmpty || prefix == "/v2" ? path : "\(prefix.dropFirst())/\(path)"
        var place = Route.Place(host: url.place, repository: repository, scheme: isSchemeFixed ? url.scheme : nil)
        place.endpoint.isMirror = true
        place.endpoint.namespace = domain
        place.endpoint.capabilities = use == .digest ? .pull : [.pull, .resolve]
        place.isForTagsOnly = use == .tag
        connection.apply(to: &place)
        return place
    }
}

extension RegistriesFile.Connection {
    fileprivate func apply(to place: inout Route.Place) {
        place.isInsecure = place.isInsecure ?? isInsecure
        for root in tls.additionalRoots where !place.endpoint.tls.additionalRoots.contains(root) {
            place.endpoint.tls.additionalRoots.append(root)
        }
        if tls.replacesRoots { place.endpoint.tls.replacesRoots = true }
        for pair in tls.clientCertificates where !place.endpoint.tls.clientCertificates.contains(pair) {
            place.endpoint.tls.clientCertificates.append(pair)
        }
        for header in headers where !place.endpoint.headers.contains(header) { place.endpoint.headers.append(header) }
        if let pathPrefix, place.endpoint.pathPrefix.isEmpty { place.endpoint.pathPrefix = pathPrefix }
    }
}
