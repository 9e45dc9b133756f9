import CLinux
import Images
import LinuxSystem
import OCI

/// Puts a step's sources into a draft, by BuildKit's rules:
///
/// - A file goes to the destination, or into it where it is a folder. Links at the destination are followed, links in a
///   folder are replaced.
/// - Of a folder the content is copied. The destination keeps its own mode and owner; folders inside get those of the
///   source, also where they exist.
/// - Folders on the way that are missing are made with mode 0755 and the copy's owner.
struct CopyExecution {
    let draft: LayerDraft
    let step: CopyStep
    /// `--chown`; nil keeps the owners of a stage's files, and makes root the owner of the context's.
    let owner: Owner?
    /// The time that copies get, in seconds since 1970.
    let time: Int64
    /// No copy is newer than that, whatever its tree says.
    let epoch: Int64?
    /// An empty place for unpacked archives.
    let workspace: BuildWorkspace
    /// What an archive may hold that ADD unpacks.
    let limits: UnpackLimits
    let interruption: () throws -> Void

    func copy(_ sources: CopySources) throws {
        for match in sources.matches {
            if step.isAdd, step.unpacksLocal, let unpacked = try ArchiveSource(workspace, limits).unpack(match) {
                try extract(unpacked)
            } else {
                try copy(match, isOneOfSeveral: sources.isSeveral)
            }
        }
    }

    private var newOwner: Owner { owner ?? .root }

    private func copy(_ match: CopyMatch, isOneOfSeveral: Bool) throws {
        var none: [HardLink: [UInt8]] = [:]
        let path = try draft.resolve(step.destination)
        let isFolder = match.top.status.kind == .directory
        if step.needsDirectory { try draft.makeFolders(path, newOwner, time: time) }
        let there = try draft.status(path)
        if isFolder {
            if let there, there.kind != .directory { throw DraftError.notFolder(path) }
            return try copyContents(of: match, to: path)
        }
        if there?.kind == .directory || path.isEmpty {
            return try place(match.top, of: match, at: TreePath.join(path, match.name), &none)
        }
        if isOneOfSeveral {
            throw EngineError(
                .invalid,
                "When using \(step.isAdd ? "ADD" : "COPY") with more than one source file, "
                    + "the destination must be a directory and end with a /"
            )
        }
        try draft.makeFolders(TreePath.parent(path), newOwner, time: time)
        try place(match.top, of: match, at: path, &none)
    }

    /// An archive's content goes into the destination whatever is there.
    private func extract(_ match: CopyMatch) throws {
        let path = try draft.resolve(step.destination)
        try draft.makeFolders(path, newOwner, time: time)
        try copyContents(of: match, to: path)
    }

    private func copyContents(of match: CopyMatch, to path: [UInt8]) throws {
        try draft.makeFolders(path, newOwner, time: time)
        var links: [HardLink: [UInt8]] = [:]
        for item in match.items { try place(item, of: match, at: TreePath.join(path, item.path), &links) }
    }

    // MARK: One file

    private struct HardLink: Hashable {
        let device: dev_t
        let inode: UInt64
    }

    private func place(
        _ item: TreeItem,
        of match: CopyMatch,
        at path: [UInt8],
        _ links: inout [HardLink: [UInt8]]
    ) throws {
        try interruption()
        let metadata = self.metadata(of: item, in: match.tree)
        switch item.status.kind {
        case .directory: try draft.place(folder: path, metadata)
        case .symbolicLink: try draft.place(link: path, to: item.linkTarget, metadata)
        case .file:
            // Names of one file in the context are chance (a clone of a repository may have them); in a layer they are
            // not.
            let link = HardLink(device: item.status.device, inode: item.status.inode)
            if match.tree.keepsOwners, item.status.links > 1 {
                if let first = links[link] { return try draft.place(hardlink: path, to: first) }
                links[link] = path
            }
            try copyFile(item, of: match.tree, to: path, metadata)
        case .characterDevice, .blockDevice, .fifo:
            try draft.place(node: path, like: item.status, metadata)
        case .socket: break
        }
    }

    private func copyFile(
        _ item: TreeItem,
        of tree: any SourceTree,
        to path: [UInt8],
        _ metadata: PlacedMetadata
    ) throws {
        let source = try tree.open(item)
        let before = try source.status()
        try draft.place(file: path, content: source, metadata, pausing: interruption)
        // What was copied must be what the cache key was made of.
        guard try source.status().isSameVersion(as: before) else {
            throw EngineError(.failed, "\(TreePath.text(item.location)) changed while it was copied")
        }
    }

    private func metadata(of item: TreeItem, in tree: any SourceTree) -> PlacedMetadata {
        let status = item.status
        var mode = status.mode
        if let change = step.mode, status.kind != .symbolicLink {
            mode = mode_t(change.apply(to: UInt32(mode), isDirectory: status.kind == .directory))
        }
        let kept = Owner(uid: status.owner, gid: status.group)
        let ownTime = Int64(status.modified.tv_sec)
        return PlacedMetadata(
            owner: owner ?? (tree.keepsOwners ? kept : .root),
            mode: mode,
            attributes: item.attributes,
            time: tree.keepsTimes ? min(ownTime, epoch ?? ownTime) : time
        )
    }
}
