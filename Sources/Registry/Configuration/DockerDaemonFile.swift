import OCI

/// What docker's daemon.json says about registries: mirrors of Docker Hub, and which registries may be spoken to without
/// checked certificates (dockerd(8); moby, daemon/pkg/registry).
struct DockerDaemonFile: Sendable {
    private(set) var mirrors: [EndpointURL] = []
    private var insecureHosts: Set<String> = []
    private var insecureRanges: [AddressRange] = []

    init() {}

    /// The file, or nothing where there is none.
    init(_ path: String) throws(EngineError) {
        try self.init(try ConfigurationFile.read(path, forgiving: true) ?? [], file: path)
    }

    init(_ bytes: [UInt8], file: String) throws(EngineError) {
        // docker takes an empty file as one that says nothing.
        if bytes.allSatisfy({ $0 <= 0x20 }) { return }
        let json: JSON
        do { json = try JSON.parse(bytes) } catch { throw EngineError(.invalid, "\(file): \(error.message)") }
        let reader = try JSONReader(json, file)
        for text in try reader.strings("registry-mirrors") ?? [] {
            do throws(EndpointURL.Invalid) {
                let url = try EndpointURL(text)
                if !mirrors.contains(url) { mirrors.append(url) }
            } catch {
                throw EngineError(.invalid, "\(file): the mirror \"\(text)\" is not valid: \(error.reason)")
            }
        }
        for text in try reader.strings("insecure-registries") ?? [] { try addInsecure(text, file) }
    }

    private mutating func addInsecure(_ text: String, _ file: String) throws(EngineError) {
        var rest = Substring(text)
        for scheme in ["http://", "https://"] where rest.lowercased().hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
        }
        if let range = AddressRange(rest) {
            insecureRanges.append(range)
        } else if let host = HostPort(rest) {
            insecureHosts.insert(host.description)
        } else {
            throw EngineError(.invalid, "\(file): the insecure registry \"\(text)\" is not valid")
        }
    }

    /// By the name with its port as it is written down, or by the range that its address is in. A host name is not looked
    /// up for that, as docker does: who answers for a name server must not decide whether certificates are checked.
    func isInsecure(_ host: HostPort) -> Bool {
        if insecureHosts.contains(host.description) { return true }
        guard let address = host.address else { return false }
        return insecureRanges.contains { $0.contains(address) }
    }

    /// The mirrors of Docker Hub. A mirror's path stands before the API's.
    func route(path: String) -> Route {
        var route = Route()
        route.mirrors = mirrors.map { url in
            var place = Route.Place(host: url.place, repository: path, scheme: url.scheme)
            place.endpoint.isMirror = true
            place.endpoint.pathPrefix = url.pathBeforeVersion
            place.endpoint.capabilities = [.pull, .resolve]
            return place
        }
        return route
    }
}
