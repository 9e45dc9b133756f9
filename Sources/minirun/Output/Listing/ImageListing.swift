import Images
import OCI

/// What a list of images shows of one.
struct ImageEntry: Sendable {
    let id: Digest
    /// `name:tag`
    var tags: [ImageReference]
    /// `name@sha256:…`
    var digests: [ImageReference]
    /// Nanoseconds since 1970; nil where the image does not say.
    let created: UInt64?
    /// Unpacked, in bytes.
    let size: Int64
    let labels: [String: String]

    var isDangling: Bool { tags.isEmpty && digests.isEmpty }
}

extension ImageEntry {
    init(_ image: StoredImage, in store: ImageStore) throws {
        id = image.id
        tags = image.tags
        digests = image.repositoryDigests
        created = image.configuration.created.flatMap { Timestamp.nanoseconds(rfc3339: $0) }
        size = try store.layerSizes(of: image).reduce(0, +)
        labels = image.configuration.config.labels
    }
}

extension ImageStore {
    /// The bytes of each layer's files, the base's first. Of a layer that was never unpacked only its blob's size is known.
    func layerSizes(of image: StoredImage) throws -> [Int64] {
        try zip(image.layers, image.chainIDs).map { layer, chainID in
            try usableLayer(chainID)?.bytes ?? layer.blob.size
        }
    }
}

/// `images`, as docker prints it.
enum ImageListing {
    static func format(digests: Bool) -> ListFormat {
        let digest = digests ? "{{.Digest}}\\t" : ""
        return ListFormat(
            headers: [
                ("Containers", "CONTAINERS"), ("CreatedAt", "CREATED AT"), ("CreatedSince", "CREATED"), ("Digest", "DIGEST"),
                ("ID", "IMAGE ID"), ("Repository", "REPOSITORY"), ("SharedSize", "SHARED SIZE"), ("Size", "SIZE"),
                ("Tag", "TAG"), ("UniqueSize", "UNIQUE SIZE"), ("VirtualSize", "SIZE"),
            ],
            standard: "table {{.Repository}}\\t{{.Tag}}\\t\(digest){{.ID}}\\t"
                + "{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\\t{{.Size}}"
        )
    }

    /// One row for each name of each image. Digests have rows only of their own where `digests` asks for them, or where
    /// their repository has no tag.
    static func rows(_ entries: [ImageEntry], digests: Bool, truncating: Bool, now: UInt64) -> [JSON] {
        entries.flatMap { entry in
            names(of: entry, digests: digests).map { row(entry, $0, truncating: truncating, now: now) }
        }
    }

    private typealias Name = (repository: String, tag: String, digest: String)

    private static func names(of entry: ImageEntry, digests: Bool) -> [Name] {
        let none = "<none>"
        if entry.isDangling { return [(none, none, none)] }
        var names: [Name] = []
        for tag in entry.tags {
            let own = entry.digests.filter { $0.repository == tag.repository }.compactMap(\.digest?.description)
            for digest in digests && !own.isEmpty ? own : [none] {
                names.append((tag.familiarRepository, tag.tag ?? none, digest))
            }
        }
        let tagged = Set(entry.tags.map(\.repository))
        var shown: Set<String> = []
        for name in entry.digests where !tagged.contains(name.repository) {
            guard digests || shown.insert(name.repository).inserted else { continue }
            names.append((name.familiarRepository, none, digests ? name.digest?.description ?? none : ""))
        }
        return names
    }

    private static func row(_ entry: ImageEntry, _ name: Name, truncating: Bool, now: UInt64) -> JSON {
        let size = HumanReadable.size(entry.size, digits: 3)
        return [
            "Containers": "N/A", "CreatedAt": .string(HumanReadable.time(entry.created ?? 0)),
            "CreatedSince": .string(entry.created.map { HumanReadable.ago($0, now: now) } ?? ""),
            "Digest": .string(name.digest),
            "ID": .string(truncating ? entry.id.short : entry.id.description),
            "Repository": .string(name.repository), "SharedSize": "N/A", "Size": .string(size), "Tag": .string(name.tag),
            "UniqueSize": "N/A", "VirtualSize": .string(size),
        ]
    }
}
