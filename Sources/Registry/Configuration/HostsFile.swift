import LinuxSystem
import OCI

/// containerd's hosts.toml for one registry, or for all that have none of their own (containerd, docs/hosts.md;
/// core/remotes/docker/config/hosts.go).
package struct HostsFile: Sendable {
    private let mirrors: [Host]
    private let server: Host

    /// The keys that a host and the file itself share.
    private struct Host: Sendable {
        /// Nil for the registry's own place.
        var url: EndpointURL?
        var capabilities: Endpoint.Capabilities = .all
        /// Whether `push` was written down; by default a host has every capability.
        var mayPush = false
        var tls = TLSSettings()
        var isVerificationSet = false
        var overridePath = false
        var headers: [Endpoint.Header] = []
    }

    package init(_ bytes: [UInt8], file: String) throws(EngineError) {
        let reader = try TOMLReader(bytes, file: file)
        var mirrors: [Host] = []
        for (name, table) in try reader.tables("host") { mirrors.append(try HostsFile.host(name, table)) }
        self.mirrors = mirrors
        server = try HostsFile.host(try reader.string("server") ?? "", reader)
    }

    private static func host(_ url: String, _ table: TOMLReader) throws(EngineError) -> Host {
        var host = Host()
        if !url.isEmpty {
            do throws(EndpointURL.Invalid) { host.url = try EndpointURL(url, schemeRequired: false) } catch {
                throw table.error("the host \"\(url)\" is not valid: \(error.reason)")
            }
        }
        if let words = try table.strings("capabilities"), !words.isEmpty {
            host.capabilities = []
            for word in words { host.capabilities.insert(try capability(word, table)) }
            host.mayPush = host.capabilities.contains(.push)
        }
        let folder = Files.parent(of: table.file)
        host.tls.additionalRoots = try table.stringOrStrings("ca").map { Files.absolute($0, from: folder) }
        host.tls.clientCertificates = try clients(table, folder)
        if let skips = try table.boolean("skip_verify") {
            host.tls.skipVerify = skips
            host.isVerificationSet = true
        }
        host.overridePath = try table.boolean("override_path") ?? false
        if let headers = try table.table("header") { host.headers = try HeaderTable.read(headers) }
        return host
    }

    private static func capability(_ word: String, _ table: TOMLReader) throws(EngineError) -> Endpoint.Capabilities {
        switch word.lowercased() {
        case "pull": return .pull
        case "resolve": return .resolve
        case "push": return .push
        // For lists of what refers to an image, which belong to those who answer for tags.
        case "referrers": return []
        default: throw table.error("unknown capability \"\(word)\"", at: "capabilities")
        }
    }

    /// A file, a list of files, or a list of pairs of files.
    private static func clients(_ table: TOMLReader, _ folder: String) throws(EngineError)
        -> [TLSSettings.ClientCertificate]
    {
        guard let value = table.table["client"] else { return [] }
        var result: [TLSSettings.ClientCertificate] = []
        for element in value.array ?? [value] {
            let files = element.string.map { [$0] } ?? element.strings ?? []
            guard let certificate = files.first, files.count <= 2, element.string != nil || files.count == 2 else {
                throw table.error("\"client\" is neither a file nor a list of files or pairs of files", at: "client")
            }
            result.append(
                .init(
                    certificate: Files.absolute(certificate, from: folder),
                    key: Files.absolute(files[files.count - 1], from: folder)
                )
            )
        }
        return result
    }

    package func route(domain: String, path: String) throws(EngineError) -> Route {
        guard let registry = HostPort(domain) else {
            throw EngineError(.invalid, "\(domain) is no registry's name")
        }
        var route = Route()
        route.mirrors = mirrors.map { host in
            var place = HostsFile.place(host, registry, path)
            place.endpoint.isMirror = true
            // An entry for the registry's own place says how that is spoken to, also for a push.
            if !host.mayPush, host.url?.place != registry { place.endpoint.capabilities.remove(.push) }
            return place
        }
        route.registry = HostsFile.place(server, registry, path)
        // The registry's own place, where the file names no other, can do everything.
        if server.url == nil { route.registry?.endpoint.capabilities = .all }
        return route
    }

    private static func place(_ host: Host, _ registry: HostPort, _ path: String) -> Route.Place {
        var place = Route.Place(host: host.url?.place ?? registry, repository: path, scheme: host.url?.scheme)
        if let url = host.url {
            place.endpoint.overridePath = host.overridePath
            place.endpoint.pathPrefix = host.overridePath ? url.path : url.pathBeforeVersion
            let isOther = place.endpoint.credentialsKey != registry.description
            place.endpoint.namespace = isOther ? registry.description : nil
        }
        place.endpoint.capabilities = host.capabilities
        place.endpoint.tls = host.tls
        place.endpoint.headers = host.headers
        if host.isVerificationSet {
            // As the file says, whatever else is known of the host; and without plain HTTP.
            place.isInsecure = host.tls.skipVerify
            if host.tls.skipVerify { place.isSchemeFixed = true }
        }
        return place
    }
}
