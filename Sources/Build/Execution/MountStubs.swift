import CLinux
import Images
import LinuxSystem

/// The empty files and folders that mounts need to lie on where the image has none: they are no part of a layer.
struct MountStubs {
    /// Resolved paths, a folder before what is in it.
    private var paths: [[UInt8]] = []
    private let lower: LayerStack

    /// - Parameter destinations: where mounts go, before any is made.
    init(_ destinations: [String], in lower: LayerStack) throws {
        self.lower = lower
        for destination in destinations {
            var folder: [UInt8] = []
            var isMissing = false
            for name in TreePath.relative(destination).split(separator: TreePath.slash) {
                let path = TreePath.join(folder, Array(name))
                let found = isMissing ? nil : try lower.lookup("/" + TreePath.text(path))
                isMissing = found == nil
                folder = found.map { TreePath.relative($0.path) } ?? path
                if isMissing, !paths.contains(folder) { paths.append(folder) }
            }
        }
    }

    /// Removes those that a run has left in its upper folder. Whatever it put into one of them stays.
    func remove(from upper: borrowing FileDescriptor) throws {
        var parents: Set<[UInt8]> = []
        for path in paths.reversed() where try removeStub(path, upper) { parents.insert(TreePath.parent(path)) }
        for parent in parents.sorted(by: { $0.count > $1.count }) where !parent.isEmpty {
            try removeCopy(parent, upper)
        }
    }

    /// Whether there was one, and it is gone.
    private func removeStub(_ path: [UInt8], _ upper: borrowing FileDescriptor) throws -> Bool {
        guard let folder = try FileDescriptor.locate(upper.raw, TreePath.parent(path)) else { return false }
        let before = try folder.status()
        let name = TreePath.cString(TreePath.name(path))
        guard let status = try? FileStatus.of(name, in: folder.raw) else { return false }
        switch status.kind {
        case .directory: if unlinkat(folder.raw, name, AT_REMOVEDIR) != 0 { return false }
        case .file where status.size == 0: if unlinkat(folder.raw, name, 0) != 0 { return false }
        default: return false
        }
        let times = [before.modified, before.modified]
        let path = "/proc/self/fd/\(folder.raw)"
        try retrying("changing the time of", path) {
            utimensat(AT_FDCWD, path, times, 0)
        }
        return true
    }

    /// A folder of the layers below that is only in the upper one because a stub was made in it.
    private func removeCopy(_ path: [UInt8], _ upper: borrowing FileDescriptor) throws {
        guard let copy = try FileDescriptor.locate(upper.raw, path),
            let found = try lower.lookup("/" + TreePath.text(path), followLast: false), found.status.kind == .directory
        else { return }
        let status = try copy.status()
        let isSame =
            status.mode == found.status.mode && status.owner == found.status.owner
            && status.group == found.status.group
        let isOpaque = try PathAttributes.value("trusted.overlay.opaque", of: copy.raw) == [UInt8(ascii: "y")]
        guard isSame, !isOpaque, try KeptAttributes.of(copy).elementsEqual(try kept(found), by: ==) else { return }
        guard let parent = try FileDescriptor.locate(upper.raw, TreePath.parent(path)) else { return }
        // Refused unless it is empty.
        if unlinkat(parent.raw, TreePath.cString(TreePath.name(path)), AT_REMOVEDIR) != 0 { return }
        if !TreePath.parent(path).isEmpty { try removeCopy(TreePath.parent(path), upper) }
    }

    private func kept(_ found: LayerStack.Found) throws -> [(name: String, value: [UInt8])] {
        let layer = try FileDescriptor.open(found.directory, O_PATH | O_DIRECTORY)
        guard let file = try FileDescriptor.locate(layer.raw, found.pathInLayer.rawBytes) else { return [] }
        return try KeptAttributes.of(file)
    }
}
