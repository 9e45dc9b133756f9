import CLinux
import LinuxSystem
import OCI

/// A layer that becomes a folder, in the form that overlayfs mounts. It needs root: owners, device nodes and trusted
/// attributes are part of a layer.
final class FolderForm: LayerForm {
    private let root: FileDescriptor
    /// The folder that is open: entries of one folder mostly follow each other.
    private var current: (folder: LayerFolder, handle: OpenLayers.FileHandle)?

    /// - Parameter directory: an empty folder. Nothing outside of it is ever changed.
    init(_ directory: String) throws {
        root = try FileDescriptor.open(directory, O_RDONLY | O_DIRECTORY)
        guard try Directory.entries(root.raw).isEmpty else {
            throw EngineError(.conflict, "the folder \(directory) is not empty")
        }
    }

    /// The descriptor of a folder of this layer, valid until the next call.
    func descriptor(of folder: LayerFolder) throws -> CInt {
        if folder.parent == nil { return root.raw }
        if let current, current.folder === folder { return current.handle.file.raw }
        let handle = OpenLayers.FileHandle(try open(folder))
        current = (folder, handle)
        return handle.file.raw
    }

    /// Opens a folder of this layer again, for its own owner.
    private func open(_ folder: LayerFolder) throws -> FileDescriptor {
        let path = folder.path
        return try FileDescriptor.openBeneath(
            root.raw,
            path.isEmpty ? [0x2e, 0] : LayerPath.cString(path[...]),
            O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        )
    }

    func member(_ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> LayerMember? {
        let cName = LayerPath.cString(name)
        let directory = try descriptor(of: folder)
        guard let status = try LayerPath.status(cName, in: directory) else { return nil }
        switch status.kind {
        case .directory: return .folder
        case .symbolicLink: return .link(target: try Files.linkTarget(cName, in: directory))
        default: return OverlayForm.isWhiteout(status) ? .whiteout : .file
        }
    }

    // MARK: Entries

    /// Whether a call succeeded; false where the name is taken.
    private func made(_ what: String, _ result: CInt) throws -> Bool {
        if result != -1 { return true }
        if errno == EEXIST { return false }
        throw SystemError(what)
    }

    func addFolder(_ folder: LayerFolder, in parent: LayerFolder) throws -> Bool {
        try made("creating folder", mkdirat(descriptor(of: parent), LayerPath.cString(folder.name), 0o700))
    }

    func addFile(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder, _ content: TarReader) throws
        -> Bool
    {
        let cName = LayerPath.cString(name)
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let raw = linux_openat(try descriptor(of: folder), cName, flags, 0o600)
        guard try made("creating", raw) else { return false }
        let file = FileDescriptor(owning: raw)
        if let segments = entry.sparse {
            try writeSparse(file, segments, size: entry.size, content)
        } else {
            while let piece = try content.storedPiece() { try file.write(piece) }
        }
        try FolderForm.setMetadata(of: file.raw, entry)
        let times = FolderForm.times(entry)
        try retrying("changing the time of") { futimens(file.raw, times) }
        return true
    }

    private func writeSparse(
        _ file: borrowing FileDescriptor,
        _ segments: [TarEntry.Segment],
        size: Int64,
        _ content: TarReader
    ) throws {
        let raw = file.raw
        try retrying("writing") { ftruncate(raw, Int(size)) }
        for segment in segments {
            var offset = segment.offset
            let end = segment.offset + segment.length
            while offset < end, let piece = try content.storedPiece(limit: end - offset) {
                try file.write(piece, at: offset)
                offset += Int64(piece.count)
            }
        }
    }

    func addSymlink(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> Bool {
        let cName = LayerPath.cString(name)
        let target = LayerPath.cString(entry.linkTarget)
        let directory = try descriptor(of: folder)
        guard try made("creating link", symlinkat(target, directory, cName)) else { return false }
        try setNodeMetadata(entry, cName, in: directory)
        return true
    }

    func addNode(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> Bool {
        var type = mode_t(S_IFIFO)
        if entry.kind == .characterDevice { type = mode_t(S_IFCHR) }
        if entry.kind == .blockDevice { type = mode_t(S_IFBLK) }
        let cName = LayerPath.cString(name)
        let directory = try descriptor(of: folder)
        let device = entry.kind == .fifo ? 0 : linux_makedev(entry.major, entry.minor)
        guard try made("creating device", mknodat(directory, cName, type | 0o600, device)) else { return false }
        try setNodeMetadata(entry, cName, in: directory)
        return true
    }

    func addWhiteout(_ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> Bool {
        let cName = LayerPath.cString(name)
        return try made("creating whiteout", mknodat(descriptor(of: folder), cName, mode_t(S_IFCHR), 0))
    }

    func link(_ name: ArraySlice<UInt8>, in folder: LayerFolder, to base: ArraySlice<UInt8>, in source: LayerFolder)
        throws -> Bool
    {
        // Two folders at once: one is the current folder, the other is opened for this call.
        let other = try open(source)
        let directory = try descriptor(of: folder)
        return try made(
            "linking",
            linkat(other.raw, LayerPath.cString(base), directory, LayerPath.cString(name), 0)
        )
    }

    // MARK: Removal

    func remove(_ name: ArraySlice<UInt8>, from folder: LayerFolder) throws {
        let cName = LayerPath.cString(name)
        let directory = try descriptor(of: folder)
        if unlinkat(directory, cName, 0) == 0 { return }
        guard errno == EISDIR else { throw SystemError("replacing") }
        let child = try FileDescriptor.openAt(directory, cName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        try Directory.removeContents(child, device: try child.status().device)
        try retrying("replacing") { unlinkat(directory, cName, AT_REMOVEDIR) }
        if current?.folder !== folder { current = nil }
    }

    func removeWhiteouts(from folder: LayerFolder) throws {
        let directory = try descriptor(of: folder)
        for entry in try Directory.entries(directory)
        where OverlayForm.isWhiteout(try FileStatus.of(entry.name, in: directory)) {
            try retrying("removing a whiteout from") { unlinkat(directory, entry.name, 0) }
        }
    }

    /// Sets the folders' default access lists, which nothing in them is to inherit, and times: last, since every entry made
    /// in a folder changes its own.
    func finish(_ root: LayerFolder) throws {
        var pending = [root]
        while let folder = pending.popLast() {
            let times = [folder.time, folder.time]
            let file = try open(folder)
            if let list = folder.defaultList,
                fsetxattr(file.raw, FolderForm.defaultList, list, list.count, 0) != 0
            {
                try FolderForm.checkAttribute(FolderForm.defaultList, .directory)
            }
            try retrying("changing the time of", String(decoding: folder.path, as: UTF8.self)) {
                futimens(file.raw, times)
            }
            pending += folder.folders.values
        }
    }
}
