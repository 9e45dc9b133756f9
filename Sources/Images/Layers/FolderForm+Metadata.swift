import CLinux
import LinuxSystem
import OCI

extension FolderForm {
    func setMetadata(of folder: LayerFolder, _ entry: TarEntry) throws {
        try FolderForm.setMetadata(of: descriptor(of: folder), entry)
        for (name, value) in entry.xattrs where name == FolderForm.defaultList { folder.defaultList = value }
    }

    static let defaultList = "system.posix_acl_default"

    func copyMetadata(of node: MergedNode, from lower: OpenLayers, to folder: LayerFolder) throws {
        let source = try lower.locate(node)
        let metadata = try NodeMetadata.of(source.raw) {
            !OverlayForm.isOwnAttribute($0) && $0 != FolderForm.defaultList
        }
        try metadata.apply(to: descriptor(of: folder))
        folder.defaultList = try PathAttributes.value(FolderForm.defaultList, of: source.raw)
        folder.time = metadata.status.modified
    }

    func addAttributes(of node: MergedNode, from lower: OpenLayers, to folder: LayerFolder) throws {
        let source = try lower.locate(node)
        let file = try descriptor(of: folder)
        let mode = try NodeMetadata.of(file) { _ in false }.status.mode
        for (name, value) in try NodeMetadata.of(source.raw, keep: { !OverlayForm.isOwnAttribute($0) }).attributes {
            if name == FolderForm.defaultList {
                if folder.defaultList == nil { folder.defaultList = value }
                continue
            }
            let result = fsetxattr(file, name, value, value.count, CInt(XATTR_CREATE))
            if result != 0, errno != EEXIST { throw SystemError("setting attribute \(name) of") }
        }
        // An access list brings a mode along (acl(5)), but the entry's counts.
        try retrying("changing the mode of") { fchmod(file, mode) }
    }

    func setDefaultMetadata(of folder: LayerFolder) throws {
        let file = try descriptor(of: folder)
        // The root folder has its owner from who made it.
        if folder.parent != nil { try retrying("changing the owner") { fchown(file, 0, 0) } }
        try retrying("changing the mode") { fchmod(file, 0o755) }
    }

    func setOpaque(_ folder: LayerFolder) throws {
        let file = try descriptor(of: folder)
        try retrying("hiding the content of") { fsetxattr(file, OverlayForm.opaqueAttribute, "y", 1, 0) }
    }

    static func times(_ entry: TarEntry) -> [timespec] {
        let time = timespec(tv_sec: Int(entry.mtime), tv_nsec: Int(entry.mtimeNanoseconds))
        return [time, time]
    }

    /// Owner, mode and attributes of an open file or folder. In this order: chown(2) clears setuid and
    /// security.capability.
    static func setMetadata(of file: CInt, _ entry: TarEntry) throws {
        try retrying("changing the owner of") { fchown(file, entry.uid, entry.gid) }
        try retrying("changing the mode of") { fchmod(file, mode_t(entry.mode)) }
        for (name, value) in entry.xattrs where LayerAttributes.accepts(name) {
            if entry.kind == .directory, name == defaultList { continue }
            if fsetxattr(file, name, value, value.count, 0) != 0 { try checkAttribute(name, entry.kind) }
        }
    }

    /// Everything of a link, device or pipe, which cannot be opened without consequences.
    func setNodeMetadata(_ entry: TarEntry, _ cName: [CChar], in directory: CInt) throws {
        try retrying("changing the owner of") { fchownat(directory, cName, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) }
        if entry.kind != .symlink {
            try retrying("changing the mode of") { fchmodat(directory, cName, mode_t(entry.mode), 0) }
        }
        if !entry.xattrs.isEmpty {
            // A link is never followed: the descriptor stands for the folder, the name for the link in it.
            let path = LayerPath.cString("/proc/self/fd/\(directory)/".utf8).dropLast() + cName
            for (name, value) in entry.xattrs where LayerAttributes.accepts(name) {
                if lsetxattr(Array(path), name, value, value.count, 0) != 0 {
                    try FolderForm.checkAttribute(name, entry.kind)
                }
            }
        }
        let times = FolderForm.times(entry)
        try retrying("changing the time of") { utimensat(directory, cName, times, AT_SYMLINK_NOFOLLOW) }
    }

    /// After a failed setxattr(2): what the file system cannot keep is left out, as docker does, unless programs
    /// depend on it.
    static func checkAttribute(_ name: String, _ kind: TarEntry.Kind) throws {
        let code = errno
        if code == ENOTSUP, name != "security.capability" { return }
        // user.* exists on files and folders only (xattr(7)).
        if code == EPERM, name.hasPrefix("user."), kind != .file, kind != .directory { return }
        throw SystemError("setting attribute \(name) of", code: code)
    }

    // MARK: Files of the layers below

    func copy(_ node: MergedNode, from lower: OpenLayers, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws {
        let cName = LayerPath.cString(name)
        let source = try lower.locate(node)
        let directory = try descriptor(of: folder)
        switch node.status.kind {
        case .file: try copyFile(source, cName, in: directory)
        case .symbolicLink:
            let target = LayerPath.cString(try source.linkTarget())
            try retrying("copying") { symlinkat(target, directory, cName) }
            try copyNodeMetadata(node.status, cName, in: directory)
        default:
            let type = node.status.kind == .fifo ? S_IFIFO : node.status.kind == .blockDevice ? S_IFBLK : S_IFCHR
            try retrying("copying") { mknodat(directory, cName, mode_t(type) | 0o600, node.status.represents) }
            try copyNodeMetadata(node.status, cName, in: directory)
        }
    }

    private func copyFile(_ located: borrowing FileDescriptor, _ cName: [CChar], in directory: CInt) throws {
        let source = try located.reopened()
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
        let copy = try FileDescriptor.openAt(directory, cName, flags)
        try source.copyData(to: copy)
        try NodeMetadata.of(source.raw) { !OverlayForm.isOwnAttribute($0) }.apply(to: copy.raw)
    }

    private func copyNodeMetadata(_ status: FileStatus, _ cName: [CChar], in directory: CInt) throws {
        try retrying("copying the owner of") {
            fchownat(directory, cName, status.owner, status.group, AT_SYMLINK_NOFOLLOW)
        }
        if status.kind != .symbolicLink {
            try retrying("copying the mode of") { fchmodat(directory, cName, status.mode, 0) }
        }
        let times = [status.modified, status.modified]
        try retrying("copying the time of") { utimensat(directory, cName, times, AT_SYMLINK_NOFOLLOW) }
    }
}
