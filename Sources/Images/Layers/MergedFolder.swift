import CLinux
import LinuxSystem
import OCI

/// The layers' folders, each opened when it is first asked for.
package final class OpenLayers {
    private let directories: [String]
    private var open: [FileHandle?]
    /// Those that are open, in the order in which they were opened. Of an image of hundreds of layers not all are: several
    /// threads may have a stack each, and the process 256 descriptors or 64.
    private var opened: [Int] = []
    private static let capacity = min(64, max(4, OpenFiles.limit / 32))

    final class FileHandle {
        let file: FileDescriptor
        init(_ file: consuming FileDescriptor) { self.file = file }
    }

    package init(_ stack: LayerStack) {
        directories = stack.directories
        open = Array(repeating: nil, count: directories.count)
    }

    var count: Int { directories.count }

    /// Valid until the next call.
    func descriptor(_ index: Int) throws(SystemError) -> CInt {
        if let handle = open[index] { return handle.file.raw }
        if opened.count >= OpenLayers.capacity { open[opened.removeFirst()] = nil }
        let handle = FileHandle(try FileDescriptor.open(directories[index], O_PATH | O_DIRECTORY))
        open[index] = handle
        opened.append(index)
        return handle.file.raw
    }

    /// The root of the merged tree.
    package func root() -> MergedFolder {
        // Overlayfs does not ask whether a layer's root is opaque.
        MergedFolder(path: [], layers: Array(0..<count))
    }

    /// The root's own node; nil where there is no layer.
    func rootNode() throws -> MergedNode? {
        if count == 0 { return nil }
        guard let top = try FileDescriptor.locate(try descriptor(0), []) else { return nil }
        return MergedNode(path: [], layers: root().layers, status: try top.status())
    }

    /// The names in a folder of the merged tree, in no order.
    package func names(in folder: MergedFolder) throws -> [[UInt8]] {
        var seen: Set<[UInt8]> = []
        var names: [[UInt8]] = []
        for index in folder.layers {
            guard let located = try FileDescriptor.locate(try descriptor(index), folder.path) else { continue }
            let directory = try located.reopened(O_RDONLY | O_DIRECTORY)
            for entry in try Directory.entries(directory.raw) {
                guard seen.insert(entry.bytes).inserted else { continue }
                let mayBeWhiteout = entry.type == UInt8(DT_CHR) || entry.type == UInt8(DT_UNKNOWN)
                if mayBeWhiteout, OverlayForm.isWhiteout(try FileStatus.of(entry.name, in: directory.raw)) { continue }
                names.append(entry.bytes)
            }
        }
        return names
    }

    /// What `name` is in a folder of the merged tree; nil where there is nothing.
    package func child(_ name: some Collection<UInt8>, of folder: MergedFolder) throws -> MergedNode? {
        let path = folder.path.isEmpty ? Array(name) : folder.path + [UInt8(ascii: "/")] + name
        var found: MergedNode?
        for index in folder.layers {
            guard let file = try FileDescriptor.locate(try descriptor(index), path) else { continue }
            let status = try file.status()
            if OverlayForm.isWhiteout(status) { break }
            guard status.kind == .directory else {
                // Below a folder, a file of a lower layer is hidden and hides what is under it.
                return found ?? MergedNode(path: path, layers: [index], status: status)
            }
            if found == nil {
                found = MergedNode(path: path, layers: [index], status: status)
            } else {
                found?.layers.append(index)
            }
            if try isOpaque(file) { break }
        }
        return found
    }

    private func isOpaque(_ folder: borrowing FileDescriptor) throws(SystemError) -> Bool {
        try PathAttributes.value(OverlayForm.opaqueAttribute, of: folder.raw) == [UInt8(ascii: "y")]
    }

    /// The file itself (O_PATH).
    package func locate(_ node: MergedNode) throws -> FileDescriptor {
        guard let file = try FileDescriptor.locate(try descriptor(node.layers[0]), node.path) else {
            throw SystemError("opening", String(rawBytes: node.path), code: ENOENT)
        }
        return file
    }
}

/// A folder of the merged tree: its resolved path, and the layers whose folder of that path shows through, top first.
package struct MergedFolder {
    package let path: [UInt8]
    package var layers: [Int]
}

/// A file or folder of the merged tree. A file comes from one layer.
package struct MergedNode {
    package let path: [UInt8]
    package var layers: [Int]
    package let status: FileStatus

    package var folder: MergedFolder { MergedFolder(path: path, layers: layers) }
}

/// A path cut into its components, still to be walked: links put their targets in front.
struct PathWalk {
    /// The components in reverse.
    private var pending: [ArraySlice<UInt8>]
    private var links = 0

    init(_ path: some Sequence<UInt8>) { pending = PathWalk.components(Array(path)).reversed() }

    /// The components without "." and empty ones; ".." stays.
    static func components(_ path: [UInt8]) -> [ArraySlice<UInt8>] {
        path.split(separator: UInt8(ascii: "/")).filter { $0 != [0x2e] }
    }

    var isEmpty: Bool { pending.isEmpty }
    var hasFollowed: Bool { links > 0 }

    mutating func next() -> ArraySlice<UInt8>? { pending.popLast() }

    /// Goes on with a link's target; more links than the kernel follows are an error.
    mutating func follow(_ target: [UInt8]) throws {
        links += 1
        guard links <= 40 else { throw SystemError("following links", code: ELOOP) }
        pending += PathWalk.components(target).reversed()
        // Targets are bounded by the kernel and links by their number, so this stays small.
    }
}
