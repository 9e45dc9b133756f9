import Images
import LinuxSystem
import OCI
import Runner

/// `minirun ps`
enum PsCommand {
    static let verb = Verb(
        ["container ls", "container list", "container ps", "ps"],
        "List containers",
        usage: "[OPTIONS]",
        arguments: .none,
        common: true,
        options: ContainerListOptions.list,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let format = parsed.value("format") ?? ""
        let showsSize = parsed.flag("size")
        if parsed.flag("quiet"), !format.isEmpty {
            Console.complain("WARNING: Ignoring custom format, because both --format and --quiet are set.\n")
        }
        let now = Clock.realtime
        let rows = try Installation.reading(parsed.globals) { engine in
            var images: [String: String?] = [:]
            return try selected(parsed, engine).map { record in
                var entry = ContainerEntry(record: record, image: record.imageName)
                if !isNamedStill(record, engine.images, &images) { entry.image = record.imageID }
                if showsSize || format.contains(".Size") { entry.size = try engine.size(of: record) }
                return ContainerListing.row(entry, truncating: !parsed.flag("no-trunc"), now: now)
            }
        }
        let shown = parsed.flag("quiet") ? "{{.ID}}" : format
        Console.print(try ContainerListing.format(size: showsSize).text(shown, rows: rows))
        return 0
    }

    /// The containers that are asked for, the newest first.
    private static func selected(_ parsed: ParsedArguments, _ engine: Engine) throws -> [ContainerRecord] {
        let filters = try ContainerFilters(parsed.values("filter"), container: engine.containers.find) { text in
            guard let image = try? engine.images.resolve(text) else { return nil }
            return .init(id: image.id.description, top: image.chainIDs.last?.description)
        }
        var last = Int(clamping: try parsed.integer("last") ?? -1)
        if parsed.flag("latest"), last < 0 { last = 1 }
        let showsAll = parsed.flag("all") || last > 0 || filters.namesStatus
        let found = try engine.readableContainers().filter { record in
            (showsAll || record.status == .running) && filters.allows(record)
        }
        return last > 0 ? Array(found.prefix(last)) : found
    }

    /// Whether the name that a container's image was asked for by still means that image. `images` remembers answers.
    private static func isNamedStill(_ record: ContainerRecord, _ store: ImageStore, _ images: inout [String: String?])
        -> Bool
    {
        if ImageLocation.Kind.allCases.contains(where: { record.imageName.hasPrefix("\($0.rawValue):") }) {
            return true
        }
        let id = images[record.imageName] ?? (try? store.resolve(record.imageName))?.id.description
        images[record.imageName] = id
        return id == record.imageID
    }
}
