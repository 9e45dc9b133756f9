import CLinux
import Images
import LinuxSystem
import OCI

/// A new layer that is filled file by file: a folder in overlayfs form over the layers below.
///
/// Destinations are resolved in what both together show, so that /bin may be a link to usr/bin. Folders on the way that
/// only the layers below have are made again with their owner, mode, time and attributes. The folder ends up as
/// unpacking its own tar would leave it, times in whole seconds included.
final class LayerDraft {
    /// The folder itself.
    let folder: String
    private let lower: LayerStack
    private let merged: LayerStack
    private let root: FileDescriptor
    /// The draft's own folders, and the time that each gets in the end: every entry made in one changes it.
    private var times: [[UInt8]: Int64] = [:]
    /// Whether the layers below have a folder of this path.
    private var isFolderBelow: [[UInt8]: Bool] = [:]
    /// The folder that was opened last: what follows is mostly in it.
    private var current: (path: [UInt8], file: OpenFile)?

    private final class OpenFile {
        let file: FileDescriptor
        init(_ file: consuming FileDescriptor) { self.file = file }
    }

    /// - Parameters:
    ///   - folder: an empty folder on the store's file system.
    ///   - lower: what destinations are resolved in.
    ///   - below: what the layer will lie on, where that is something else (`--link`).
    init(_ folder: String, over lower: LayerStack, below: LayerStack? = nil) throws {
        self.folder = folder
        self.lower = lower
        merged = LayerStack(directories: [folder] + lower.directories)
        root = try FileDescriptor.open(folder, O_RDONLY | O_DIRECTORY)
        times[[]] = try LayerRoot.prepare(root, over: below ?? lower)
        isFolderBelow[[]] = !lower.directories.isEmpty
    }

    // MARK: Looking

    /// Where a path really leads: links resolved inside the root, those of the last component and dangling ones too.
    /// What does not exist stays as it is written.
    func resolve(_ path: String) throws -> [UInt8] {
        var resolved: [UInt8] = []
        var waiting = Array(TreePath.relative(path).split(separator: TreePath.slash).reversed())
        var links = 0
        while let name = waiting.popLast() {
            if name == [0x2e] { continue }
            if name == [0x2e, 0x2e] {
                resolved = TreePath.parent(resolved)
                continue
            }
            let next = TreePath.join(resolved, Array(name))
            guard let found = try find(next), found.status.kind == .symbolicLink else {
                resolved = next
                continue
            }
            links += 1
            if links > 40 { throw SystemError("resolving", path, code: ELOOP) }
            let target = try linkTarget(found)
            if target.first == TreePath.slash { resolved = [] }
            waiting += target.split(separator: TreePath.slash).reversed()
        }
        return resolved
    }

    private func linkTarget(_ found: LayerStack.Found) throws -> [UInt8] {
        let layer = try FileDescriptor.open(found.directory, O_PATH | O_DIRECTORY)
        guard let link = try FileDescriptor.locate(layer.raw, found.pathInLayer.rawBytes) else { return [] }
        return try link.linkTarget()
    }

    /// What is at a resolved path; a link itself.
    func status(_ path: [UInt8]) throws -> FileStatus? { try find(path)?.status }

    private func find(_ path: [UInt8]) throws -> LayerStack.Found? {
        try merged.lookup("/" + TreePath.text(path), followLast: false)
    }

    private func hasFolderBelow(_ path: [UInt8]) throws -> Bool {
        if let known = isFolderBelow[path] { return known }
        let answer = try hasFolderBelow(TreePath.parent(path)) && statusBelow(path)?.kind == .directory
        isFolderBelow[path] = answer
        return answer
    }

    /// What the layers below have at a path. Nothing is looked up in folders that they do not have.
    private func statusBelow(_ path: [UInt8]) throws -> FileStatus? {
        guard try hasFolderBelow(TreePath.parent(path)) else { return nil }
        return try lower.lookup("/" + TreePath.text(path), followLast: false)?.status
    }

    // MARK: Folders

    /// Makes a folder and those above it that are missing, mode 0755.
    func makeFolders(_ path: [UInt8], _ owner: Owner, time: Int64) throws {
        if path.isEmpty { return }
        if let status = try status(path) {
            guard status.kind == .directory else { throw DraftError.notFolder(path) }
            return
        }
        try makeFolders(TreePath.parent(path), owner, time: time)
        try provide(TreePath.parent(path))
        let file = try makeFolder(path)
        try owner.apply(to: file.raw)
        try retrying("changing the mode of", TreePath.text(path)) { fchmod(file.raw, 0o755) }
        times[path] = time
    }

    /// A folder with a source's owner, mode and attributes; one that is there gets them too.
    func place(folder path: [UInt8], _ metadata: PlacedMetadata) throws {
        if times[path] == nil, let status = try statusBelow(path) {
            guard status.kind == .directory else { throw DraftError.notFolder(path) }
        }
        try provide(path)
        let file = try open(path)
        try metadata.apply(to: file.file.raw)
        times[path] = metadata.time
    }

    /// Sees to it that the draft itself has a folder.
    private func provide(_ path: [UInt8]) throws {
        if times[path] != nil { return }
        try provide(TreePath.parent(path))
        let file = try makeFolder(path)
        guard try hasFolderBelow(path), let found = try lower.lookup("/" + TreePath.text(path), followLast: false)
        else {
            times[path] = 0
            return
        }
        times[path] = try LayerRoot.copyMetadata(of: found, to: file)
    }

    private func makeFolder(_ path: [UInt8]) throws -> FileDescriptor {
        let parent = try open(TreePath.parent(path))
        let name = TreePath.cString(TreePath.name(path))
        if mkdirat(parent.file.raw, name, 0o700) != 0 {
            if errno == EEXIST { throw DraftError.notFolder(path) }
            throw SystemError("creating folder", TreePath.text(path))
        }
        times[path] = 0
        return try FileDescriptor.openAt(parent.file.raw, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    /// A folder of the draft.
    private func open(_ path: [UInt8]) throws -> OpenFile {
        if let current, current.path == path { return current.file }
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
        let file = OpenFile(try FileDescriptor.openBeneath(root.raw, TreePath.cString(path), flags))
        current = (path, file)
        return file
    }

    // MARK: Files

    /// A regular file with the content of `source`; what is there and is no folder is replaced.
    /// - Parameter pausing: called every now and then while the content is copied.
    func place(
        file path: [UInt8],
        content source: borrowing FileDescriptor,
        _ metadata: PlacedMetadata,
        pausing: () throws -> Void = {}
    ) throws {
        let (folder, name) = try makeRoom(for: path)
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
        let copy = try FileDescriptor.openAt(folder.file.raw, name, flags)
        try source.copyData(to: copy, pausing: pausing)
        try metadata.apply(to: copy.raw)
        let time = [timespec(tv_sec: Int(metadata.time), tv_nsec: 0), timespec(tv_sec: Int(metadata.time), tv_nsec: 0)]
        try retrying("changing the time of", TreePath.text(path)) { futimens(copy.raw, time) }
    }

    func place(link path: [UInt8], to target: [UInt8], _ metadata: PlacedMetadata) throws {
        let (folder, name) = try makeRoom(for: path)
        let text = TreePath.cString(target)
        try retrying("linking", TreePath.text(path)) { symlinkat(text, folder.file.raw, name) }
        try settle(name, in: folder, metadata)
    }

    /// Another name of a file that was placed.
    func place(hardlink path: [UInt8], to placed: [UInt8]) throws {
        let (folder, name) = try makeRoom(for: path)
        let from = TreePath.cString(placed)
        try retrying("linking", TreePath.text(path)) { linkat(root.raw, from, folder.file.raw, name, 0) }
    }

    /// A device node or a pipe.
    func place(node path: [UInt8], like status: FileStatus, _ metadata: PlacedMetadata) throws {
        let (folder, name) = try makeRoom(for: path)
        let kind = status.kind == .fifo ? S_IFIFO : status.kind == .blockDevice ? S_IFBLK : S_IFCHR
        try retrying("creating", TreePath.text(path)) {
            mknodat(folder.file.raw, name, mode_t(kind) | 0o600, status.represents)
        }
        try retrying("changing the mode of", TreePath.text(path)) { fchmodat(folder.file.raw, name, metadata.mode, 0) }
        try settle(name, in: folder, metadata)
    }

    /// Owner and time of what cannot be opened.
    private func settle(_ name: [CChar], in folder: OpenFile, _ metadata: PlacedMetadata) throws {
        try retrying("changing the owner of a link") {
            fchownat(folder.file.raw, name, metadata.owner.uid, metadata.owner.gid, AT_SYMLINK_NOFOLLOW)
        }
        let time = timespec(tv_sec: Int(metadata.time), tv_nsec: 0)
        let times = [time, time]
        try retrying("changing the time of a link") { utimensat(folder.file.raw, name, times, AT_SYMLINK_NOFOLLOW) }
    }

    /// The folder for a file, without what the draft has there already.
    private func makeRoom(for path: [UInt8]) throws -> (OpenFile, [CChar]) {
        if try statusBelow(path)?.kind == .directory { throw DraftError.isFolder(path) }
        try provide(TreePath.parent(path))
        let folder = try open(TreePath.parent(path))
        let name = TreePath.cString(TreePath.name(path))
        if unlinkat(folder.file.raw, name, 0) != 0, errno != ENOENT {
            if errno == EISDIR { throw DraftError.isFolder(path) }
            throw SystemError("replacing", TreePath.text(path))
        }
        return (folder, name)
    }

    /// Gives the folders their times: last, as nothing is made in them any more.
    func finish() throws {
        current = nil
        for (path, time) in times {
            let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
            let file = try FileDescriptor.openBeneath(root.raw, TreePath.cString(path), flags)
            let pair = [timespec(tv_sec: Int(time), tv_nsec: 0), timespec(tv_sec: Int(time), tv_nsec: 0)]
            try retrying("changing the time of", TreePath.text(path)) { futimens(file.raw, pair) }
        }
    }
}

/// What stands in the way of a copy, in BuildKit's words.
enum DraftError {
    static func notFolder(_ path: [UInt8]) -> EngineError {
        EngineError(.invalid, "cannot copy to non-directory: /\(TreePath.text(path))")
    }

    static func isFolder(_ path: [UInt8]) -> EngineError {
        EngineError(.invalid, "cannot replace to directory /\(TreePath.text(path)) with file")
    }
}

struct Owner: Equatable {
    var uid: UInt32
    var gid: UInt32

    static let root = Owner(uid: 0, gid: 0)

    func apply(to file: CInt) throws(SystemError) { try retrying("changing the owner") { fchown(file, uid, gid) } }
}

/// What a placed file or folder gets beside its content.
struct PlacedMetadata {
    var owner: Owner
    var mode: mode_t
    var attributes: [(name: String, value: [UInt8])]
    /// Seconds since 1970.
    var time: Int64

    /// All but the time. In this order: chown(2) clears setuid and security.capability.
    func apply(to file: CInt) throws(SystemError) {
        try owner.apply(to: file)
        try retrying("changing the mode") { fchmod(file, mode) }
        for (name, value) in attributes { try ExtendedAttributes.set(name, to: value, on: file) }
    }
}

/// A layer's root folder, which overlayfs shows with the topmost layer's metadata whether its archive speaks of it or
/// not.
enum LayerRoot {
    /// Gives it what the layers below have; returns the time that it gets in the end.
    static func prepare(_ root: borrowing FileDescriptor, over lower: LayerStack) throws -> Int64 {
        guard let found = try lower.lookup("/") else {
            try retrying("changing the mode") { fchmod(root.raw, 0o755) }
            return 0
        }
        return try copyMetadata(of: found, to: root)
    }

    static func copyMetadata(of found: LayerStack.Found, to file: borrowing FileDescriptor) throws -> Int64 {
        let layer = try FileDescriptor.open(found.directory, O_PATH | O_DIRECTORY)
        guard let source = try FileDescriptor.locate(layer.raw, found.pathInLayer.rawBytes) else { return 0 }
        let status = try source.status()
        let metadata = PlacedMetadata(
            owner: Owner(uid: status.owner, gid: status.group),
            mode: status.mode,
            attributes: try KeptAttributes.of(source),
            time: Int64(status.modified.tv_sec)
        )
        try metadata.apply(to: file.raw)
        return metadata.time
    }
}
