import Build
import Images
import LinuxSystem
import OCI
import Registry
import Runner

/// `minirun images`
enum ImagesCommand {
    static let verb = Verb(
        ["image ls", "image list", "images"],
        "List images",
        usage: "[OPTIONS] [REPOSITORY[:TAG]]",
        arguments: .atMost(1),
        completes: .image,
        common: true,
        options: ImageOptions.list,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        if let name = parsed.value("remote") {
            let reference = try ImageReference(name)
            let tags = try RegistryAccess.client().tags(of: reference)
            Console.print(tags.map { "\(reference.familiarRepository):\($0)\n" }.joined())
            return 0
        }
        let format = parsed.value("format") ?? ""
        let isTable = format.isEmpty || format == "table"
        var style = ImageListing.Style(now: Clock.realtime)
        style.digests = parsed.flag("digests")
        style.showsDigests = style.digests || format.contains("{{.Digest}}")
        style.truncating = !parsed.flag("no-trunc")
        let entries = try Installation.withEngine(parsed.globals) { engine in
            let known = try engine.images.images().map { try ImageEntry($0, in: engine.images) }
            var filter = try ImageFilter(parsed.values("filter"), known: known) { text in
                try engine.images.resolve(text).id
            }
            if let pattern = parsed.positional.first { try filter.require(pattern) }
            return filter.selected(known)
        }
        let rows = ImageListing.rows(entries, style)
        let shown = isTable && parsed.flag("quiet") ? "{{.ID}}" : format
        Console.print(try ImageListing.format(digests: style.digests).text(shown, rows: rows))
        return 0
    }
}

/// `images --filter` and `images PATTERN`.
struct ImageFilter {
    private let filters: ListFilters
    private let dangling: Bool?
    private let before: UInt64?
    private let since: UInt64?
    /// Each set has to be met; in a set one pattern is enough.
    private var patterns: [[PathPattern]] = []

    /// - Parameter resolve: the id of the image that `before` and `since` name.
    init(_ texts: [String], known: [ImageEntry], resolve: (String) throws -> Digest) throws {
        let filters = try ListFilters(texts, known: ["before", "dangling", "label", "reference", "since", "until"])
        self.filters = filters
        dangling = try filters.boolean("dangling")
        func created(_ name: String) throws -> UInt64? {
            try filters[name].last.map { text in
                let id = try resolve(text)
                return known.first { $0.id == id }?.created ?? 0
            }
        }
        before = try [created("before"), filters.until()].compactMap { $0 }.min()
        since = try created("since")
        if filters.has("reference") { patterns.append(try filters["reference"].map(ImageFilter.pattern)) }
    }

    /// Leaves only names that fit the pattern as well.
    mutating func require(_ pattern: String) throws { patterns.append([try ImageFilter.pattern(pattern)]) }

    private static func pattern(_ text: String) throws -> PathPattern {
        do { return try PathPattern(text) } catch {
            throw EngineError(.invalid, "invalid filter 'reference=\(text)': \(error)")
        }
    }

    /// The images that are wanted, each with those of its names that are.
    func selected(_ entries: [ImageEntry]) -> [ImageEntry] {
        entries.compactMap { entry in
            guard dangling.map({ $0 == entry.isDangling }) ?? true, filters.allows(labels: entry.labels),
                before.map({ (entry.created ?? 0) < $0 }) ?? true, since.map({ (entry.created ?? 0) > $0 }) ?? true
            else { return nil }
            if patterns.isEmpty { return entry }
            var entry = entry
            entry.tags.removeAll { !isWanted($0) }
            entry.digests.removeAll { !isWanted($0) }
            return entry.isDangling ? nil : entry
        }
    }

    private func isWanted(_ name: ImageReference) -> Bool {
        patterns.allSatisfy { set in
            set.contains { $0.matches(name.familiar) || $0.matches(name.familiarRepository) }
        }
    }
}
