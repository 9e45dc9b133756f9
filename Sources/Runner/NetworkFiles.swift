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
        try Files.write("\(folder)/hostname", Array(hostname(name).utf8))
        try Files.write("\(folder)/resolv.conf", Array(resolver.utf8))
    }

    package static func hostname(_ name: String) -> String { name + "\n" }

    /// The standard lines, then those of `--add-host` (`name:address`).
    package static func hosts(added: [String], addresses: [String] = [], names: [String] = []) -> String {
        var text = """
            127.0.0.1\tlocalhost
            ::1\tlocalhost ip6-localhost ip6-loopback
            fe00::\tip6-localnet
            ff00::\tip6-mcastprefix
            ff02::1\tip6-allnodes
            ff02::2\tip6-allrouters

            """
        for entry in added {
            guard let colon = entry.firstIndex(of: ":") else { continue }
            var address = entry[entry.index(after: colon)...]
            if address.hasPrefix("["), address.hasSuffix("]") { address = address.dropFirst().dropLast() }
            text += "\(address)\t\(entry[..<colon])\n"
        }
        for address in addresses { text += "\(address)\t\(names.joined(separator: " "))\n" }
        return text
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
