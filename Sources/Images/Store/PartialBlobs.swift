import CLinux
import LinuxSystem
import OCI

/// A half-downloaded blob, `partial/HEX`: its downloader holds the file's lock (flock(2)), so one that nobody holds waits for
/// a pull that goes on with it.
package struct PartialEntry: Sendable {
    package let name: String
    package let path: String
    /// Allocated, in bytes.
    package let bytes: Int64
    package let isInUse: Bool
}

extension ImageStore {
    /// What is in `partial/`.
    package func partialEntries() throws -> [PartialEntry] {
        try names(in: partialFolder).compactMap { name in
            let file = "\(partialFolder)/\(name)"
            guard let status = try? FileStatus.of(file) else { return nil }
            return PartialEntry(name: name, path: file, bytes: status.allocated, isInUse: try isLocked(file, status))
        }
    }

    private func isLocked(_ path: String, _ status: FileStatus) throws -> Bool {
        guard status.kind == .file else { return false }
        guard let lock = try FileLock.attempt(path, .exclusive, creating: false) else {
            return FileStatus.exists(path)
        }
        _ = consume lock
        return false
    }

    /// Removes half-downloaded blobs that nobody is at work on, and to which nothing was added for `age` seconds; returns the
    /// bytes that this freed.
    @discardableResult
    package func removePartial(olderThan age: UInt64 = 0) throws -> Int64 {
        var freed: Int64 = 0
        let now = Clock.realtime / 1_000_000_000
        for entry in try partialEntries() where !entry.isInUse {
            let status = try? FileStatus.of(entry.path)
            if age > 0, let status, UInt64(clamping: status.modified.tv_sec) + age > now { continue }
            if status?.kind == .file {
                // Held while the name goes: a downloader that opened the file meanwhile finds it gone (`isStill`).
                guard let lock = try FileLock.attempt(entry.path, .exclusive, creating: false) else { continue }
                try lock.during { try Files.remove(entry.path) }
            } else {
                try Files.removeTree(entry.path)
            }
            freed += entry.bytes
        }
        return freed
    }
}
