import CLinux

/// Adds up what trees take on the disk, as du(1) does: allocated bytes of files and folders, hard links once, without
/// leaving a tree's file system. What is counted once stays counted: a second tree that shares a file with the first adds
/// nothing for it.
package struct DiskUsage: Sendable {
    private struct Inode: Hashable {
        let device: dev_t
        let number: UInt64
    }

    private var linked: Set<Inode> = []
    /// The trees that were measured, by their roots.
    private var measured: Set<Inode> = []

    package init() {}

    /// The bytes of `path` and all below it that were not counted before; 0 where there is nothing. The tree may change
    /// meanwhile: what goes is not counted.
    package mutating func measure(_ path: String) throws -> Int64 {
        let status: FileStatus
        do throws(SystemError) { status = try FileStatus.of(path) } catch {
            if error.code == ENOENT { return 0 }
            throw error
        }
        var sum = count(status)
        guard measured.insert(Inode(device: status.device, number: status.inode)).inserted else { return 0 }
        guard status.kind == .directory else { return sum }
        do {
            let folder = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            sum += try measureContents(folder, device: status.device)
        } catch let error as SystemError {
            if error.code != ENOENT { throw error }
        }
        return sum
    }

    private mutating func count(_ status: FileStatus) -> Int64 {
        if status.links <= 1 || status.kind == .directory { return status.allocated }
        let inode = Inode(device: status.device, number: status.inode)
        return linked.insert(inode).inserted ? status.allocated : 0
    }

    private mutating func measureContents(_ folder: borrowing FileDescriptor, device: dev_t) throws -> Int64 {
        var sum: Int64 = 0
        try FolderWalk(isChanging: true)(folder) { entry, folder in
            guard let status = try? FileStatus.of(entry.name, in: folder), status.device == device else { return false }
            if !measured.isEmpty, measured.contains(Inode(device: device, number: status.inode)) { return false }
            sum += count(status)
            return status.kind == .directory
        }
        return sum
    }
}

/// The room in a file system (statvfs(3)).
package struct FileSystemRoom: Sendable {
    /// In bytes.
    package let size: Int64
    /// What others than root may still take, in bytes.
    package let free: Int64

    package static func at(_ path: String) throws(SystemError) -> FileSystemRoom {
        var status = statvfs()
        try retrying("reading the size of the file system of", path) { path.withRawCString { statvfs($0, &status) } }
        // A file system of FUSE says what it likes.
        func bytes(_ blocks: UInt) -> Int64 {
            let (product, tooBig) = Int64(clamping: blocks).multipliedReportingOverflow(
                by: Int64(clamping: status.f_frsize)
            )
            return tooBig ? .max : product
        }
        return FileSystemRoom(size: bytes(UInt(status.f_blocks)), free: bytes(UInt(status.f_bavail)))
    }
}
