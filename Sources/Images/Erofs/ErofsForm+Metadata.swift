import CLinux
import LinuxSystem
import OCI

extension ErofsForm {
    static func inode(_ entry: TarEntry, _ type: mode_t) throws -> ErofsInode {
        var inode = ErofsInode(mode: UInt16(type) | UInt16(entry.mode & 0o7777))
        inode.uid = entry.uid
        inode.gid = entry.gid
        inode.size = entry.kind == .file ? entry.size : 0
        inode.time = timespec(tv_sec: Int(entry.mtime), tv_nsec: Int(entry.mtimeNanoseconds))
        inode.attributes = try ErofsAttributes.encode(kept(entry))
        return inode
    }

    /// What a file system would keep of an entry's attributes; of two with one name the last.
    private static func kept(_ entry: TarEntry) -> [(name: String, value: [UInt8])] {
        if entry.xattrs.isEmpty { return [] }
        let hasContent = entry.kind == .file || entry.kind == .directory
        var values: [String: [UInt8]] = [:]
        for (name, value) in entry.xattrs where LayerAttributes.accepts(name) && ErofsAttributes.knows(name) {
            // user.* exists on files and folders only (xattr(7)), and a link has no access list.
            if !hasContent, name.hasPrefix("user.") { continue }
            if entry.kind == .symlink, name.hasPrefix("system.") { continue }
            values[name] = value
        }
        return values.map { ($0, $1) }
    }

    private static func inode(_ status: FileStatus, _ type: mode_t) -> ErofsInode {
        var inode = ErofsInode(mode: UInt16(type) | UInt16(status.mode))
        inode.uid = status.owner
        inode.gid = status.group
        inode.time = status.modified
        return inode
    }

    func setMetadata(of folder: LayerFolder, _ entry: TarEntry) throws {
        let content = content(folder)
        content.inode.mode = UInt16(S_IFDIR) | UInt16(entry.mode & 0o7777)
        content.inode.uid = entry.uid
        content.inode.gid = entry.gid
        for (name, value) in ErofsForm.kept(entry) { content.set(name, to: value) }
    }

    func copyMetadata(of node: MergedNode, from lower: OpenLayers, to folder: LayerFolder) throws {
        let source = try lower.locate(node)
        let metadata = try NodeMetadata.of(source.raw) { !OverlayForm.isOwnAttribute($0) }
        let content = content(folder)
        content.inode = ErofsForm.inode(metadata.status, mode_t(S_IFDIR))
        for (name, value) in metadata.attributes { content.set(name, to: value) }
        folder.time = metadata.status.modified
    }

    func addAttributes(of node: MergedNode, from lower: OpenLayers, to folder: LayerFolder) throws {
        let source = try lower.locate(node)
        let content = content(folder)
        for (name, value) in try NodeMetadata.of(source.raw, keep: { !OverlayForm.isOwnAttribute($0) }).attributes
        where !content.attributes.contains(where: { $0.name == name }) {
            content.set(name, to: value)
        }
    }

    func setDefaultMetadata(of folder: LayerFolder) throws { content(folder).inode.mode = UInt16(S_IFDIR) | 0o755 }

    func setOpaque(_ folder: LayerFolder) throws { content(folder).set(OverlayForm.opaqueAttribute, to: [0x79]) }

    // MARK: Files of the layers below

    func copy(_ node: MergedNode, from lower: OpenLayers, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws {
        let source = try lower.locate(node)
        switch node.status.kind {
        case .file: try copyFile(source, name, in: folder)
        case .symbolicLink:
            try addLink(
                to: try source.linkTarget(),
                ErofsForm.inode(node.status, mode_t(S_IFLNK)),
                name,
                in: folder
            )
        default:
            let type = node.status.kind == .fifo ? S_IFIFO : node.status.kind == .blockDevice ? S_IFBLK : S_IFCHR
            var inode = ErofsForm.inode(node.status, mode_t(type))
            inode.device = ErofsFormat.device(major: node.status.major, minor: node.status.minor) ?? 0
            try add(image.addNode(inode), inode.mode, name, in: folder)
        }
    }

    private func copyFile(_ located: borrowing FileDescriptor, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws
    {
        let source = try located.reopened()
        let metadata = try NodeMetadata.of(source.raw) { !OverlayForm.isOwnAttribute($0) }
        var inode = ErofsForm.inode(metadata.status, mode_t(S_IFREG))
        inode.size = metadata.status.size
        inode.attributes = try ErofsAttributes.encode(metadata.attributes)
        let segments = try source.dataSegments()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 16)
        defer { buffer.deallocate() }
        let raw = source.raw
        var offset: Int64 = 0
        func piece(_ limit: Int64) throws -> UnsafeRawBufferPointer? {
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(min(limit, Int64(buffer.count)))])
            let count = try retrying("copying") { pread(raw, room.baseAddress, room.count, Int(offset)) }
            if count == 0 { return nil }
            offset += Int64(count)
            return UnsafeRawBufferPointer(rebasing: buffer[..<count])
        }
        let number: UInt64
        if segments == [0..<inode.size] || inode.size == 0 {
            number = try image.addFile(inode) { offset < inode.size ? try piece(inode.size - offset) : nil }
        } else {
            let data = segments.map { TarEntry.Segment(offset: $0.lowerBound, length: Int64($0.count)) }
            var next = segments.makeIterator()
            var current = 0..<Int64(0)
            number = try image.addSparseFile(inode, data) { limit in
                if !current.contains(offset) {
                    current = next.next() ?? 0..<0
                    offset = current.lowerBound
                }
                return try piece(limit)
            }
        }
        try add(number, inode.mode, name, in: folder)
    }
}
