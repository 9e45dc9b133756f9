import OCI

/// An OCI image layout, in a folder or in an archive (image-spec, image-layout.md).
struct OCILayout: Sendable {
    let files: any ArchiveFiles
    let index: ImageIndex

    /// nil for what is no layout.
    init?(_ files: any ArchiveFiles) throws {
        guard let json = try files.json("index.json") else { return nil }
        if let layout = try files.json("oci-layout"), layout["imageLayoutVersion"]?.string?.hasPrefix("1.") != true {
            throw EngineError(.unsupported, "\(files.description): an OCI layout of another version")
        }
        self.files = files
        do { index = try ImageIndex(json) } catch {
            throw EngineError(error.kind, "\(files.description): index.json: \(error.message)")
        }
        guard index.manifests.count <= 10_000 else {
            throw EngineError(.invalid, "\(files.description): too many images")
        }
    }

    /// The image that a person chose, for a platform: nil takes this machine's or else the first that is there.
    func image(named name: String?, platform: Platform?) throws -> TransportImage {
        let entry = try entry(named: name)
        guard let manifest = try manifest(in: entry, platform: platform) else {
            throw EngineError(
                .notFound,
                "\(files.description): no matching manifest for \(platform ?? .host) in the manifest list entries"
            )
        }
        return try image(manifest, target: entry)
    }

    private func entry(named name: String?) throws -> Descriptor {
        let entries = index.manifests
        guard let name else {
            if let only = entries.first, entries.allSatisfy({ $0.digest == only.digest }) { return only }
            let names = entries.map { $0.annotations[ImageStore.referenceAnnotation] ?? $0.digest.description }
            throw entries.isEmpty
                ? EngineError(.notFound, "\(files.description) holds no image")
                : EngineError(
                    .invalid,
                    "\(files.description) holds \(entries.count) images",
                    hint: "add the name of one: \(names.prefix(10).joined(separator: ", "))"
                )
        }
        if name.hasPrefix("@"), let number = Int(name.dropFirst()), entries.indices.contains(number) {
            return entries[number]
        }
        let wanted = try? ImageReference(name)
        let found =
            entries.first { $0.annotations[ImageStore.referenceAnnotation] == name }
            ?? entries.first { $0.digest.description == name }
            ?? entries.first { wanted != nil && layoutReference($0) == wanted }
        guard let found else { throw EngineError(.notFound, "\(files.description) has no image \"\(name)\"") }
        return found
    }

    /// The manifest that an entry of index.json leads to.
    private func manifest(in entry: Descriptor, platform: Platform?) throws -> Descriptor? {
        let json = try parse(entry)
        guard json["manifests"] != nil else { return entry }
        let nested = try ImageIndex(json)
        if let wanted = nested.manifest(for: platform ?? .host), try files.open(wanted.layoutPath) != nil {
            return wanted
        }
        if platform != nil { return nil }
        return try nested.manifests.first { try $0.platform?.os != "unknown" && files.open($0.layoutPath) != nil }
    }

    /// The image that an entry of index.json points to; nil where that is an index.
    func onlyImage(of entry: Descriptor) throws -> TransportImage? {
        try parse(entry)["manifests"] == nil ? image(entry, target: entry) : nil
    }

    /// Reads and verifies an image's manifest and configuration.
    func image(_ descriptor: Descriptor, target: Descriptor) throws -> TransportImage {
        let manifest = try ImageManifest(parse(descriptor))
        guard manifest.configuration.mediaType.isImageConfiguration else {
            throw EngineError(.unsupported, "\(files.description): \(descriptor.digest) is no image")
        }
        let bytes = try files.document(manifest.configuration)
        let image = TransportImage(
            manifest: manifest,
            configuration: try ImageConfiguration(JSON.parse(bytes)),
            configurationBytes: bytes,
            references: layoutReference(target).map { [$0] } ?? [],
            source: .layout(self, target: target, manifest: descriptor)
        )
        try image.requireMountable()
        _ = try image.layers
        return image
    }

    func parse(_ descriptor: Descriptor) throws -> JSON { try JSON.parse(files.document(descriptor)) }

    /// A blob from its start; verified at its end.
    func open(_ blob: Descriptor) throws -> any ByteSource {
        VerifiedSource(try file(of: blob).source, digest: blob.digest, size: blob.size)
    }

    /// A blob as it is; of the right size, and not verified.
    func file(of blob: Descriptor) throws -> (source: any ByteSource, size: Int64) {
        guard let file = try files.open(blob.layoutPath) else { throw files.missing(blob.layoutPath) }
        guard file.size == blob.size else {
            throw EngineError(.corrupt, "blob \(blob.digest) has \(file.size) bytes instead of \(blob.size)")
        }
        return file
    }

    /// Each image or index that index.json points to, with all its names. Signatures and other artifacts are left out.
    var imageEntries: [(entry: Descriptor, references: [ImageReference])] {
        get throws {
            var order: [Descriptor] = []
            var names: [Digest: [ImageReference]] = [:]
            for entry in index.manifests {
                if names[entry.digest] == nil, try isImage(entry) { order.append(entry) }
                names[entry.digest, default: []] += layoutReference(entry).map { [$0] } ?? []
            }
            if order.isEmpty { throw EngineError(.notFound, "\(files.description) holds no image") }
            return order.map { ($0, names[$0.digest] ?? []) }
        }
    }

    private func isImage(_ entry: Descriptor) throws -> Bool {
        let json = try parse(entry)
        if json["manifests"] != nil { return true }
        return try ImageManifest(json).configuration.mediaType.isImageConfiguration
    }

    /// The name of an entry, where it has one that means something outside its layout: a whole name, or a single word
    /// that is an image's name as people write `oci:DIR:busybox`. A word that looks like a version is only a tag.
    func layoutReference(_ entry: Descriptor) -> ImageReference? {
        if let text = entry.annotations[ImageStore.containerdAnnotation], let name = try? ImageReference(text) {
            return name
        }
        guard let text = entry.annotations[ImageStore.referenceAnnotation], let name = try? ImageReference(text) else {
            return nil
        }
        if text.contains("/") || text.contains(":") { return name }
        let isVersion = text.first?.isNumber ?? true || text.hasPrefix("v") && text.dropFirst().first?.isNumber ?? false
        return isVersion || text == "latest" ? nil : name
    }
}
