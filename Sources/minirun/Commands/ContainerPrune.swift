import Build
import Images
import OCI
import Runner

/// `minirun container prune`
enum ContainerPruneCommand {
    static let verb = Verb(
        ["container prune"],
        "Remove all stopped containers",
        usage: "[OPTIONS]",
        arguments: .none,
        options: ContainerListOptions.prune,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let filter = try PruneFilter(parsed.values("filter"))
        if !parsed.flag("force"), !Confirmation.ask("WARNING! This will remove all stopped containers.") { return 0 }
        try Installation.withEngine(parsed.globals) { engine in
            try engine.recover()
            let removed = try engine.pruneContainers { record in
                filter.allows(created: record.created, labels: record.labels)
            }
            // An image that was removed under one of them lived on in the container alone.
            let freed = try engine.collect(keeping: BuildCache(engine.images).roots)?.bytes ?? 0
            let list = SystemPruneCommand.list("Deleted Containers", removed.ids)
            Console.print(list + "Total reclaimed space: \(HumanReadable.size(removed.bytes + freed))\n")
        }
        return 0
    }
}
