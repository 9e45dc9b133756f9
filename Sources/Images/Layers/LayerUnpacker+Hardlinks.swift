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
        // It would go with the folder in whose place the link comes.
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
        if !isSettled {
            // What is settled now may be just this name.
            _ = try lower()
            return try provide(name, in: folder, entry)
        }
        guard let node = try below(name, in: folder), node.status.kind != .directory else { throw missing(entry) }
        if node.status.kind == .file { try countCopy(node.status.allocated) }
        try form.copy(node, from: lower(), name, in: folder)
        folder.markWritten()
    }

    /// A link of some bytes makes a copy of any size: a hundred layers of such links would fill the disk from nothing.
    private func countCopy(_ size: Int64) throws {
        let (sum, overflows) = workDone.copied.addingReportingOverflow(size)
        guard !overflows, sum <= limits.copies else {
            throw EngineError(
                .invalid,
                "its hard links copy more than \(limits.copies) bytes of the layers below",
                hint: "if it is no tar bomb, allow it with --max-layer-size or MINIRUN_MAX_LAYER_SIZE"
            )
        }
        workDone.copied = sum
    }
}
