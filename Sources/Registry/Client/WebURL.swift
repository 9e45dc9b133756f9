import OCI

/// An http or https URL in parts (RFC 3986): what a registry's Location and realm are, and what is asked for.
package struct WebURL: Hashable, Sendable, CustomStringConvertible {
    let scheme: Endpoint.Scheme
    let place: HostPort
    /// From the "/" on, with the query.
    var target: String

    /// Reads an absolute URL. Refused: other schemes, users and passwords in it, bytes that no URL holds.
    package init(_ text: String) throws(EngineError) {
        func invalid(_ why: String) -> EngineError {
            EngineError(.invalid, "invalid URL \"\(text.prefix(200))\": \(why)")
        }
        let isSecure = text.lowercased().hasPrefix("https://")
        guard isSecure || text.lowercased().hasPrefix("http://") else { throw invalid("neither http nor https") }
        let rest = text.dropFirst(isSecure ? 8 : 7).prefix { $0 != "#" }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        guard !rest[..<end].contains("@") else { throw invalid("it holds a user's name") }
        guard let place = HostPort(rest[..<end]) else { throw invalid("no host") }
        let target = rest[end...].hasPrefix("/") ? String(rest[end...]) : "/" + rest[end...]
        guard target.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), target.utf8.count <= 16384 else {
            throw invalid("it holds what no URL does")
        }
        scheme = isSecure ? .https : .http
        self.place = place
        self.target = target
    }

    private init(scheme: Endpoint.Scheme, place: HostPort, target: String) {
        self.scheme = scheme
        self.place = place
        self.target = target
    }

    /// What a Location header of this URL's answer means: absolute, or relative to this URL (RFC 3986, section 5.2).
    package func resolving(_ reference: String) throws(EngineError) -> WebURL {
        if WebURL.hasScheme(reference) { return try WebURL(reference) }
        if reference.hasPrefix("//") { return try WebURL("\(scheme.rawValue):\(reference)") }
        if reference.hasPrefix("/") { return try WebURL(origin + reference) }
        let path = target.prefix { $0 != "?" }
        if reference.hasPrefix("?") { return try WebURL(origin + path + reference) }
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "/"
        return try WebURL(origin + folder + reference)
    }

    /// Whether a reference begins with a scheme, whichever (RFC 3986, section 3.1): it is no path then.
    private static func hasScheme(_ reference: String) -> Bool {
        guard let end = reference.utf8.firstIndex(of: UInt8(ascii: ":")) else { return false }
        let scheme = reference[..<end].unicodeScalars
        func isLetter(_ scalar: Unicode.Scalar) -> Bool { ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) }
        guard let first = scheme.first, isLetter(first) else { return false }
        return scheme.allSatisfy { isLetter($0) || ("0"..."9").contains($0) || "+-.".unicodeScalars.contains($0) }
    }

    /// With one more parameter in its query.
    func adding(_ name: String, _ value: String) -> WebURL {
        let separator = target.contains("?") ? (target.hasSuffix("?") || target.hasSuffix("&") ? "" : "&") : "?"
        let item = "\(PercentEncoding.encode(name))=\(PercentEncoding.encode(value))"
        return WebURL(scheme: scheme, place: place, target: target + separator + item)
    }

    var port: Int { place.port ?? (scheme == .https ? 443 : 80) }

    /// Scheme and place.
    var origin: String { "\(scheme.rawValue)://\(place)" }

    /// Whether what is secret for one may be sent to the other.
    func hasSameOrigin(as other: WebURL) -> Bool {
        scheme == other.scheme && place.host == other.place.host && port == other.port
    }

    package var description: String { origin + target }

    /// Without the query, which may hold a signature that is as good as a password: for messages.
    var shown: String { origin + target.prefix { $0 != "?" } }
}
