import CLinux

/// Whole-file and folder operations on paths of the engine's own: the store, the state folder, the caller's files.
package enum Files {
    /// The whole file, at most `limit` bytes.
    /// - Parameter waiting: true for a file that a person named, and who may mean a pipe. In any other's place a pipe is read as
    ///   empty.
    package static func read(_ path: String, limit: Int = 64 << 20, waiting: Bool = false) throws(SystemError)
        -> [UInt8]
    {
        do {
            return try FileDescriptor.open(path, O_RDONLY | (waiting ? 0 : O_NONBLOCK)).readAll(limit: limit)
        } catch {
            throw SystemError(error.operation, path, code: error.code)
        }
    }

    /// The whole file as text.
    package static func readText(_ path: String, limit: Int = 64 << 20, waiting: Bool = false) throws(SystemError)
        -> String
    {
        String(rawBytes: try read(path, limit: limit, waiting: waiting))
    }

    /// Replaces a file by new content in one step: a reader sees the old or the new, never a part. With `durable`, a power
    /// cut after the return leaves the new content.
    ///
    /// A collection takes the file that is to replace the other for one that a killed command left, where it finds it in the
    /// moment between its making and its renaming. Then another is made.
    package static func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o644, durable: Bool = false)
        throws(SystemError)
    {
        for attempt in 1... {
            do {
                try replaceOnce(path, with: bytes, mode: mode, durable: durable)
                break
            } catch {
                guard error.code == ENOENT, error.operation == renaming, attempt < 100 else { throw error }
            }
        }
        if durable { try syncDirectory(of: path) }
    }

    private static let renaming = "renaming"

    private static func replaceOnce(_ path: String, with bytes: [UInt8], mode: mode_t, durable: Bool)
        throws(SystemError)
    {
        // Not the process's id: two of its threads may replace one file.
        let temporary = "\(path).\(String(try Random.number(), radix: 16)).tmp"
        do {
            let file = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
            try file.write(bytes)
            try retrying("changing the mode of", temporary) { fchmod(file.raw, mode) }
            if durable { try file.sync() }
            try retrying(renaming, path) { rename(temporary, path) }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// The same, durable, where the disk is full: in the blocks of another file on the same file system, which has at least as
    /// many bytes and is gone afterwards. Whoever else makes or removes that file is kept out by the caller.
    package static func replace(_ path: String, with bytes: [UInt8], mode: mode_t = 0o644, takingRoomOf spare: String)
        throws(SystemError)
    {
        let file = try FileDescriptor.open(spare, O_WRONLY | O_NOFOLLOW)
        try file.write(bytes)
        try retrying("shortening", spare) { ftruncate(file.raw, bytes.count) }
        try retrying("changing the mode of", spare) { fchmod(file.raw, mode) }
        try file.sync()
        // What stands there now must be what was written, not zeros of somebody else's.
        guard try file.status().isSame(as: FileStatus.of(spare)) else {
            throw SystemError("renaming", spare, code: ESTALE)
        }
        try retrying("renaming", path) { rename(spare, path) }
        try syncDirectory(of: path)
    }

    /// Creates or truncates a file and writes it. For files that nobody reads before they are whole.
    package static func write(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws(SystemError) {
        try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: mode).write(bytes)
    }

    /// Creates a file that must not be there yet, not even as a link: for a path in a folder that may be somebody else's.
    package static func create(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws(SystemError) {
        try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode).write(bytes)
    }

    /// `write`, but never through a link in the path's last component.
    package static func writeUnlinked(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws(SystemError) {
        try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: mode).write(bytes)
    }

    /// Makes an empty file where nothing stands. What stands there stays as it is, be it a link.
    package static func createEmpty(_ path: String, mode: mode_t = 0o644) throws(SystemError) {
        do { try create(path, [], mode: mode) } catch {
            if error.code != EEXIST { throw error }
        }
    }

    /// Sets a file's times to now (utimensat(2)).
    package static func touch(_ path: String) throws(SystemError) {
        try retrying("changing the time of", path) { utimensat(AT_FDCWD, path, nil, AT_SYMLINK_NOFOLLOW) }
    }

    /// fsync(2) of the folder that holds `path`, so that its name survives a power cut.
    package static func syncDirectory(of path: String) throws(SystemError) {
        try FileDescriptor.open(parent(of: path), O_RDONLY | O_DIRECTORY).sync()
    }

    /// The path without its last component; "." for a bare name.
    package static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Creates a folder and those above it that are missing. One that exists keeps its mode.
    package static func makeDirectories(_ path: String, mode: mode_t = 0o755) throws(SystemError) {
        if mkdir(path, mode) == 0 { return }
        switch errno {
        case EEXIST:
            // A link to a folder is fine: the caller may have put the store on another disk.
            if (try? FileStatus.following(path))?.kind == .directory { return }
            throw SystemError("creating folder", path, code: ENOTDIR)
        case ENOENT where path.contains("/"):
            try makeDirectories(parent(of: path), mode: mode)
            if mkdir(path, mode) != 0, errno != EEXIST { throw SystemError("creating folder", path) }
        default: throw SystemError("creating folder", path)
        }
    }

    /// The names in a folder, without "." and "..", in no order.
    /// - Parameter followingLink: false refuses a link in the place of the folder: for folders whose content is removed.
    package static func list(_ path: String, followingLink: Bool = true) throws(SystemError) -> [String] {
        let flags = O_RDONLY | O_DIRECTORY | (followingLink ? 0 : O_NOFOLLOW)
        let directory = try FileDescriptor.open(path, flags)
        return try Directory.entries(directory.raw).map(\.text)
    }

    /// Whether this process may read a file or list a folder.
    package static func isReadable(_ path: String) -> Bool {
        do throws(SystemError) { return try FileDescriptor.open(path).raw >= 0 } catch { return false }
    }

    /// unlink(2); a file that is not there is no error.
    package static func remove(_ path: String) throws(SystemError) {
        if unlink(path) != 0, errno != ENOENT { throw SystemError("removing", path) }
    }

    /// Removes a folder and all below it without following links and without leaving its file system (a forgotten mount
    /// is never emptied). Nothing there is no error.
    package static func removeTree(_ path: String) throws(SystemError) {
        let status: FileStatus
        do {
            status = try FileStatus.of(path)
        } catch {
            if error.code == ENOENT { return }
            throw error
        }
        guard status.kind == .directory else { return try remove(path) }
        try Directory.removeContents(
            try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
            device: status.device
        )
        if rmdir(path) != 0, errno != ENOENT { throw SystemError("removing folder", path) }
    }

    /// The absolute form of a path, with "." and ".." and doubled slashes resolved as text; links stay.
    package static func absolute(_ path: String, from base: String? = nil) -> String {
        let full = path.utf8.first == UInt8(ascii: "/") ? path : (base ?? workingDirectory) + "/" + path
        if isResolved(full) { return full }
        var parts: [Substring] = []
        // As bytes: to Swift a slash with a combining mark behind it is another character.
        for part in full.utf8.split(separator: UInt8(ascii: "/")).map(Substring.init) where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }

    /// Whether an absolute path has no ".", no ".." and no empty component: most have not, and every command asks.
    private static func isResolved(_ path: String) -> Bool {
        var start = true
        var dots = 0
        for byte in path.utf8.dropFirst() {
            if byte == UInt8(ascii: "/") {
                if start || dots == 1 || dots == 2 { return false }
                start = true
                dots = 0
            } else {
                dots = byte == UInt8(ascii: ".") && (start || dots > 0) ? dots + 1 : 0
                start = false
            }
        }
        return !start && dots != 1 && dots != 2
    }

    /// getcwd(3), or "/" where it is gone.
    package static var workingDirectory: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let base = buffer.baseAddress, getcwd(base, buffer.count) != nil else { return "/" }
            return String(rawBytes: base)
        }
    }

    /// chdir(2).
    package static func enter(_ path: String) throws(SystemError) { try retrying("entering", path) { chdir(path) } }

    /// readlink(2).
    package static func linkTarget(_ path: UnsafePointer<CChar>, in directory: CInt = AT_FDCWD) throws(SystemError)
        -> [UInt8]
    {
        var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = try retrying("reading the link", String(rawBytes: path)) {
            target.withUnsafeMutableBytes { buffer in
                guard let base = buffer.bindMemory(to: CChar.self).baseAddress else { return -1 }
                return readlinkat(directory, path, base, buffer.count)
            }
        }
        target.removeLast(target.count - count)
        return target
    }

    /// The same of a text.
    package static func linkTarget(_ path: String) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let target: [UInt8] = path.withRawCString { path in
            do throws(SystemError) { return try linkTarget(path, in: AT_FDCWD) } catch { failure = error }
            return []
        }
        if let failure { throw failure }
        return target
    }
}

extension Files {
    /// lchown(2): a link's own owner, never its target's.
    package static func changeOwner(_ path: String, _ owner: uid_t, _ group: gid_t) throws(SystemError) {
        try retrying("changing the owner of", path) { lchown(path, owner, group) }
    }
}
