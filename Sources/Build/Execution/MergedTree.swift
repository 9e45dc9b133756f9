import CLinux
import Images
import LinuxSystem
import OCI

/// The root file system of a stage or an image as a source, read from its unpacked layers without a mount.
final class MergedTree: SourceTree {
    let keepsOwners = true
    let keepsTimes = false
    private let stack: LayerStack
    private let layers: OpenLayers
    private let digests: FileDigestCache
    private let interruption: () throws -> Void

    /// - Parameter interruption: throws where the build is to end; asked while files are read.
    init(_ stack: LayerStack, digests: FileDigestCache, interruption: @escaping () throws -> Void = {}) {
        self.interruption = interruption
        self.stack = stack
        layers = OpenLayers(stack)
        self.digests = digests
    }

    func find(_ path: [UInt8]) throws -> TreeItem? {
        guard let found = try stack.lookup("/" + TreePath.text(path)) else { return nil }
        // The path that was found holds no links any more.
        var folder = layers.root()
        var node: MergedNode?
        for name in found.path.rawBytes.split(separator: TreePath.slash) {
            guard let child = try layers.child(name, of: folder) else { return nil }
            (node, folder) = (child, child.folder)
        }
        if let node { return try item(node) }
        return TreeItem(location: [], status: found.status, layers: folder.layers)
    }

    func children(of folder: TreeItem) throws -> [TreeItem] {
        // Every folder of the tree came from a node, or is the root.
        var merged = layers.root()
        for name in folder.location.split(separator: TreePath.slash) {
            guard let child = try layers.child(name, of: merged) else { return [] }
            merged = child.folder
        }
        var items: [TreeItem] = []
        for name in try layers.names(in: merged).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            guard let node = try layers.child(name, of: merged), node.status.kind != .socket else { continue }
            items.append(try item(node))
        }
        return items
    }

    private func item(_ node: MergedNode) throws -> TreeItem {
        var item = TreeItem(location: node.path, status: node.status, layers: node.layers)
        let file = try layers.locate(node)
        if node.status.kind == .symbolicLink {
            item.linkTarget = try file.linkTarget()
        } else {
            item.attributes = try KeptAttributes.of(file)
        }
        return item
    }

    func open(_ item: TreeItem) throws -> FileDescriptor {
        guard let top = item.layers.first, stack.directories.indices.contains(top) else {
            throw SystemError("opening", TreePath.text(item.location), code: ENOENT)
        }
        let folder = try FileDescriptor.open(stack.directories[top], O_PATH | O_DIRECTORY)
        return try FileDescriptor.openBeneath(folder.raw, TreePath.cString(item.location), O_RDONLY | O_NOFOLLOW)
    }

    func digest(of item: TreeItem) throws -> Digest {
        if let known = digests.digest(of: item.status) { return known }
        let began = Clock.realtime
        let source = HashingSource(InterruptibleSource(Images.FileSource(owning: try open(item)), interruption))
        try source.drain()
        digests.remember(source.digest, of: item.status, readAt: began)
        return source.digest
    }
}

/// One file whose content stands in the Dockerfile.
final class InlineTree: SourceTree {
    let keepsOwners = false
    let keepsTimes = false
    private let file: InlineFile
    private let memory: FileDescriptor

    init(_ file: InlineFile) throws {
        self.file = file
        memory = try FileDescriptor.inMemory("heredoc")
        try memory.write(file.content)
        try retrying("changing the mode of a heredoc") { fchmod(memory.raw, 0o644) }
    }

    func find(_ path: [UInt8]) throws -> TreeItem? {
        TreeItem(location: file.name.rawBytes, status: try memory.status())
    }

    func children(of folder: TreeItem) throws -> [TreeItem] { [] }

    func open(_ item: TreeItem) throws -> FileDescriptor {
        let again = try memory.reopened()
        return again
    }

    func digest(of item: TreeItem) throws -> Digest { SHA256Digest.of(file.content.rawBytes) }
}
