import CLinux
import LinuxSystem
import OCI

package struct PackOptions: Sendable {
    /// How an entry's time of modification is changed, for builds that give the same bytes again.
    package enum TimeClamp: Equatable, Sendable {
        case none
        /// Times after this one (seconds since 1970) become it: SOURCE_DATE_EPOCH with rewrite-timestamp.
        case newerThan(Int64)
        /// Every time becomes this one.
        case all(Int64)
    }

    package var clamp = TimeClamp.none
    /// Paths inside the layer, without a first slash, that are left out with all below them.
    package var exclude: Set<String> = []
    /// Whether the root folder gets an entry of its own ("./"). Docker's layers have none.
    package var includesRoot = false
    package init() {}
}

/// What was packed: entries of the archive, and bytes of file content.
package struct PackSummary: Equatable, Sendable {
    package var files = 0
    package var bytes: Int64 = 0
    package init() {}
}

/// Turns a folder in overlayfs form (an upper folder) into an OCI layer's tar.
///
/// The bytes depend on the folder's content only, not on the order in which the file system lists it: a folder comes
/// before what is in it, and names are sorted by their bytes. Times are cut to seconds, as docker does it. Of the
/// extended attributes security.capability and user.* are kept. Sockets are left out; sparse files are written in
/// full.
package struct LayerPacker {
    package static func pack(_ directory: String, to sink: any ByteSink, options: PackOptions = PackOptions()) throws
        -> PackSummary
    {
        let packing = LayerPacking(sink, options)
        do {
            let root = try FileDescriptor.open(directory, O_RDONLY | O_DIRECTORY)
            try packing.packRoot(root)
            return packing.summary
        } catch let error as SystemError {
            throw EngineError(.failed, "packing layer: \(printable(error.description.utf8))")
        } catch let error as EngineError {
            throw EngineError(error.kind, "packing layer: \(error.message)", hint: error.hint)
        }
    }
}

private final class LayerPacking {
    private struct Inode: Hashable {
        let device: dev_t
        let number: UInt64
    }

    private let writer: TarWriter
    private let options: PackOptions
    private let exclude: Set<[UInt8]>
    /// The first path of every file that has more than one.
    private var linked: [Inode: [UInt8]] = [:]
    var summary = PackSummary()

    init(_ sink: any ByteSink, _ options: PackOptions) {
        writer = TarWriter(sink)
        self.options = options
        exclude = Set(options.exclude.map(\.rawBytes))
    }

    /// A folder that is being packed. It has no descriptor: as many of them lie in each other as somebody liked to make.
    private struct Folder {
        /// Empty or with a last slash.
        let path: [UInt8]
        /// Those to come, the next one last.
        var names: [[CChar]]
    }

    func packRoot(_ root: borrowing FileDescriptor) throws {
        if options.includesRoot {
            var entry = TarEntry(path: "./", kind: .directory)
            try describe(try root.status(), root.raw, &entry)
            try append(entry)
        }
        // The folders on the way, and of the innermost one a descriptor.
        var pending = [try begin(root, path: [])]
        var current = OpenLayers.FileHandle(try root.duplicate())
        while let last = pending.indices.last {
            guard let name = pending[last].names.popLast() else {
                pending.removeLast()
                if let above = pending.last, !above.names.isEmpty {
                    current = OpenLayers.FileHandle(try open(above.path, in: root.raw))
                }
                continue
            }
            let path = pending[last].path + name.dropLast().map(UInt8.init(bitPattern:))
            do {
                guard let folder = try pack(name, in: current.file.raw, path: path) else { continue }
                pending.append(try begin(folder.file, path: path + [UInt8(ascii: "/")]))
                current = folder
            } catch let error as SystemError where error.path == nil {
                throw SystemError(error.operation, printable(path), code: error.code)
            }
        }
        try writer.finish()
    }

    private func open(_ path: [UInt8], in root: CInt) throws -> FileDescriptor {
        let name = path.isEmpty ? [0x2e, 0] : LayerPath.cString(path.dropLast())
        return try FileDescriptor.openBeneath(root, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    /// What comes before the entries of a folder, and their names.
    private func begin(_ folder: borrowing FileDescriptor, path: [UInt8]) throws -> Folder {
        // What no reader takes, ours included: nobody could unpack it again.
        guard path.count <= TarLimits.default.path else {
            throw EngineError(
                .unsupported,
                "a folder's path has \(path.count) bytes, and a layer's at most \(TarLimits.default.path)"
            )
        }
        try refuseUnfinished(folder.raw, path)
        if try PathAttributes.value(OverlayForm.opaqueAttribute, of: folder.raw) == [UInt8(ascii: "y")] {
            try append(whiteout(path + WhiteoutName.opaque))
        }
        var entries = try Directory.entries(folder.raw).map { (bytes: $0.bytes, name: $0.name) }
        if !exclude.isEmpty { entries.removeAll { exclude.contains(path + $0.bytes) } }
        entries.sort { $1.bytes.lexicographicallyPrecedes($0.bytes) }
        return Folder(path: path, names: entries.map(\.name))
    }

    /// One name of a folder; of a folder only its entry, and it is given back.
    private func pack(_ name: [CChar], in folder: CInt, path: [UInt8]) throws -> OpenLayers.FileHandle? {
        let status = try FileStatus.of(name, in: folder)
        let bytes = path[(path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0)...]
        if OverlayForm.isWhiteout(status) {
            try append(whiteout(path[..<bytes.startIndex] + WhiteoutName.prefix + bytes))
            return nil
        }
        if bytes.starts(with: WhiteoutName.prefix) {
            throw EngineError(
                .unsupported,
                "the name \(printable(path)) means a whiteout in a layer"
            )
        }
        switch status.kind {
        case .socket: break
        case .file: try packFile(name, in: folder, path: path)
        case .directory:
            let child = OpenLayers.FileHandle(
                try FileDescriptor.openAt(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            )
            var entry = TarEntry(path: path + [UInt8(ascii: "/")], kind: .directory)
            try describe(try child.file.status(), child.file.raw, &entry)
            try append(entry)
            return child
        case .symbolicLink:
            if try appendLink(status, path) { break }
            var entry = TarEntry(path: path, kind: .symlink)
            entry.linkTarget = try Files.linkTarget(name, in: folder)
            try describe(status, nil, &entry)
            try append(entry)
        case .characterDevice, .blockDevice, .fifo:
            if try appendLink(status, path) { break }
            let kind = status.kind
            var entry = TarEntry(
                path: path,
                kind: kind == .fifo ? .fifo : kind == .blockDevice ? .blockDevice : .characterDevice
            )
            if kind != .fifo { (entry.major, entry.minor) = (status.major, status.minor) }
            try describe(status, nil, &entry)
            try append(entry)
        }
        return nil
    }

    private func packFile(_ name: [CChar], in folder: CInt, path: [UInt8]) throws {
        // Not blocking: a running container may have put a pipe in the file's place.
        let file = try FileDescriptor.openAt(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        let status = try file.status()
        guard status.kind == .file else {
            throw EngineError(.failed, "\(printable(path)) changed while it was read")
        }
        if try appendLink(status, path) { return }
        try refuseUnfinished(file.raw, path)
        var entry = TarEntry(path: path, kind: .file)
        entry.size = status.size
        try describe(status, file.raw, &entry)
        try append(entry, content: FileSource(owning: file, offset: 0))
        summary.bytes += status.size
    }

    /// Writes a hard link where the file was packed under another name; else remembers this name.
    private func appendLink(_ status: FileStatus, _ path: [UInt8]) throws -> Bool {
        guard status.links > 1 else { return false }
        let inode = Inode(device: status.device, number: status.inode)
        guard let first = linked[inode] else {
            linked[inode] = path
            return false
        }
        var entry = TarEntry(path: path, kind: .hardlink)
        entry.linkTarget = first
        try describe(status, nil, &entry)
        try append(entry)
        return true
    }

    /// Overlayfs can say more with attributes than a layer can: where such a folder or file really is.
    private func refuseUnfinished(_ file: CInt, _ path: [UInt8]) throws {
        for name in ["trusted.overlay.redirect", "trusted.overlay.metacopy"] {
            if try PathAttributes.value(name, of: file) != nil {
                throw EngineError(
                    .unsupported,
                    "\(printable(path)) was made by an overlay with \(name), which a layer cannot say"
                )
            }
        }
    }

    private func whiteout(_ path: some Sequence<UInt8>) -> TarEntry {
        var entry = TarEntry(path: Array(path), kind: .file)
        entry.mode = 0
        return entry
    }

    /// Owner, mode, time and, of an open file, attributes.
    private func describe(_ status: FileStatus, _ file: CInt?, _ entry: inout TarEntry) throws {
        entry.mode = UInt32(status.mode)
        entry.uid = status.owner
        entry.gid = status.group
        entry.mtime = clamped(Int64(status.modified.tv_sec))
        guard let file else { return }
        for name in try PathAttributes.names(of: file) where LayerPacking.keeps(name) {
            if let value = try PathAttributes.value(name, of: file) { entry.xattrs.append((name, value)) }
        }
    }

    private static func keeps(_ name: String) -> Bool {
        name == "security.capability" || name.hasPrefix("user.") && !OverlayForm.isOwnAttribute(name)
    }

    private func clamped(_ time: Int64) -> Int64 {
        switch options.clamp {
        case .none: time
        case .newerThan(let limit): min(time, limit)
        case .all(let fixed): fixed
        }
    }

    private func append(_ entry: TarEntry, content: (any ByteSource)? = nil) throws {
        try writer.append(entry, content: content)
        summary.files += 1
    }
}
