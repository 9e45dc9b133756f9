import CLinux
import LinuxSystem
import OCI

/// Files that COPY, ADD or a mount takes: the build context, a stage, an image, an unpacked archive, a heredoc.
///
/// Nothing in a tree leads outside of it: links are followed inside, and only where a path is asked for by name.
protocol SourceTree: AnyObject {
    /// Whether copies keep the files' owners. Those of the build context belong to the caller's machine: copies are
    /// root's.
    var keepsOwners: Bool { get }
    /// Whether copies keep the files' times: those of an archive's members do.
    var keepsTimes: Bool { get }
    /// What a path is, links on the way and in the end followed; nil where there is nothing.
    func find(_ path: [UInt8]) throws -> TreeItem?
    /// What is in a folder, sorted by name, without sockets.
    func children(of folder: TreeItem) throws -> [TreeItem]
    /// A regular file's content. It fails where the file is not the one that `item` was made of.
    func open(_ item: TreeItem) throws -> FileDescriptor
    /// The SHA-256 of a regular file's content.
    func digest(of item: TreeItem) throws -> Digest
}

/// One file, folder or link of a tree.
struct TreeItem {
    /// From the folder that is copied; empty for that folder itself.
    var path: [UInt8] = []
    /// From the tree's root, without links: where the tree finds it again.
    let location: [UInt8]
    let status: FileStatus
    /// Of a symbolic link.
    var linkTarget: [UInt8] = []
    /// Those that a layer keeps, sorted by name.
    var attributes: [(name: String, value: [UInt8])] = []
    /// In a merged tree: the layers that have it.
    var layers: [Int] = []
    /// What an ignore file says of it, and of a folder for what is in it.
    var isIgnored = false
    var ignore: DockerIgnore.Folder?

    var name: [UInt8] { TreePath.name(location) }
}

/// Paths from a root as bytes: without a first slash, empty for the root itself.
enum TreePath {
    static let slash = UInt8(ascii: "/")

    static func join(_ folder: [UInt8], _ name: [UInt8]) -> [UInt8] {
        folder.isEmpty ? name : name.isEmpty ? folder : folder + [slash] + name
    }

    static func parent(_ path: [UInt8]) -> [UInt8] { path.lastIndex(of: slash).map { Array(path[..<$0]) } ?? [] }

    static func name(_ path: [UInt8]) -> [UInt8] { path.lastIndex(of: slash).map { Array(path[($0 + 1)...]) } ?? path }

    /// Of a path as a Dockerfile has it: absolute or not, perhaps with a `/` at its end.
    static func relative(_ path: String) -> [UInt8] {
        Array(path.rawBytes.split(separator: slash).joined(separator: [slash]))
    }

    static func text(_ path: [UInt8]) -> String { String(rawBytes: path) }

    static func cString(_ path: [UInt8]) -> [CChar] {
        (path.isEmpty ? [0x2e] : path).map(CChar.init(bitPattern:)) + [0]
    }
}

/// The extended attributes that go into a layer: what a file may do, and what programs noted of it.
enum KeptAttributes {
    static func keeps(_ name: String) -> Bool {
        name == "security.capability" || name.hasPrefix("user.") && !name.hasPrefix("user.overlay.")
    }

    /// Of a name in an open folder; a link itself has none that are kept.
    static func of(_ name: [CChar], in folder: CInt) throws(SystemError) -> [(name: String, value: [UInt8])] {
        let path = Array("/proc/self/fd/\(folder)/".utf8CString.dropLast()) + name
        if llistxattr(path, nil, 0) <= 0 { return [] }
        return try of(try FileDescriptor.openAt(folder, name, linux_o_path | O_NOFOLLOW))
    }

    static func of(_ file: borrowing FileDescriptor) throws(SystemError) -> [(name: String, value: [UInt8])] {
        var attributes: [(name: String, value: [UInt8])] = []
        for name in try PathAttributes.names(of: file.raw).sorted() where keeps(name) {
            if let value = try PathAttributes.value(name, of: file.raw) { attributes.append((name, value)) }
        }
        return attributes
    }
}

/// Lists what is below a folder of a tree, each folder before what is in it.
struct TreeWalk {
    let tree: any SourceTree
    /// `--exclude`: what matches is left out.
    var exclude: DockerIgnore?
    /// `--parents`: only what matches, what is below it, and the folders that lead to it.
    var include: DockerIgnore?

    func items(below top: TreeItem) throws -> [TreeItem] {
        var items: [TreeItem] = []
        var waiting: [TreeItem] = []
        try walk(top, &waiting, into: &items)
        return items
    }

    /// - Parameter waiting: folders above that are only listed if something in them is.
    private func walk(_ folder: TreeItem, _ waiting: inout [TreeItem], into items: inout [TreeItem]) throws {
        for var child in try tree.children(of: folder) {
            child.path = TreePath.join(folder.path, child.name)
            let isExcluded = exclude?.excludes(child.path) ?? false
            let isIncluded = include?.excludes(child.path) ?? true
            if !child.isIgnored, !isExcluded, isIncluded {
                items += waiting
                waiting = []
                items.append(child)
                guard child.status.kind == .directory else { continue }
                var none: [TreeItem] = []
                try walk(child, &none, into: &items)
            } else if child.status.kind == .directory, isIncluded == false || mayHold(child, isExcluded: isExcluded) {
                let before = waiting.count
                waiting.append(child)
                try walk(child, &waiting, into: &items)
                if waiting.count > before { waiting.removeLast(waiting.count - before) }
            }
        }
    }

    private func mayHold(_ folder: TreeItem, isExcluded: Bool) -> Bool {
        // The tree lists an ignored folder only where an exception may lie in it.
        !isExcluded || (exclude?.mayHoldExceptions(folder.path) ?? false)
    }
}
