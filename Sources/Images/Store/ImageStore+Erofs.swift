import CLinux
import LinuxSystem
import OCI

/// Layers that are EROFS images: `layers/erofs/CHAINHEX/layer.erofs`, mounted at `MOUNTS/CHAINHEX` when they are first
/// needed, and from then on until the layer is removed or the machine goes down.
extension ImageStore {
    static let imageName = "layer.erofs"

    func mountPoint(_ chainID: Digest) -> String { mounts + "/" + chainID.hex }

    /// Sees to it that the layer is mounted, here and now: another mount namespace, or a reboot, has none. The caller
    /// holds a lease.
    func mountLayer(_ chainID: Digest) throws -> String {
        let point = mountPoint(chainID)
        if ImageMount.isMounted(at: point, magic: ImageMount.erofsMagic) { return point }
        try Files.makeDirectories(mounts, mode: 0o700)
        try FileLock(mountLock, .exclusive).during {
            if ImageMount.isMounted(at: point, magic: ImageMount.erofsMagic) { return }
            try Files.makeDirectories(point, mode: 0o700)
            try checkVerity(chainID)
            let image = layerPath(chainID, .erofs) + "/" + ImageStore.imageName
            try ImageMount.mount(image, at: point, type: "erofs")
        }
        return point
    }

    private var mountLock: String { mounts + ".lock" }

    /// Holds off new mounts, so that a mount namespace which is made meanwhile has all that `readyLayers` finds; nil where
    /// no layer was mounted yet, and nothing is held off. Let it go before calling anything that mounts.
    package func holdMounts() throws -> FileLock? {
        FileStatus.exists(mounts) ? try FileLock(mountLock, .shared) : nil
    }

    /// `unpackedLayers` where there is nothing to do for it, neither to unpack nor to mount; else nil.
    package func readyLayers(of image: some ImageContent) throws -> LayerStack? {
        var below: [String] = []
        for chainID in ImageStore.chainID(image.configuration.diffIDs) {
            guard try usableLayer(chainID) != nil else { return nil }
            let files = layerFiles(chainID)
            if isMountPoint(files), !ImageMount.isMounted(at: files, magic: ImageMount.erofsMagic) { return nil }
            below.insert(files, at: 0)
        }
        return LayerStack(directories: below)
    }

    /// Whether one of the layers is mounted rather than a folder of the store.
    package func hasMounts(_ layers: LayerStack) -> Bool { layers.directories.contains(where: isMountPoint) }

    private func isMountPoint(_ path: String) -> Bool { path.hasPrefix(mounts + "/") }

    /// Takes a layer's mount away. Containers that run on it do not notice: an overlay has mounts of its own. Where
    /// somebody stands in it the name goes now, and the rest with the last who does.
    func unmountLayer(_ chainID: Digest) throws {
        let point = mountPoint(chainID)
        guard FileStatus.exists(point) else { return }
        do throws(SystemError) { try ImageMount.unmount(point) } catch {
            guard error.code == EBUSY else { throw error }
            try ImageMount.unmount(point, detaching: true)
        }
        rmdir(point)
    }

    /// Unmounts every layer of the store; what needs one mounts it again. Before the store's folders are removed.
    package func unmountLayers() throws {
        guard FileStatus.exists(mounts) else { return }
        for name in try Files.list(mounts) {
            if let chainID = Digest(hex: name) { try unmountLayer(chainID) }
        }
    }

    /// Writes a layer's image. It is not synced: as with folders, a layer counts within the boot that made
    /// it; after that its digest tells whether it reached the disk.
    func writeImage(
        _ path: String,
        of chainID: Digest,
        over lower: LowerLayers,
        _ archive: (_ read: (any PieceSource) throws -> Void) throws -> Void
    ) throws -> (UnpackSummary, LayerRecord.Image) {
        let (summary, digest) = try writeImage(path, uuid: ImageStore.uuid(of: chainID), over: lower, archive)
        // fs-verity wants a file that nobody can write: nobody has it open for that any more.
        let file = try FileDescriptor.open(path)
        var image = LayerRecord.Image(digest: digest, size: try file.status().size)
        if try file.enableVerity() { image.verity = try file.verityDigest().map { Digest(sha256: $0) } }
        return (summary, image)
    }

    private func writeImage(
        _ path: String,
        uuid: [UInt8],
        over lower: LowerLayers,
        _ archive: (_ read: (any PieceSource) throws -> Void) throws -> Void
    ) throws -> (UnpackSummary, Digest) {
        let form = ErofsForm(try FileDescriptor.open(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600), uuid: uuid)
        let summary = try LayerUnpacker.unpack(into: { form }, over: lower, limits: unpackLimits, archive)
        return (summary, try form.image.digest())
    }

    /// Throws if the layer was protected by fs-verity and its image is another file now. What the kernel reads of it later
    /// it checks itself.
    private func checkVerity(_ chainID: Digest) throws {
        let folder = layerPath(chainID, .erofs)
        guard let expected = try LayerRecord.read(in: folder)?.image?.verity else { return }
        let found = try FileDescriptor.open(folder + "/" + ImageStore.imageName).verityDigest()
        guard found.map({ Digest(sha256: $0) }) == expected else { throw ImageStore.changed(chainID, folder) }
    }

    private static func changed(_ chainID: Digest, _ path: String) -> EngineError {
        EngineError(
            .corrupt,
            "layer \(chainID): \(path) is not what was unpacked",
            hint: "remove the image and load it again"
        )
    }

    /// The first half of a chain id: the same layer has the same everywhere.
    static func uuid(of chainID: Digest) -> [UInt8] {
        let digits = chainID.hex.utf8.prefix(32).map { UInt8($0 > 0x39 ? $0 - 0x61 + 10 : $0 - 0x30) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// Checks that a layer's image is what was written; a layer that is a folder has nothing to be checked against.
    /// - Throws: EngineError (.corrupt).
    package func verifyLayer(_ record: LayerRecord) throws {
        guard let image = record.image else { return }
        let path = layerPath(record.chainID, .erofs) + "/" + ImageStore.imageName
        let file = try FileDescriptor.open(path)
        guard try file.status().size == image.size, try ErofsDigest.of(file) == image.digest else {
            throw ImageStore.changed(record.chainID, path)
        }
    }

    /// Trusts an image of another boot again if it is whole; false where it is not, or is none.
    func revive(_ chainID: Digest) throws -> Bool {
        let folder = layerPath(chainID, .erofs)
        guard var record = try LayerRecord.read(in: folder), record.chainID == chainID, record.image != nil,
            (try? verifyLayer(record)) != nil, let bootID = LayerRecord.bootID
        else { return false }
        record.bootID = bootID
        try Files.replace(folder + "/" + LayerRecord.name, with: record.json.bytes())
        return true
    }
}
