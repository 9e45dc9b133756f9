import CLinux
import LinuxSystem
import OCI

extension LayerUnpacking {
    /// linkat(2) to a file of this layer; a file of a lower layer is copied into this one first. The link's own
    /// metadata in the archive is that of its target and is not applied again.
    func createHardlink(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws {
        let target = LayerPath.cleaned(entry.linkTarget)
        let slash = target.lastIndex(of: UInt8(ascii: "/"))
        let parent = slash.map { target[..<$0] } ?? []
        let base = slash.map { target[($0 + 1)...] } ?? target[...]
        guard !base.isEmpty, !base.starts(with: WhiteoutName.prefix), !LayerPath.hasReserved(parent),
            let targetFolder = try resolve(parent, create: false)
        else { throw missing(entry) }
        try provide(base, in: targetFolder, entry)
        if targetFolder === folder, base == name { return }
        // Two folders at once: one is the current folder, the other is opened for this call.
        let source = try open(targetFolder)
        let cBase = LayerPath.cString(base)
        let cName = LayerPath.cString(name)
        if linkat(source.raw, cBase, try descriptor(of: folder), cName, 0) == 0 { return }
        guard errno == EEXIST else { throw SystemError("linking") }
        try remove(cName, from: folder)
        let directory = try descriptor(of: folder)
        try retrying("linking") { linkat(source.raw, cBase, directory, cName, 0) }
    }

    private func missing(_ entry: TarEntry) -> EngineError {
        let target = printable(entry.linkTarget)
        return EngineError(.invalid, "\(entry.name) is a hard link to \(target), which is not there or not a file")
    }

    /// Sees to it that this layer has the file.
    private func provide(_ name: ArraySlice<UInt8>, in folder: LayerFolder, _ entry: TarEntry) throws {
        let cName = LayerPath.cString(name)
        if let status = try LayerPath.status(cName, in: try descriptor(of: folder)) {
            if status.kind == .directory || OverlayForm.isWhiteout(status) { throw missing(entry) }
            return
        }
        if !isSettled {
            // What is settled now may be just this name.
            _ = try lower()
            return try provide(name, in: folder, entry)
        }
        guard let node = try below(name, in: folder), node.status.kind != .directory else { throw missing(entry) }
        let source = try lower().locate(node)
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
        folder.markWritten()
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
