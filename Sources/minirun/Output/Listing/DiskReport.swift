import Build
import Images
import LinuxSystem
import OCI
import Runner

/// What `system df` shows. The sizes of its rows add up to what du(1) says of the store's root.
struct DiskReport {
    let usage: StoreUsage
    private let images: [StoredImage]
    private let containers: [ContainerRecord]
    private let steps: [BuildCache.Entry]
    private let mounts: [CacheMounts.Entry]
    private let engine: Engine
    private let used: Set<Digest>
    private let now = Clock.realtime

    init(_ engine: Engine) throws {
        self.engine = engine
        images = try engine.images.images()
        containers = try engine.readableContainers()
        steps = try BuildCache(engine.images).entries()
        mounts = try CacheMounts(engine.images).entries()
        let roots = try engine.containerRoots(of: containers)
        used = roots.images
        usage = try engine.images.usage(
            cache: BuildCache.roots(of: steps),
            containers: CollectionRoots(layers: roots.layers)
        )
    }

    // MARK: The table

    static let summaryFormat = ListFormat(
        headers: [
            ("Active", "ACTIVE"), ("Reclaimable", "RECLAIMABLE"), ("Size", "SIZE"), ("TotalCount", "TOTAL"),
            ("Type", "TYPE"),
        ],
        standard: "table {{.Type}}\\t{{.TotalCount}}\\t{{.Active}}\\t{{.Size}}\\t{{.Reclaimable}}"
    )

    /// Docker's four rows, and one for what nothing needs where there is any.
    var summary: [JSON] {
        let running = containers.filter { $0.status == .running }
        let resting = containers.filter { $0.status != .running }
        let cache = usage.bytes(of: usage.ofCache)
        var rows = [
            row("Images", images.count, images.count { used.contains($0.id) }, imageBytes, reclaimableImages),
            row("Containers", containers.count, running.count, containerBytes, resting.reduce(0) { $0 + size(of: $1) }),
            row("Local Volumes", 0, 0, usage.volumes, usage.volumes),
            row(
                "Build Cache",
                steps.count + mounts.count,
                mounts.count(where: \.isInUse),
                cache + usage.cacheRecords,
                cache + mounts.reduce(0) { $0 + ($1.isInUse ? 0 : $1.bytes) }
            ),
        ]
        if usage.loose > 0 { rows.append(row("Leftovers", 0, 0, usage.loose, usage.loose)) }
        return rows
    }

    private func row(_ type: String, _ count: Int, _ active: Int, _ size: Int64, _ reclaimable: Int64) -> JSON {
        let share = size > 0 ? " (\(reclaimable * 100 / size)%)" : ""
        return [
            "Active": .string("\(active)"), "Reclaimable": .string(HumanReadable.size(reclaimable) + share),
            "ReclaimableBytes": .number(reclaimable), "Size": .string(HumanReadable.size(size)),
            "SizeBytes": .number(size), "TotalCount": .string("\(count)"), "Type": .string(type),
        ]
    }

    private var imageBytes: Int64 { usage.bytes(of: usage.ofImages) + usage.frame }

    /// The containers' folders, and the layers of images that were removed under them.
    private var containerBytes: Int64 { usage.containers + usage.bytes(of: usage.ofContainers) }

    /// What would go with the images that no container was made of.
    private var reclaimableImages: Int64 {
        let kept = images.filter { used.contains($0.id) }.reduce(StoreUsage.Content()) {
            $0.union(engine.images.content(of: $1, in: usage))
        }
        let cached = Set(steps.map(\.layer))
        var content = usage.ofImages.subtracting(kept)
        content.blobs.subtract(cached)
        let needed = Set(steps.map(\.chainID)).union(containers.flatMap { $0.layers.compactMap { try? Digest($0) } })
        content.layers.subtract(layersBelow(needed))
        return usage.bytes(of: content)
    }

    /// The layers with those on which they stand.
    private func layersBelow(_ layers: Set<Digest>) -> Set<Digest> {
        var all: Set<Digest> = []
        for layer in layers {
            var next: Digest? = layer
            while let one = next, all.insert(one).inserted { next = try? engine.images.usableLayer(one)?.parent }
        }
        return all
    }

    private func size(of record: ContainerRecord) -> Int64 {
        var disk = DiskUsage()
        return (try? disk.measure(engine.containers.folder(record.id))) ?? 0
    }

    // MARK: -v

    private static let imageFormat =
        "table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t{{.CreatedSince}}\\t{{.Size}}\\t{{.SharedSize}}\\t"
        + "{{.UniqueSize}}\\t{{.Containers}}"
    private static let containerFormat =
        "table {{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.LocalVolumes}}\\t{{.Size}}\\t{{.RunningFor}}\\t{{.Status}}\\t"
        + "{{.Names}}"
    private static let cacheFormat = ListFormat(
        headers: [
            ("CacheType", "CACHE TYPE"), ("CreatedSince", "CREATED"), ("ID", "CACHE ID"),
            ("LastUsedSince", "LAST USED"), ("Shared", "SHARED"), ("Size", "SIZE"), ("UsageCount", "USAGE"),
        ],
        standard: "table {{.ID}}\\t{{.CacheType}}\\t{{.Size}}\\t{{.CreatedSince}}\\t{{.LastUsedSince}}\\t"
            + "{{.UsageCount}}\\t{{.Shared}}"
    )

    var verbose: String {
        get throws {
            let volumes = ListFormat(
                headers: [("Links", "LINKS"), ("Name", "VOLUME NAME"), ("Size", "SIZE")],
                standard: "table {{.Name}}\\t{{.Links}}\\t{{.Size}}"
            )
            let cache = usage.bytes(of: usage.ofCache) + usage.cacheRecords
            return try "Images space usage:\n\n"
                + ImageListing.format(digests: false).text(Self.imageFormat, rows: imageRows)
                + "\nContainers space usage:\n\n"
                + ContainerListing.format(size: true).text(Self.containerFormat, rows: containerRows)
                + "\nLocal Volumes space usage:\n\n" + volumes.text(nil, rows: [])
                + "\nBuild cache usage: \(HumanReadable.size(cache))\n\n" + Self.cacheFormat.text(nil, rows: cacheRows)
        }
    }

    var json: JSON {
        [
            "Images": .array(imageRows), "Containers": .array(containerRows), "Volumes": [],
            "BuildCache": .array(cacheRows),
        ]
    }

    private var imageRows: [JSON] {
        let contents = images.map { engine.images.content(of: $0, in: usage) }
        return zip(images, contents).enumerated().flatMap { position, pair in
            let (image, content) = pair
            var others = StoreUsage.Content()
            for (other, content) in contents.enumerated() where other != position { others = others.union(content) }
            let whole = usage.bytes(of: content)
            let own = usage.bytes(of: content.subtracting(others))
            let sizes: JSON = [
                "Containers": .string("\(containers.count { $0.imageID == image.id.description })"),
                "SharedSize": .string(HumanReadable.size(whole - own)), "Size": .string(HumanReadable.size(whole)),
                "UniqueSize": .string(HumanReadable.size(own)),
            ]
            let entry = try? ImageEntry(image, in: engine.images)
            return ImageListing.rows(entry.map { [$0] } ?? [], ImageListing.Style(now: now)).map {
                $0.overlaid(by: sizes)
            }
        }
    }

    private var containerRows: [JSON] {
        containers.map { record in
            ContainerListing.row(ContainerEntry(record: record, image: record.imageName), truncating: true, now: now)
                .overlaid(by: ["Size": .string(HumanReadable.size(size(of: record)))])
        }
    }

    private var cacheRows: [JSON] { stepRows + mountRows }

    private var mountRows: [JSON] {
        mounts.map { mount in
            [
                "CacheType": .string(CachePrune.Kind.mount.rawValue), "CreatedSince": "N/A",
                "ID": .string(HumanReadable.shortID(mount.id)), "InUse": .string("\(mount.isInUse)"),
                "LastUsedSince": .string(HumanReadable.ago(mount.lastUse, now: now)), "Shared": "false",
                "Size": .string(HumanReadable.size(mount.bytes)), "UsageCount": "N/A",
            ]
        }
    }

    private var stepRows: [JSON] {
        steps.map { step in
            let content = StoreUsage.Content(blobs: [step.layer], layers: [step.chainID])
            let isShared = usage.ofImages.layers.contains(step.chainID) || usage.ofImages.blobs.contains(step.layer)
            return [
                "CacheType": .string(step.kind), "CreatedSince": .string(HumanReadable.ago(step.created, now: now)),
                "ID": .string(HumanReadable.shortID(step.id)), "InUse": "false",
                "LastUsedSince": .string(HumanReadable.ago(step.lastUse, now: now)), "Shared": .string("\(isShared)"),
                "Size": .string(HumanReadable.size(usage.bytes(of: content))), "UsageCount": "N/A",
            ]
        }
    }
}
