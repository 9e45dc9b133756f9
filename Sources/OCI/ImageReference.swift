/// An image's name as docker reads it: `[domain/]path[:tag][@digest]`, with docker.io, library/ and :latest filled in
/// (distribution/reference's grammar; section 6 of the reference names the rules).
package struct ImageReference: Hashable, Sendable, CustomStringConvertible {
    /// `docker.io`, `localhost:5000`, …
    package let domain: String
    /// `library/python`
    package let path: String
    package let tag: String?
    package let digest: Digest?

    /// Reads a name. With neither tag nor digest the tag is `latest`.
    package init(_ text: String) throws(EngineError) {
        func refuse(_ why: String) -> EngineError { EngineError(.invalid, why) }
        if Digest(hex: text) != nil {
            throw refuse("invalid repository name (\(text)), cannot specify 64-byte hexadecimal strings")
        }
        var rest = Substring(text)
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            do throws(EngineError) { digest = try Digest(String(rest[rest.index(after: at)...])) } catch {
                throw refuse("invalid reference format")
            }
            rest = rest[..<at]
        }
        var tag: String?
        if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("/") {
            tag = String(rest[rest.index(after: colon)...])
            rest = rest[..<colon]
        }
        // The first component is a domain if it looks like a host.
        var domain = "docker.io"
        if let slash = rest.firstIndex(of: "/") {
            let first = rest[..<slash]
            if ImageReference.looksLikeDomain(first) {
                domain = first == "index.docker.io" ? "docker.io" : String(first)
                rest = rest[rest.index(after: slash)...]
            }
        }
        if domain == "docker.io", !rest.contains("/") { rest = "library/\(rest)" }
        if rest.contains(where: \.isUppercase) {
            throw refuse("invalid reference format: repository name (\(rest)) must be lowercase")
        }
        guard ImageReference.isDomain(domain), ImageReference.isPath(rest), tag.map(ImageReference.isTag) ?? true else {
            throw refuse("invalid reference format")
        }
        guard domain.utf8.count + 1 + rest.utf8.count <= 255 else {
            throw refuse("repository name must not be more than 255 characters")
        }
        self.domain = domain
        self.path = String(rest)
        self.tag = tag ?? (digest == nil ? "latest" : nil)
        self.digest = digest
    }

    private init(domain: String, path: String, tag: String?, digest: Digest?) {
        self.domain = domain
        self.path = path
        self.tag = tag
        self.digest = digest
    }

    /// The same repository with another tag and no digest. `tag` must be well formed.
    package func tagged(_ tag: String) -> ImageReference {
        ImageReference(domain: domain, path: path, tag: tag, digest: nil)
    }

    /// `docker.io/library/python`
    package var repository: String { "\(domain)/\(path)" }

    /// The whole name: `docker.io/library/python:3.8-slim`.
    package var description: String {
        repository + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    /// The repository as people are shown it: `python`. Read again it is the same repository.
    package var familiarRepository: String {
        guard domain == "docker.io" else { return repository }
        if path.hasPrefix("library/") {
            let name = path.dropFirst(8)
            if !name.contains("/") { return String(name) }
        }
        return path.split(separator: "/").first.map(ImageReference.looksLikeDomain) == true ? repository : path
    }

    /// Whether the first of several components is taken for a domain.
    private static func looksLikeDomain(_ component: Substring) -> Bool {
        component.contains(".") || component.contains(":") || component == "localhost"
            || component.contains(where: \.isUppercase)
    }

    /// The name as people are shown it: `python:3.8-slim`.
    package var familiar: String {
        familiarRepository + (tag.map { ":\($0)" } ?? "") + (digest.map { "@\($0)" } ?? "")
    }

    /// A tag: a letter, digit or underscore, then up to 127 of these or `.` and `-`.
    package static func isTag(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 128 else { return false }
        return (isAlphanumeric(first) || first == UInt8(ascii: "_"))
            && text.utf8.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
    }

    private static func isDomain(_ text: String) -> Bool {
        var host = Substring(text)
        // The last colon of `[::1]` stands before no port.
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
            let port = host[host.index(after: colon)...]
            guard !port.isEmpty, port.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
            host = host[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            let address = host.dropFirst().dropLast().utf8
            return !address.isEmpty && address.allSatisfy { isHexadecimal($0) || $0 == UInt8(ascii: ":") }
        }
        return !host.isEmpty
            && host.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
                guard let first = part.utf8.first, let last = part.utf8.last else { return false }
                return isAlphanumeric(first) && isAlphanumeric(last)
                    && part.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
            }
    }

    /// Components of lower-case letters and digits, separated inside by `.`, `_`, `__` or any number of `-`.
    private static func isPath(_ text: Substring) -> Bool {
        text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { component in
            var separators: [UInt8] = []
            var seen = false
            for byte in component.utf8 {
                if (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte) {
                    if !separators.isEmpty {
                        let dashes = separators.allSatisfy { $0 == UInt8(ascii: "-") }
                        guard seen,
                            dashes || separators == [0x2E] || separators == [0x5F] || separators == [0x5F, 0x5F]
                        else {
                            return false
                        }
                    }
                    separators = []
                    seen = true
                } else if ".-_".utf8.contains(byte) {
                    separators.append(byte)
                } else {
                    return false
                }
            }
            return seen && separators.isEmpty
        }
    }
}
