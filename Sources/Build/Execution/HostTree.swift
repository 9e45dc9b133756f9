import CLinux
import Images
import LinuxSystem
import OCI

/// A folder of this machine as a source: the build context, or what an archive was unpacked to.
final class HostTree: SourceTree {
    let keepsOwners: Bool
    let keepsTimes: Bool
    /// The folder's path, every link resolved.
    let path: [UInt8]
    private let root: FileDescriptor
    private let ignore: DockerIgnore?
    private let digests: FileDigestCache?
    private let interruption: () throws -> Void

    /// The build context.
    /// - Parameter interruption: throws where the build is to end; asked while files are read.
    convenience init(
        context path: String,
        ignore: DockerIgnore,
        digests: FileDigestCache,
        interruption: @escaping () throws -> Void = {}
    ) throws {
        let ignore = ignore.isEmpty ? nil : ignore
        try self.init(path, ignore: ignore, digests: digests, isOurs: false, interruption: interruption)
    }

    /// A folder that the build has made.
    convenience init(unpacked path: String) throws {
        try self.init(path, ignore: nil, digests: nil, isOurs: true, interruption: {})
    }

    private init(
        _ path: String,
        ignore: DockerIgnore?,
        digests: FileDigestCache?,
        isOurs: Bool,
        interruption: @escaping () throws -> Void
    ) throws {
        self.interruption = interruption
        root = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        self.path = try Files.linkTarget("/proc/self/fd/\(root.raw)")
        self.ignore = ignore
        self.digests = digests
        keepsOwners = isOurs
        keepsTimes = isOurs
    }

    func find(_ path: [UInt8]) throws -> TreeItem? {
        let file: FileDescriptor
        do throws(SystemError) {
            file = try FileDescriptor.openInRoot(root.raw, TreePath.cString(path), linux_o_path)
        } catch {
            if error.code == ENOENT || error.code == ENOTDIR { return nil }
            throw error
        }
        // Sockets are no part of a context.
        if try file.status().kind == .socket { return nil }
        let location = try self.location(of: file)
        // An ignored file is not there, by whatever name.
        for name in [path, location] where isGone(name, try file.status().kind) { return nil }
        var item = TreeItem(location: location, status: try file.status())
        item.attributes = try KeptAttributes.of(file)
        if let ignore, !location.isEmpty {
            (item.isIgnored, item.ignore) = ignore.excludes(location, in: nil)
        }
        return item
    }

    /// Whether an ignore file leaves out a path, and everything in it.
    private func isGone(_ path: [UInt8], _ kind: FileStatus.Kind) -> Bool {
        guard let ignore, !path.isEmpty, ignore.excludes(path) else { return false }
        return kind != .directory || !ignore.mayHoldExceptions(path)
    }

    /// Where an open file lies below the root.
    private func location(of file: borrowing FileDescriptor) throws -> [UInt8] {
        let full = try Files.linkTarget("/proc/self/fd/\(file.raw)")
        if full == path { return [] }
        let prefix = path == [TreePath.slash] ? path : path + [TreePath.slash]
        guard full.starts(with: prefix) else {
            throw EngineError(.failed, "\(TreePath.text(full)) was moved out of the build context")
        }
        return Array(full[prefix.count...])
    }

    func children(of folder: TreeItem) throws -> [TreeItem] {
        let directory = try openBelow(folder.location, O_RDONLY | O_DIRECTORY)
        var items: [TreeItem] = []
        for entry in try Directory.entries(directory.raw).sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
            try interruption()
            let location = TreePath.join(folder.location, entry.bytes)
            let (isIgnored, state) = ignored(location, in: folder)
            let mayMatter = !isIgnored || (ignore?.mayHoldExceptions(location) ?? false)
            guard mayMatter, entry.type != UInt8(DT_SOCK) else { continue }
            do throws(SystemError) {
                let status = try FileStatus.of(entry.name, in: directory.raw)
                if status.kind == .socket || isIgnored && status.kind != .directory { continue }
                var item = TreeItem(location: location, status: status, isIgnored: isIgnored)
                if status.kind == .directory { item.ignore = state }
                if status.kind == .symbolicLink {
                    item.linkTarget = try Files.linkTarget(entry.name, in: directory.raw)
                } else {
                    item.attributes = try KeptAttributes.of(entry.name, in: directory.raw)
                }
                items.append(item)
            } catch {
                throw SystemError(error.operation, TreePath.text(location), code: error.code)
            }
        }
        return items
    }

    private func ignored(_ location: [UInt8], in folder: TreeItem) -> (Bool, DockerIgnore.Folder?) {
        guard let ignore else { return (false, nil) }
        let answer = ignore.excludes(location, in: folder.ignore)
        return (answer.isExcluded, answer.folder)
    }

    private func openBelow(_ location: [UInt8], _ flags: CInt) throws(SystemError) -> FileDescriptor {
        do {
            return try FileDescriptor.openBeneath(root.raw, TreePath.cString(location), flags | O_NOFOLLOW | O_NONBLOCK)
        } catch {
            let shown = location.isEmpty ? TreePath.text(path) : TreePath.text(location)
            throw SystemError("opening", shown, code: error.code)
        }
    }

    func open(_ item: TreeItem) throws -> FileDescriptor {
        let file = try openBelow(item.location, O_RDONLY)
        guard try file.status().isSameVersion(as: item.status) else { throw HostTree.changed(item) }
        return file
    }

    func digest(of item: TreeItem) throws -> Digest {
        if let known = digests?.digest(of: item.status) { return known }
        let began = Clock.realtime
        let source = HashingSource(InterruptibleSource(Images.FileSource(owning: try open(item)), interruption))
        try source.drain()
        guard source.count == item.status.size else { throw HostTree.changed(item) }
        digests?.remember(source.digest, of: item.status, readAt: began)
        return source.digest
    }

    private static func changed(_ item: TreeItem) -> EngineError {
        EngineError(
            .failed,
            "\(TreePath.text(item.location)) changed while it was read: try again when nothing writes to it"
        )
    }
}

extension FileStatus {
    /// Whether two answers are about one file that nobody wrote to in between.
    func isSameVersion(as other: FileStatus) -> Bool {
        device == other.device && inode == other.inode && size == other.size && mode == other.mode
            && owner == other.owner && group == other.group && modified.isEqual(other.modified)
            && changed.isEqual(other.changed)
    }
}

extension timespec {
    func isEqual(_ other: timespec) -> Bool { tv_sec == other.tv_sec && tv_nsec == other.tv_nsec }
}
