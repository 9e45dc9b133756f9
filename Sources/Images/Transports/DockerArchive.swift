import OCI

/// What `docker save`, `podman save` and `skopeo copy … docker-archive:` write: manifest.json, and files for
/// configurations and layers by any names.
struct DockerArchive: Sendable {
    let files: any ArchiveFiles
    let items: [Item]

    /// One image in manifest.json.
    struct Item: Sendable {
        let configuration: String
        let layers: [String]
        var references: [ImageReference]
    }

    /// nil for what is no docker archive.
    init?(_ files: any ArchiveFiles) throws {
        guard let json = try files.json("manifest.json") else { return nil }
        guard let entries = json.array else {
            throw EngineError(.invalid, "\(files.description): manifest.json is no list")
        }
        guard entries.count <= 1000 else { throw EngineError(.invalid, "\(files.description): too many images") }
        self.files = files
        var count = 0
        items = try entries.map { entry in
            let layers = entry["Layers"]?.strings ?? []
            guard let configuration = entry["Config"]?.string, layers.count <= 1000 else {
                throw EngineError(.invalid, "\(files.description): invalid manifest.json")
            }
            let names = entry["RepoTags"]?.strings ?? []
            count += names.count
            guard count <= LegacyArchive.names else {
                throw EngineError(.invalid, "\(files.description): too many names")
            }
            return Item(
                configuration: configuration,
                layers: layers,
                references: try names.map { try ImageReference($0) }
            )
        }
    }

    /// Each image once with all its names: were each of a thousand entries read that name one image, it would take a thousand
    /// times as long.
    var distinctItems: [Item] {
        var distinct: [Item] = []
        var positions: [[String]: Int] = [:]
        for item in items {
            guard let position = positions[[item.configuration] + item.layers] else {
                positions[[item.configuration] + item.layers] = distinct.count
                distinct.append(item)
                continue
            }
            distinct[position].references += item.references
        }
        return distinct
    }

    func image(named name: String?) throws -> TransportImage {
        guard let name else {
            if items.count == 1 { return try image(items[0]) }
            let names = items.flatMap(\.references).map(\.familiar)
            throw items.isEmpty
                ? EngineError(.notFound, "\(files.description) holds no image")
                : EngineError(
                    .invalid,
                    "\(files.description) holds \(items.count) images",
                    hint: "add the name of one: \(names.prefix(10).joined(separator: ", "))"
                )
        }
        if name.hasPrefix("@"), let number = Int(name.dropFirst()), items.indices.contains(number) {
            return try image(items[number])
        }
        let wanted = try ImageReference(name)
        guard let item = items.first(where: { $0.references.contains(wanted) }) else {
            throw EngineError(.notFound, "\(files.description) has no image \"\(name)\"")
        }
        return try image(item)
    }

    func image(_ item: Item) throws -> TransportImage {
        let bytes = try files.require(item.configuration)
        let digest = SHA256Digest.of(bytes)
        // `HEX.json` and `blobs/sha256/HEX` name the configuration's digest.
        let stem = item.configuration.split(separator: "/").last?.split(separator: ".").first.map(String.init)
        if let named = stem.flatMap({ Digest(hex: $0) }), named != digest {
            throw EngineError(.corrupt, "\(files.description): \(item.configuration) has the digest \(digest)")
        }
        let configuration = try ImageConfiguration(JSON.parse(bytes))
        guard item.layers.count == configuration.diffIDs.count else {
            throw EngineError(
                .corrupt,
                "\(files.description): invalid manifest, layers length mismatch: "
                    + "expected \(item.layers.count), got \(configuration.diffIDs.count)"
            )
        }
        try LayerCount.require(item.layers.count)
        var layers: [Descriptor] = []
        var paths: [Digest: String] = [:]
        for (path, diffID) in zip(item.layers, configuration.diffIDs) {
            guard let file = try files.open(path) else { throw files.missing(path) }
            layers.append(Descriptor(mediaType: .layer, digest: diffID, size: file.size))
            paths[diffID] = path
        }
        return TransportImage(
            manifest: ImageManifest(
                configuration: Descriptor(mediaType: .imageConfiguration, digest: digest, size: Int64(bytes.count)),
                layers: layers
            ),
            configuration: configuration,
            configurationBytes: bytes,
            references: item.references,
            source: .docker(files, paths: paths)
        )
    }
}
