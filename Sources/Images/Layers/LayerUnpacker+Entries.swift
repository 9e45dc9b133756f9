import CLinux
import LinuxSystem
import OCI

extension LayerUnpacking {
    /// Calls `make`, and once more after removing what this layer has there already.
    private func creating(_ what: String, _ cName: [CChar], in folder: LayerFolder, _ make: (CInt) -> CInt) throws
        -> CInt
    {
        let result = make(try descriptor(of: folder))
        if result != -1 { return result }
        guard errno == EEXIST else { throw SystemError(what) }
        try remove(cName, from: folder)
        let directory = try descriptor(of: folder)
        return try retrying(what) { make(directory) }
    }

    func createFile(_ entry: TarEntry, _ cName: [CChar], in folder: LayerFolder, _ content: TarReader) throws {
        let raw = try creating("creating", cName, in: folder) {
            linux_openat($0, cName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        let file = FileDescriptor(owning: raw)
        if let segments = entry.sparse {
            try writeSparse(file.raw, segments, size: entry.size, content)
        } else {
            while let piece = try content.storedPiece() { try file.write(piece) }
        }
        summary.bytes += entry.size
        try setMetadata(of: file.raw, entry)
        let times = LayerUnpacking.times(entry)
        try retrying("changing the time of") { futimens(file.raw, times) }
    }

    private func writeSparse(_ file: CInt, _ segments: [TarEntry.Segment], size: Int64, _ content: TarReader) throws {
        try retrying("writing") { ftruncate(file, Int(size)) }
        for segment in segments {
            var offset = segment.offset
            let end = segment.offset + segment.length
            while offset < end, let piece = try content.storedPiece(limit: end - offset) {
                var rest = piece
                while !rest.isEmpty {
                    let count = try retrying("writing") { pwrite(file, rest.baseAddress, rest.count, Int(offset)) }
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                    offset += Int64(count)
                }
            }
        }
    }

    func createFolder(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws {
        let child = try folder.folders[Array(name)] ?? addFolder(name, in: folder)
        try setMetadata(of: try descriptor(of: child), entry)
        child.setMetadata(entry)
        child.markWritten()
    }

    func createSymlink(_ entry: TarEntry, _ cName: [CChar], in folder: LayerFolder) throws {
        let target = LayerPath.cString(entry.linkTarget)
        _ = try creating("creating link", cName, in: folder) { symlinkat(target, $0, cName) }
        forgetResolved()
        try setNodeMetadata(entry, cName, in: try descriptor(of: folder))
    }

    func createNode(_ entry: TarEntry, _ cName: [CChar], in folder: LayerFolder) throws {
        var type = mode_t(S_IFIFO)
        if entry.kind == .characterDevice { type = mode_t(S_IFCHR) }
        if entry.kind == .blockDevice { type = mode_t(S_IFBLK) }
        if entry.kind == .characterDevice, entry.major == 0, entry.minor == 0 {
            // Overlayfs would take it for a whiteout.
            throw EngineError(.unsupported, "\(entry.name) is a character device 0:0, which cannot be stored")
        }
        let device = entry.kind == .fifo ? 0 : linux_makedev(entry.major, entry.minor)
        if linux_major(device) != entry.major || linux_minor(device) != entry.minor, entry.kind != .fifo {
            throw EngineError(.invalid, "\(entry.name) has an impossible device number \(entry.major):\(entry.minor)")
        }
        _ = try creating("creating device", cName, in: folder) { mknodat($0, cName, type | 0o600, device) }
        try setNodeMetadata(entry, cName, in: try descriptor(of: folder))
    }

    // MARK: Metadata

    static func times(_ entry: TarEntry) -> [timespec] {
        let time = timespec(tv_sec: Int(entry.mtime), tv_nsec: Int(entry.mtimeNanoseconds))
        return [time, time]
    }

    /// Owner, mode and attributes of an open file or folder. In this order: chown(2) clears setuid and
    /// security.capability.
    func setMetadata(of file: CInt, _ entry: TarEntry) throws {
        try retrying("changing the owner of") { fchown(file, entry.uid, entry.gid) }
        try retrying("changing the mode of") { fchmod(file, mode_t(entry.mode)) }
        for (name, value) in entry.xattrs where LayerUnpacking.accepts(name) {
            if fsetxattr(file, name, value, value.count, 0) != 0 { try checkAttribute(name, entry.kind) }
        }
    }

    /// Everything of a link, device or pipe, which cannot be opened without consequences.
    private func setNodeMetadata(_ entry: TarEntry, _ cName: [CChar], in directory: CInt) throws {
        try retrying("changing the owner of") { fchownat(directory, cName, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) }
        if entry.kind != .symlink {
            try retrying("changing the mode of") { fchmodat(directory, cName, mode_t(entry.mode), 0) }
        }
        if !entry.xattrs.isEmpty {
            // A link is never followed: the descriptor stands for the folder, the name for the link in it.
            let path = LayerPath.cString("/proc/self/fd/\(directory)/".utf8).dropLast() + cName
            for (name, value) in entry.xattrs where LayerUnpacking.accepts(name) {
                if lsetxattr(Array(path), name, value, value.count, 0) != 0 { try checkAttribute(name, entry.kind) }
            }
        }
        let times = LayerUnpacking.times(entry)
        try retrying("changing the time of") { utimensat(directory, cName, times, AT_SYMLINK_NOFOLLOW) }
    }

    /// Overlayfs' own attributes never come from an image, and what belongs to the machine that packed it means
    /// nothing here.
    private static func accepts(_ name: String) -> Bool {
        !OverlayForm.isOwnAttribute(name) && name != "security.selinux" && !name.hasPrefix("system.nfs4_acl")
    }

    /// After a failed setxattr(2): what the file system cannot keep is left out, as docker does, unless programs
    /// depend on it.
    private func checkAttribute(_ name: String, _ kind: TarEntry.Kind) throws {
        let code = errno
        if code == ENOTSUP, name != "security.capability" { return }
        // user.* exists on files and folders only (xattr(7)).
        if code == EPERM, name.hasPrefix("user."), kind != .file, kind != .directory { return }
        throw SystemError("setting attribute \(name) of", code: code)
    }
}
