import LinuxSystem
import OCI

/// Host names to addresses, without the C library's own resolver: that loads modules, which a static program cannot.
enum NameResolver {
    /// The addresses to try, in order.
    static func addresses(of host: String) async throws -> [String] {
        if IPAddress(host) != nil { return [host] }
        if let known = (try? Files.readText("/etc/hosts")).map({ inHosts($0, host) }), !known.isEmpty { return known }
        // RFC 6761, section 6.3.
        if host == "localhost" || host.hasSuffix(".localhost") { return ["127.0.0.1", "::1"] }
        return try await Blocking.aside { try asked(host) }
    }

    /// What a hosts file has for a name (hosts(5)).
    static func inHosts(_ text: String, _ host: String) -> [String] {
        var found: [String] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard let address = words.first.map(String.init), IPAddress(address) != nil else { continue }
            if words.dropFirst().contains(where: { $0.lowercased() == host }), !found.contains(address) {
                found.append(address)
            }
        }
        return found
    }

    /// Asks the machine's own resolver, however it is set up (getent(1)).
    private static func asked(_ host: String) throws -> [String] {
        let result: Subprocess.Result
        do throws(SystemError) { result = try Subprocess.run(["getent", "ahosts", host], timeout: 30_000) } catch {
            throw EngineError(.failed, "lookup \(host): \(error)", hint: "minirun looks names up by getent(1)")
        }
        if result.timedOut { throw EngineError(.failed, "lookup \(host): i/o timeout") }
        let found = inAnswer(result.outputText)
        guard !found.isEmpty else { throw EngineError(.notFound, "lookup \(host): no such host") }
        return found
    }

    /// Each address once, in the resolver's order.
    static func inAnswer(_ text: String) -> [String] {
        var found: [String] = []
        for line in text.split(separator: "\n") {
            guard let address = line.split(separator: " ").first.map(String.init), IPAddress(address) != nil,
                !found.contains(address)
            else { continue }
            found.append(address)
        }
        return found
    }
}
