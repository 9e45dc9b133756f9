import CLinux
import LinuxSystem
import OCI

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

    /// Builds a layer's folder under tmp/ and moves it into place, unless somebody else did meanwhile.
    ///
    /// The lock makes one name under tmp/ enough: what a killed process left there is removed by the next one.
    func place(_ record: LayerRecord, _ build: (_ folder: String) throws -> UnpackSummary?) throws {
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
}
