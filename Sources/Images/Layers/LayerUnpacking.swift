import CLinux
import LinuxSystem
import OCI

/// How much of what costs more than its entry an unpacking did: for tests of what comes only once.
struct LayerWorkDone: Equatable {
    /// Names that the layers below were searched for because of a whiteout, and folders that a marker was looked for in.
    var searches = 0
    /// Bytes of files of the layers below that were copied for hard links.
    var copied: Int64 = 0
}

/// One layer being unpacked. System errors leave out the path where it is the entry's own: the caller adds it.
final class LayerUnpacking {
    let form: any LayerForm
    let tree: LayerFolder
    let limits: UnpackLimits
    var summary = UnpackSummary()

    /// What is to be settled once the layers below are known.
    var deferred = DeferredWork()
    /// The layers below; nil while they are not needed and perhaps not finished (`LayerUnpacker+Deferred`).
    private var known: OpenLayers?
    private let promised: LowerLayers

    /// Whether all that the layers below have in the root is hidden.
    var isRootHidden = false
    /// What an archive could make us do again and again.
    var workDone = LayerWorkDone()

    /// The last parent as the archive names it, and the folder that it was resolved to.
    var lastParent: (path: [UInt8], folder: LayerFolder)?

    init(_ form: any LayerForm, over lower: LowerLayers, limits: UnpackLimits) throws {
        self.form = form
        self.limits = limits
        promised = lower
        tree = LayerFolder(name: [], parent: nil)
        try form.setDefaultMetadata(of: tree)
        // Overlayfs takes the root's metadata from the topmost layer, whether its archive speaks of the root or not.
        deferred.folders.append(DeferredFolder(folder: tree, path: []))
        if case .finished = lower { _ = try self.lower() }
    }

    // MARK: The layers below

    var isSettled: Bool { known != nil }

    /// The layers below, finished: what was put off until now is done first.
    func lower() throws -> OpenLayers {
        if let known { return known }
        let layers = OpenLayers(try promised.stack())
        known = layers
        try settleDeferred(over: layers)
        return layers
    }

    // MARK: Entries

    /// Applies all entries and reads the source to its end.
    func read(_ tar: any PieceSource) throws {
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

    /// Does what had to wait for the layers below, and for all entries.
    func finish() throws -> UnpackSummary {
        _ = try lower()
        try form.finish(tree)
        return summary
    }

    /// Adds an entry's name to an error that has none.
    func naming(_ name: String, _ body: () throws -> Void) throws {
        do { try body() } catch let error as SystemError where error.path == nil {
            throw SystemError(error.operation, name, code: error.code)
        }
    }

    private func apply(_ entry: TarEntry, content: TarReader) throws {
        let path = LayerPath.cleaned(entry.path)
        if path.isEmpty { return try applyRoot(entry) }
        let slash = path.lastIndex(of: UInt8(ascii: "/"))
        let name = slash.map { path[($0 + 1)...] } ?? path[...]
        let parent = slash.map { path[..<$0] } ?? []
        if LayerPath.hasReserved(parent) { return }
        if name.starts(with: WhiteoutName.prefix) { return try applyWhiteout(name, below: parent, entry) }
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
        try form.setMetadata(of: tree, entry)
        tree.setMetadata(entry)
        summary.files += 1
    }

    private func create(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder, _ content: TarReader)
        throws
    {
        try LayerAttributes.check(entry)
        switch entry.kind {
        case .file: try createFile(entry, name, in: folder, content)
        case .directory: try createFolder(entry, name, in: folder)
        case .symlink: try createSymlink(entry, name, in: folder)
        case .hardlink: try createHardlink(entry, name, in: folder)
        case .characterDevice, .blockDevice, .fifo: try createNode(entry, name, in: folder)
        }
    }
}
