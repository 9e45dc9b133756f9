import CLinux

/// A lock on a file (flock(2)). The kernel lets it go when its holder ends, however it ends, so a lock is never stale.
package struct FileLock: ~Copyable, Sendable {
    package enum Mode: Sendable { case shared, exclusive }

    private let file: FileDescriptor

    /// Takes the lock and waits for it if need be. The file is created if it is missing and is never removed: a removed lock
    /// file would let two holders lock two different inodes of one name.
    package init(_ path: String, _ mode: Mode) throws(SystemError) {
        let file = try FileDescriptor.open(path, O_RDONLY | O_CREAT, mode: 0o600)
        try retrying("locking", path) { flock(file.raw, mode == .shared ? LOCK_SH : LOCK_EX) }
        self.init(owning: file)
    }

    private init(owning file: consuming FileDescriptor) { self.file = file }

    /// Takes the lock if nobody holds it against us, else returns nil at once.
    package static func attempt(_ path: String, _ mode: Mode) throws(SystemError) -> FileLock? {
        let file = try FileDescriptor.open(path, O_RDONLY | O_CREAT, mode: 0o600)
        if flock(file.raw, (mode == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 { return FileLock(owning: file) }
        if errno == EWOULDBLOCK { return nil }
        throw SystemError("locking", path)
    }
}
