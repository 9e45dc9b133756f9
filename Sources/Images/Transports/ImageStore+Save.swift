import LinuxSystem
import OCI

extension ImageStore {
    /// Writes images into one archive as `docker save` does since version 25: an OCI layout with docker's manifest.json
    /// and `repositories` beside it, which docker, podman, skopeo and umoci load. The same images give the same bytes.
    ///
    /// A name without a tag stands for every tag of its repository; an id saves the image without a name. Layers go in
    /// as they are stored, compressed or not: every reader looks at the bytes.
    package func save(_ names: [String], to sink: any ByteSink, platform: Platform? = nil) throws {
        try lease().during {
            let saved = try selection(names, platform: platform)
            try ArchiveWriter(store: self, images: saved).write(to: sink)
        }
    }

    /// Each image once, in the order of the names, with the references that it is saved under.
    private func selection(_ names: [String], platform: Platform?) throws -> [SavedImage] {
        var saved: [SavedImage] = []
        func add(_ image: StoredImage, _ reference: ImageReference?) {
            let position = saved.firstIndex { $0.image.manifestDigest == image.manifestDigest } ?? saved.endIndex
            if position == saved.endIndex { saved.append(SavedImage(image: image, references: [])) }
            if let reference, !saved[position].references.contains(reference) {
                saved[position].references.append(reference)
            }
        }
        for name in names {
            let reference = try? ImageReference(name)
            let isRepository = reference.map { name == $0.familiarRepository || name == $0.repository } ?? false
            let tags = isRepository ? try self.tags(of: name) : []
            for tag in tags { add(try resolve(tag.description, platform: platform), tag) }
            if !tags.isEmpty { continue }
            let image = try resolve(name, platform: platform)
            add(image, reference.flatMap { $0.tag != nil && image.references.contains($0) ? $0 : nil })
        }
        return saved
    }

    private func tags(of repository: String) throws -> [ImageReference] {
        let repository = try ImageReference(repository).repository
        return Set(try index().manifests.compactMap(\.reference)).filter {
            $0.tag != nil && $0.repository == repository
        }.sorted()
    }
}

struct SavedImage {
    let image: StoredImage
    var references: [ImageReference]
}

/// Writes the archive's members in the order of their names.
private struct ArchiveWriter {
    let store: ImageStore
    let images: [SavedImage]

    func write(to sink: any ByteSink) throws {
        let writer = TarWriter(sink)
        for folder in ["blobs/", "blobs/sha256/"] { try writer.append(TarEntry(path: folder, kind: .directory)) }
        for blob in blobs {
            try append(writer, blob.layoutPath, blob.size, try store.openBlob(blob))
        }
        try append(writer, "index.json", index)
        try append(writer, "manifest.json", manifest)
        try append(writer, "oci-layout", ["imageLayoutVersion": "1.0.0"])
        try append(writer, "repositories", repositories)
        try writer.finish()
    }

    private func append(_ writer: TarWriter, _ name: String, _ json: JSON) throws {
        let bytes = json.bytes()
        try append(writer, name, Int64(bytes.count), MemorySource(bytes))
    }

    private func append(_ writer: TarWriter, _ name: String, _ size: Int64, _ content: any ByteSource) throws {
        var entry = TarEntry(path: name, kind: .file)
        entry.size = size
        try writer.append(entry, content: content)
        // A blob is verified at its end.
        try content.drain()
    }

    /// Every blob once, sorted.
    private var blobs: [Descriptor] {
        var blobs: [Digest: Descriptor] = [:]
        for image in images.map(\.image) {
            for blob in [image.manifestDescriptor, image.manifest.configuration] + image.manifest.layers {
                blobs[blob.digest] = blob
            }
        }
        return blobs.values.sorted { $0.digest.hex < $1.digest.hex }
    }

    /// One entry for each name, as containerd writes it: the tag alone in ref.name, the whole name beside it.
    private var index: JSON {
        var index = ImageIndex()
        for saved in images {
            var entry = Descriptor(
                mediaType: saved.image.manifest.mediaType,
                digest: saved.image.manifestDigest,
                size: saved.image.manifestDescriptor.size,
                platform: saved.image.configuration.platform
            )
            if saved.references.isEmpty { index.manifests.append(entry) }
            for reference in saved.references {
                entry.annotations[ImageStore.referenceAnnotation] = reference.tag
                entry.annotations[ImageStore.containerdAnnotation] = reference.description
                index.manifests.append(entry)
            }
        }
        return index.json
    }

    private var manifest: JSON {
        .array(
            images.map { saved in
                [
                    "Config": .string(saved.image.manifest.configuration.layoutPath),
                    "RepoTags": saved.references.isEmpty ? .null : .strings(saved.references.map(\.familiar)),
                    "Layers": .strings(saved.image.manifest.layers.map(\.layoutPath)),
                ]
            }
        )
    }

    /// Docker before 1.10 asked here which layer a name stands for.
    private var repositories: JSON {
        var repositories: [String: [String: String]] = [:]
        for saved in images {
            guard let top = saved.image.manifest.layers.last else { continue }
            for reference in saved.references {
                if let tag = reference.tag {
                    repositories[reference.familiarRepository, default: [:]][tag] = top.digest.hex
                }
            }
        }
        return .object(repositories.sorted { $0.key < $1.key }.map { (key: $0.key, value: .sortedStrings($0.value)) })
    }
}
