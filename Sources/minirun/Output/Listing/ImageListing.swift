import Images
import LinuxSystem
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
    /// The bytes of each layer's files, the base's first; of one that was never unpacked, those of its tar or its blob.
    func layerSizes(of image: StoredImage) throws -> [Int64] {
        try zip(image.layers, image.chainIDs).map { layer, chainID in
            try usableLayer(chainID)?.bytes ?? unpackedSize(of: layer.blob)
        }
    }

    /// What gzip says of itself in its last four bytes: the size before compression, modulo 2^32 (RFC 1952).
    private func unpackedSize(of blob: Descriptor) -> Int64 {
        guard blob.mediaType == .layerGzip || blob.mediaType == .dockerLayerGzip, blob.size > 18,
            let file = try? FileDescriptor.open(blobPath(blob.digest))
        else { return blob.size }
        let source = FileSource(owning: file, offset: blob.size - 4, length: 4)
        guard let trailer = try? source.readAll(limit: 4), trailer.count == 4 else { return blob.size }
        return max(blob.size, trailer.reversed().reduce(0) { $0 << 8 | Int64($1) })
    }
}

/// `images`, as docker prints it.
enum ImageListing {
    static func format(digests: Bool) -> ListFormat {
        let digest = digests ? "{{.Digest}}\\t" : ""
        return ListFormat(
            headers: [
                ("Containers", "CONTAINERS"), ("CreatedAt", "CREATED AT"), ("CreatedSince", "CREATED"),
                ("Digest", "DIGEST"),
                ("ID", "IMAGE ID"), ("Repository", "REPOSITORY"), ("SharedSize", "SHARED SIZE"), ("Size", "SIZE"),
                ("Tag", "TAG"), ("UniqueSize", "UNIQUE SIZE"), ("VirtualSize", "SIZE"),
            ],
            standard: "table {{.Repository}}\\t{{.Tag}}\\t\(digest){{.ID}}\\t"
                + "{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\\t{{.Size}}",
            raw: "repository: {{.Repository}}\ntag: {{.Tag}}\n\(digests ? "digest: {{.Digest}}\n" : "")"
                + "image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n"
        )
    }

    struct Style {
        /// `--digests`: one row for each digest, too.
        var digests = false
        /// Whether the format shows digests.
        var showsDigests = false
        var truncating = true
        var now: UInt64
    }

    /// One row for each name of each image.
    static func rows(_ entries: [ImageEntry], _ style: Style) -> [JSON] {
        entries.flatMap { entry in names(of: entry, style).map { row(entry, $0, style) } }
    }

    private typealias Name = (repository: String, tag: String, digest: String)

    /// A digest stands beside its repository's tags if digests are shown, and for itself where there is no tag.
    private static func names(of entry: ImageEntry, _ style: Style) -> [Name] {
        let none = "<none>"
        if entry.isDangling { return [(none, none, none)] }
        var names: [Name] = []
        for tag in entry.tags {
            let own = entry.digests.filter { $0.repository == tag.repository }.compactMap(\.digest?.description)
            for digest in (style.digests || style.showsDigests) && !own.isEmpty ? own : [none] {
                names.append((tag.familiarRepository, tag.tag ?? none, digest))
            }
        }
        let tagged = Set(entry.tags.map(\.repository))
        var shown: Set<String> = []
        for name in entry.digests where !tagged.contains(name.repository) {
            guard style.digests || shown.insert(name.repository).inserted else { continue }
            names.append((name.familiarRepository, none, style.digests ? name.digest?.description ?? none : ""))
        }
        return names
    }

    private static func row(_ entry: ImageEntry, _ name: Name, _ style: Style) -> JSON {
        [
            "Containers": "N/A", "CreatedAt": .string(HumanReadable.time(entry.created ?? 0)),
            "CreatedSince": .string(entry.created.map { HumanReadable.ago($0, now: style.now) } ?? ""),
            "Digest": .string(name.digest),
            "ID": .string(style.truncating ? entry.id.short : entry.id.description),
            "Repository": .string(name.repository), "SharedSize": "N/A",
            "Size": .string(HumanReadable.size(entry.size, digits: 3)), "Tag": .string(name.tag), "UniqueSize": "N/A",
            "VirtualSize": .string(HumanReadable.size(entry.size)),
        ]
    }
}
