import CLinux
import LinuxSystem
import OCI

/// Whoever brings an image gets a whole one, also where the store had it already and something of it was damaged since.
///
/// Reading everything each time would make a pull that finds all here slow. So only what somebody touched is looked at
/// closely: every change of a file sets its time of change, which nobody can set back. (What a disk has lost by itself
/// `system check` finds.)
extension ImageStore {
    /// Moves unpacked layers that are not what the image's blobs say to `quarantine/`, so that they are made anew. Not removed,
    /// because a container may stand on them. The caller holds a lease.
    package func setAsideChangedLayers(of image: some ImageContent) throws {
        // Nobody else could compare owners, or read everything.
        guard geteuid() == 0, let layers = try? image.layers else { return }
        // nil once a layer is missing: what lies on it cannot be compared.
        var below: [String]? = []
        for (chainID, (blob, diffID)) in zip(ImageStore.chainID(image.configuration.diffIDs), layers) {
            guard var record = try usableLayer(chainID) else {
                below = nil
                continue
            }
            if !isUntouched(record) {
                let verification = StoreVerification(self)
                if let below {
                    try? verification.verify(blob, diffID, chainID, over: below, "") { try image.open(layer: blob) }
                }
                guard verification.faults.isEmpty, verification.hasCompared(chainID) else {
                    try setAside(chainID)
                    below = nil
                    continue
                }
                record.sealed = Clock.realtime
                try Files.replace("\(layerPath(chainID))/\(LayerRecord.name)", with: record.json.bytes())
            }
            if below != nil { below?.insert(try layerContent(chainID), at: 0) }
        }
    }

    /// Moves an unpacked layer to `quarantine/`.
    func setAside(_ chainID: Digest) throws {
        try layerLock(chainID).during {
            try unmountLayer(chainID)
            for driver in StorageDriver.allCases where FileStatus.exists(layerPath(chainID, driver)) {
                try Quarantine(of: root).take(layerPath(chainID, driver), as: Quarantine.name(ofLayer: chainID))
            }
        }
    }

    /// Whether nothing of an unpacked layer was changed since it was made.
    func isUntouched(_ record: LayerRecord) -> Bool {
        guard let sealed = record.sealed else { return false }
        func isOld(_ status: FileStatus) -> Bool { status.changedNanoseconds <= sealed }
        let content = "\(layerPath(record.chainID))/\(ImageStore.contentName(record.image == nil ? .dir : .erofs))"
        guard let status = try? FileStatus.of(content), isOld(status) else { return false }
        if record.image != nil { return status.kind == .file }
        guard let root = try? FileDescriptor.open(content, O_RDONLY | O_DIRECTORY | O_NOFOLLOW) else { return false }
        do {
            try FolderWalk()(root) { entry, folder in
                let status = try FileStatus.of(entry.name, in: folder)
                guard isOld(status) else { throw FolderWalk.changed }
                return status.kind == .directory
            }
            return true
        } catch { return false }
    }

    /// When something last got a name, in nanoseconds since 1970: all that it needs was right then. nil where it has none.
    package func lastNamed(_ target: Digest) -> UInt64? {
        (try? index())?.manifests.filter { $0.digest == target }
            .compactMap { $0.annotations[ImageStore.taggedAnnotation].flatMap { Timestamp.nanoseconds(rfc3339: $0) } }
            .max()
    }

    /// Whether a blob is there and right. One that nobody touched since `time`, when it was, is not read.
    package func isSound(_ blob: Descriptor, since time: UInt64?) -> Bool {
        guard hasBlob(blob.digest, size: blob.size) else { return false }
        if let time, let status = try? FileStatus.of(blobPath(blob.digest)), status.changedNanoseconds <= time {
            return true
        }
        return hasSoundBlob(blob.digest, size: blob.size)
    }
}
