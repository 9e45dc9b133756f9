import CLinux
import LinuxSystem
import OCI

/// Something in the store that is not what it should be: one line of `image verify`.
package struct StoreFault: Equatable, Sendable, CustomStringConvertible {
    /// What it belongs to: an image's name, "store".
    package let subject: String
    /// "layer sha256:…: /etc/passwd: content differs".
    package let message: String

    package var description: String { "\(subject): \(message)" }
}

/// Compares a store with what its digests say. Every blob and every layer is looked at once, however many images have it.
package final class StoreVerification {
    private let store: ImageStore
    private var blobs: [Digest: String?] = [:]
    private var layers: Set<Digest> = []
    private var compared: Set<Digest> = []
    /// Unpacked layers that are not what their blobs say, which are right.
    private(set) var changedLayers: [ChangedLayer] = []
    /// Layers whose blobs are right and could not be unpacked to be compared: on a full disk, for one.
    private(set) var unjudged: [(subject: String, message: String)] = []
    package private(set) var faults: [StoreFault] = []
    /// What was looked at.
    package private(set) var counts = (blobs: 0, layers: 0, files: 0)
    /// Whether there were unpacked layers whose files only root can compare.
    package private(set) var needsRoot = false

    /// The caller holds a lease.
    package init(_ store: ImageStore) { self.store = store }

    struct ChangedLayer {
        let chainID: Digest
        let blob: Digest
        /// Which image it was found with.
        let subject: String
        /// The first of its faults, and how many there are.
        let first: String
        let count: Int
    }

    /// Whether a layer's unpacked form was compared with its blob, file by file or as a whole.
    func hasCompared(_ chainID: Digest) -> Bool { compared.contains(chainID) }

    /// What is known of a blob: nil where it was not read, else what is wrong, if something is.
    func judgement(of blob: Digest) -> String?? { blobs[blob] }

    private func changed(_ chainID: Digest, _ blob: Digest, _ subject: String, _ faults: [String]) {
        for text in faults { fault(subject, "layer \(blob): \(text)") }
        guard let first = faults.first else { return }
        changedLayers.append(
            ChangedLayer(chainID: chainID, blob: blob, subject: subject, first: first, count: faults.count)
        )
    }

    private func fault(_ subject: String, _ message: String) {
        faults.append(StoreFault(subject: subject, message: message))
    }

    // MARK: Blobs

    /// What is wrong with a blob; nil where nothing is.
    private func check(_ digest: Digest, size: Int64?) -> String? {
        if let wrong = checkFile(digest, size: size) { return wrong }
        let path = store.blobPath(digest)
        if let known = blobs[digest] { return known }
        counts.blobs += 1
        let result = hash(digest, path)
        blobs[digest] = .some(result)
        return result
    }

    /// The same without reading it.
    private func checkFile(_ digest: Digest, size: Int64?) -> String? {
        let path = store.blobPath(digest)
        guard let status = try? FileStatus.of(path) else { return "is missing (\(path))" }
        if status.kind != .file { return "is a \(status.kind.word) (\(path))" }
        if let size, status.size != size { return "has \(status.size) bytes instead of \(size) (\(path))" }
        return nil
    }

    private func hash(_ digest: Digest, _ path: String) -> String? {
        do {
            let source = HashingSource(FileSource(owning: try FileDescriptor.open(path)))
            try source.drain()
            return source.digest == digest ? nil : "has the digest \(source.digest) (\(path))"
        } catch {
            return "cannot be read: \(error)"
        }
    }

    /// Whether a blob is right; one that is not becomes a fault of `subject`.
    private func isRight(_ blob: Descriptor, _ kind: String, _ subject: String) -> Bool {
        guard let wrong = check(blob.digest, size: blob.size) else { return true }
        fault(subject, "\(kind) \(blob.digest) \(wrong)")
        return false
    }

    // MARK: Images

    /// An entry of index.json with all that is here of it.
    package func verify(entry: Descriptor) {
        let subject = entry.reference?.familiar ?? entry.digest.short
        let isKnown = entry.mediaType.isManifest || entry.mediaType.isIndex
        guard isRight(entry, entry.mediaType.isIndex ? "index" : isKnown ? "manifest" : "blob", subject) else { return }
        do {
            // What it is its content says; what nobody calls an image, and is none, is another tool's.
            let json: JSON
            if isKnown {
                json = try JSON.parse(store.readBlob(entry))
            } else {
                guard let found = (try? store.readBlob(entry)).flatMap({ try? JSON.parse($0) }),
                    found["manifests"] != nil || found["config"] != nil && found["layers"] != nil
                else { return }
                json = found
            }
            guard json["manifests"] != nil else { return try verify(manifest: json, subject) }
            var found = false
            var seen: Set<Digest> = []
            for child in try ImageIndex(json).manifests where store.hasBlob(child.digest) {
                found = true
                guard seen.insert(child.digest).inserted else { continue }
                guard isRight(child, "manifest", subject) else { continue }
                try verify(manifest: JSON.parse(store.readBlob(child)), subject)
            }
            if !found { fault(subject, "index \(entry.digest) leads to no manifest that is here") }
        } catch {
            fault(subject, "\(entry.digest) cannot be read: \(error)")
        }
    }

    private func verify(manifest json: JSON, _ subject: String) throws {
        let manifest = try ImageManifest(json)
        let hasConfiguration = isRight(manifest.configuration, "configuration", subject)
        let isImage = manifest.configuration.mediaType.isImageConfiguration
        guard isImage, hasConfiguration else {
            for layer in manifest.layers { _ = isRight(layer, isImage ? "layer" : "blob", subject) }
            return
        }
        let configuration = try ImageConfiguration(JSON.parse(store.readBlob(manifest.configuration)))
        // Attestations have configurations of the same type that speak of no file system.
        if configuration.platform.os == "unknown" {
            for layer in manifest.layers { _ = isRight(layer, "blob", subject) }
            return
        }
        guard configuration.diffIDs.count == manifest.layers.count else {
            return fault(
                subject,
                "the manifest has \(manifest.layers.count) layers and the configuration \(configuration.diffIDs.count)"
            )
        }
        verifyLayers(manifest, configuration.diffIDs, subject)
    }

    /// A layer's blob is read once: what inflates it sees to its digest as well.
    private func verifyLayers(_ manifest: ImageManifest, _ diffIDs: [Digest], _ subject: String) {
        let chain = ImageStore.chainID(diffIDs)
        var below: [String] = []
        for (position, blob) in manifest.layers.enumerated() {
            let chainID = chain[position]
            let folder = (try? store.layerContent(chainID)) ?? store.layerFiles(chainID)
            if let wrong = checkFile(blob.digest, size: blob.size) {
                fault(subject, "layer \(blob.digest) \(wrong)")
            } else if blobs[blob.digest] == .some(nil), layers.contains(chainID) {
                // Another image has it.
            } else if layers.insert(chainID).inserted {
                counts.layers += 1
                do {
                    try verify(blob, diffIDs[position], chainID, over: below, subject) { try store.openBlob(blob) }
                } catch {
                    // What is wrong with a blob spoils all that is made of it.
                    if isRight(blob, "layer", subject) {
                        fault(subject, "layer \(blob.digest): \(error)")
                        unjudged.append((subject, "its layer \(blob.digest) cannot be judged: \(error)"))
                    }
                }
            } else {
                _ = isRight(blob, "layer", subject)
            }
            // What is wrong in a layer below is that one's fault alone.
            below.insert(folder, at: 0)
        }
    }

    // MARK: Layers

    /// A layer's blob against its digest and its diff id, and what was unpacked of it against what the blob says.
    /// - Parameter open: opens the blob from its start.
    func verify(
        _ blob: Descriptor,
        _ diffID: Digest,
        _ chainID: Digest,
        over below: [String],
        _ subject: String,
        open: () throws -> any ByteSource
    ) throws {
        let record = try store.usableLayer(chainID)
        let isRoot = geteuid() == 0
        if record != nil, !isRoot { needsRoot = true }
        let wrong = record.flatMap(faultOfWhole)
        guard let record, wrong == nil, below.allSatisfy(FileStatus.exists), isRoot else {
            try inflate(blob, diffID, open) { tar in while case let piece = try tar.next(), !piece.isEmpty {} }
            if let wrong { changed(chainID, blob.digest, subject, [wrong]) }
            return
        }
        let scratch = try store.scratchFolder()
        defer { try? Files.removeTree(scratch) }
        let expected = scratch + "/fs"
        try retrying("creating folder", expected) { mkdir(expected, 0o755) }
        _ = try LayerUnpacker.unpack(
            into: { try FolderForm(expected) },
            over: .finished(LayerStack(directories: below)),
            limits: store.unpackLimits
        ) { read in try inflate(blob, diffID, open, read) }
        // From here on the blob is right, and what cannot be read is the unpacked layer's fault.
        compared.insert(chainID)
        do {
            let files = try store.layerContent(record.chainID)
            let comparison = try TreeComparison.compare(files, with: expected)
            counts.files += comparison.count
            changed(
                chainID,
                blob.digest,
                subject,
                comparison.differences.map { "\($0.path): \($0.what) (\(files))" }
            )
        } catch {
            changed(chainID, blob.digest, subject, ["the unpacked layer cannot be read: \(error)"])
        }
    }

    /// What is wrong with a layer that is an image as a whole.
    private func faultOfWhole(_ record: LayerRecord) -> String? {
        do {
            try store.verifyLayer(record)
            if record.image != nil { compared.insert(record.chainID) }
            return nil
        } catch { return "\(error)" }
    }

    /// Hands a layer's tar to `body`, which reads it to its end. Nothing is wrong with the blob if this returns.
    private func inflate(
        _ blob: Descriptor,
        _ diffID: Digest,
        _ open: () throws -> any ByteSource,
        _ body: (any PieceSource) throws -> Void
    ) throws {
        // What was let in once is no bomb now.
        var expansion = ExpansionLimits()
        (expansion.size, expansion.ratio) = (.max, nil)
        let source = try open()
        if blob.digest == diffID {
            try LayerPipeline.plain(source, body)
        } else {
            _ = try LayerPipeline.run(source, diffID: diffID, budget: ExpansionBudget(expansion), body)
        }
        if blobs[blob.digest] == nil { counts.blobs += 1 }
        blobs[blob.digest] = .some(nil)
    }

    // MARK: The rest

    /// Every entry of index.json, every blob whoever has it, and every unpacked layer's record.
    package func verifyAll() throws {
        for entry in try store.index().manifests { verify(entry: entry) }
        for name in try Files.list(store.blobFolder).sorted() {
            guard let digest = Digest(hex: name) else {
                fault("store", "\(store.blobFolder)/\(name) is no blob's name")
                continue
            }
            if blobs[digest] == nil, let wrong = check(digest, size: nil) { fault("store", "blob \(digest) \(wrong)") }
        }
        for entry in try store.layerEntries() {
            // One whose record cannot be trusted, as a power cut leaves it, is no image's any more: it is made anew where it
            // is needed, and `system check` removes what is left of it.
            if entry.chainID != nil, (try? LayerRecord.read(in: entry.path))?.isTrusted != true { continue }
            if let wrong = try store.fault(of: entry) { fault("store", "\(entry.path) \(wrong)") }
        }
    }
}

extension ImageStore {
    /// The entries of index.json that a person means: those of a name's or an id's image.
    package func entry(for text: String) throws -> Descriptor {
        let index = try index()
        guard let entry = try find(text, in: index) else {
            throw EngineError(.notFound, "No such image: \((try? ImageReference(text))?.familiar ?? text)")
        }
        return entry
    }

    /// A new folder for a moment: in the store, or where that is read-only in TMPDIR.
    func scratchFolder() throws -> String {
        let name = "verify-\(String(try Random.number(), radix: 16))"
        let path = "\(temporaryFolder)/\(name)"
        if mkdir(path, 0o700) == 0 { return path }
        guard errno == EROFS else { throw SystemError("creating folder", path) }
        let other = "\(Process.environment("TMPDIR") ?? "/tmp")/minirun-\(name)"
        try retrying("creating folder", other) { mkdir(other, 0o700) }
        return other
    }

    /// What is wrong with something below `layers/`; nil for a layer that is whole, or that a reboot left in doubt and that
    /// is therefore made anew when it is needed.
    func fault(of entry: LayerEntry) throws -> String? {
        guard let chainID = entry.chainID else { return "is no layer" }
        guard let record = try? LayerRecord.read(in: entry.path) else { return "has no record that can be read" }
        if record.chainID != chainID { return "has the record of \(record.chainID)" }
        let content = ImageStore.contentName(entry.driver)
        let kind = (try? FileStatus.of("\(entry.path)/\(content)"))?.kind
        return kind == (entry.driver == .dir ? .directory : .file) ? nil : "has a record but no \(content)"
    }
}
