import CDescriptors
import CLinux

/// An open file descriptor with one owner, who closes it by letting it go.
///
/// Every descriptor is opened with O_CLOEXEC: nothing of the engine's is ever inherited by accident (CVE-2024-21626).
/// Closing by letting go ignores the kernel's answer; where data could be lost, call `sync()` before.
package struct FileDescriptor: ~Copyable, Sendable {
    /// The number, for calls that only borrow it. It is invalid once the owner is gone.
    package let raw: CInt

    /// Takes over a descriptor that the caller owned until now.
    package init(owning raw: CInt) { self.raw = raw }

    deinit { close(raw) }

    /// Gives the number away: the caller must close it.
    package consuming func release() -> CInt {
        let number = raw
        discard self
        return number
    }

    /// fcntl(2) F_DUPFD_CLOEXEC.
    package func duplicate() throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try retrying("duplicating a descriptor") { linux_duplicate(raw, 3) })
    }

    /// open(2) by path from the working folder, or by an absolute path. For paths that the engine or its caller chose;
    /// paths that an image or a container chose go through `openInRoot`.
    package static func open(_ path: String, _ flags: CInt = O_RDONLY, mode: mode_t = 0o600) throws(SystemError)
        -> FileDescriptor
    {
        try openAt(AT_FDCWD, path, flags, mode: mode)
    }

    /// openat(2) of `path`, which may hold bytes that are not UTF-8.
    package static func openAt(
        _ directory: CInt,
        _ path: UnsafePointer<CChar>,
        _ flags: CInt = O_RDONLY,
        mode: mode_t = 0o600
    ) throws(SystemError) -> FileDescriptor {
        FileDescriptor(
            owning: try retrying("opening", String(rawBytes: path)) {
                linux_openat(directory, path, flags | O_CLOEXEC, mode)
            }
        )
    }

    /// The same of a text.
    package static func openAt(_ directory: CInt, _ path: String, _ flags: CInt = O_RDONLY, mode: mode_t = 0o600)
        throws(SystemError) -> FileDescriptor
    {
        FileDescriptor(
            owning: try retrying("opening", path) { linux_openat(directory, path, flags | O_CLOEXEC, mode) }
        )
    }

    /// openat2(2) with RESOLVE_IN_ROOT: `path` is resolved as if `root` were the root folder, so no symbolic link and no
    /// `..` in it leads outside, whoever changes the tree meanwhile. Magic links of procfs are refused.
    package static func openInRoot(
        _ root: CInt,
        _ path: UnsafePointer<CChar>,
        _ flags: CInt = O_RDONLY,
        mode: mode_t = 0
    ) throws(SystemError) -> FileDescriptor {
        // EAGAIN: the kernel saw a rename while it resolved `..` and could not prove that it stayed inside.
        var attempts = 0
        while true {
            do {
                return FileDescriptor(
                    owning: try retrying("opening", String(rawBytes: path)) {
                        linux_openat2(
                            root,
                            path,
                            UInt64(UInt32(bitPattern: flags)),
                            UInt64(mode),
                            UInt64(RESOLVE_IN_ROOT) | UInt64(RESOLVE_NO_MAGICLINKS)
                        )
                    }
                )
            } catch {
                attempts += 1
                if error.code != EAGAIN || attempts > 128 { throw error }
            }
        }
    }

    /// openat2(2) with RESOLVE_BENEATH and no symbolic links at all: for a name that must be what it says.
    package static func openBeneath(
        _ directory: CInt,
        _ path: UnsafePointer<CChar>,
        _ flags: CInt = O_RDONLY,
        mode: mode_t = 0
    ) throws(SystemError) -> FileDescriptor {
        FileDescriptor(
            owning: try retrying("opening", String(rawBytes: path)) {
                linux_openat2(
                    directory,
                    path,
                    UInt64(UInt32(bitPattern: flags)),
                    UInt64(mode),
                    UInt64(RESOLVE_BENEATH) | UInt64(RESOLVE_NO_SYMLINKS) | UInt64(RESOLVE_NO_MAGICLINKS)
                )
            }
        )
    }

    /// An unnamed file in `directory` (O_TMPFILE) that vanishes unless `linkUnnamed` gives it a name.
    package static func unnamed(in directory: CInt, mode: mode_t = 0o600) throws(SystemError) -> FileDescriptor {
        FileDescriptor(
            owning: try retrying("creating a temporary file") {
                linux_openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode)
            }
        )
    }

    /// Gives an `unnamed` file a name. Fails with EEXIST if the name is taken.
    package func linkUnnamed(into directory: CInt, as name: String) throws(SystemError) {
        try retrying("naming", name) { linux_link_descriptor(raw, directory, name) }
    }

    /// A file in memory (memfd_create(2)).
    package static func inMemory(_ name: String) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try retrying("creating a file in memory") { linux_memfd_create(name, 0) })
    }

    /// read(2) into `buffer`; 0 is the end of the file.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        try retrying("reading") { CLinux.read(raw, buffer.baseAddress, buffer.count) }
    }

    /// pread(2): does not move the file's offset.
    package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemError) -> Int {
        try retrying("reading") { pread(raw, buffer.baseAddress, buffer.count, Int(offset)) }
    }

    /// Reads to the end of the file; fails with EFBIG past `limit` bytes, so that no file can fill the memory.
    package func readAll(limit: Int = 64 << 20) throws(SystemError) -> [UInt8] {
        var status = stat()
        var room = 4096
        if fstat(raw, &status) == 0, status.st_size > 0 {
            if status.st_size > limit { throw SystemError("reading", code: EFBIG) }
            // One more than there should be: a read of 0 then says that it was all.
            room = Int(status.st_size) + 1
        }
        var bytes: [UInt8] = []
        while true {
            let chunk = try readChunk(room)
            if chunk.isEmpty { return bytes }
            if bytes.isEmpty { bytes = chunk } else { bytes += chunk }
            if bytes.count > limit { throw SystemError("reading", code: EFBIG) }
            room = max(4096, bytes.count)
        }
    }

    private func readChunk(_ size: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        let chunk = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            do throws(SystemError) { count = try read(into: UnsafeMutableRawBufferPointer(buffer)) } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return chunk
    }

    /// Writes all of `bytes`, in as many write(2) calls as it takes.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = try retrying("writing") { CLinux.write(raw, rest.baseAddress, rest.count) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Writes all of `bytes`.
    package func write(_ bytes: some Collection<UInt8>) throws(SystemError) {
        var failure: SystemError?
        let done: Void? = bytes.withContiguousStorageIfAvailable { buffer in
            do throws(SystemError) { try write(UnsafeRawBufferPointer(buffer)) } catch { failure = error }
        }
        if let failure { throw failure }
        if done == nil { try write(Array(bytes)) }
    }

    /// Writes the text: UTF-8, and the bytes that it stands for.
    package func write(_ text: String) throws(SystemError) { try write(text.rawBytes) }

    /// fsync(2): when it returns, the file's data and size survive a power cut (its name may not: sync the folder too).
    package func sync() throws(SystemError) { try retrying("syncing") { fsync(raw) } }

    /// fstat(2).
    package func status() throws(SystemError) -> FileStatus {
        var status = stat()
        try retrying("reading the status of a descriptor") { fstat(raw, &status) }
        return FileStatus(status)
    }

    /// lseek(2) to the start.
    package func rewind() throws(SystemError) { try retrying("seeking") { lseek(raw, 0, SEEK_SET) } }

    /// Every descriptor from `first` on closes at the next exec. An error where one of them may stay open: it would be the
    /// next program's (CVE-2024-21626).
    package static func closeAtExec(from first: UInt32) throws(SystemError) {
        try retrying("closing what the caller has left open") {
            close_descriptors(first, .max, DESCRIPTOR_CLOSES_AT_EXEC)
        }
    }

    /// How many descriptors are open from `first` on, without a gap (fcntl(2), F_GETFD).
    package static func openWithoutGap(from first: CInt) -> Int {
        var next = first
        while linux_fcntl(next, F_GETFD, 0) >= 0 { next += 1 }
        return Int(next - first)
    }
}

extension FileDescriptor {
    /// Opens a file for reading that must be a regular one: a pipe or a device in its place is refused, and not waited for.
    /// Links are followed.
    package static func openRegular(_ path: String) throws(SystemError) -> FileDescriptor {
        let file = try open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
        switch try file.status().kind {
        case .file: return file
        case .directory: throw SystemError("opening", path, code: EISDIR)
        default: throw SystemError("opening", path, code: EINVAL)
        }
    }
}
