/// One image: its configuration and its layers, the base's first (image-spec, manifest.md).
package struct ImageManifest: Equatable, Sendable {
    package var mediaType: MediaType
    package var configuration: Descriptor
    package var layers: [Descriptor]
    package var annotations: [String: String]

    package init(configuration: Descriptor, layers: [Descriptor], annotations: [String: String] = [:]) {
        mediaType = .imageManifest
        self.configuration = configuration
        self.layers = layers
        self.annotations = annotations
    }

    /// Reads a manifest. One that could be taken for an index as well is refused (CVE-2021-41190), and so is schema 1.
    package init(_ json: JSON) throws(EngineError) {
        try json.requireOneMeaning(
            of: ["schemaVersion", "mediaType", "config", "layers", "manifests", "fsLayers", "annotations"],
            in: "image manifest"
        )
        if json["manifests"] != nil { throw EngineError(.invalid, "a manifest with \"manifests\" is ambiguous") }
        if json["schemaVersion"]?.int == 1 || json["fsLayers"] != nil {
            throw EngineError(.unsupported, "image manifest schema 1 is not supported")
        }
        guard json["schemaVersion"]?.int == 2, let configuration = json["config"], let layers = json["layers"]?.array
        else {
            throw EngineError(.invalid, "invalid image manifest")
        }
        mediaType = MediaType(rawValue: json["mediaType"]?.string ?? MediaType.imageManifest.rawValue)
        if mediaType.isIndex { throw EngineError(.invalid, "a manifest that calls itself an index is ambiguous") }
        self.configuration = try Descriptor(configuration)
        guard layers.count <= 1000 else { throw EngineError(.invalid, "an image of \(layers.count) layers") }
        self.layers = []
        for layer in layers { self.layers.append(try Descriptor(layer)) }
        annotations = json["annotations"]?.stringMap ?? [:]
    }

    package var json: JSON {
        var members: [(key: String, value: JSON)] = [
            ("schemaVersion", 2), ("mediaType", .string(mediaType.rawValue)), ("config", configuration.json),
            ("layers", .array(layers.map(\.json))),
        ]
        if !annotations.isEmpty { members.append(("annotations", .sortedStrings(annotations))) }
        return .object(members)
    }
}

extension ImageIndex {
    /// How many manifests an image's index may have. (A layout's own index.json may have more.)
    private static let platformLimit = 1000

    /// Throws where an image's index has more manifests than any would: each is read, and those of many indexes may be the same.
    /// One that it names many times counts once.
    package func checkSize() throws(EngineError) {
        let count = Set(manifests.map(\.digest)).count
        guard count <= ImageIndex.platformLimit else {
            throw EngineError(
                .invalid,
                "an index of \(count) manifests: at most \(ImageIndex.platformLimit) are allowed"
            )
        }
    }
}

/// A list of manifests: an image for several platforms, or a whole layout (image-spec, image-index.md).
package struct ImageIndex: Equatable, Sendable {
    package var manifests: [Descriptor]
    package var annotations: [String: String]

    package init(manifests: [Descriptor] = [], annotations: [String: String] = [:]) {
        self.manifests = manifests
        self.annotations = annotations
    }

    package init(_ json: JSON) throws(EngineError) {
        try json.requireOneMeaning(
            of: ["schemaVersion", "mediaType", "config", "layers", "manifests", "annotations"],
            in: "image index"
        )
        if json["layers"] != nil || json["config"] != nil {
            throw EngineError(.invalid, "an index with \"layers\" or \"config\" is ambiguous")
        }
        if let type = json["mediaType"]?.string, MediaType(rawValue: type).isManifest {
            throw EngineError(.invalid, "an index that calls itself a manifest is ambiguous")
        }
        guard let entries = json["manifests"]?.array else { throw EngineError(.invalid, "invalid image index") }
        manifests = []
        for entry in entries { manifests.append(try Descriptor(entry)) }
        annotations = json["annotations"]?.stringMap ?? [:]
    }

    package var json: JSON {
        var members: [(key: String, value: JSON)] = [
            ("schemaVersion", 2), ("mediaType", .string(MediaType.imageIndex.rawValue)),
            ("manifests", .array(manifests.map(\.json))),
        ]
        if !annotations.isEmpty { members.append(("annotations", .sortedStrings(annotations))) }
        return .object(members)
    }

    /// The entry for `platform`; attestations (platform unknown/unknown) and artifacts never count. An entry that names no
    /// platform serves any if it is alone.
    package func manifest(for platform: Platform) -> Descriptor? {
        let images = manifests.filter { $0.platform?.architecture != "unknown" }
        return images.first { $0.platform?.serves(platform) ?? false }
            ?? (images.count == 1 && images[0].platform == nil ? images[0] : nil)
    }
}
