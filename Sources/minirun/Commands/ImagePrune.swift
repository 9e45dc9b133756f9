import Build
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun image prune`
enum ImagePruneCommand {
    static let verb = Verb(
        ["image prune"],
        "Remove unused images",
        usage: "[OPTIONS]",
        arguments: .none,
        options: ImageOptions.prune,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let all = parsed.flag("all")
        let filter = try PruneFilter(parsed.values("filter"), dangling: !all)
        if !parsed.flag("force"), !Confirmation.ask("WARNING! This will remove \(all ? unused : dangling).") {
            return 0
        }
        try Installation.withEngine(parsed.globals) { engine in
            try engine.recover()
            let events = try prune(engine, all: all, filter)
            let freed = try engine.collect(keeping: BuildCache(engine.images).roots)?.bytes ?? 0
            Console.print(text(events) + "Total reclaimed space: \(HumanReadable.size(freed))\n")
        }
        return 0
    }

    static let dangling = "all dangling images"
    static let unused = "all images without at least one container associated to them"

    /// Takes the images out; a collection is to follow.
    static func prune(_ engine: Engine, all: Bool, _ filter: PruneFilter) throws -> [RemovalEvent] {
        let used = try engine.containerRoots().images
        let events = try engine.images.prune(all: all) { image in
            filter.allows(
                created: image.configuration.created.flatMap { Timestamp.nanoseconds(rfc3339: $0) },
                labels: image.configuration.config.labels
            )
        } inUse: {
            used.contains($0)
        }
        for event in events {
            switch event {
            case .untagged(let name): Console.debug("image \(name): has no such name any more")
            case .deleted(let digest): Console.debug("image \(digest): removed")
            }
        }
        return events
    }

    /// What went, as docker prints it.
    static func text(_ events: [RemovalEvent]) -> String {
        if events.isEmpty { return "" }
        return "Deleted Images:\n"
            + events.map { event in
                switch event {
                case .untagged(let name): "untagged: \(name.familiar)\n"
                case .deleted(let digest): "deleted: \(digest)\n"
                }
            }.joined() + "\n"
    }
}

/// `--filter` of the verbs that remove what is not in use: `until=TIME`, `label=…`, `label!=…`.
struct PruneFilter {
    private let filters: ListFilters
    private let until: UInt64?

    /// - Parameter dangling: what a filter of that name may say; nil where there is none.
    init(_ texts: [String], dangling: Bool? = nil) throws {
        let known: Set = ["label", "label!", "until"]
        filters = try ListFilters(texts, known: dangling == nil ? known : known.union(["dangling"]))
        if let dangling, let said = try filters.boolean("dangling"), said != dangling {
            throw EngineError(.invalid, "invalid filter 'dangling=[\(dangling) \(said)]'")
        }
        if filters["until"].count > 1 { throw EngineError(.invalid, "more than one until filter specified") }
        do { until = try filters.until() } catch let error as EngineError {
            throw EngineError(.invalid, "invalid value for 'until' filter: \(error.message)")
        }
    }

    /// - Parameter created: nanoseconds since 1970; nil counts as long ago.
    func allows(created: UInt64?, labels: [String: String] = [:]) -> Bool {
        (until.map { (created ?? 0) < $0 } ?? true) && filters.allows(labels: labels)
    }
}
