import LinuxSystem
import OCI

extension LayerUnpacking {
    /// A second name for a file of this layer; a file of a lower layer is copied into this one first. The link's own
    /// metadata in the archive is that of its target and is not applied again.
    func createHardlink(_ entry: TarEntry, _ name: ArraySlice<UInt8>, in folder: LayerFolder) throws {
        let target = LayerPath.cleaned(entry.linkTarget)
        let slash = target.lastIndex(of: UInt8(ascii: "/"))
        let parent = slash.map { target[..<$0] } ?? []
        let base = slash.map { target[($0 + 1)...] } ?? target[...]
        guard !base.isEmpty, !base.starts(with: WhiteoutName.prefix), !LayerPath.hasReserved(parent),
            let source = try resolve(parent, create: false)
        else { throw missing(entry) }
        try provide(base, in: source, entry)
        if source === folder, base == name { return }
        // The link would take the place of a folder that its own target lies in: both would be gone.
        if let replaced = folder.folders[Array(name)], source.isInside(replaced) { throw missing(entry) }
        try replacing(name, in: folder) { try form.link(name, in: folder, to: base, in: source) }
    }

    private func missing(_ entry: TarEntry) -> EngineError {
        let target = printable(entry.linkTarget)
        return EngineError(.invalid, "\(entry.name) is a hard link to \(target), which is not there or not a file")
    }

    /// Sees to it that this layer has the file.
    private func provide(_ name: ArraySlice<UInt8>, in folder: LayerFolder, _ entry: TarEntry) throws {
        switch try form.member(name, in: folder) {
        case .folder, .whiteout: throw missing(entry)
        case .file, .link: return
        case nil: break
        }
        guard let node = try below(name, in: folder), node.status.kind != .directory else { throw missing(entry) }
        try form.copy(node, from: lower, name, in: folder)
        folder.markWritten()
    }
}
