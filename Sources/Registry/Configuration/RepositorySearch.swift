import OCI

/// A search for repositories: the request that docker's daemon makes to Docker Hub's first API, and its answer (moby,
/// daemon/pkg/registry/search.go).
package struct RepositorySearch: Equatable, Sendable {
    /// "docker.io" for Docker Hub.
    package let registry: String
    package let term: String
    package let limit: Int

    /// - Parameters:
    ///   - text: as it is typed; a host before a slash names another registry.
    ///   - limit: 0 for the standard, 25.
    package init(_ text: String, limit: Int = 0) throws(EngineError) {
        let limit = limit == 0 ? 25 : limit
        guard (1...100).contains(limit) else {
            throw EngineError(.invalid, "limit \(limit) is outside the range of [1, 100]")
        }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, parts[1].hasPrefix("/"), parts[0].hasSuffix(":") {
            throw EngineError(
                .invalid,
                "invalid repository name: repository name (\(text)) should not have a scheme"
            )
        }
        let namesHost =
            parts.count == 2 && (parts[0].contains(".") || parts[0].contains(":") || parts[0] == "localhost")
        let registry = namesHost ? RegistryKey(String(parts[0])).host : "docker.io"
        var term = namesHost ? parts[1] : text[...]
        if registry == "docker.io", term.hasPrefix("library/") { term = term.dropFirst(8) }
        self.registry = registry
        self.term = String(term)
        self.limit = limit
    }

    /// What is asked, below `https://HOST`.
    package var path: String { "/v1/search?q=\(PercentEncoding.encode(term))&n=\(limit)" }

    /// The host that is asked: Docker Hub's search is not where its registry is.
    package var host: String { registry == "docker.io" ? "index.docker.io" : registry }

    package struct Result: Equatable, Sendable {
        package let name: String
        package let description: String
        package let stars: Int
        package let isOfficial: Bool
    }

    /// The repositories of an answer. Fails where it is none; what is missing in one of them is empty.
    package static func results(_ bytes: [UInt8]) throws(EngineError) -> [Result] {
        guard let json = try? JSON.parse(bytes), let list = json["results"]?.array else {
            throw EngineError(.corrupt, "the answer to the search is not valid")
        }
        return list.compactMap { item in
            guard let name = item["name"]?.string else { return nil }
            return Result(
                name: name,
                description: item["description"]?.string ?? "",
                stars: item["star_count"]?.int ?? 0,
                isOfficial: item["is_official"]?.bool ?? false
            )
        }
    }
}
