import CLinux
import LinuxSystem
import OCI

/// `ROOT/state`: which STATE folder the containers of a ROOT are of. Who is at work on a container is known in STATE alone, so
/// with another STATE every living container would look dead.
///
/// The file holds one line, "DEVICE:INODE PATH": the same path is another folder in another mount namespace. Every engine that
/// runs a container holds it locked (flock(2), shared); to make it another STATE's takes the lock alone. It is changed in
/// place, never replaced, because a lock is an inode's.
struct StateClaim {
    let root: String
    let state: String

    private var path: String { "\(root)/state" }

    private var own: String {
        get throws(SystemError) {
            let status = try FileStatus.following(state)
            return "\(status.device):\(status.inode) \(state)\n"
        }
    }

    /// Sees to it that the file names this STATE, for whoever takes containers without an engine for dead.
    ///
    /// - Returns: whether it named another, or none, until now.
    /// - Throws: where the other is in use.
    func take() throws -> Bool {
        let own = try own
        if read() == own { return false }
        var alone: FileLock?
        do throws(SystemError) { alone = try lockAlone() } catch {
            // A disk on which nothing can be noted has no engine at work, and must not keep anybody from making room.
            guard [ENOSPC, EDQUOT].contains(error.code) else { throw error }
            return false
        }
        guard let lock = alone.take() else {
            let found = read()
            // Another command was faster.
            if found == own { return true }
            throw StateClaim.conflict(root, found)
        }
        do { try lock.holding { () throws(SystemError) in try note(own) } } catch {
            guard [ENOSPC, EDQUOT].contains(error.code) else { throw error }
        }
        return true
    }

    private func note(_ own: String) throws(SystemError) {
        let file = try FileDescriptor.open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW)
        let status = try file.status()
        // Something else stands there, or a file that has another name as well.
        guard status.kind == .file, status.links == 1 else { throw SystemError("opening", path, code: EINVAL) }
        try retrying("shortening", path) { ftruncate(file.raw, 0) }
        try file.write(own)
    }

    /// The lock that only one may have; nil where an engine that runs a container has it, shared.
    private func lockAlone() throws(SystemError) -> FileLock? {
        for _ in 0..<1000 {
            if let lock = try FileLock.attempt(path, .exclusive) { return lock }
            // Another command that has it alone just now soon lets it go.
            if let shared = try FileLock.attempt(path, .shared) {
                _ = consume shared
                return nil
            }
            usleep(1000)
        }
        return nil
    }

    /// Throws where another STATE is in use.
    func check() throws {
        guard FileStatus.exists(path), (try? own) != read() else { return }
        guard let lock = try FileLock.attempt(path, .exclusive, creating: false) else {
            if FileStatus.leadsSomewhere(path) { throw StateClaim.conflict(root, read()) }
            return
        }
        _ = consume lock
    }

    /// Keeps other STATE folders from this ROOT for as long as the lock lives.
    func hold() throws -> FileLock {
        for _ in 0..<100 {
            let lock = try FileLock(path, .shared)
            let found = read()
            if try found == own { return lock }
            _ = consume lock
            // Nobody has noted one yet, or a command with another STATE came in between.
            _ = try take()
        }
        throw StateClaim.conflict(root, read())
    }

    private func read() -> String { (try? Files.readText(path, limit: 8192)) ?? "" }

    private static func conflict(_ root: String, _ found: String) -> EngineError {
        let other = found.split(separator: " ", maxSplits: 1).last.map { $0.prefix { $0 != "\n" } } ?? "another"
        return EngineError(
            .conflict,
            "the containers in \(root) belong to the state folder \(other), and some of them run",
            hint: "use --state \(other), or another --root"
        )
    }
}
