import CLinux
import LinuxSystem
import OCI

/// A folder of an image being written: what the kernel would keep of it.
final class ErofsFolder {
    var inode = ErofsInode(mode: UInt16(S_IFDIR) | 0o755)
    var attributes: [(name: String, value: [UInt8])] = []
    var names: [[UInt8]: ErofsName] = [:]
    /// Its inode's, once everything is there.
    var number: UInt64 = 0

    /// setxattr(2).
    func set(_ name: String, to value: [UInt8]) {
        attributes.removeAll { $0.name == name }
        attributes.append((name, value))
    }
}

enum ErofsName {
    case folder(ErofsFolder)
    /// By its place in the list of files.
    case file(Int32)
}

/// A layer that becomes an EROFS image (`ErofsImage`). It needs no rights, whatever the layer's owners and devices.
final class ErofsForm: LayerForm {
    /// A file, link, device or whiteout that is in the image.
    struct File {
        var number: UInt64
        var links: UInt32
        let type: UInt8
    }

    let image: ErofsImage
    private let uuid: [UInt8]
    private(set) var files: [File] = []
    private var targets: [Int32: [UInt8]] = [:]
    /// All whiteouts are names of one, which gets its inode last: when a whiteout comes does not change the image.
    private var whiteout: Int32?

    init(_ file: consuming FileDescriptor, uuid: [UInt8]) {
        image = ErofsImage(file)
        self.uuid = uuid
    }

    func content(_ folder: LayerFolder) -> ErofsFolder {
        if let content = folder.content { return content }
        let content = ErofsFolder()
        folder.content = content
        return content
    }

    func member(_ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> LayerMember? {
        switch content(folder).names[Array(name)] {
        case nil: nil
        case .folder: .folder
        case .file(let file):
            if file == whiteout {
                .whiteout
            } else if let target = targets[file] {
                .link(target: target)
            } else {
                .file
            }
        }
    }

    // MARK: Entries

    /// Whether a name is free. What no file system takes is refused as it would be there.
    private func isFree(_ name: some Collection<UInt8>, in folder: LayerFolder, _ what: String) throws -> Bool {
        if name.count > ErofsFormat.nameLimit { throw SystemError(what, code: ENAMETOOLONG) }
        return content(folder).names[Array(name)] == nil
    }

    @discardableResult
    func add(_ number: UInt64, _ mode: UInt16, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws
        -> Int32
    {
        // An image of more inodes than this has no place for them.
        guard files.count < Int(Int32.max) else { throw EngineError(.unsupported, "the layer has too many files") }
        let index = Int32(files.count)
        files.append(File(number: number, links: 1, type: ErofsFormat.fileType(mode)))
        content(folder).names[Array(name)] = .file(index)
        return index
    }

    func addFolder(_ folder: LayerFolder, in parent: LayerFolder) throws -> Bool {
        guard try isFree(folder.name, in: parent, "creating folder") else { return false }
        content(parent).names[folder.name] = .folder(content(folder))
        return true
    }

    func addFile(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder, _ content: TarReader) throws
        -> Bool
    {
        guard try isFree(name, in: folder, "creating") else { return false }
        let inode = try ErofsForm.inode(entry, mode_t(S_IFREG))
        let number =
            if let segments = entry.sparse {
                try image.addSparseFile(inode, segments) { try content.storedPiece(limit: $0) }
            } else {
                try image.addFile(inode) { try content.storedPiece() }
            }
        try add(number, inode.mode, name, in: folder)
        return true
    }

    func addSymlink(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> Bool {
        guard try isFree(name, in: folder, "creating link") else { return false }
        // symlink(2).
        if entry.linkTarget.isEmpty { throw SystemError("creating link", code: ENOENT) }
        if entry.linkTarget.count >= ErofsFormat.blockSize { throw SystemError("creating link", code: ENAMETOOLONG) }
        try addLink(to: entry.linkTarget, ErofsForm.inode(entry, mode_t(S_IFLNK)), name, in: folder)
        return true
    }

    func addLink(to target: [UInt8], _ inode: ErofsInode, _ name: ArraySlice<UInt8>, in folder: LayerFolder)
        throws
    {
        var inode = inode
        // A link has no mode of its own.
        inode.mode = UInt16(S_IFLNK) | 0o777
        inode.size = Int64(target.count)
        var isRead = false
        let number = try target.withUnsafeBytes { bytes in
            try image.addFile(inode) {
                defer { isRead = true }
                return isRead ? nil : bytes
            }
        }
        targets[try add(number, inode.mode, name, in: folder)] = target
    }

    func addNode(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> Bool {
        guard try isFree(name, in: folder, "creating device") else { return false }
        let type = entry.kind == .fifo ? S_IFIFO : entry.kind == .blockDevice ? S_IFBLK : S_IFCHR
        var inode = try ErofsForm.inode(entry, mode_t(type))
        if entry.kind != .fifo {
            guard let device = ErofsFormat.device(major: entry.major, minor: entry.minor) else {
                throw SystemError("creating device", code: EINVAL)
            }
            inode.device = device
        }
        try add(image.addNode(inode), inode.mode, name, in: folder)
        return true
    }

    func addWhiteout(_ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> Bool {
        guard try isFree(name, in: folder, "creating whiteout") else { return false }
        if let whiteout {
            files[Int(whiteout)].links += 1
            content(folder).names[Array(name)] = .file(whiteout)
        } else {
            whiteout = try add(0, UInt16(S_IFCHR), name, in: folder)
        }
        return true
    }

    func link(_ name: ArraySlice<UInt8>, in folder: LayerFolder, to base: ArraySlice<UInt8>, in source: LayerFolder)
        throws -> Bool
    {
        guard try isFree(name, in: folder, "linking") else { return false }
        guard case .file(let file)? = content(source).names[Array(base)] else {
            throw SystemError("linking", code: ENOENT)
        }
        files[Int(file)].links += 1
        content(folder).names[Array(name)] = .file(file)
        return true
    }

    // MARK: Removal

    func remove(_ name: ArraySlice<UInt8>, from folder: LayerFolder) throws {
        forget(content(folder).names.removeValue(forKey: Array(name)))
    }

    /// Takes a name away from a file. Its data stays in the image.
    private func forget(_ name: ErofsName?) {
        switch name {
        case nil: return
        case .file(let file): files[Int(file)].links -= 1
        case .folder(let folder):
            var pending = [folder]
            while let next = pending.popLast() {
                for name in next.names.values {
                    switch name {
                    case .folder(let child): pending.append(child)
                    case .file(let file): files[Int(file)].links -= 1
                    }
                }
            }
        }
    }

    func removeWhiteouts(from folder: LayerFolder) throws {
        let content = content(folder)
        for (name, found) in content.names {
            guard case .file(let file) = found, file == whiteout else { continue }
            content.names[name] = nil
            files[Int(file)].links -= 1
        }
    }

    func finish(_ root: LayerFolder) throws {
        var pending = [root]
        while let folder = pending.popLast() {
            content(folder).inode.time = folder.time
            pending += folder.folders.values
        }
        if let whiteout, files[Int(whiteout)].links > 0 {
            files[Int(whiteout)].number = try image.addNode(ErofsInode(mode: UInt16(S_IFCHR)))
        }
        try ErofsFolders(content(root), of: self).write(uuid: uuid)
    }
}
