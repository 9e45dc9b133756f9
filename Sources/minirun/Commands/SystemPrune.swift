import Build
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun system prune`
enum SystemPruneCommand {
    static let verb = Verb(
        ["system prune"],
        "Remove unused data",
        usage: "[OPTIONS]",
        arguments: .none,
        options: SystemOptions.prune,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let all = parsed.flag("all")
        let filter = try PruneFilter(parsed.values("filter"))
        if parsed.flag("volumes"), parsed.values("filter").contains(where: { $0.hasPrefix("until=") }) {
            throw EngineError(.invalid, "The \"until\" filter is not supported with \"--volumes\"")
        }
        if !parsed.flag("force"), !Confirmation.ask(warning(parsed)) { return 0 }
        try Installation.withEngine(parsed.globals) { engine in
            try engine.recover()
            let containers = try engine.pruneContainers { record in
                filter.allows(created: record.created, labels: record.labels)
            }
            let events = try ImagePruneCommand.prune(engine, all: all, filter)
            let cache = try pruneCache(engine, all: all, filter)
            var freed = containers.bytes + cache.bytes + (try engine.images.removePartial())
            freed += try engine.collect(keeping: BuildCache(engine.images).roots)?.bytes ?? 0
            Console.print(
                list("Deleted Containers", containers.ids) + ImagePruneCommand.text(events)
                    + BuilderPruneCommand.text(cache.removed)
                    + "Total reclaimed space: \(HumanReadable.size(freed))\n"
            )
        }
        return 0
    }

    /// What docker warns of.
    private static func warning(_ parsed: ParsedArguments) -> String {
        let all = parsed.flag("all")
        var lines = ["all stopped containers", "all networks not used by at least one container"]
        if parsed.flag("volumes") { lines.append("all anonymous volumes not used by at least one container") }
        lines.append(all ? ImagePruneCommand.unused : ImagePruneCommand.dangling)
        lines.append(all ? "all build cache" : "unused build cache")
        var text = "WARNING! This will remove:\n" + lines.map { "  - \($0)\n" }.joined()
        let filters = parsed.values("filter")
        if !filters.isEmpty {
            text += "\n  Items to be pruned will be filtered with:\n" + filters.map { "  - \($0)\n" }.joined()
        }
        return text
    }

    /// All of the build cache, or of its steps those whose layers no image has. `until` is about the last use.
    private static func pruneCache(_ engine: Engine, all: Bool, _ filter: PruneFilter) throws -> (
        removed: [CachePrune.Removed], bytes: Int64
    ) {
        var prune = CachePrune()
        prune.all = all
        prune.isWanted = { _, _, lastUse in filter.allows(created: lastUse) }
        return try prune.carryOut(engine)
    }

    static func list(_ title: String, _ ids: [String]) -> String {
        ids.isEmpty ? "" : "\(title):\n" + ids.map { "\($0)\n" }.joined() + "\n"
    }
}
