import OCI
import Registry

/// `minirun search`
enum SearchCommand {
    /// Makes the request and gives the answer's body.
    typealias Fetch = @Sendable (_ search: RepositorySearch) throws -> [UInt8]

    static let verb = verb { search in
        // Without a credential the search finds public repositories.
        let store = try? RegistryAccess.credentials()
        return try search.fetch(
            RegistryAccess.configuration(),
            credentials: { host, repository in try store?.credential(for: host, repository: repository) },
            TransferOptions.fromEnvironment()
        )
    }

    static func verb(fetch: @escaping Fetch) -> Verb {
        Verb(
            ["search"],
            "Search Docker Hub for images",
            usage: "[OPTIONS] TERM",
            arguments: .exactly(1),
            common: true,
            options: RegistryVerbOptions.search,
            run: { parsed in
                let filters = try SearchListing.Filters(parsed.values("filter"))
                if filters.asksForAutomated {
                    Console.complain(
                        "WARNING: the \"is-automated\" filter is deprecated, and searching for \"is-automated=true\" "
                            + "will not yield any results in future.\n"
                    )
                }
                let limit = Int(try parsed.integer("limit") ?? 0)
                let search = try RepositorySearch(parsed.positional[0], limit: limit)
                let results = try RepositorySearch.results(try fetch(search))
                let format = parsed.value("format")
                let style = SearchListing.Style(truncating: !parsed.flag("no-trunc"), isJSON: format == "json")
                let rows = SearchListing.rows(filters.filtered(results), style)
                Console.print(try SearchListing.format.text(format, rows: rows))
                return 0
            }
        )
    }
}
