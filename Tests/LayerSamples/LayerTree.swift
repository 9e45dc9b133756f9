import CLinux
import LinuxSystem

/// What a layer has under one name, wherever it was read: in an image, or in a folder in overlayfs form.
package struct LayerNode: Equatable, Sendable, CustomStringConvertible {
    /// Type and permission bits (S_IF*).
    package var mode: UInt16
    package var uid: UInt32 = 0
    package var gid: UInt32 = 0
    package var seconds: Int64 = 0
    package var nanoseconds: UInt32 = 0
    /// Of a file, with its holes.
    package var size: Int64 = 0
    package var target: [UInt8] = []
    package var major: UInt32 = 0
    package var minor: UInt32 = 0
    /// How many names a file has, and the first of them.
    package var links: UInt32 = 1
    package var first: [UInt8] = []
    package var attributes: [String: [UInt8]] = [:]
    /// A file's data: the pages of 4096 bytes that are not all zero, by their number. The last one need not be whole.
    package var pages: [Int64: [UInt8]] = [:]

    package init(mode: UInt16) { self.mode = mode }

    package var type: Int32 { Int32(mode) & S_IFMT }
    package var isFolder: Bool { type == S_IFDIR }
    /// Overlayfs looks at nothing else of a whiteout.
    package var isWhiteout: Bool { type == S_IFCHR && major == 0 && minor == 0 }

    /// What is compared.
    package var normalized: LayerNode { isWhiteout ? LayerNode(mode: UInt16(S_IFCHR)) : self }

    package mutating func setPage(_ number: Int64, _ bytes: [UInt8]) {
        if bytes.contains(where: { $0 != 0 }) { pages[number] = bytes }
    }

    package var description: String {
        let names = attributes.keys.sorted().joined(separator: " ")
        return
            "mode \(String(mode, radix: 8)) owner \(uid):\(gid) time \(seconds).\(nanoseconds) size \(size) device \(major):\(minor)"
            + " links \(links) of \(String(decoding: first, as: UTF8.self)) to \(String(decoding: target, as: UTF8.self))"
            + " attributes \(names) pages \(pages.keys.sorted())"
    }
}

/// A layer's files by their paths from its root, which is the empty path.
package struct LayerTree: Equatable, Sendable {
    package var nodes: [[UInt8]: LayerNode] = [:]

    package init() {}

    package static func path(_ folder: [UInt8], _ name: [UInt8]) -> [UInt8] {
        folder.isEmpty ? name : folder + [UInt8(ascii: "/")] + name
    }

    /// The order in which a walk that sorts each folder meets names: a folder before what is in it.
    package static func comesFirst(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        let slash = UInt8(ascii: "/")
        return one.split(separator: slash).lexicographicallyPrecedes(other.split(separator: slash)) {
            $0.lexicographicallyPrecedes($1)
        }
    }

    /// One line for each name that is not the same in both; empty where nothing differs.
    package func differences(from other: LayerTree) -> [String] {
        Set(nodes.keys).union(other.nodes.keys).sorted { $0.lexicographicallyPrecedes($1) }.compactMap { path in
            let (one, two) = (nodes[path]?.normalized, other.nodes[path]?.normalized)
            if one == two { return nil }
            func text(_ node: LayerNode?) -> String { node.map(\.description) ?? "nothing" }
            return "/\(String(decoding: path, as: UTF8.self)): \(text(one)) instead of \(text(two))"
        }
    }
}

extension LayerTree {
    /// Reads a folder in overlayfs form, or a mounted image.
    package init(folder: String) throws {
        let root = try FileDescriptor.open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        var firsts: [UInt64: [UInt8]] = [:]
        var node = try LayerTree.node(root.raw, [], &firsts)
        node.attributes = try LayerTree.attributes(root.raw)
        nodes[[]] = node
        try add(root, [], &firsts)
    }

    private mutating func add(_ folder: borrowing FileDescriptor, _ path: [UInt8], _ firsts: inout [UInt64: [UInt8]])
        throws
    {
        for entry in try Directory.entries(folder.raw).sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
            let child = LayerTree.path(path, entry.bytes)
            let file = try FileDescriptor.openAt(folder.raw, entry.name, O_PATH | O_NOFOLLOW)
            var node = try LayerTree.node(file.raw, child, &firsts)
            node.attributes = try LayerTree.attributes(file.raw)
            if node.type == S_IFLNK { node.target = try file.linkTarget() }
            if node.type == S_IFREG { try LayerTree.readPages(file.reopened(), into: &node) }
            nodes[child] = node
            if node.isFolder { try add(file.reopened(O_RDONLY | O_DIRECTORY), child, &firsts) }
        }
    }

    private static func node(_ file: CInt, _ path: [UInt8], _ firsts: inout [UInt64: [UInt8]]) throws -> LayerNode {
        var status = stat()
        try retrying("reading the status") { fstat(file, &status) }
        var node = LayerNode(mode: UInt16(truncatingIfNeeded: status.st_mode))
        node.uid = status.st_uid
        node.gid = status.st_gid
        node.seconds = Int64(status.st_mtim.tv_sec)
        node.nanoseconds = UInt32(status.st_mtim.tv_nsec)
        if node.type == S_IFREG { node.size = Int64(status.st_size) }
        if node.type == S_IFCHR || node.type == S_IFBLK {
            node.major = linux_major(status.st_rdev)
            node.minor = linux_minor(status.st_rdev)
        }
        if !node.isFolder {
            node.links = UInt32(status.st_nlink)
            node.first = firsts[UInt64(status.st_ino), default: path]
            firsts[UInt64(status.st_ino)] = node.first
        }
        return node
    }

    private static func attributes(_ file: CInt) throws -> [String: [UInt8]] {
        var values: [String: [UInt8]] = [:]
        // A policy of the machine's adds its label to everything.
        for name in try PathAttributes.names(of: file) where name != "security.selinux" {
            values[name] = try PathAttributes.value(name, of: file)
        }
        return values
    }

    private static func readPages(_ file: borrowing FileDescriptor, into node: inout LayerNode) throws {
        for segment in try file.dataSegments() {
            var page = segment.lowerBound / 4096
            while page * 4096 < segment.upperBound {
                var bytes = [UInt8](repeating: 0, count: Int(min(4096, node.size - page * 4096)))
                let raw = file.raw
                let count = try retrying("reading") { pread(raw, &bytes, bytes.count, Int(page * 4096)) }
                if count == bytes.count { node.setPage(page, bytes) }
                page += 1
            }
        }
    }
}
