import CLinux
import Images
import LinuxSystem
import OCI

/// Archives that ADD unpacks: tars, plain or compressed by gzip, zstd, bzip2 or xz, known by their content.
struct ArchiveSource {
    let workspace: BuildWorkspace

    /// As for a layer.
    let limits: UnpackLimits

    init(_ workspace: BuildWorkspace, _ limits: UnpackLimits) {
        self.workspace = workspace
        self.limits = limits
    }

    /// What an archive holds, as a folder to copy; nil for anything but an archive.
    ///
    /// It is unpacked to a place of its own first, as layers are: whatever its names say, nothing leaves that place.
    /// Its members keep their times and owners.
    func unpack(_ match: CopyMatch) throws -> CopyMatch? {
        guard match.top.status.kind == .file, try isArchive(match) else { return nil }
        let folder = try workspace.folder("archive")
        do {
            _ = try LayerUnpacker.unpack(tar(match), into: folder, over: LayerStack(directories: []), limits: limits)
        } catch let error as EngineError {
            throw EngineError(error.kind, "unpacking \(TreePath.text(match.name)): \(error.message)")
        }
        let tree = try HostTree(unpacked: folder)
        guard let top = try tree.find([]) else { return nil }
        return CopyMatch(name: [], tree: tree, top: top, items: try TreeWalk(tree: tree).items(below: top))
    }

    /// Whether a tar's first header can be read.
    private func isArchive(_ match: CopyMatch) throws -> Bool {
        let reader = TarReader(try tar(match), limits: limits.tar)
        do { return try reader.next() != nil } catch is EngineError { return false }
    }

    private func tar(_ match: CopyMatch) throws -> any ByteSource {
        LimitedSource(
            decompressing: Images.FileSource(owning: try match.tree.open(match.top)),
            ExpansionBudget(limits.expansion),
            subject: "the archive"
        )
    }
}
