import CLinux
import Images
import LinuxSystem
import OCI

/// The folders of `RUN --mount=type=cache`, which outlive their builds: `build/cache-mounts/HEX/data`, by the digest of what names
/// a cache, and beside it the lock that a step holds while it has it.
package struct CacheMounts: Sendable {
    private let images: ImageStore
    private var folder: String { images.root + "/build/cache-mounts" }

    package init(_ images: ImageStore) { self.images = images }

    /// A cache as lists show it.
    package struct Entry: Sendable {
        /// The digits of its name's digest.
        package let id: String
        /// What it takes on the disk, in bytes.
        package let bytes: Int64
        /// Nanoseconds since 1970.
        package let lastUse: UInt64
        /// Whether a step has it just now.
        package let isInUse: Bool
    }

    /// A step's hold on a cache.
    final class Hold: Sendable {
        private let lock: FileLock
        let data: String

        fileprivate init(_ lock: consuming FileLock, _ data: String) {
            self.lock = lock
            self.data = data
        }

        /// Whether the lock's file still has its name.
        fileprivate func isStill(at path: String) -> Bool { lock.isStill(at: path) }
    }

    /// Makes a cache that is not there, and holds it.
    ///
    /// - Parameter waiting: calls what may wait for another build.
    func hold(
        _ cache: CacheMount,
        _ mode: FileLock.Mode,
        waiting: (@escaping @Sendable () throws -> Hold) throws -> Hold
    ) throws -> Hold {
        let home = "\(folder)/\(SHA256Digest.of(Array(cache.description.utf8)).hex)"
        let path = "\(home)/lock"
        while true {
            try Files.makeDirectories(home, mode: 0o700)
            let hold: Hold
            do {
                if let lock = try FileLock.attempt(path, mode) {
                    hold = Hold(lock, "\(home)/data")
                } else {
                    hold = try waiting { Hold(try FileLock(path, mode), "\(home)/data") }
                }
            } catch let error as SystemError where error.code == SystemError.notFound {
                continue  // removed since it was made
            }
            // Whoever removes a cache holds its lock, and takes that along.
            guard hold.isStill(at: path) else { continue }
            try Files.touch(path)
            try make(cache, hold.data)
            return hold
        }
    }

    private func make(_ cache: CacheMount, _ data: String) throws {
        if mkdir(data, 0o700) == 0 {
            try retrying("changing the owner of", data) { chown(data, cache.owner.uid, cache.owner.gid) }
            try retrying("changing the mode of", data) { chmod(data, mode_t(cache.mode)) }
        } else if errno != EEXIST {
            throw SystemError("creating folder", data)
        }
    }

    /// All caches, the one first that was used longest ago.
    package func entries() throws -> [Entry] {
        let names: [String]
        do throws(SystemError) { names = try Files.list(folder, followingLink: false) } catch {
            if error.code == SystemError.notFound { return [] }
            throw error
        }
        return try names.filter { Digest(hex: $0) != nil }.map(entry).sorted {
            ($0.lastUse, $0.id) < ($1.lastUse, $1.id)
        }
    }

    private func entry(_ name: String) throws -> Entry {
        let home = "\(folder)/\(name)"
        var disk = DiskUsage()
        let status = (try? FileStatus.of("\(home)/lock")) ?? (try? FileStatus.of(home))
        return Entry(
            id: name,
            bytes: try disk.measure(home),
            lastUse: status?.modifiedNanoseconds ?? 0,
            isInUse: try isInUse(home)
        )
    }

    private func isInUse(_ home: String) throws -> Bool {
        if !FileStatus.exists("\(home)/lock") { return false }
        switch try FileLock.attempt("\(home)/lock", .exclusive, creating: false) {
        case .some: return false
        case .none: return true
        }
    }

    /// The lock of a cache that no step has; nil where one has it, and where the cache has gone.
    private func lockToRemove(_ path: String) throws(SystemError) -> FileLock? {
        do throws(SystemError) { return try FileLock.attempt(path, .exclusive) } catch {
            if error.code == SystemError.notFound { return nil }
            throw error
        }
    }

    /// Removes a cache; false where a step has it, or another command has removed it. In two steps, so that no part of one is
    /// taken for a whole.
    package func remove(_ entry: Entry) throws -> Bool {
        let home = "\(folder)/\(entry.id)"
        guard let lock = try lockToRemove("\(home)/lock") else { return false }
        // Another command may have removed it, and a step have made it anew, between the opening of the lock and its taking.
        guard lock.isStill(at: "\(home)/lock") else { return false }
        return try lock.holding {
            let old = "\(images.root)/tmp/cache-\(entry.id)"
            try Files.removeTree(old)
            try retrying("renaming", home) { rename(home, old) }
            try Files.removeTree(old)
            return true
        }
    }
}
