import LinuxSystem
import OCI

extension ImageStore {
    /// Finds an image by what a person typed: a name (`python`, `python:3.8-slim`, `python@sha256:…`), an id
    /// (`sha256:…`, 64 digits) or the unique beginning of one. A name wins over the beginning of an id.
    ///
    /// - Parameter platform: which of a multi-platform image's; nil takes this machine's, or the first that is there.
    ///   An image for another platform is an error.
    package func resolve(_ text: String, platform: Platform? = nil) throws -> StoredImage {
        try resolve(text, platform: platform, in: index())
    }

    func resolve(_ text: String, platform: Platform?, in index: ImageIndex) throws -> StoredImage {
        guard let entry = try find(text, in: index) else {
            throw EngineError(.notFound, "No such image: \(ImageStore.familiar(text))")
        }
        guard var image = try image(entry, platform: platform) else {
            throw EngineError(
                .notFound,
                "no matching manifest for \(platform ?? .host) in the manifest list entries"
            )
        }
        if let platform, !image.configuration.platform.serves(platform) {
            throw EngineError(
                .notFound,
                "image with reference \(text) was found but its platform (\(image.configuration.platform)) "
                    + "does not match the specified platform (\(platform))"
            )
        }
        image.references = index.references(to: image.target.digest)
        return image
    }

    /// What a person typed, with the tag that was meant.
    private static func familiar(_ text: String) -> String {
        if Digest(hex: text) != nil || (try? Digest(text)) != nil { return text }
        return (try? ImageReference(text))?.familiar ?? text
    }

    func find(_ text: String, in index: ImageIndex) throws -> Descriptor? {
        if let id = Digest(hex: text) ?? (try? Digest(text)) {
            return try entry(whereID: { $0 == id.hex }, in: index) ?? index.manifests.first { $0.digest == id }
        }
        if let entry = try name(text).flatMap({ index.entry(for: $0) }) { return entry }
        let prefix = text.hasPrefix("sha256:") ? text.dropFirst(7) : text[...]
        guard !prefix.isEmpty, prefix.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else {
            return nil
        }
        return try entry(whereID: { $0.hasPrefix(prefix) }, in: index)
    }

    /// nil for what can only be the beginning of an id. Something that is no name at all is an error.
    private func name(_ text: String) throws -> ImageReference? {
        text.hasPrefix("sha256:") ? nil : try ImageReference(text)
    }

    /// The entry of the only image whose id fits; nil where there is none, and where there are several.
    private func entry(whereID fits: (String) -> Bool, in index: ImageIndex) throws -> Descriptor? {
        var found: (id: Digest, entry: Descriptor)?
        var known: [Digest: ImageManifest?] = [:]
        for target in index.distinctTargets {
            for id in manifests(of: target, &known).map(\.manifest.configuration.digest) where fits(id.hex) {
                if let found, found.id != id { return nil }
                // The entry of a single manifest names the image more exactly than an index does.
                if found == nil || target.mediaType.isManifest { found = (id, target) }
            }
        }
        return found?.entry
    }

    /// The manifests that an entry leads to, where they are here, are images and can be read; each once.
    func manifests(of target: Descriptor) -> [(descriptor: Descriptor, manifest: ImageManifest)] {
        var known: [Digest: ImageManifest?] = [:]
        return manifests(of: target, &known)
    }

    /// - Parameter known: what was read before, so that what many indexes share is read once.
    private func manifests(of target: Descriptor, _ known: inout [Digest: ImageManifest?])
        -> [(descriptor: Descriptor, manifest: ImageManifest)]
    {
        if let manifest = known[target.digest] { return manifest.map { [(target, $0)] } ?? [] }
        guard let json = document(target) else { return [] }
        if json["manifests"] == nil {
            let manifest = imageManifest(json)
            known[target.digest] = .some(manifest)
            return manifest.map { [(target, $0)] } ?? []
        }
        guard let index = try? ImageIndex(json) else { return [] }
        var seen: Set<Digest> = []
        return index.manifests.compactMap { entry in
            guard entry.platform?.os != "unknown", seen.insert(entry.digest).inserted else { return nil }
            if known[entry.digest] == nil { known[entry.digest] = .some(document(entry).flatMap(imageManifest)) }
            return known[entry.digest]?.map { (entry, $0) }
        }
    }

    /// A manifest or an index; nil where it is not here, or damaged.
    private func document(_ descriptor: Descriptor) -> JSON? {
        (try? readBlob(descriptor)).flatMap { try? JSON.parse($0) }
    }

    private func imageManifest(_ json: JSON) -> ImageManifest? {
        guard let manifest = try? ImageManifest(json), manifest.configuration.mediaType.isImageConfiguration else {
            return nil
        }
        return manifest
    }

    /// The image that an entry leads to for a platform; nil where it has none for it. Its layers need not be there.
    package func image(_ target: Descriptor, platform: Platform?) throws -> StoredImage? {
        let json = try JSON.parse(readBlob(target))
        if json["manifests"] == nil { return try image(target, target, ImageManifest(json)) }
        let index = try ImageIndex(json)
        var wanted = index.manifest(for: platform ?? .host)
        if let entry = wanted, !hasBlob(entry.digest) { wanted = nil }
        if wanted == nil, platform == nil {
            wanted = index.manifests.first {
                $0.platform?.os != "unknown" && !$0.mediaType.isIndex && hasBlob($0.digest)
            }
        }
        guard let wanted else { return nil }
        return try image(target, wanted, ImageManifest(JSON.parse(readBlob(wanted))))
    }

    func image(_ target: Descriptor, _ descriptor: Descriptor, _ manifest: ImageManifest) throws -> StoredImage {
        guard manifest.configuration.mediaType.isImageConfiguration else {
            throw EngineError(
                .unsupported,
                "\(descriptor.digest) is no image: its configuration is of type "
                    + "\"\(manifest.configuration.mediaType.rawValue)\""
            )
        }
        let bytes = try readBlob(manifest.configuration)
        return StoredImage(
            id: manifest.configuration.digest,
            target: target.named(nil),
            manifestDescriptor: descriptor,
            manifest: manifest,
            configuration: try ImageConfiguration(JSON.parse(bytes)),
            configurationBytes: bytes,
            references: [],
            store: self
        )
    }

    /// Every image once, with all its names, the newest first: what `images` lists. An image without a name has no
    /// references. What other tools put into the layout and is no image, or not whole, is left out.
    package func images() throws -> [StoredImage] { images(in: try index()) }

    func images(in index: ImageIndex) -> [StoredImage] {
        var images: [Digest: StoredImage] = [:]
        var read: [Digest: ImageManifest?] = [:]
        let names = Dictionary(grouping: index.manifests, by: \.digest).mapValues {
            $0.compactMap(\.reference).sorted()
        }
        for target in index.distinctTargets {
            let names = names[target.digest] ?? []
            for (descriptor, manifest) in manifests(of: target, &read) {
                if let known = images[manifest.configuration.digest] {
                    images[known.id]?.references = Array(Set(known.references + names)).sorted()
                } else if var image = try? image(target, descriptor, manifest) {
                    image.references = names
                    images[image.id] = image
                }
            }
        }
        return images.values.sorted { a, b in
            let (x, y) = (a.configuration.created ?? "", b.configuration.created ?? "")
            return x != y ? x > y : a.id.hex < b.id.hex
        }
    }
}

extension ImageIndex {
    /// One entry for each thing that entries point to.
    var distinctTargets: [Descriptor] {
        var seen: Set<Digest> = []
        return manifests.filter { seen.insert($0.digest).inserted }
    }

    /// The names of what has this digest, sorted.
    func references(to digest: Digest) -> [ImageReference] {
        manifests.filter { $0.digest == digest }.compactMap(\.reference).sorted()
    }

    /// The entry for a name. One with a digest also finds what the repository has under another name, and its tag does
    /// not count.
    func entry(for reference: ImageReference) -> Descriptor? {
        guard let digest = reference.digest else {
            // As text first: reading every entry's name costs more than all the rest of finding an image.
            let text = reference.description
            return manifests.first { $0.annotations[ImageStore.referenceAnnotation] == text }
                ?? manifests.first { $0.reference == reference }
        }
        return manifests.first { $0.digest == digest && $0.reference?.repository == reference.repository }
    }
}

extension ImageReference: Comparable {
    package static func < (a: ImageReference, b: ImageReference) -> Bool { a.description < b.description }
}

extension MediaType {
    /// A configuration that ImageConfiguration reads; other artifacts have types of their own.
    package var isImageConfiguration: Bool { self == .imageConfiguration || self == .dockerConfiguration }
}
