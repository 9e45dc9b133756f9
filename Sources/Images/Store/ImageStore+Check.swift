import CLinux
import LinuxSystem
import OCI

/// What a crash, a full disk or somebody else's hand may leave in a store. Each finding has its remedy, and no remedy touches
/// what is right: derived data is removed, damaged content goes to `quarantine/`, and what can be made anew is.
extension ImageStore {
    /// - Parameters:
    ///   - isAlone: whether nobody else is at work with the store (a CollectionLease is held). Otherwise what is being made
    ///     cannot be told from what was left, and is not looked at.
    ///   - roots: what the build cache and the containers keep.
    ///   - readsBlobs: whether every blob is read and compared with its digest.
    package func problems(isAlone: Bool, keeping roots: CollectionRoots, readsBlobs: Bool) throws -> [StoreProblem] {
        var problems = try frameProblems()
        guard let index = try? index() else {
            problems.append(unreadableIndex())
            return problems
        }
        problems += try accessProblems()
        problems += try blobProblems(readsBlobs: readsBlobs)
        problems += index.manifests.flatMap(entryProblems)
        problems += try layerProblems()
        problems += try partialProblems()
        if isAlone {
            problems += try temporaryProblems()
            problems += try looseProblems(roots)
        }
        return problems
    }

    // MARK: The store's own files

    private func frameProblems() throws -> [StoreProblem] {
        var problems: [StoreProblem] = []
        for folder in ImageStore.frame where !FileStatus.exists(path(folder)) {
            problems.append(
                StoreProblem(path(folder), "the folder is missing", remedy: "made") {
                    try Files.makeDirectories(path(folder), mode: 0o700)
                }
            )
        }
        let layout = path("images/oci-layout")
        if (try? JSON.parse(Files.read(layout, limit: 4096, waiting: false)))?["imageLayoutVersion"]?.string == nil {
            problems.append(
                StoreProblem(layout, "is missing or cannot be read", remedy: "written anew") { try writeLayoutFile() }
            )
        }
        if (try? limits()) == nil {
            problems.append(
                StoreProblem(path("limits.json"), "cannot be read", remedy: "moved to quarantine") {
                    try quarantine(path("limits.json"))
                }
            )
        }
        return problems
    }

    private static let frame = [
        "images", "images/blobs", "images/blobs/sha256", "layers", "layers/dir", "tmp", "build", "containers",
    ]

    /// Something else where a folder should be, and folders where files should be. What is in these folders is removed where
    /// nothing needs it, so a link there, to wherever, is none of ours.
    /// They come first: while there is one nothing else can be looked at.
    package func misplacedProblems() -> [StoreProblem] {
        let folders =
            ImageStore.frame + [
                "partial", "layers/erofs", "build/steps", "build/digests", "containers/names", "quarantine", "volumes",
            ]
        let mayBeLinks = ["images", "images/blobs", "layers", "build", "volumes"]
        func misplaced(_ name: String, isFolder: Bool) -> StoreProblem? {
            guard let status = try? FileStatus.of(path(name)) else { return nil }
            if isFolder, status.kind == .directory { return nil }
            if isFolder, mayBeLinks.contains(name), (try? FileStatus.following(path(name)))?.kind == .directory {
                return nil
            }
            if !isFolder, status.kind != .directory { return nil }
            return StoreProblem(
                path(name),
                "is a \(status.kind.word) where a \(isFolder ? "folder" : "file") should be",
                remedy: "moved to quarantine"
            ) { try quarantine(path(name)) }
        }
        return folders.compactMap { misplaced($0, isFolder: true) }
            + ["uncollected", "spare", "index.lock"].compactMap { misplaced($0, isFolder: false) }
    }

    /// Folders and content that belong to somebody else than the store, or that others may change. (The owners of a layer's
    /// files are its content: `image verify` compares them.)
    private func accessProblems() throws -> [StoreProblem] {
        let owner = try FileStatus.following(root)
        let blobs = try names(in: blobFolder).map { "images/blobs/sha256/\($0)" }
        return (ImageStore.frame + ["images/index.json"] + blobs).flatMap { name -> [StoreProblem] in
            let file = path(name)
            guard let status = try? FileStatus.of(file), status.kind == .directory || status.kind == .file else {
                return []
            }
            var problems: [StoreProblem] = []
            if status.owner != owner.owner {
                let message = "belongs to user \(status.owner), the store to user \(owner.owner)"
                problems.append(
                    StoreProblem(file, message, remedy: "given to user \(owner.owner)") {
                        try Files.changeOwner(file, owner.owner, owner.group)
                    }
                )
            }
            if status.mode & 0o022 != 0 {
                let message = "may be changed by others: its mode is \(status.mode.octal)"
                problems.append(
                    StoreProblem(file, message, remedy: "taken from them") {
                        try retrying("changing the mode of", file) { chmod(file, status.mode & ~0o022) }
                    }
                )
            }
            return problems
        }
    }

    /// Without index.json no image has a name; their manifests are among the blobs.
    private func unreadableIndex() -> StoreProblem {
        StoreProblem(
            indexPath,
            "is missing or cannot be read",
            remedy: "moved to quarantine and made of the manifests that are here: their names are lost"
        ) {
            var index = ImageIndex()
            for descriptor in try storedManifests() { index.keep(descriptor) }
            try FileLock(path("index.lock"), .exclusive).during {
                if FileStatus.exists(indexPath) { try quarantine(indexPath) }
                try Files.replace(indexPath, with: index.json.bytes(), durable: true)
            }
        }
    }

    /// The manifests of whole images among the blobs.
    private func storedManifests() throws -> [Descriptor] {
        try names(in: blobFolder).compactMap { name in
            guard let digest = Digest(hex: name), let status = try? FileStatus.of(blobPath(digest)),
                status.size <= 1 << 20, let bytes = try? Files.read(blobPath(digest), limit: 1 << 20, waiting: false),
                SHA256Digest.of(bytes) == digest, let json = try? JSON.parse(bytes),
                json["config"] != nil, json["layers"] != nil, let manifest = try? ImageManifest(json)
            else { return nil }
            let descriptor = Descriptor(mediaType: manifest.mediaType, digest: digest, size: Int64(bytes.count))
            guard let image = try? image(descriptor, platform: nil), image.manifest == manifest else { return nil }
            return descriptor
        }
    }

    // MARK: Blobs and images

    private func blobProblems(readsBlobs: Bool) throws -> [StoreProblem] {
        var problems: [StoreProblem] = []
        for name in try names(in: blobFolder) {
            let file = "\(blobFolder)/\(name)"
            guard let digest = Digest(hex: name) else {
                problems.append(
                    StoreProblem(file, "is no blob's name", remedy: "moved to quarantine") { try quarantine(file) }
                )
                continue
            }
            if let kind = (try? FileStatus.of(file))?.kind, kind != .file {
                problems.append(
                    StoreProblem(file, "is a \(kind.word) where a blob should be", remedy: "moved to quarantine") {
                        try quarantine(file)
                        _ = try rederive(digest)
                    }
                )
                continue
            }
            guard readsBlobs, let actual = digestOfBlob(digest), actual != digest else { continue }
            problems.append(
                StoreProblem(file, "the blob is damaged: its digest is \(actual)", remedy: "moved to quarantine") {
                    try quarantine(file)
                    _ = try rederive(digest)
                }
            )
        }
        return problems
    }

    /// nil where it has gone meanwhile.
    private func digestOfBlob(_ digest: Digest) -> Digest? {
        guard let file = try? FileDescriptor.open(blobPath(digest)) else { return nil }
        let source = HashingSource(FileSource(owning: file))
        guard (try? source.drain()) != nil else { return SHA256Digest.of([UInt8]()) }
        return source.digest
    }

    /// An entry of index.json whose image is not whole.
    private func entryProblems(_ entry: Descriptor) -> [StoreProblem] {
        let missing = missingBlobs(of: entry)
        guard let first = missing.first else { return [] }
        return [
            StoreProblem(
                entry.reference?.familiar ?? entry.digest.short,
                "blob \(first) is not in the store, or is damaged"
                    + (missing.count > 1 ? ", and so are \(missing.count - 1) others" : ""),
                remedy: "made anew of the unpacked layer, or the image's entry moved to quarantine"
            ) {
                // A layer's blob that is a plain tar may be packed anew.
                for blob in missing { guard try rederive(blob) else { break } }
                if missingBlobs(of: entry).isEmpty { return }
                let name = "entry-\(entry.digest.hex.prefix(12))"
                try Quarantine(of: root).write(entry.json.bytes(), as: name, suffix: ".json")
                try updateIndex { $0.manifests.removeAll { $0 == entry } }
            }
        ]
    }

    private func missingBlobs(of entry: Descriptor) -> [Digest] {
        guard hasBlob(entry.digest, size: entry.size) else { return [entry.digest] }
        // Something else that another tool put into index.json.
        guard entry.mediaType.isManifest || entry.mediaType.isIndex else { return [] }
        guard (try? readBlob(entry)) != nil else { return [entry.digest] }
        let manifests = manifests(of: entry)
        if manifests.isEmpty, entry.mediaType.isIndex { return [entry.digest] }
        return manifests.flatMap { [$0.manifest.configuration] + $0.manifest.layers }
            .filter { !hasBlob($0.digest, size: $0.size) }.map(\.digest)
    }

    /// Packs an unpacked layer whose diff id is the wanted blob's digest: a plain tar is the same again.
    private func rederive(_ digest: Digest) throws -> Bool {
        for entry in try layerEntries() {
            guard entry.driver == .dir, let record = try? LayerRecord.read(in: entry.path), record.isTrusted,
                record.diffID == digest
            else { continue }
            let writer = try blobWriter()
            guard (try? LayerPacker.pack(entry.path + "/fs", to: writer)) != nil, writer.digest == digest else {
                return false
            }
            _ = try writer.commit()
            return true
        }
        return false
    }

    // MARK: Derived data

    private func layerProblems() throws -> [StoreProblem] {
        try layerEntries().compactMap { entry in
            // An image without layers has its mount points here (`InitLayer`).
            guard let wrong = try fault(of: entry) else { return nil }
            return StoreProblem(entry.path, wrong, remedy: "removed") { try discard(entry) }
        }
    }

    private func partialProblems() throws -> [StoreProblem] {
        try partialEntries().compactMap { entry in
            if entry.isInUse { return nil }
            let digest = Digest(hex: entry.name)
            let message: String
            if digest == nil {
                message = "is no half-downloaded blob's name"
            } else if let digest, hasBlob(digest) {
                message = "was left of a download that is complete"
            } else {
                return nil
            }
            return StoreProblem(entry.path, message, remedy: "removed") { try Files.removeTree(entry.path) }
        }
    }

    private func temporaryProblems() throws -> [StoreProblem] {
        var problems = try names(in: temporaryFolder).compactMap { name -> StoreProblem? in
            // A lock on such a file goes with its holder; the file stays until the next collection.
            if name.hasSuffix(".lock") { return nil }
            let file = "\(temporaryFolder)/\(name)"
            return StoreProblem(file, "was left by a command that was killed", remedy: "removed") {
                try Files.removeTree(file)
            }
        }
        problems += try temporaryReplacements().map { file in
            StoreProblem(file, "was left by a command that was killed", remedy: "removed") { try Files.remove(file) }
        }
        return problems
    }

    /// Blobs that nothing leads to: a kill between storing them and naming the image leaves them, and so does one before a
    /// removal was collected. (Unpacked layers without an image are a cache: `run oci:…` leaves them.)
    private func looseProblems(_ roots: CollectionRoots) throws -> [StoreProblem] {
        guard var marked = try? marked(from: index().distinctTargets) else { return [] }
        try mark(roots, &marked)
        return try names(in: blobFolder).compactMap { name in
            guard let digest = Digest(hex: name), !marked.blobs.contains(digest) else { return nil }
            return StoreProblem(blobPath(digest), "is a blob that nothing needs", remedy: "removed") {
                try Files.remove(blobPath(digest))
            }
        }
    }

    /// Takes something out of the store without destroying it.
    private func quarantine(_ file: String) throws { try Quarantine(of: root).take(file) }
}
