import CLinux
import LinuxSystem
import OCI

/// What happens while an image is made ready.
package enum StoreEvent: Sendable {
    /// A layer's turn has come. `layer` is its blob, of `size` bytes.
    case unpacking(layer: Digest, size: Int64)
    /// So many of the blob's bytes were read.
    case progress(layer: Digest, bytes: Int64)
    case unpacked(layer: Digest)
}

/// Unpacked layers: `layers/dir/CHAINHEX/fs`, in the form that overlayfs mounts. A layer's folder depends on those
/// below it (a parent folder that it has no entry for keeps its owner and mode), hence the chain id as its name.
extension ImageStore {
    /// The chain id of each layer (image-spec, config.md#layer-chainid).
    package static func chainID(_ diffIDs: [Digest]) -> [Digest] {
        var chain: [Digest] = []
        chain.reserveCapacity(diffIDs.count)
        for diffID in diffIDs {
            guard let below = chain.last else {
                chain.append(diffID)
                continue
            }
            chain.append(SHA256Digest.of(Array("\(below) \(diffID)".utf8)))
        }
        return chain
    }

    /// The layers' folders, the top one first; those that are missing are unpacked. Each is unpacked once, whoever asks
    /// at the same time, and only if its blob and its diff id are right.
    ///
    /// The caller holds a lease until something else protects the layers.
    package func unpackedLayers(of image: some ImageContent, events: (StoreEvent) -> Void = { _ in }) throws
        -> LayerStack
    {
        let chain = ImageStore.chainID(image.configuration.diffIDs)
        let layers = try image.layers
        var below: [String] = []
        for (position, (blob, diffID)) in layers.enumerated() {
            let record = LayerRecord(
                diffID: diffID,
                chainID: chain[position],
                parent: position == 0 ? nil : chain[position - 1],
                bytes: 0,
                files: 0
            )
            if try usableLayer(record.chainID) == nil {
                try unpack(record, over: LayerStack(directories: below)) { folder, lower in
                    events(.unpacking(layer: blob.digest, size: blob.size))
                    let summary = try self.unpack(image.open(layer: blob), record.diffID, into: folder, over: lower) {
                        bytes in
                        events(.progress(layer: blob.digest, bytes: bytes))
                    }
                    events(.unpacked(layer: blob.digest))
                    return summary
                }
            }
            below.insert(layerPath(record.chainID) + "/fs", at: 0)
        }
        return LayerStack(directories: below)
    }

    /// The layer's folder, which holds `fs` and `layer.json`.
    package func layerPath(_ chainID: Digest) -> String { layerFolder + "/" + chainID.hex }

    /// The record of a layer that is unpacked and can be trusted; nil for any other.
    package func usableLayer(_ chainID: Digest) throws -> LayerRecord? {
        guard let record = try LayerRecord.read(in: layerPath(chainID)), record.isTrusted, record.chainID == chainID
        else {
            return nil
        }
        return record
    }

    /// What the image's files take unpacked, in bytes; nil while one of its layers is not unpacked.
    package func unpackedSize(of image: some ImageContent) throws -> Int64? {
        var sum: Int64 = 0
        for chainID in ImageStore.chainID(image.configuration.diffIDs) {
            guard let record = try usableLayer(chainID) else { return nil }
            sum += record.bytes
        }
        return sum
    }

    /// Makes a folder the layer with this diff id: the builder's upper folder, which the caller gives away. It must be
    /// on the store's file system and hold what the tar with that diff id does. One that is known already is kept
    /// instead.
    package func adoptLayer(
        _ directory: String,
        diffID: Digest,
        parent: Digest?,
        bytes: Int64 = 0,
        files: Int = 0
    ) throws -> Digest {
        let chainID = parent.map { SHA256Digest.of(Array("\($0) \(diffID)".utf8)) } ?? diffID
        let record = LayerRecord(diffID: diffID, chainID: chainID, parent: parent, bytes: bytes, files: files)
        try place(record) { folder in
            try retrying("renaming", directory) { rename(directory, folder + "/fs") }
            return nil
        }
        try Files.removeTree(directory)
        return chainID
    }

    /// Syncs every unpacked layer to the disk, so that they are still trusted after the next boot. Costs as much as the
    /// disk takes (syncfs(2)).
    package func syncLayers() throws {
        try lease().during {
            var unsynced: [LayerRecord] = []
            for name in try Files.list(layerFolder) {
                guard let id = Digest(hex: name), let record = try usableLayer(id), !record.isSynced else { continue }
                unsynced.append(record)
            }
            if unsynced.isEmpty { return }
            let folder = try FileDescriptor.open(layerFolder, O_RDONLY | O_DIRECTORY)
            try retrying("syncing", layerFolder) { syncfs(folder.raw) }
            for var record in unsynced {
                record.isSynced = true
                try Files.replace(layerPath(record.chainID) + "/" + LayerRecord.name, with: record.json.bytes())
            }
        }
    }

    private func unpack(
        _ record: LayerRecord,
        over lower: LayerStack,
        with unpack: (_ folder: String, _ lower: LayerStack) throws -> UnpackSummary
    ) throws {
        try place(record) { folder in
            let root = folder + "/fs"
            try retrying("creating folder", root) { mkdir(root, 0o755) }
            try retrying("changing the mode of", root) { chmod(root, 0o755) }
            return try unpack(root, lower)
        }
    }

    /// Builds a layer's folder under tmp/ and moves it into place, unless somebody else did meanwhile.
    ///
    /// The lock makes one name under tmp/ enough: what a killed process left there is removed by the next one.
    private func place(_ record: LayerRecord, _ build: (_ folder: String) throws -> UnpackSummary?) throws {
        let name = "\(temporaryFolder)/layer-\(record.chainID.hex)"
        try lease().during {
            try FileLock(name + ".lock", .exclusive).during {
                if try usableLayer(record.chainID) != nil { return }
                try Files.removeTree(name)
                try retrying("creating folder", name) { mkdir(name, 0o700) }
                do { try finish(record, in: name, build) } catch {
                    try? Files.removeTree(name)
                    throw error
                }
            }
        }
    }

    private func finish(_ record: LayerRecord, in folder: String, _ build: (String) throws -> UnpackSummary?) throws {
        var record = record
        if let summary = try build(folder) {
            record.bytes = summary.bytes
            record.files = summary.files
        }
        try Files.write(folder + "/" + LayerRecord.name, record.json.bytes())
        try discardLayer(record.chainID)
        try retrying("renaming", folder) { rename(folder, layerPath(record.chainID)) }
    }

    /// Removes a layer in two steps, so that no part of one is ever taken for a whole.
    func discardLayer(_ chainID: Digest) throws {
        let old = "\(temporaryFolder)/old-\(chainID.hex)"
        try Files.removeTree(old)
        if rename(layerPath(chainID), old) != 0 {
            if errno == ENOENT { return }
            throw SystemError("renaming", layerPath(chainID))
        }
        try Files.removeTree(old)
    }

    /// Unpacks a blob and reads it to its end, where its digest, and the diff id of what is in it, are verified.
    private func unpack(
        _ blob: any ByteSource,
        _ diffID: Digest,
        into folder: String,
        over lower: LayerStack,
        progress: (Int64) -> Void
    ) throws -> UnpackSummary {
        try withoutActuallyEscaping(progress) { progress in
            let counted = CountingSource(blob, progress)
            let plain = LimitedSource(DecompressingSource(counted), unpackLimits.expansion) { counted.count }
            let tar = VerifiedSource(plain, digest: diffID, size: nil, subject: "layer")
            let summary = try LayerUnpacker.unpack(tar, into: folder, over: lower, limits: unpackLimits)
            try tar.drain()
            try counted.drain()
            return summary
        }
    }
}

/// Tells how far a source was read.
private final class CountingSource: ByteSource {
    private let inner: any ByteSource
    private let report: (Int64) -> Void
    fileprivate private(set) var count: Int64 = 0

    init(_ inner: any ByteSource, _ report: @escaping (Int64) -> Void) {
        self.inner = inner
        self.report = report
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try inner.read(into: buffer)
        self.count += Int64(count)
        if count > 0 { report(self.count) }
        return count
    }
}
