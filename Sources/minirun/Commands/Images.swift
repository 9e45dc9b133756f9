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
        if parsed.flag("tree") { return try ImagesCommand.showTree(parsed) }
        let format = parsed.value("format") ?? ""
        let isTable = format.isEmpty || format == "table"
        var style = ImageListing.Style(now: Clock.realtime)
        style.digests = parsed.flag("digests")
        style.showsDigests = style.digests || format.contains("{{.Digest}}")
        let lacksDigests = style.digests && !isTable && format.hasPrefix("table") && !format.contains("{{.Digest}}")
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
        let shown = isTable && parsed.flag("quiet") ? "{{.ID}}" : lacksDigests ? format + "\t{{.Digest}}" : format
        Console.print(try ImageListing.format(digests: style.digests).text(shown, rows: rows))
        hint(parsed, found: !entries.isEmpty)
        return 0
    }
}

extension ImagesCommand {
    /// `images ls` lists images of that name, which is not what was meant.
    private static func hint(_ parsed: ParsedArguments, found: Bool) {
        let verbs = [
            "build", "history", "import", "inspect", "list", "load", "ls", "prune", "pull", "push", "rm", "save", "tag",
        ]
        guard !found, parsed.path.hasSuffix(" images"), let name = parsed.positional.first, verbs.contains(name) else {
            return
        }
        Console.complain("\nNo images found matching \"\(name)\": did you mean \"minirun image \(name)\"?\n")
    }

    /// `images --tree`.
    private static func showTree(_ parsed: ParsedArguments) throws -> Int32 {
        // docker's words, with another name for one of the options.
        for (option, shown) in [
            ("quiet", "quiet"), ("no-trunc", "no-trunc"), ("digests", "show-digest"), ("format", "format"),
        ] where parsed.isSet(option) {
            throw EngineError(.invalid, "--\(shown) is not yet supported with --tree")
        }
        let entries = try Installation.reading(parsed.globals) { engine in
            let store = engine.images
            let used = try engine.containerRoots(of: engine.readableContainers()).images
            let known = try store.images().map { try ImageEntry($0, in: store) }
            var filter = try ImageFilter(parsed.values("filter"), known: known) { try store.resolve($0).id }
            if let pattern = parsed.positional.first { try filter.require(pattern) }
            return try store.namedTargets().compactMap { target, names -> ImageTree.Entry? in
                guard let image = store.mainImage(of: target, names: names),
                    let entry = filter.selected([try ImageEntry(image, in: store)]).first,
                    parsed.flag("all") || !entry.isDangling
                else { return nil }
                return try ImageTree.Entry(entry, store.platforms(of: target), used, store)
            }
        }
        let columns = Terminal.isTerminal(1) ? Terminal.size(1)?.columns ?? 80 : nil
        Console.print(ImageTree(entries, columns: columns).text)
        return 0
    }
}

extension ImageTree.Entry {
    fileprivate init(_ entry: ImageEntry, _ found: [PlatformImage], _ used: Set<Digest>, _ store: ImageStore) throws {
        names = entry.tags.map(\.familiar)
        created = entry.created ?? 0
        platforms = []
        details = ImageTree.Details(id: entry.id.short, contentSize: found.reduce(0) { $0 + $1.contentSize })
        details.isInUse = used.contains(entry.id)
        for one in found where !one.isAttestation {
            let unpacked = try one.image.map { image in
                try image.chainIDs.reduce(0) { $0 + (try store.usableLayer($1)?.bytes ?? 0) }
            }
            let own = ImageTree.Details(
                id: one.image?.id.short ?? one.descriptor.digest.short,
                diskUsage: one.contentSize + (unpacked ?? 0),
                contentSize: one.contentSize,
                isInUse: one.image.map { used.contains($0.id) } ?? false
            )
            details.diskUsage += own.diskUsage
            let name = one.platform?.description ?? ""
            platforms.append(ImageTree.Platform(name: name, details: own, isHere: one.isWhole))
        }
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
            guard isWanted(entry), filters.allows(labels: entry.labels),
                before.map({ (entry.created ?? 0) < $0 }) ?? true, since.map({ (entry.created ?? 0) > $0 }) ?? true
            else { return nil }
            if patterns.isEmpty { return entry }
            var entry = entry
            entry.tags.removeAll { !isWanted($0) }
            entry.digests.removeAll { !isWanted($0) }
            return entry.isDangling ? nil : entry
        }
    }

    /// A digest that is left of a name is no reason for an image to stay, and one to show it (moby, daemon/images/images.go).
    private func isWanted(_ entry: ImageEntry) -> Bool {
        switch dangling {
        case true?: entry.tags.isEmpty
        case false?: !entry.isDangling
        case nil: true
        }
    }

    private func isWanted(_ name: ImageReference) -> Bool {
        patterns.allSatisfy { set in
            set.contains { $0.matches(name.familiar) || $0.matches(name.familiarRepository) }
        }
    }
}
