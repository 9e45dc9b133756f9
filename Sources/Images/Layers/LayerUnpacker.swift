import CLinux
import LinuxSystem
import OCI

/// What an unpacked layer may hold.
package struct UnpackLimits: Equatable, Sendable {
    package var tar = TarLimits.default
    /// Of the layer's compressed form; whoever decompresses it sees to this.
    package var expansion = ExpansionLimits.default
    package static let `default` = UnpackLimits()
    package init() {}
}

/// What was unpacked: entries of the archive, and bytes of file content.
package struct UnpackSummary: Equatable, Sendable {
    package var files = 0
    package var bytes: Int64 = 0
    package init() {}
}

/// Turns a layer's tar into a folder in the form that overlayfs mounts.
///
/// The result, mounted over the layers below, shows what those layers with this archive applied to them would be:
/// - A name is taken from the root and cleaned as text. Links on its way are resolved in the merged tree of this
///   layer and those below, and never lead outside.
/// - A folder on the way that has no entry of its own takes mode, owner, time and attributes from the layers below.
/// - Whiteouts hide only what lies below: entries of the same layer survive them, whatever their order.
/// - A hard link to a file of a lower layer copies that file into this layer first.
///
/// It needs root: owners, device nodes and trusted attributes are part of a layer.
package struct LayerUnpacker {
    /// Unpacks a plain tar and reads `tar` to its end, so that a `VerifiedSource` below it is verified.
    /// - Parameters:
    ///   - directory: an empty folder, which becomes the layer. After an error it holds a part of it: remove it. Nothing
    ///     outside of it is ever changed.
    ///   - lower: the layers below this one.
    package static func unpack(
        _ tar: any ByteSource,
        into directory: String,
        over lower: LayerStack,
        limits: UnpackLimits = .default
    ) throws -> UnpackSummary {
        try unpack(BufferedPieces(tar), into: directory, over: lower, limits: limits)
    }

    static func unpack(
        _ tar: any PieceSource,
        into directory: String,
        over lower: LayerStack,
        limits: UnpackLimits = .default
    ) throws -> UnpackSummary {
        try unpack(tar, over: lower, limits) { try FolderForm(directory) }
    }

    /// Writes a plain tar as an EROFS image that shows the same layer, and reads `tar` to its end. It needs no rights.
    /// - Parameters:
    ///   - image: an empty file, to be read and written. After an error it holds a part of the layer. It is not synced.
    ///   - uuid: 16 bytes; the same archive over the same layers with the same UUID gives the same bytes.
    package static func write(
        _ tar: any ByteSource,
        image: consuming FileDescriptor,
        uuid: [UInt8],
        over lower: LayerStack,
        limits: UnpackLimits = .default
    ) throws -> UnpackSummary {
        try write(BufferedPieces(tar), image: image, uuid: uuid, over: lower, limits: limits)
    }

    static func write(
        _ tar: any PieceSource,
        image: consuming FileDescriptor,
        uuid: [UInt8],
        over lower: LayerStack,
        limits: UnpackLimits = .default
    ) throws -> UnpackSummary {
        let form = ErofsForm(image, uuid: uuid)
        return try unpack(tar, over: lower, limits) { form }
    }

    private static func unpack(
        _ tar: any PieceSource,
        over lower: LayerStack,
        _ limits: UnpackLimits,
        into form: () throws -> any LayerForm
    ) throws -> UnpackSummary {
        do {
            let reader = TarReader(tar, limits: limits.tar)
            let unpacking = try LayerUnpacking(form(), over: lower, limits: limits)
            while let entry = try reader.next() {
                do {
                    try unpacking.apply(entry, content: reader)
                } catch let error as SystemError where error.path == nil {
                    throw SystemError(error.operation, entry.name, code: error.code)
                }
            }
            try unpacking.finish()
            try reader.drain()
            return unpacking.summary
        } catch let error as SystemError {
            throw EngineError(.failed, "unpacking layer: \(printable(error.description.utf8))")
        } catch let error as EngineError {
            throw EngineError(error.kind, "unpacking layer: \(error.message)", hint: error.hint)
        }
    }
}

/// One layer being unpacked. System errors leave out the path where it is the entry's own: the caller adds it.
final class LayerUnpacking {
    let form: any LayerForm
    let tree: LayerFolder
    let lower: OpenLayers
    let limits: UnpackLimits
    var summary = UnpackSummary()

    /// The last parent as the archive names it, and the folder that it was resolved to.
    private var lastParent: (path: [UInt8], folder: LayerFolder)?

    init(_ form: any LayerForm, over lower: LayerStack, limits: UnpackLimits) throws {
        self.form = form
        self.limits = limits
        self.lower = OpenLayers(lower)
        tree = LayerFolder(name: [], parent: nil)
        // Overlayfs takes the root's metadata from the topmost layer, whether its archive speaks of the root or not.
        if let below = try self.lower.rootNode() {
            tree.lowerLayers = below.layers
            try form.copyMetadata(of: below, from: self.lower, to: tree)
        } else {
            tree.lowerLayers = []
            try form.setDefaultMetadata(of: tree)
        }
    }

    // MARK: Entries

    func apply(_ entry: TarEntry, content: TarReader) throws {
        let path = LayerPath.cleaned(entry.path)
        if path.isEmpty { return try applyRoot(entry) }
        let slash = path.lastIndex(of: UInt8(ascii: "/"))
        let name = slash.map { path[($0 + 1)...] } ?? path[...]
        let parent = slash.map { path[..<$0] } ?? []
        if LayerPath.hasReserved(parent) { return }
        if name.starts(with: WhiteoutName.prefix) { return try whiteOut(name, below: parent, entry) }
        guard let folder = try resolve(parent, create: true) else { return }
        try create(entry, name, in: folder, content)
        folder.markWritten()
        summary.files += 1
    }

    private func applyRoot(_ entry: TarEntry) throws {
        guard entry.kind == .directory else {
            throw EngineError(.invalid, "the root folder cannot become something else")
        }
        try form.setMetadata(of: tree, entry)
        tree.setTime(entry)
        summary.files += 1
    }

    private func create(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder, _ content: TarReader)
        throws
    {
        switch entry.kind {
        case .file: try createFile(entry, name, in: folder, content)
        case .directory: try createFolder(entry, name, in: folder)
        case .symlink: try createSymlink(entry, name, in: folder)
        case .hardlink: try createHardlink(entry, name, in: folder)
        case .characterDevice, .blockDevice, .fifo: try createNode(entry, name, in: folder)
        }
    }

    // MARK: Folders

    /// What was resolved may lead elsewhere now: a name became a folder, a link, or nothing.
    func forgetResolved() { lastParent = nil }

    /// Finds the folder of this layer that a parent path means; with `create`, makes it where it is missing.
    /// - Returns: nil without `create` where the merged tree has no such folder.
    func resolve(_ parent: ArraySlice<UInt8>, create: Bool) throws -> LayerFolder? {
        if parent.isEmpty { return tree }
        if let lastParent, lastParent.path.elementsEqual(parent) { return lastParent.folder }
        var folder = tree
        var walk = PathWalk(parent)
        while let name = walk.next() {
            if name == [0x2e, 0x2e] {
                folder = folder.parent ?? tree
                continue
            }
            if let child = folder.folders[Array(name)] {
                folder = child
                continue
            }
            switch try look(up: name, in: folder) {
            case .link(let target):
                if target.first == UInt8(ascii: "/") { folder = tree }
                try walk.follow(target)
            case .folder(let below): folder = try makeFolder(name, in: folder, like: below)
            case .nothing, .other:
                if !create { return nil }
                folder = try makeFolder(name, in: folder, like: nil)
            }
        }
        // A path through a link may mean something else after the next file: the link may come from a lower layer.
        if !walk.hasFollowed { lastParent = (Array(parent), folder) }
        return folder
    }

    private enum Looked {
        case link([UInt8])
        /// Of the layers below only.
        case folder(MergedNode)
        /// A file, or a whiteout of this layer.
        case other
        case nothing
    }

    /// What a name is that is no folder of this layer yet: in this layer, else in those below.
    private func look(up name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> Looked {
        switch try form.member(name, in: folder) {
        case .link(let target): return .link(target)
        case .file, .folder, .whiteout: return .other
        case nil: break
        }
        guard let node = try below(name, in: folder) else { return .nothing }
        switch node.status.kind {
        case .directory: return .folder(node)
        case .symbolicLink: return .link(try lower.locate(node).linkTarget())
        default: return .other
        }
    }

    /// What the layers below have under a name, unless this layer hides it with the whole folder.
    func below(_ name: some Collection<UInt8>, in folder: LayerFolder) throws -> MergedNode? {
        let layers = try lowerLayers(of: folder)
        if layers.isEmpty { return nil }
        return try lower.child(name, of: MergedFolder(path: folder.path, layers: layers))
    }

    /// The layers below whose folder of this path shows through.
    private func lowerLayers(of folder: LayerFolder) throws -> [Int] {
        if let layers = folder.lowerLayers { return layers }
        var layers: [Int] = []
        if !folder.isOpaque, let parent = folder.parent, let node = try below(folder.name, in: parent),
            node.status.kind == .directory
        {
            layers = node.layers
        }
        folder.lowerLayers = layers
        return layers
    }

    /// Makes a folder that has no entry (yet).
    private func makeFolder(_ name: ArraySlice<UInt8>, in folder: LayerFolder, like below: MergedNode?) throws
        -> LayerFolder
    {
        if name.starts(with: WhiteoutName.prefix) { throw LayerPath.invalidWhiteout(name) }
        let child = try addFolder(name, in: folder)
        if let below, !child.isOpaque {
            child.lowerLayers = below.layers
            try form.copyMetadata(of: below, from: lower, to: child)
        } else {
            try form.setDefaultMetadata(of: child)
        }
        return child
    }

    /// A new folder, in the place of whatever this layer has there.
    func addFolder(_ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> LayerFolder {
        let child = LayerFolder(name: Array(name), parent: folder)
        guard child.depth <= limits.tar.depth else { throw SystemError("creating folder", code: ENAMETOOLONG) }
        var replaces = false
        try replacing(name, in: folder) {
            if try form.addFolder(child, in: folder) { return true }
            replaces = true
            return false
        }
        forgetResolved()
        folder.folders[child.name] = child
        // A file or whiteout of this layer stood here: what is below it in lower layers is gone for good.
        if replaces { try makeOpaque(child) }
        return child
    }

    /// Removes what this layer has under a name: file, link or folder with all below it.
    func remove(_ name: ArraySlice<UInt8>, from folder: LayerFolder) throws {
        forgetResolved()
        try form.remove(name, from: folder)
        folder.folders[Array(name)] = nil
    }

    func finish() throws { try form.finish(tree) }
}
