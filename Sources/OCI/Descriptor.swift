/// Points at content: its kind, name and size (image-spec, descriptor.md).
package struct Descriptor: Hashable, Sendable {
    package var mediaType: MediaType
    package var digest: Digest
    /// In bytes. Content of another size is refused, whatever its digest.
    package var size: Int64
    package var platform: Platform?
    package var annotations: [String: String]
    package var artifactType: String?
    /// Where else the content can be had (foreign layers).
    package var urls: [String] = []

    /// 1 PiB: nobody has more in one piece.
    static let largest = 1 << 50

    package init(
        mediaType: MediaType,
        digest: Digest,
        size: Int64,
        platform: Platform? = nil,
        annotations: [String: String] = [:]
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.platform = platform
        self.annotations = annotations
        artifactType = nil
    }

    package init(_ json: JSON) throws(EngineError) {
        try json.requireOneMeaning(of: ["mediaType", "digest", "size", "platform", "urls"], in: "descriptor")
        guard let digest = json["digest"]?.string, let size = json["size"]?.int, size >= 0 else {
            throw EngineError(.invalid, "invalid descriptor: digest and size are required")
        }
        // So that sums of what an image has are numbers, too.
        guard size <= Descriptor.largest else {
            throw EngineError(.invalid, "invalid descriptor: a size of \(size) bytes")
        }
        mediaType = MediaType(rawValue: json["mediaType"]?.string ?? "")
        self.digest = try Digest(digest)
        self.size = Int64(size)
        platform = json["platform"].map { Platform($0) }
        annotations = json["annotations"]?.stringMap ?? [:]
        artifactType = json["artifactType"]?.string
        urls = json["urls"]?.strings ?? []
    }

    package var json: JSON {
        var members: [(key: String, value: JSON)] = [
            ("mediaType", .string(mediaType.rawValue)), ("digest", .string(digest.description)),
            ("size", .number(size)),
        ]
        if !urls.isEmpty { members.append(("urls", .strings(urls))) }
        if let artifactType { members.append(("artifactType", .string(artifactType))) }
        if let platform { members.append(("platform", platform.json)) }
        if !annotations.isEmpty { members.append(("annotations", .sortedStrings(annotations))) }
        return .object(members)
    }
}

extension Descriptor {
    /// The same with the media type of the manifest or index that it leads to: what a digest is, its content decides, and not
    /// who points at it.
    ///
    /// - Throws: where it calls an index a manifest, or the other way round (CVE-2021-41190).
    package func typed(by content: JSON) throws(EngineError) -> Descriptor {
        let isIndex = content["manifests"] != nil
        let own = MediaType(rawValue: content["mediaType"]?.string ?? "")
        for type in [mediaType, own] where type.isIndex || type.isManifest {
            guard type.isIndex == isIndex else {
                throw EngineError(.corrupt, "\(digest) is called \"\(type.rawValue)\", and is not: refused")
            }
        }
        var typed = self
        if own.isIndex || own.isManifest {
            typed.mediaType = own
        } else if !mediaType.isIndex, !mediaType.isManifest {
            typed.mediaType = isIndex ? .imageIndex : .imageManifest
        }
        return typed
    }
}

extension JSON {
    /// An object's members that are strings.
    package var stringMap: [String: String]? {
        guard let object else { return nil }
        var map: [String: String] = [:]
        for member in object { if let text = member.value.string { map[member.key] = text } }
        return map
    }

    /// An object of strings with its keys sorted.
    package static func sortedStrings(_ map: [String: String]) -> JSON {
        .object(map.sorted { $0.key < $1.key }.map { (key: $0.key, value: .string($0.value)) })
    }
}

/// The media types of images, OCI's and Docker's (image-spec, media-types.md).
package struct MediaType: RawRepresentable, Hashable, Sendable {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    package static let imageIndex = MediaType(rawValue: "application/vnd.oci.image.index.v1+json")
    package static let imageManifest = MediaType(rawValue: "application/vnd.oci.image.manifest.v1+json")
    package static let imageConfiguration = MediaType(rawValue: "application/vnd.oci.image.config.v1+json")
    package static let layer = MediaType(rawValue: "application/vnd.oci.image.layer.v1.tar")
    package static let layerGzip = MediaType(rawValue: "application/vnd.oci.image.layer.v1.tar+gzip")
    package static let layerZstd = MediaType(rawValue: "application/vnd.oci.image.layer.v1.tar+zstd")
    package static let dockerManifestList = MediaType(
        rawValue: "application/vnd.docker.distribution.manifest.list.v2+json"
    )
    package static let dockerManifest = MediaType(rawValue: "application/vnd.docker.distribution.manifest.v2+json")
    package static let dockerConfiguration = MediaType(rawValue: "application/vnd.docker.container.image.v1+json")
    package static let dockerLayer = MediaType(rawValue: "application/vnd.docker.image.rootfs.diff.tar")
    package static let dockerLayerGzip = MediaType(rawValue: "application/vnd.docker.image.rootfs.diff.tar.gzip")

    /// A layer that may not be handed on: `urls` say where it is (image-spec, layer.md#non-distributable-layers).
    package var isForeignLayer: Bool {
        rawValue.hasPrefix("application/vnd.docker.image.rootfs.foreign.diff.tar")
            || rawValue.hasPrefix("application/vnd.oci.image.layer.nondistributable.v1.tar")
    }

    package var isIndex: Bool { self == .imageIndex || self == .dockerManifestList }
    package var isManifest: Bool { self == .imageManifest || self == .dockerManifest }
}
