import CLinux
import LinuxSystem
import OCI

/// What an unpacked layer may hold.
package struct UnpackLimits: Sendable {
    package var tar = TarLimits.default
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
        let unpacking = try LayerUnpacking(directory, over: .finished(lower), limits: limits)
        try unpacking.read(BufferedPieces(tar))
        return try unpacking.finish()
    }
}

/// One layer being unpacked. System errors leave out the path where it is the entry's own: the caller adds it.
final class LayerUnpacking {
    let root: FileDescriptor
    let tree: LayerFolder
    let limits: UnpackLimits
    var summary = UnpackSummary()

    /// The layers below; nil while they are not needed and perhaps not finished (`LayerUnpacking+Deferred`).
    private var known: OpenLayers?
    private let promised: LowerLayers
    /// What is to be settled once they are.
    var deferred = DeferredWork()

    /// The folder that is open: entries of one folder mostly follow each other.
    private var current: (folder: LayerFolder, handle: OpenLayers.FileHandle)?
    /// The last parent as the archive names it, and the folder that it was resolved to.
    private var lastParent: (path: [UInt8], folder: LayerFolder)?

    init(_ directory: String, over lower: LowerLayers, limits: UnpackLimits) throws {
        root = try FileDescriptor.open(directory, O_RDONLY | O_DIRECTORY)
        self.limits = limits
        promised = lower
        tree = LayerFolder(name: [], parent: nil)
        guard try Directory.entries(root.raw).isEmpty else {
            throw EngineError(.conflict, "the folder \(directory) is not empty")
        }
        // Overlayfs takes the root's metadata from the topmost layer, whether its archive speaks of the root or not.
        try retrying("changing the mode") { fchmod(root.raw, 0o755) }
        deferred.folders.append(DeferredFolder(folder: tree, path: []))
        if case .finished = lower { try settle() }
    }

    var isSettled: Bool { known != nil }

    /// The layers below, finished: what was put off until now is done first.
    func lower() throws -> OpenLayers {
        if let known { return known }
        try settle()
        return try known ?? OpenLayers(promised.stack())
    }

    private func settle() throws {
        known = OpenLayers(try promised.stack())
        try settleDeferred()
    }

    /// Applies all entries and reads the source to its end.
    func read(_ tar: any PieceSource) throws {
        try LayerUnpacking.explaining {
            let reader = TarReader(tar, limits: limits.tar)
            while let entry = try reader.next() {
                try naming(entry.name) {
                    do { try apply(entry, content: reader) } catch {
                        // It may come of what was assumed of the layers below: then this throws instead.
                        _ = try lower()
                        throw error
                    }
                }
            }
            try reader.drain()
        }
    }

    /// Does what had to wait for the layers below, and for all entries.
    func finish() throws -> UnpackSummary {
        try LayerUnpacking.explaining {
            _ = try lower()
            try setTimes()
            return summary
        }
    }

    /// Adds an entry's name to an error that has none.
    func naming(_ name: String, _ body: () throws -> Void) throws {
        do { try body() } catch let error as SystemError where error.path == nil {
            throw SystemError(error.operation, name, code: error.code)
        }
    }

    private static func explaining<R>(_ body: () throws -> R) throws -> R {
        do { return try body() } catch let error as SystemError {
            throw EngineError(.failed, "unpacking layer: \(printable(error.description.utf8))")
        } catch let error as EngineError {
            throw EngineError(error.kind, "unpacking layer: \(error.message)", hint: error.hint)
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
        if !isSettled, deferred.concerns(name, in: folder) { _ = try lower() }
        try create(entry, name, in: folder, content)
        folder.markWritten()
        summary.files += 1
    }

    private func applyRoot(_ entry: TarEntry) throws {
        guard entry.kind == .directory else {
            throw EngineError(.invalid, "the root folder cannot become something else")
        }
        try setMetadata(of: root.raw, entry)
        tree.setMetadata(entry)
        summary.files += 1
    }

    private func create(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder, _ content: TarReader)
        throws
    {
        let cName = LayerPath.cString(name)
        switch entry.kind {
        case .file: try createFile(entry, cName, in: folder, content)
        case .directory: try createFolder(entry, name, in: folder)
        case .symlink: try createSymlink(entry, cName, in: folder)
        case .hardlink: try createHardlink(entry, name, in: folder)
        case .characterDevice, .blockDevice, .fifo: try createNode(entry, cName, in: folder)
        }
    }

    // MARK: Folders

    /// The descriptor of a folder of this layer, valid until the next call.
    func descriptor(of folder: LayerFolder) throws -> CInt {
        if folder === tree { return root.raw }
        if let current, current.folder === folder { return current.handle.file.raw }
        let handle = OpenLayers.FileHandle(try open(folder))
        current = (folder, handle)
        return handle.file.raw
    }

    /// Opens a folder of this layer again, for its own owner.
    func open(_ folder: LayerFolder) throws -> FileDescriptor {
        let path = folder.path
        return try FileDescriptor.openBeneath(
            root.raw,
            path.isEmpty ? [0x2e, 0] : LayerPath.cString(path[...]),
            O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        )
    }

    /// The folder that is being entered: what follows is mostly inside it.
    func setCurrent(_ folder: LayerFolder, _ file: consuming FileDescriptor) {
        current = (folder, OpenLayers.FileHandle(file))
    }

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
            switch try look(up: name, in: folder, create: create) {
            case .unknown: folder = try makeDeferredFolder(name, in: folder)
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
        /// Nothing of this layer; of those below it is not known yet, and need not be.
        case unknown
        case link([UInt8])
        /// Of the layers below only.
        case folder(MergedNode)
        /// A file, or a whiteout of this layer.
        case other
        case nothing
    }

    /// What a name is that is no folder of this layer yet: in this layer, else in those below.
    private func look(up name: ArraySlice<UInt8>, in folder: LayerFolder, create: Bool) throws -> Looked {
        if !isSettled, deferred.hides(name, in: folder) { _ = try lower() }
        let cName = LayerPath.cString(name)
        let directory = try descriptor(of: folder)
        if let status = try LayerPath.status(cName, in: directory) {
            guard status.kind == .symbolicLink else { return .other }
            return .link(try Files.linkTarget(cName, in: directory))
        }
        if !isSettled {
            if create { return .unknown }
            // What is settled now may be just this name.
            _ = try lower()
            return try look(up: name, in: folder, create: create)
        }
        guard let node = try below(name, in: folder) else { return .nothing }
        switch node.status.kind {
        case .directory: return .folder(node)
        case .symbolicLink: return .link(try lower().locate(node).linkTarget())
        default: return .other
        }
    }

    /// What the layers below have under a name, unless this layer hides it with the whole folder.
    func below(_ name: some Collection<UInt8>, in folder: LayerFolder) throws -> MergedNode? {
        let lower = try lower()
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
    func makeFolder(_ name: ArraySlice<UInt8>, in folder: LayerFolder, like below: MergedNode?) throws
        -> LayerFolder
    {
        if name.starts(with: WhiteoutName.prefix) { throw LayerPath.invalidWhiteout(name) }
        let child = try addFolder(name, in: folder)
        let file = try FileDescriptor.openAt(
            try descriptor(of: folder),
            LayerPath.cString(name),
            O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        )
        if let below, !child.isOpaque {
            child.lowerLayers = below.layers
            try copyMetadata(from: below, to: child, file.raw)
        } else {
            try retrying("changing the owner") { fchown(file.raw, 0, 0) }
            try retrying("changing the mode") { fchmod(file.raw, 0o755) }
        }
        setCurrent(child, file)
        return child
    }

    /// mkdir(2), in the place of whatever this layer has there, and the folder's node.
    func addFolder(_ name: ArraySlice<UInt8>, in folder: LayerFolder) throws -> LayerFolder {
        let cName = LayerPath.cString(name)
        let directory = try descriptor(of: folder)
        var replaces = false
        if mkdirat(directory, cName, 0o700) != 0 {
            guard errno == EEXIST else { throw SystemError("creating folder") }
            try remove(cName, from: folder)
            replaces = true
            try retrying("creating folder") { mkdirat(directory, cName, 0o700) }
        }
        forgetResolved()
        let child = LayerFolder(name: Array(name), parent: folder)
        guard child.depth <= limits.tar.depth else { throw SystemError("creating folder", code: ENAMETOOLONG) }
        folder.folders[child.name] = child
        // A file or whiteout of this layer stood here: what is below it in lower layers is gone for good.
        if replaces { try makeOpaque(child) }
        return child
    }

    private func copyMetadata(from below: MergedNode, to folder: LayerFolder, _ file: CInt) throws {
        let source = try lower().locate(below)
        let metadata = try NodeMetadata.of(source.raw) { !OverlayForm.isOwnAttribute($0) }
        try metadata.apply(to: file)
        folder.time = metadata.status.modified
    }

    /// Removes what this layer has under a name: file, link or folder with all below it.
    func remove(_ cName: [CChar], from folder: LayerFolder) throws {
        forgetResolved()
        let directory = try descriptor(of: folder)
        if unlinkat(directory, cName, 0) == 0 { return }
        guard errno == EISDIR else { throw SystemError("replacing") }
        let child = try FileDescriptor.openAt(directory, cName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        try Directory.removeContents(child, device: try child.status().device)
        try retrying("replacing") { unlinkat(directory, cName, AT_REMOVEDIR) }
        folder.folders[cName.dropLast().map(UInt8.init(bitPattern:))] = nil
        if current?.folder !== folder { current = nil }
    }

    /// Sets the folders' times: last, since every entry made in a folder changes its own.
    private func setTimes() throws {
        var pending = [tree]
        while let folder = pending.popLast() {
            let times = [folder.time, folder.time]
            let file = try open(folder)
            try retrying("changing the time of", String(decoding: folder.path, as: UTF8.self)) {
                futimens(file.raw, times)
            }
            pending += folder.folders.values
        }
    }
}
