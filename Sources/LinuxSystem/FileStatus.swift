import CLinux

/// What stat(2) says of a file.
package struct FileStatus: Sendable {
    package enum Kind: Sendable { case file, directory, symbolicLink, characterDevice, blockDevice, fifo, socket }

    package let kind: Kind
    /// The permission bits with setuid, setgid and sticky: `mode & 0o7777`.
    package let mode: mode_t
    package let owner: uid_t
    package let group: gid_t
    /// In bytes.
    package let size: Int64
    /// The space it takes on the disk, in bytes.
    package let allocated: Int64
    package let links: UInt64
    package let device: dev_t
    package let inode: UInt64
    /// The device that a device node stands for.
    package let represents: dev_t
    package let modified: timespec
    /// When content, owner, mode or names last changed: nobody can set it back.
    package let changed: timespec

    init(_ status: stat) {
        switch mode_t(S_IFMT) & status.st_mode {
        case mode_t(S_IFDIR): kind = .directory
        case mode_t(S_IFLNK): kind = .symbolicLink
        case mode_t(S_IFCHR): kind = .characterDevice
        case mode_t(S_IFBLK): kind = .blockDevice
        case mode_t(S_IFIFO): kind = .fifo
        case mode_t(S_IFSOCK): kind = .socket
        default: kind = .file
        }
        mode = status.st_mode & 0o7777
        owner = status.st_uid
        group = status.st_gid
        size = Int64(status.st_size)
        allocated = Int64(status.st_blocks) * 512
        links = UInt64(status.st_nlink)
        device = status.st_dev
        inode = UInt64(status.st_ino)
        represents = status.st_rdev
        modified = status.st_mtim
        changed = status.st_ctim
    }

    /// `modified` in nanoseconds since 1970; 0 for times before, the number's last for those after 2554, which any file
    /// may have.
    package var modifiedNanoseconds: UInt64 { FileStatus.nanoseconds(modified) }

    /// `changed` in the same way.
    package var changedNanoseconds: UInt64 { FileStatus.nanoseconds(changed) }

    private static func nanoseconds(_ time: timespec) -> UInt64 {
        guard time.tv_sec >= 0 else { return 0 }
        let (product, tooBig) = UInt64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, stillTooBig) = product.addingReportingOverflow(UInt64(max(0, time.tv_nsec)))
        return tooBig || stillTooBig ? .max : sum
    }

    /// Whether both are of one file.
    package func isSame(as other: FileStatus) -> Bool { device == other.device && inode == other.inode }

    package var major: UInt32 { UInt32(linux_major(represents)) }
    package var minor: UInt32 { UInt32(linux_minor(represents)) }

    /// fstatat(2) without following a link in the last component.
    package static func of(_ path: UnsafePointer<CChar>, in directory: CInt = AT_FDCWD) throws(SystemError)
        -> FileStatus
    {
        var status = stat()
        try retrying("reading the status of", String(rawBytes: path)) {
            fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW)
        }
        return FileStatus(status)
    }

    /// The same of a text.
    package static func of(_ path: String, in directory: CInt = AT_FDCWD) throws(SystemError) -> FileStatus {
        var status = stat()
        try retrying("reading the status of", path) {
            path.withRawCString { fstatat(directory, $0, &status, AT_SYMLINK_NOFOLLOW) }
        }
        return FileStatus(status)
    }

    /// fstat(2) of a descriptor that somebody else owns.
    package static func of(_ descriptor: CInt) throws(SystemError) -> FileStatus {
        var status = stat()
        try retrying("reading the status of a descriptor") { fstat(descriptor, &status) }
        return FileStatus(status)
    }

    /// stat(2): follows links. For paths that the engine's caller gave.
    package static func following(_ path: String) throws(SystemError) -> FileStatus {
        var status = stat()
        try retrying("reading the status of", path) { path.withRawCString { fstatat(AT_FDCWD, $0, &status, 0) } }
        return FileStatus(status)
    }

    /// Whether something stands at `path` (a dangling link does).
    package static func exists(_ path: String) -> Bool { (try? of(path)) != nil }

    /// Whether something stands where the links of `path` lead.
    package static func leadsSomewhere(_ path: String) -> Bool { (try? following(path)) != nil }
}
