import CLinux
import LinuxSystem
import OCI

/// Unpacked layers in overlayfs form, seen as one tree, as an overlay mount would show them but without one.
///
/// Nothing in a layer leads outside: links are resolved here, component by component, and every file is opened
/// beneath its layer's folder without following any.
package struct LayerStack: Sendable {
    /// The layers' folders, the top layer first.
    package let directories: [String]

    package init(directories: [String]) { self.directories = directories }

    /// Where a path of the merged tree really is.
    package struct Found: Sendable {
        package let status: FileStatus
        /// The layer's folder: one of `directories`. Of a merged folder the topmost.
        package let directory: String
        /// The path inside that folder, without a first slash; empty for the root.
        package let pathInLayer: String
        /// The path in the merged tree with every link resolved: "/usr/bin/x".
        package let path: String
    }

    /// Finds what a path of the merged tree is, or nil where there is nothing.
    /// - Parameter followLast: whether a link in the last component is followed, too.
    /// - Throws: SystemError with ELOOP after 40 links.
    package func lookup(_ path: String, followLast: Bool = true) throws -> Found? {
        let layers = OpenLayers(self)
        guard let node = try find(path, followLast: followLast, in: layers) else { return nil }
        let text = String(rawBytes: node.path)
        return Found(status: node.status, directory: directories[node.layers[0]], pathInLayer: text, path: "/" + text)
    }

    /// The content of a regular file, or nil where there is nothing, something else, or links that lead to each other.
    /// - Throws: SystemError with EFBIG where it has more than `limit` bytes.
    package func read(_ path: String, limit: Int) throws -> [UInt8]? {
        do {
            return try open(path)?.readAll(limit: limit)
        } catch let error as SystemError {
            if error.code == ELOOP { return nil }
            throw error.path == nil ? SystemError(error.operation, path, code: error.code) : error
        }
    }

    /// Opens a regular file for reading, or gives nil where there is nothing or something else.
    package func open(_ path: String) throws -> FileDescriptor? {
        let layers = OpenLayers(self)
        guard let node = try find(path, followLast: true, in: layers), node.status.kind == .file else { return nil }
        let located = try layers.locate(node)
        // Somebody may have put a pipe in its place meanwhile, where the layer is a running container's.
        guard try located.status().kind == .file else { return nil }
        return try located.reopened()
    }

    /// The names in a folder of the merged tree, sorted; nothing there, or no folder, is an error (.notFound).
    package func list(_ path: String) throws -> [String] {
        let layers = OpenLayers(self)
        guard let node = try find(path, followLast: true, in: layers), node.status.kind == .directory else {
            throw EngineError(.notFound, "there is no folder \(path)")
        }
        return try layers.names(in: node.folder).map { String(rawBytes: $0) }.sorted()
    }

    private func find(_ path: String, followLast: Bool, in layers: OpenLayers) throws -> MergedNode? {
        guard !directories.isEmpty else { return nil }
        let root = layers.root()
        // The folders from the root to where the walk stands, for "..".
        var trail: [MergedFolder] = [root]
        var walk = PathWalk(path.rawBytes)
        while let name = walk.next() {
            if name == [0x2e, 0x2e] {
                if trail.count > 1 { trail.removeLast() }
                continue
            }
            guard let node = try layers.child(name, of: trail[trail.count - 1]) else { return nil }
            switch node.status.kind {
            case .directory: trail.append(node.folder)
            case .symbolicLink where !walk.isEmpty || followLast:
                let target = try layers.locate(node).linkTarget()
                if target.first == UInt8(ascii: "/") { trail = [root] }
                try walk.follow(target)
            default: return walk.isEmpty ? node : nil
            }
        }
        let folder = trail[trail.count - 1]
        guard let located = try FileDescriptor.locate(try layers.descriptor(folder.layers[0]), folder.path) else {
            return nil
        }
        return MergedNode(path: folder.path, layers: folder.layers, status: try located.status())
    }
}
