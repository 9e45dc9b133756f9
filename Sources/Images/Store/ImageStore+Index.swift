import CLinux
import LinuxSystem
import OCI

/// index.json: one entry for each reference, and one without a name for an image that lost its last one.
///
/// A reference stands in `org.opencontainers.image.ref.name` in full (`docker.io/library/python:3.8-slim`), which
/// skopeo and umoci take as what follows `oci:DIR:`, and in containerd's `io.containerd.image.name`.
extension ImageStore {
    package static let referenceAnnotation = "org.opencontainers.image.ref.name"
    package static let containerdAnnotation = "io.containerd.image.name"
    /// When a name was given, in index.json only.
    static let taggedAnnotation = "minirun.tagged"

    /// When one of an image's tags was last given, RFC 3339; nil where it has none, or was given by another tool.
    package func lastTagged(_ image: StoredImage) throws -> String? {
        try index().manifests.filter { entry in entry.reference.map(image.references.contains) ?? false }
            .compactMap { $0.annotations[ImageStore.taggedAnnotation] }
            .max { Timestamp.nanoseconds(rfc3339: $0) ?? 0 < Timestamp.nanoseconds(rfc3339: $1) ?? 0 }
    }

    func index() throws -> ImageIndex {
        do {
            return try ImageIndex(JSON.parse(Files.read(indexPath, limit: ImageStore.indexLimit)))
        } catch let error as EngineError {
            throw EngineError(.corrupt, "reading \(indexPath): \(error.message)")
        }
    }

    /// Changes index.json, alone: nobody else changes it meanwhile. When it returns, the change survives a power cut.
    func updateIndex<R>(_ change: (inout ImageIndex) throws -> R) throws -> R {
        try FileLock(path("index.lock"), .exclusive).during {
            let before = try index()
            var after = before
            let result = try change(&after)
            if after != before { try replaceIndex(checked(after)) }
            return result
        }
    }

    /// In bytes: an index.json that is larger is neither read nor written.
    private static let indexLimit = 64 << 20
    /// What the annotations of one entry may take together, in bytes.
    private static let annotationLimit = 64 << 10

    /// The bytes of an index that `index` can read again: every command begins with that.
    private func checked(_ index: ImageIndex) throws -> [UInt8] {
        let bytes = index.json.bytes()
        guard bytes.count <= ImageStore.indexLimit else {
            throw EngineError(
                .invalid,
                "\(indexPath) would have \(bytes.count) bytes, and at most \(ImageStore.indexLimit) are allowed",
                hint: "remove images, or names of images, that nobody needs"
            )
        }
        _ = try ImageIndex(JSON.parse(bytes))
        return bytes
    }

    /// Throws where what somebody else noted about an image is too much to be kept in index.json.
    static func checkAnnotations(_ target: Descriptor) throws {
        let size = target.annotations.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard size <= annotationLimit else {
            throw EngineError(
                .invalid,
                "the annotations of \(target.digest) have \(size) bytes, and at most \(annotationLimit) are allowed"
            )
        }
    }

    /// Writes index.json anew. Where there is no room left, one that does not grow takes that of a spare file: images must be
    /// removable on a full disk.
    private func replaceIndex(_ bytes: [UInt8]) throws {
        do throws(SystemError) { try Files.replace(indexPath, with: bytes, durable: true) } catch {
            let size = (try? FileStatus.of(indexPath))?.size ?? 0
            guard error.code == ENOSPC || error.code == EDQUOT, bytes.count <= size, bytes.count <= spareSize else {
                throw error
            }
            try Files.replace(indexPath, with: bytes, takingRoomOf: sparePath)
        }
        keepSpare()
    }

    /// Holds room for the next index.json that does not grow, if there is any. The caller holds index.lock: whoever writes into
    /// that room must find it there until it is index.json.
    private func keepSpare() {
        let size = Int((try? FileStatus.of(indexPath))?.size ?? 0)
        if size <= spareSize { return }
        // Anew each time: whatever stands there, a pipe or a file that has another name as well, is not written to.
        for wanted in [max(16 << 10, 2 * size), size] {
            try? Files.remove(sparePath)
            if (try? Files.create(sparePath, [UInt8](repeating: 0, count: wanted), mode: 0o600)) != nil { return }
        }
        try? Files.remove(sparePath)
    }

    /// The same for who does not hold the lock.
    func renewSpare() throws { try FileLock(path("index.lock"), .exclusive).during { keepSpare() } }

    /// How much the spare file holds; 0 for what stands in its place and is not ours.
    private var spareSize: Int64 {
        guard let status = try? FileStatus.of(sparePath), status.kind == .file, status.links == 1 else { return 0 }
        return status.size
    }
}

extension Descriptor {
    /// The name under which an index has this entry: ours, or another tool's where it is a whole name.
    package var reference: ImageReference? {
        for key in [ImageStore.referenceAnnotation, ImageStore.containerdAnnotation] {
            if let text = annotations[key], text.contains("/"), let name = try? ImageReference(text) { return name }
        }
        return nil
    }

    /// The entry for a reference to this descriptor; with nil, one without a name.
    func named(_ reference: ImageReference?) -> Descriptor {
        var entry = self
        entry.annotations[ImageStore.referenceAnnotation] = reference?.description
        entry.annotations[ImageStore.containerdAnnotation] = reference?.description
        entry.annotations[ImageStore.taggedAnnotation] = nil
        return entry
    }
}

extension ImageIndex {
    /// Points names to `target` and returns what they pointed to before, where that was something else. What loses its last name
    /// stays, without one: a container or a person may still know its id.
    ///
    /// Every entry's name is read once, however many names are given: an archive says how many.
    mutating func point(_ references: [ImageReference], to target: Descriptor)
        -> [(reference: ImageReference, target: Descriptor)]
    {
        let named = manifests.map { (entry: $0, name: $0.reference) }
        var known: [ImageReference: Descriptor] = [:]
        for case (let entry, let name?) in named where known[name] == nil { known[name] = entry }
        var moved: Set<ImageReference> = []
        let new = references.filter { known[$0]?.digest != target.digest && moved.insert($0).inserted }
        if new.isEmpty { return [] }
        manifests = named.compactMap { entry, name in
            let goes = name.map(moved.contains) ?? (entry.digest == target.digest)
            return goes ? nil : entry
        }
        for reference in new {
            var entry = target.named(reference)
            if reference.tag != nil {
                entry.annotations[ImageStore.taggedAnnotation] = Timestamp.rfc3339(nanoseconds: Clock.realtime)
            }
            manifests.append(entry)
        }
        let before = new.compactMap { name in known[name].map { (reference: name, target: $0) } }
        var present = Set(manifests.map(\.digest))
        for (_, old) in before where present.insert(old.digest).inserted { manifests.append(old.named(nil)) }
        return before
    }

    /// Takes the name away from what it points to, which stays without one if it was the last.
    mutating func remove(_ reference: ImageReference) {
        let named = manifests.filter { $0.reference == reference }
        manifests.removeAll { $0.reference == reference }
        for entry in named { keep(entry) }
    }

    /// Removes the entry without a name.
    mutating func removeNameless(_ digest: Digest) {
        manifests.removeAll { $0.reference == nil && $0.digest == digest }
    }

    /// Adds an entry without a name unless there is one already.
    mutating func keep(_ target: Descriptor) {
        if !manifests.contains(where: { $0.digest == target.digest }) { manifests.append(target.named(nil)) }
    }
}
