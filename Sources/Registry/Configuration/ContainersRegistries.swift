import OCI

/// registries.conf in version 2 with its drop-in files (containers-registries.conf(5)): where podman and its relatives find
/// registries.
package struct ContainersRegistries: Sendable {
    /// One `[[registry]]`.
    package struct Registry: Sendable {
        let pattern: RegistryPattern
        /// Empty for a wildcard that says nothing of a place.
        let location: String
        let isInsecure: Bool
        let isBlocked: Bool
        let mirrors: [Mirror]
        let file: String
    }

    struct Mirror: Sendable {
        let location: String
        let isInsecure: Bool
        let use: Use

        enum Use: String, Sendable {
            case all
            case digest = "digest-only"
            case tag = "tag-only"
        }
    }

    private var registries: [RegistryPattern: Registry] = [:]
    /// Short names and what they stand for.
    private(set) var aliases: [String: String] = [:]

    package init() {}

    /// A user's registries.conf takes the system's place; the drop-in files of both come after it, and what they say of a
    /// prefix replaces what was said before (containers/image, pkg/sysregistriesv2).
    init(systemFolder: String, userFolder: String?) throws(EngineError) {
        let user = try userFolder.flatMap { (folder) throws(EngineError) in
            try ConfigurationFile.read("\(folder)/registries.conf", forgiving: true).map { (folder, $0) }
        }
        var dropInFolders: [String] = []
        if let (folder, bytes) = user {
            try add(bytes, file: "\(folder)/registries.conf")
        } else {
            let file = "\(systemFolder)/registries.conf"
            if let bytes = try ConfigurationFile.read(file, forgiving: true) { try add(bytes, file: file) }
            dropInFolders.append("\(systemFolder)/registries.conf.d")
        }
        if let userFolder { dropInFolders.append("\(userFolder)/registries.conf.d") }
        for folder in dropInFolders {
            for name in try ConfigurationFile.names(in: folder) where name.hasSuffix(".conf") {
                let file = "\(folder)/\(name)"
                if let bytes = try ConfigurationFile.read(file, forgiving: true) { try add(bytes, file: file) }
            }
        }
    }

    /// The entry with the longest prefix that matches.
    package func registry(domain: String, path: String) -> Registry? {
        registries.values.filter { $0.pattern.match(domain: domain, path: path) != nil }
            .max { $0.pattern.weight < $1.pattern.weight }
    }

    /// Whether an entry for a whole registry at this place says so.
    func isInsecure(_ host: HostPort) -> Bool {
        registries.values.contains { $0.isInsecure && HostPort($0.location) == host }
    }
}

// MARK: - reading

extension ContainersRegistries {
    package mutating func add(_ bytes: [UInt8], file: String) throws(EngineError) {
        let reader = try TOMLReader(bytes, file: file)
        if let old = try reader.table("registries") {
            return try addVersion1(old)
        }
        var seen: Set<RegistryPattern> = []
        for table in try reader.list("registry") {
            let registry = try ContainersRegistries.registry(table)
            // Within one file the first counts.
            if seen.insert(registry.pattern).inserted { registries[registry.pattern] = registry }
        }
        if let table = try reader.table("aliases") {
            for entry in table.table.entries {
                guard let name = try table.string(entry.key) else { continue }
                aliases[entry.key] = name.isEmpty ? nil : name
            }
        }
    }

    private static func registry(_ table: TOMLReader) throws(EngineError) -> Registry {
        let location = try self.location(table, "location") ?? ""
        let prefix = try self.location(table, "prefix") ?? ""
        let pattern = RegistryPattern(prefix.isEmpty ? location : prefix)
        guard !pattern.text.isEmpty else { throw table.error("neither \"location\" nor \"prefix\" is set") }
        guard pattern.isValid, pattern.text != "*" else {
            throw table.error("\"\(pattern.text)\" is no registry's name", at: prefix.isEmpty ? "location" : "prefix")
        }
        guard !location.isEmpty || pattern.text.hasPrefix("*.") else { throw table.error("\"location\" is missing") }
        let byDigest = try table.boolean("mirror-by-digest-only") ?? false
        var mirrors: [Mirror] = []
        for inner in try table.list("mirror") { mirrors.append(try mirror(inner, byDigest: byDigest)) }
        return Registry(
            pattern: pattern,
            location: location,
            isInsecure: try table.boolean("insecure") ?? false,
            isBlocked: try table.boolean("blocked") ?? false,
            mirrors: mirrors,
            file: table.file
        )
    }

    private static func mirror(_ table: TOMLReader, byDigest: Bool) throws(EngineError) -> Mirror {
        guard let location = try location(table, "location"), !location.isEmpty else {
            throw table.error("a mirror's \"location\" is missing")
        }
        var use = byDigest ? Mirror.Use.digest : .all
        if let word = try table.string("pull-from-mirror"), !word.isEmpty {
            guard let own = Mirror.Use(rawValue: word) else {
                throw table.error("unsupported \"pull-from-mirror\": \"\(word)\"", at: "pull-from-mirror")
            }
            if byDigest {
                throw table.error("\"pull-from-mirror\" and \"mirror-by-digest-only\" exclude each other")
            }
            use = own
        }
        return Mirror(location: location, isInsecure: try table.boolean("insecure") ?? false, use: use)
    }

    /// A place without a scheme, and without slashes at its end.
    private static func location(_ table: TOMLReader, _ key: String) throws(EngineError) -> String? {
        guard var text = try table.string(key) else { return nil }
        while text.hasSuffix("/") { text.removeLast() }
        if text.hasPrefix("http://") || text.hasPrefix("https://") {
            throw table.error("\"\(key)\" must have no scheme", at: key)
        }
        return text
    }

    /// `[registries.insecure]` and `[registries.block]` with lists of names.
    private mutating func addVersion1(_ old: TOMLReader) throws(EngineError) {
        let blocked = Set(try old.table("block")?.strings("registries") ?? [])
        let insecure = Set(try old.table("insecure")?.strings("registries") ?? [])
        for name in blocked.union(insecure) {
            let pattern = RegistryPattern(name)
            guard pattern.isValid else { throw old.error("\"\(name)\" is no registry's name") }
            registries[pattern] = Registry(
                pattern: pattern,
                location: pattern.text,
                isInsecure: insecure.contains(name),
                isBlocked: blocked.contains(name),
                mirrors: [],
                file: old.file
            )
        }
    }
}

// MARK: - what it means

extension ContainersRegistries.Registry {
    /// Podman pushes to the name itself: another location and mirrors are for pulls only.
    package func route(domain: String, path: String, _ operation: RegistryOperation) throws(EngineError) -> Route {
        var route = Route()
        let isHere = location.isEmpty || operation == .push
        route.registry = try place(isHere ? nil : location, domain: domain, path: path)
        if isInsecure { route.registry?.isInsecure = true }
        if operation == .push { return route }
        for mirror in mirrors {
            var place = try place(mirror.location, domain: domain, path: path)
            place.endpoint.isMirror = true
            place.endpoint.capabilities = mirror.use == .digest ? .pull : [.pull, .resolve]
            place.isForTagsOnly = mirror.use == .tag
            if mirror.isInsecure { place.isInsecure = true }
            route.mirrors.append(place)
        }
        return route
    }

    private func place(_ location: String?, domain: String, path: String) throws(EngineError) -> Route.Place {
        if let location {
            guard let place = RepositoryRewriting.place(location, pattern, domain: domain, path: path) else {
                throw EngineError(.invalid, "\(file): \(domain)/\(path) has no repository at \(location)")
            }
            return place
        }
        guard let host = HostPort(domain) else { throw EngineError(.invalid, "\(domain) is no registry's name") }
        return Route.Place(host: host, repository: path)
    }
}
