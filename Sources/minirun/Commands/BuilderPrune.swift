import Build
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun builder prune`, and in the words of `docker buildx prune` where it is typed so.
enum BuilderPruneCommand {
    static let verb = Verb(
        ["builder prune", "buildx prune"],
        "Remove build cache",
        usage: "[OPTIONS]",
        arguments: .none,
        options: BuildOptions.prune,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        var prune = CachePrune()
        prune.all = parsed.flag("all")
        prune.isWanted = try CacheFilter(parsed.values("filter")).allows
        for option in ["keep-storage", "reserved-space", "max-used-space"] {
            // As with docker no room is no limit: everything goes.
            if let bytes = try parsed.bytes(option), bytes > 0 {
                prune.keptBytes = min(prune.keptBytes ?? bytes, bytes)
            }
        }
        let what = prune.all ? "all build cache" : "all dangling build cache"
        if !parsed.flag("force"), !Confirmation.ask("WARNING! This will remove \(what).") { return 0 }
        try Installation.withEngine(parsed.globals) { engine in
            try engine.recover()
            let (removed, bytes) = try prune.carryOut(engine)
            let freed = bytes + (try engine.collect(keeping: BuildCache(engine.images).roots)?.bytes ?? 0)
            Console.print(parsed.path.hasSuffix("buildx prune") ? table(removed, freed) : list(removed, freed))
        }
        return 0
    }

    /// As `docker builder prune` prints it.
    private static func list(_ removed: [CachePrune.Removed], _ freed: Int64) -> String {
        text(removed) + "Total reclaimed space: \(HumanReadable.size(freed))\n"
    }

    static func text(_ removed: [CachePrune.Removed]) -> String {
        removed.isEmpty ? "" : "Deleted build cache objects:\n" + removed.map { "\($0.id)\n" }.joined() + "\n"
    }

    /// As buildx prints it.
    private static func table(_ removed: [CachePrune.Removed], _ freed: Int64) -> String {
        var rows = "ID\tRECLAIMABLE\tSIZE\tLAST ACCESSED\n"
        for one in removed {
            let ago = HumanReadable.ago(one.lastUse, now: Clock.realtime)
            rows += "\(HumanReadable.shortID(one.id))\ttrue\t\(HumanReadable.size(one.bytes))\t\(ago)\n"
        }
        return (removed.isEmpty ? "" : Table.align(rows)) + "Total:\t\(HumanReadable.size(freed))\n"
    }
}

/// `--filter` of the build cache: `until=TIME` (or `unused-for`), `id=…`, `type=regular` or `exec.cachemount`.
struct CacheFilter {
    private let filters: ListFilters
    private let until: UInt64?

    init(_ texts: [String]) throws {
        // Both mean the last use.
        let texts = texts.map { $0.hasPrefix("unused-for=") ? "until=" + $0.dropFirst("unused-for=".count) : $0 }
        filters = try ListFilters(texts, known: ["id", "type", "until"])
        if filters["until"].count > 1 { throw EngineError(.invalid, "more than one until filter specified") }
        do { until = try filters.until() } catch let error as EngineError {
            throw EngineError(.invalid, "invalid value for 'until' filter: \(error.message)")
        }
        for type in filters["type"] where CachePrune.Kind(rawValue: type) == nil {
            throw EngineError(.invalid, "invalid filter 'type=\(type)': there are regular and exec.cachemount")
        }
    }

    /// - Parameter lastUse: nanoseconds since 1970.
    func allows(id: String, kind: CachePrune.Kind, lastUse: UInt64) -> Bool {
        (until.map { lastUse < $0 } ?? true) && filters.allows("type") { $0 == kind.rawValue }
            && filters.allows("id") { !$0.isEmpty && id.hasPrefix($0) }
    }
}
