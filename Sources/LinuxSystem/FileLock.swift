import CLinux

/// A lock on a file (flock(2)). The kernel lets it go when its holder ends, however it ends, so a lock is never stale.
package struct FileLock: ~Copyable, Sendable {
    package enum Mode: Sendable { case shared, exclusive }

    private let file: FileDescriptor

    /// O_NONBLOCK: a pipe in a lock file's place would be waited for; it can be locked as well.
    private static let flags = O_RDONLY | O_NONBLOCK

    /// Opens a lock file that is there, else creates it. Not in one call: that would create what a link to nothing leads to.
    private static func open(_ path: String) throws(SystemError) -> FileDescriptor {
        do { return try FileDescriptor.open(path, flags) } catch {
            if ![ENOENT, ELOOP, ENXIO].contains(error.code) { throw error }
        }
        do { return try FileDescriptor.open(path, flags | O_CREAT | O_NOFOLLOW, mode: 0o600) } catch {
            if ![ELOOP, ENXIO].contains(error.code) { throw error }
        }
        // A link that leads nowhere, or a socket: nobody can have locked anything through it. Alone, so that of two who find it
        // the second does not remove what the first has put there.
        let folder = try FileLock(folder: Files.parent(of: path), .exclusive)
        let kind = (try? FileStatus.of(path))?.kind
        if kind == .socket || kind == .symbolicLink && !FileStatus.leadsSomewhere(path) { try Files.remove(path) }
        _ = consume folder
        return try FileDescriptor.open(path, flags | O_CREAT | O_NOFOLLOW, mode: 0o600)
    }

    /// Takes the lock and waits for it if need be. The file is created if it is missing and is never removed: a removed lock
    /// file would let two holders lock two different inodes of one name.
    package init(_ path: String, _ mode: Mode) throws(SystemError) {
        let file = try FileLock.open(path)
        try retrying("locking", path) { flock(file.raw, mode == .shared ? LOCK_SH : LOCK_EX) }
        self.init(owning: file)
    }

    /// Takes a lock on a folder that is there, for the work on a file in it that others replace as a whole.
    package init(folder: String, _ mode: Mode) throws(SystemError) {
        let file = try FileDescriptor.open(folder, O_RDONLY | O_DIRECTORY)
        try retrying("locking", folder) { flock(file.raw, mode == .shared ? LOCK_SH : LOCK_EX) }
        self.init(owning: file)
    }

    /// Does something while the lock is held.
    package borrowing func holding<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R { try body() }

    private init(owning file: consuming FileDescriptor) { self.file = file }

    /// Takes the lock if nobody holds it against us, else returns nil at once. The file is created if it is missing, unless
    /// only one that is there shall be locked: then nil.
    package static func attempt(_ path: String, _ mode: Mode, creating: Bool = true) throws(SystemError) -> FileLock? {
        let file: FileDescriptor
        do throws(SystemError) {
            file = try creating ? open(path) : FileDescriptor.open(path, flags)
        } catch {
            if creating { throw error }
            switch error.code {
            case ENOENT: return nil
            // The name is there, and nothing that could be locked.
            case ELOOP, ENXIO: file = try open(path)
            default: throw error
            }
        }
        if flock(file.raw, (mode == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0 { return FileLock(owning: file) }
        if errno == EWOULDBLOCK { return nil }
        throw SystemError("locking", path)
    }

    /// Whether the file that is locked still has this name: another process may have removed it before it was locked, where
    /// lock files are removed at all.
    package func isStill(at path: String) -> Bool {
        guard let own = try? file.status(), let named = try? FileStatus.of(path) else { return false }
        return own.isSame(as: named)
    }
}

extension FileDescriptor {
    /// Waits until nobody holds a lock on the open file alone (flock(2)), and holds a shared one from then on.
    package func waitForLock() throws(SystemError) { try retrying("locking") { flock(raw, LOCK_SH) } }
}
