import CLinux
import LinuxSystem
import OCI

/// Unpacked layers: `layers/dir/CHAINHEX/fs`, in the form that overlayfs mounts, or `layers/erofs/CHAINHEX/layer.erofs`, an
/// image of the same. A layer depends on those below it (a parent folder that it has no entry for keeps its owner and
/// mode), hence the chain id as its name.
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

    func layerFolder(_ driver: StorageDriver) -> String { path("layers/\(driver.rawValue)") }

    func layerPath(_ chainID: Digest, _ driver: StorageDriver) -> String { layerFolder(driver) + "/" + chainID.hex }

    /// What lies beside the record.
    static func contentName(_ driver: StorageDriver) -> String { driver == .dir ? "fs" : imageName }

    /// The layer's folder, which holds `layer.json` and `fs` or `layer.erofs`, whichever form it has; of one that is not
    /// unpacked where it would be as a folder.
    package func layerPath(_ chainID: Digest) -> String {
        let folder = layerPath(chainID, .dir)
        let image = layerPath(chainID, .erofs)
        return FileStatus.exists(folder) || !FileStatus.exists(image) ? folder : image
    }

    /// The folder with the layer's files, or where they get mounted.
    package func layerFiles(_ chainID: Digest) -> String {
        let path = layerPath(chainID)
        return path == layerPath(chainID, .erofs) ? mountPoint(chainID) : path + "/fs"
    }

    /// The folder with a usable layer's files, mounted if need be. The caller holds a lease.
    func layerContent(_ chainID: Digest) throws -> String {
        let path = layerPath(chainID)
        return path == layerPath(chainID, .erofs) ? try mountLayer(chainID) : path + "/fs"
    }

    /// The chain ids of all that lies in layers/.
    func storedLayers() throws -> Set<Digest> { Set(try layerEntries().compactMap(\.chainID)) }

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
        try place(record, .dir) { folder, _ in
            try retrying("renaming", directory) { rename(directory, folder + "/fs") }
        }
        try Files.removeTree(directory)
        return chainID
    }

    /// Syncs every unpacked layer to the disk, so that they are still trusted after the next boot. Costs as much as the
    /// disk takes (syncfs(2)).
    package func syncLayers() throws {
        try lease().during {
            var unsynced: [LayerRecord] = []
            for id in try storedLayers() {
                if let record = try usableLayer(id), !record.isSynced { unsynced.append(record) }
            }
            if unsynced.isEmpty { return }
            let folder = try FileDescriptor.open(root, O_RDONLY | O_DIRECTORY)
            try retrying("syncing", root) { syncfs(folder.raw) }
            for var record in unsynced {
                record.isSynced = true
                try Files.replace(layerPath(record.chainID) + "/" + LayerRecord.name, with: record.json.bytes())
            }
        }
    }

    /// Held while a layer is made or mounted.
    func layerLock(_ chainID: Digest) throws -> FileLock {
        try FileLock("\(temporaryFolder)/layer-\(chainID.hex).lock", .exclusive)
    }

    /// Builds a layer's folder under tmp/ and moves it into place, unless somebody else did meanwhile.
    ///
    /// The lock makes one name under tmp/ enough: what a killed process left there is removed by the next one.
    func place(
        _ record: LayerRecord,
        _ driver: StorageDriver,
        _ build: (_ folder: String, _ record: inout LayerRecord) throws -> Void
    ) throws {
        let name = "\(temporaryFolder)/layer-\(record.chainID.hex)"
        try lease().during {
            try layerLock(record.chainID).during {
                if try usableLayer(record.chainID) != nil { return }
                if try revive(record.chainID) { return }
                try Files.removeTree(name)
                try retrying("creating folder", name) { mkdir(name, 0o700) }
                do { try finish(record, driver, in: name, build) } catch {
                    try? Files.removeTree(name)
                    throw error
                }
            }
        }
    }

    private func finish(
        _ record: LayerRecord,
        _ driver: StorageDriver,
        in folder: String,
        _ build: (String, inout LayerRecord) throws -> Void
    ) throws {
        var record = record
        try build(folder, &record)
        record.sealed = Clock.realtime
        try Files.write(folder + "/" + LayerRecord.name, record.json.bytes())
        try discardLayer(record.chainID)
        // Stores that older versions made have no folder for images.
        try Files.makeDirectories(layerFolder(driver), mode: 0o700)
        let place = layerPath(record.chainID, driver)
        try retrying("renaming", folder) { rename(folder, place) }
    }

    /// Removes a layer in two steps, so that no part of one is ever taken for a whole.
    func discardLayer(_ chainID: Digest) throws {
        try unmountLayer(chainID)
        let old = "\(temporaryFolder)/old-\(chainID.hex)"
        for driver in StorageDriver.allCases {
            try Files.removeTree(old)
            if rename(layerPath(chainID, driver), old) != 0 {
                if errno == ENOENT { continue }
                throw SystemError("renaming", layerPath(chainID, driver))
            }
            try Files.removeTree(old)
        }
    }
}
