import LinuxSystem
import OCI

/// The three files that a container gets from the engine: /etc/hostname, /etc/hosts and /etc/resolv.conf, as text.
package enum NetworkFiles {
    /// Writes all three into a bundle's folder, the resolver's after the host's.
    package static func write(in folder: String, hostname name: String, hosts: [UInt8], options: ContainerOptions)
        throws
    {
        let resolver = resolver(
            host: (try? Files.readText("/etc/resolv.conf")) ?? "",
            options: options,
            keepsLoopback: options.network == .host
        )
        try Files.write("\(folder)/hosts", hosts)
        try Files.write("\(folder)/hostname", hostname(name).rawBytes)
        try Files.write("\(folder)/resolv.conf", resolver.rawBytes)
    }

    package static func hostname(_ name: String) -> String { name + "\n" }

    /// The address that `--add-host NAME:host-gateway` means, where somebody asks for one: on the host's network the loopback,
    /// elsewhere an address of the host's.
    package static func gateway(for options: ContainerOptions) -> String? {
        guard options.network != .host, options.addedHosts.contains(where: { $0.hasSuffix(":host-gateway") }) else {
            return nil
        }
        return HostAddress.primary()
    }

    /// What a container calls itself: its host name with and without the domain, and its own name.
    package static func names(hostname: String, domainname: String?, container: String?) -> [String] {
        var names: [String] = []
        if let domainname, !domainname.isEmpty, !hostname.isEmpty { names.append("\(hostname).\(domainname)") }
        for name in [hostname, container ?? ""] where !name.isEmpty && !names.contains(name) { names.append(name) }
        return names
    }

    /// The lines of /etc/hosts: the host's own where the container is in its network, else the standard ones; then those of
    /// `--add-host` (`name:address`), then the container's own names, which resolve on every network.
    ///
    /// - Parameters:
    ///   - names: those that the container goes by. One that has a line already gets no other.
    ///   - host: the host's file.
    ///   - gateway: what `host-gateway` stands for; without one it is 127.0.0.1.
    package static func hosts(of names: [String], host: String? = nil, added: [String] = [], gateway: String? = nil)
        -> String
    {
        var text =
            host ?? """
                127.0.0.1\tlocalhost
                ::1\tlocalhost ip6-localhost ip6-loopback
                fe00::\tip6-localnet
                ff00::\tip6-mcastprefix
                ff02::1\tip6-allnodes
                ff02::2\tip6-allrouters

                """
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        for entry in added {
            guard let colon = entry.firstIndex(of: ":") else { continue }
            var address = entry[entry.index(after: colon)...]
            if address.hasPrefix("["), address.hasSuffix("]") { address = address.dropFirst().dropLast() }
            if address == "host-gateway" { address = gateway.map { $0[...] } ?? "127.0.0.1" }
            text += "\(address)\t\(entry[..<colon])\n"
        }
        let known = Set(text.split(separator: "\n").flatMap(hostNames).map { $0.lowercased() })
        let own = names.filter { !known.contains($0.lowercased()) }
        // Not 127.0.0.1: that is `localhost` when asked for its name (as Debian's installer has it).
        if !own.isEmpty { text += "127.0.1.1\t\(own.joined(separator: " "))\n" }
        return text
    }

    /// The names of one line of a hosts file (hosts(5)).
    private static func hostNames(_ line: Substring) -> [Substring] {
        let words = line.prefix { $0 != "#" }.split(whereSeparator: { $0 == " " || $0 == "\t" })
        return Array(words.dropFirst())
    }

    /// The host's resolver configuration with what the caller wants instead.
    ///
    /// - Parameter keepsLoopback: a container in the host's network reaches a resolver on 127.0.0.53; another does not, so
    ///   such servers are left out for it.
    package static func resolver(
        host: String,
        options: ContainerOptions,
        keepsLoopback: Bool
    ) -> String {
        var servers: [String] = []
        var search: [String] = []
        var resolverOptions: [String] = []
        for line in host.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            guard let key = words.first, words.count > 1 else { continue }
            switch key {
            case "nameserver" where keepsLoopback || !(words[1].hasPrefix("127.") || words[1] == "::1"):
                servers.append(words[1])
            case "search", "domain": search = Array(words.dropFirst())
            case "options": resolverOptions += words.dropFirst()
            default: break
            }
        }
        if !options.nameServers.isEmpty { servers = options.nameServers }
        if !options.searchDomains.isEmpty { search = options.searchDomains.filter { $0 != "." } }
        if !options.resolverOptions.isEmpty { resolverOptions = options.resolverOptions }
        var text = servers.map { "nameserver \($0)\n" }.joined()
        if !search.isEmpty { text += "search \(search.joined(separator: " "))\n" }
        if !resolverOptions.isEmpty { text += "options \(resolverOptions.joined(separator: " "))\n" }
        return text
    }
}
