/// A mirror's or a server's URL, as configuration files write it: `https://host:port/path`.
struct EndpointURL: Equatable, Sendable {
    let scheme: Endpoint.Scheme
    let place: HostPort
    /// Without a slash at its end; "" for the root.
    let path: String

    /// What is wrong with it, for an error's text.
    struct Invalid: Error {
        let reason: String
    }

    /// - Parameter schemeRequired: without one the text is refused; else https is meant (containerd, hosts.go).
    init(_ text: String, schemeRequired: Bool = true) throws(Invalid) {
        var rest = Substring(text)
        if let lead = EndpointURL.cut(&rest, "://") {
            guard let scheme = Endpoint.Scheme(rawValue: lead.lowercased()) else {
                throw Invalid(reason: "its scheme is neither https nor http")
            }
            self.scheme = scheme
        } else if schemeRequired {
            throw Invalid(reason: "it must begin with https:// or http://")
        } else {
            scheme = .https
        }
        if rest.contains("?") || rest.contains("#") { throw Invalid(reason: "it has a query or a fragment") }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        if rest[..<slash].contains("@") { throw Invalid(reason: "user and password do not belong into it") }
        guard let place = HostPort(rest[..<slash]) else { throw Invalid(reason: "its host is not valid") }
        self.place = place
        path = try EndpointURL.path(rest[slash...])
    }

    /// The path without empty and "." components.
    private static func path(_ text: Substring) throws(Invalid) -> String {
        var result = ""
        for part in text.split(separator: "/") where part != "." {
            let isPlain = part.utf8.allSatisfy { byte in
                (0x21...0x7E).contains(byte) && !"\"<>\\^`{|}".utf8.contains(byte)
            }
            guard isPlain, part != ".." else { throw Invalid(reason: "its path is not valid") }
            result += "/" + part
        }
        return result
    }

    /// The path before `/v2`, where it ends with that.
    var pathBeforeVersion: String { path.hasSuffix("/v2") ? String(path.dropLast(3)) : path }

    private static func cut(_ text: inout Substring, _ separator: String) -> Substring? {
        var index = text.startIndex
        while index < text.endIndex {
            if text[index...].hasPrefix(separator) {
                let before = text[..<index]
                text = text[index...].dropFirst(separator.count)
                return before
            }
            index = text.index(after: index)
        }
        return nil
    }
}
