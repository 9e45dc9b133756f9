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
    ///   - running: chain ids of layers that containers which run stand on.
    ///   - readsBlobs: whether every blob is read and compared with its digest, and every unpacked layer with its blob, as
    ///     `StoreVerification` does it.
    package func problems(
        isAlone: Bool,
        keeping roots: CollectionRoots,
        running: Set<Digest> = [],
        readsBlobs: Bool
    ) throws -> [StoreProblem] {
        var problems = try frameProblems()
        guard let index = try? index() else {
            problems.append(unreadableIndex())
            return problems
        }
        problems += try accessProblems()
        let users = BlobUsers(self, index)
        let verification = StoreVerification(self)
        if readsBlobs { for entry in index.manifests { verification.verify(entry: entry) } }
        problems += try blobProblems(users, verification, readsBlobs: readsBlobs)
        problems += index.manifests.flatMap(entryProblems)
        problems += missingLayers(of: index, users)
        problems += try layerProblems(users)
        problems += try changedLayers(verification, users, running)
        // Where there is no folder to unpack them in, that is the fault.
        if FileStatus.exists(temporaryFolder) {
            problems += verification.unjudged.map { StoreProblem($0.subject, $0.message) }
        }
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
        if (try? JSON.parse(Files.read(layout, limit: 4096)))?["imageLayoutVersion"]?.string == nil {
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
            // What is written in place: neither a pipe nor what a link leads to.
            if !isFolder, status.kind == .file || status.kind != .directory && name != "state" { return nil }
            return StoreProblem(
                path(name),
                "is a \(status.kind.word) where a \(isFolder ? "folder" : "file") should be",
                remedy: "moved to quarantine"
            ) { try quarantine(path(name)) }
        }
        return folders.compactMap { misplaced($0, isFolder: true) }
            + ["uncollected", "spare", "index.lock", "state"].compactMap { misplaced($0, isFolder: false) }
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
        var problem = StoreProblem(
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
        problem.isLoss = true
        return problem
    }

    /// The manifests of whole images among the blobs.
    private func storedManifests() throws -> [Descriptor] {
        try names(in: blobFolder).compactMap { name in
            guard let digest = Digest(hex: name), let status = try? FileStatus.of(blobPath(digest)),
                status.size <= 1 << 20, let bytes = try? Files.read(blobPath(digest), limit: 1 << 20),
                SHA256Digest.of(bytes) == digest, let json = try? JSON.parse(bytes),
                json["config"] != nil, json["layers"] != nil, let manifest = try? ImageManifest(json)
            else { return nil }
            let descriptor = Descriptor(mediaType: manifest.mediaType, digest: digest, size: Int64(bytes.count))
            guard let image = try? image(descriptor, platform: nil), image.manifest == manifest else { return nil }
            return descriptor
        }
    }

    // MARK: Blobs and images

    private func blobProblems(_ users: BlobUsers, _ verification: StoreVerification, readsBlobs: Bool) throws
        -> [StoreProblem]
    {
        var problems: [StoreProblem] = []
        for name in try names(in: blobFolder) {
            let file = "\(blobFolder)/\(name)"
            guard let digest = Digest(hex: name) else {
                problems.append(
                    StoreProblem(file, "is no blob's name", remedy: "moved to quarantine") { try quarantine(file) }
                )
                continue
            }
            var wrong: String?
            if let kind = (try? FileStatus.of(file))?.kind, kind != .file {
                wrong = "is a \(kind.word) where a blob should be"
            } else if let known = verification.judgement(of: digest) {
                wrong = known.map { _ in "the blob is damaged" }
            } else if readsBlobs, let actual = digestOfBlob(digest), actual != digest {
                wrong = "the blob is damaged: its digest is \(actual)"
            }
            guard let wrong else { continue }
            let needed = users.names(of: digest).map { ", which \($0) needs" } ?? ""
            let isLayer = users.chains[digest] != nil
            problems.append(
                // What cannot be made anew shows as missing in the next round.
                StoreProblem(
                    file,
                    wrong + needed,
                    remedy: "moved to quarantine\(isLayer ? ", and made anew where it can be" : "")"
                ) {
                    try quarantine(file)
                    _ = try rederive(digest)
                }
            )
        }
        return problems
    }

    /// nil where it has gone meanwhile.
    private func digestOfBlob(_ digest: Digest) -> Digest? {
        guard let file = try? FileDescriptor.open(blobPath(digest), O_RDONLY | O_NONBLOCK) else { return nil }
        let source = HashingSource(FileSource(owning: file))
        guard (try? source.drain()) != nil else { return SHA256Digest.of([UInt8]()) }
        return source.digest
    }

    /// An entry of index.json of whose image nobody knows what it is: its manifest, or every manifest of its index, or a
    /// configuration is missing. Only that makes an image go; layers can come again.
    private func entryProblems(_ entry: Descriptor) -> [StoreProblem] {
        guard let missing = missingDocument(of: entry) else { return [] }
        var problem = StoreProblem(
            entry.reference?.familiar ?? entry.digest.short,
            "\(missing) is not in the store, or is damaged",
            remedy: "lost: the image's entry moved to quarantine"
        ) {
            let name = "entry-\(entry.digest.hex.prefix(12))"
            try Quarantine(of: root).write(entry.json.bytes(), as: name, suffix: ".json")
            try updateIndex { $0.manifests.removeAll { $0 == entry } }
        }
        problem.isLoss = true
        return [problem]
    }

    private func missingDocument(of entry: Descriptor) -> String? {
        guard hasBlob(entry.digest, size: entry.size) else { return "\(entry.digest)" }
        // Something else that another tool put into index.json.
        guard entry.mediaType.isManifest || entry.mediaType.isIndex else { return nil }
        guard (try? readBlob(entry)) != nil else { return "its manifest \(entry.digest)" }
        let manifests = manifests(of: entry)
        if manifests.isEmpty, entry.mediaType.isIndex { return "every manifest of \(entry.digest)" }
        return manifests.map(\.manifest.configuration).first { (try? readBlob($0)) == nil }
            .map { "its configuration \($0.digest)" }
    }

    /// Layers of images whose blobs are not there. Each is named once, with the first image that needs it.
    private func missingLayers(of index: ImageIndex, _ users: BlobUsers) -> [StoreProblem] {
        var seen: Set<Digest> = []
        return index.distinctTargets.flatMap { target in
            manifests(of: target).flatMap { $0.manifest.layers }.compactMap { blob -> StoreProblem? in
                guard !hasBlob(blob.digest, size: blob.size), seen.insert(blob.digest).inserted else { return nil }
                let subject = users.names(of: blob.digest) ?? target.digest.short
                let chains = users.chains[blob.digest] ?? []
                let runs = chains.contains { (try? usableLayer($0)) != nil }
                let message = "its layer \(blob.digest) is not in the store"
                let state =
                    runs
                    ? "it still runs from the unpacked layer, and cannot be saved or pushed"
                    : "nor is it unpacked"
                let canBePacked = chains.contains { canPack($0, as: blob.digest) }
                var problem = StoreProblem(
                    subject,
                    canBePacked ? message : "\(message), \(state): load or pull it again",
                    remedy: "packed anew of the unpacked layer"
                ) {
                    if try canBePacked && rederive(blob.digest) { return }
                    // Beyond the next boot, too: there is nothing that it could be unpacked of again.
                    if runs { try syncLayers() }
                    throw EngineError(
                        .notFound,
                        canBePacked
                            ? "the unpacked layer gives another; \(state): load or pull it again"
                            : "only where the image came from has it"
                    )
                }
                problem.makes = true
                return problem
            }
        }
    }

    /// Whether packing an unpacked layer may give a blob: a plain tar is the same again.
    private func canPack(_ chainID: Digest, as blob: Digest) -> Bool {
        guard let record = try? usableLayer(chainID) else { return false }
        return record.diffID == blob && record.image == nil
    }

    /// Packs an unpacked layer whose diff id is the wanted blob's digest.
    private func rederive(_ digest: Digest) throws -> Bool {
        for entry in try layerEntries() {
            guard entry.driver == .dir, let chainID = entry.chainID, canPack(chainID, as: digest) else { continue }
            let writer = try blobWriter()
            guard (try? LayerPacker.pack(entry.path + "/fs", to: writer)) != nil, writer.digest == digest else {
                continue
            }
            _ = try writer.commit()
            return true
        }
        return false
    }

    // MARK: Derived data

    private func layerProblems(_ users: BlobUsers) throws -> [StoreProblem] {
        try layerEntries().compactMap { entry in
            // An image without layers has its mount points here (`InitLayer`).
            guard let wrong = try fault(of: entry) else { return nil }
            guard users.isLost(entry.chainID, self) else {
                return StoreProblem(entry.path, wrong, remedy: "removed") { try discard(entry) }
            }
            // Perhaps a person can make something of it.
            return StoreProblem(entry.path, "\(wrong), nor has the store its blob", remedy: "moved to quarantine") {
                try quarantine(entry.path)
            }
        }
    }

    /// Unpacked layers that are not what their blobs say.
    private func changedLayers(_ verification: StoreVerification, _ users: BlobUsers, _ running: Set<Digest>) throws
        -> [StoreProblem]
    {
        let broken = Set(try layerEntries().filter { try fault(of: $0) != nil }.compactMap(\.chainID))
        // Others are named already.
        return verification.changedLayers.filter { !broken.contains($0.chainID) }.map { layer in
            let more = layer.count > 1 ? ", and \(layer.count - 1) more" : ""
            let message = "its unpacked layer \(layer.blob) is not what it should be: \(layer.first)\(more)"
            let subject = users.names(of: layer.blob) ?? layer.subject
            var problem = StoreProblem(subject, message, remedy: "unpacked anew") {
                if running.contains(layer.chainID) {
                    throw EngineError(.conflict, "a container that runs stands on it: stop it first")
                }
                guard let image = users.images.first(where: { $0.chainIDs.contains(layer.chainID) }) else {
                    throw EngineError(.notFound, "no image has it")
                }
                try lease().during {
                    try setAside(layer.chainID)
                    _ = try unpackedLayers(of: image)
                }
                // Right what is there now, wrong what was set aside: nothing is lost with that.
                try Quarantine(of: root).removeLayer(layer.chainID)
            }
            problem.makes = true
            return problem
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
        let problems: [StoreProblem] = try names(in: blobFolder).compactMap { name in
            guard let digest = Digest(hex: name), !marked.blobs.contains(digest) else { return nil }
            return StoreProblem(blobPath(digest), "is a blob that nothing needs", remedy: "removed") {
                try Files.remove(blobPath(digest))
            }
        }
        // What another command has removed meanwhile is ours to collect, when we let the store go.
        return awaitsCollection ? [] : problems
    }

    /// Takes something out of the store without destroying it.
    private func quarantine(_ file: String) throws { try Quarantine(of: root).take(file) }
}

/// Which images need what.
private struct BlobUsers {
    let images: [StoredImage]
    /// The chain ids that a layer's blob has in all images.
    private(set) var chains: [Digest: Set<Digest>] = [:]
    private var blobs: [Digest: Set<Digest>] = [:]
    private var users: [Digest: Set<String>] = [:]

    init(_ store: ImageStore, _ index: ImageIndex) {
        images = store.images(in: index)
        for image in images {
            let name = image.references.first?.familiar ?? image.id.short
            for blob in [image.target.digest, image.manifestDigest, image.id] + image.manifest.layers.map(\.digest) {
                users[blob, default: []].insert(name)
            }
            for (blob, chainID) in zip(image.manifest.layers, image.chainIDs) {
                chains[blob.digest, default: []].insert(chainID)
                blobs[chainID, default: []].insert(blob.digest)
            }
        }
    }

    /// Names of images that need a blob, as a person reads them; nil where none does.
    func names(of blob: Digest) -> String? {
        guard let names = users[blob]?.sorted(), let first = names.first else { return nil }
        return names.count > 1 ? "\(first) and \(names.count - 1) more" : first
    }

    /// Whether an image has this layer, and no blob of it is in the store.
    func isLost(_ chainID: Digest?, _ store: ImageStore) -> Bool {
        guard let chainID, let blobs = blobs[chainID] else { return false }
        return !blobs.contains { store.hasBlob($0) }
    }
}
