import OCI

/// Images from wherever they are. Each function returns what a name can point to.
extension PendingBlobs {
    /// One image.
    mutating func add(_ image: TransportImage) throws -> Descriptor {
        switch image.source {
        case .layout(let layout, _, let manifest): return try add(layout, image, manifest)
        case .docker(let files, let paths): return try add(files, image, paths)
        }
    }

    /// What an entry of a layout's index.json leads to; of an index, all platforms that are there.
    mutating func add(_ layout: OCILayout, entry: Descriptor) throws -> Descriptor {
        let json = try layout.parse(entry)
        let entry = try entry.typed(by: json)
        try ImageStore.checkAnnotations(entry)
        guard json["manifests"] != nil else { return try add(layout, layout.image(entry, target: entry), entry) }
        let index = try ImageIndex(json)
        try index.checkSize()
        for child in index.manifests where try layout.files.open(child.layoutPath) != nil {
            try add(layout, nested: child)
        }
        try add(try layout.files.document(entry), entry.mediaType)
        return entry
    }

    private mutating func add(_ layout: OCILayout, nested entry: Descriptor) throws {
        // Many indexes may lead to it, and one may do so many times.
        if isAdded(entry) { return }
        let json = try layout.parse(entry)
        if json["manifests"] != nil { throw EngineError(.unsupported, "an index in an index in an index") }
        let type = try entry.typed(by: json).mediaType
        guard entry.mediaType.isManifest || entry.mediaType.rawValue.isEmpty else {
            throw EngineError(
                .corrupt,
                "\(entry.digest) is called \"\(entry.mediaType.rawValue)\", and is a manifest: refused"
            )
        }
        let manifest = try ImageManifest(json)
        if manifest.configuration.mediaType.isImageConfiguration, entry.platform?.os != "unknown" {
            _ = try add(layout, layout.image(entry, target: entry), entry)
        } else {
            // An attestation: its blobs are no layers.
            for blob in [manifest.configuration] + manifest.layers { try add(layout.open(blob), expected: blob) }
            try add(try layout.files.document(entry), type)
        }
        noteAdded(entry)
    }

    private mutating func add(_ layout: OCILayout, _ image: TransportImage, _ descriptor: Descriptor) throws
        -> Descriptor
    {
        for (blob, diffID) in try image.layers { _ = try add(layer: layout.open(blob), diffID: diffID, expected: blob) }
        try add(image.configurationBytes, image.manifest.configuration.mediaType)
        try add(try layout.files.document(descriptor), descriptor.mediaType)
        return descriptor
    }

    /// From a docker archive: its layers as they are there, and a manifest for them.
    private mutating func add(_ files: any ArchiveFiles, _ image: TransportImage, _ paths: [Digest: String]) throws
        -> Descriptor
    {
        var layers: [Descriptor] = []
        for (_, diffID) in try image.layers {
            guard let path = paths[diffID], let file = try files.open(path) else {
                throw files.missing(diffID.description)
            }
            layers.append(try add(layer: file.source, diffID: diffID, expected: nil))
        }
        let configuration = try add(image.configurationBytes, .imageConfiguration)
        let manifest = ImageManifest(configuration: configuration, layers: layers)
        return try add(manifest.json.bytes(), manifest.mediaType)
    }

    /// An image of docker before 1.10: its configuration is made up too.
    mutating func add(_ legacy: LegacyArchive, _ id: String) throws -> Descriptor {
        let layers = try legacy.layers(id, left: &documentsLeft)
        var diffIDs: [Digest] = []
        var blobs: [Descriptor] = []
        for layer in layers {
            let known = try named[layer.path] ?? read(legacy, layer.path)
            named[layer.path] = known
            diffIDs.append(known.diffID)
            blobs.append(known.blob)
        }
        let bytes = legacy.configuration(layers, diffIDs: diffIDs).bytes()
        let manifest = ImageManifest(configuration: try add(bytes, .imageConfiguration), layers: blobs)
        return try add(manifest.json.bytes(), manifest.mediaType)
    }

    /// A layer that images share is read once.
    private mutating func read(_ legacy: LegacyArchive, _ path: String) throws -> (diffID: Digest, blob: Descriptor) {
        guard let file = try legacy.files.open(path) else { throw legacy.files.missing(path) }
        var found: Digest?
        let blob = try add(layer: file.source, diffID: nil, expected: nil) { found = $0 }
        return (found ?? blob.digest, blob)
    }
}
