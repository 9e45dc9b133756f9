import Images
import LinuxSystem
import OCI

extension Engine {
    /// Removes containers that do not run.
    ///
    /// - Parameter isWanted: whether the filters let a container go.
    /// - Returns: the ids of those that went, and the bytes on the disk that this freed.
    package func pruneContainers(isWanted: (ContainerRecord) -> Bool) throws -> (ids: [String], bytes: Int64) {
        var ids: [String] = []
        var bytes: Int64 = 0
        for record in try readableContainers() where record.status != .running && isWanted(record) {
            var disk = DiskUsage()
            let size = try disk.measure(containers.folder(record.id))
            do { try containers.remove(record) } catch let error as EngineError {
                // Somebody is at work on it after all.
                guard error.kind == .conflict else { throw error }
                continue
            }
            debug("container \(record.id), name \(record.name): removed, \(size) bytes")
            ids.append(record.id)
            bytes += size
        }
        return (ids, bytes)
    }

    /// Whether the store still has the image that a container was made of.
    package func hasImage(of record: ContainerRecord) -> Bool {
        (try? images.resolve(record.imageID)) != nil
    }
}
