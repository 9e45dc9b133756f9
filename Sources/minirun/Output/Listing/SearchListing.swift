import OCI
import Registry

/// `search`, as docker prints it.
enum SearchListing {
    static let format = ListFormat(
        headers: [
            ("Description", "DESCRIPTION"), ("IsOfficial", "OFFICIAL"), ("Name", "NAME"), ("StarCount", "STARS"),
        ],
        standard: "table {{.Name}}\\t{{.Description}}\\t{{.StarCount}}\\t{{.IsOfficial}}"
    )

    struct Style: Sendable {
        var truncating = true
        /// JSON has "true" and "false" where the table has "[OK]" and nothing.
        var isJSON = false
    }

    static func rows(_ results: [RepositorySearch.Result], _ style: Style) -> [JSON] {
        results.map { result in
            var description = printable(result.description)
            if style.truncating { description = HumanReadable.ellipsis(description, columns: 45) }
            let official = style.isJSON ? String(result.isOfficial) : result.isOfficial ? "[OK]" : ""
            return [
                "Description": .string(description), "IsOfficial": .string(official),
                "Name": .string(printable(result.name)), "StarCount": .string(String(result.stars)),
            ]
        }
    }

    /// Anybody may write a description: no control character of it reaches the terminal.
    private static func printable(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            result.unicodeScalars.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
        return result
    }

    /// `--filter`.
    struct Filters: Sendable {
        private let isOfficial: Bool?
        private let isAutomated: Bool?
        private let stars: Int?

        init(_ texts: [String]) throws {
            let filters = try ListFilters(texts, known: ["is-automated", "is-official", "stars"])
            isOfficial = try filters.boolean("is-official")
            isAutomated = try filters.boolean("is-automated")
            var most: Int?
            for text in filters["stars"] {
                guard let number = Int(text) else { throw EngineError(.invalid, "invalid filter 'stars=\(text)'") }
                most = max(most ?? 0, number)
            }
            stars = most
        }

        var asksForAutomated: Bool { isAutomated != nil }

        /// Docker Hub has no automated repositories any more.
        func filtered(_ results: [RepositorySearch.Result]) -> [RepositorySearch.Result] {
            if isAutomated == true { return [] }
            return results.filter { $0.isOfficial == isOfficial ?? $0.isOfficial && $0.stars >= stars ?? Int.min }
        }
    }
}
