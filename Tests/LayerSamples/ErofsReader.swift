import CLinux

/// What is wrong with an image.
package struct ErofsFault: Error, CustomStringConvertible, Sendable {
    package let description: String
    init(_ description: String) { self.description = description }
}

/// Reads a whole EROFS image (Linux, Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h), by the format's description
/// and not by our writer's code, so that the two check each other.
///
/// It takes what our writer may use (blocks of 4096 bytes, inodes of 64, no compression, no shared attributes) and refuses
/// everything else. Of what it takes it demands more than the kernel does: no two things in one place, folders sorted, every
/// link counted, zeros behind a file's last byte. Whatever the bytes are, it ends in time and memory linear in their number.
package struct ErofsReader {
    static let blockSize = 4096
    let bytes: [UInt8]
    /// Which stretches of 32 bytes are somebody's.
    private var taken: [Bool]
    private var tree = LayerTree()
    /// Files by their number, with the names that were seen.
    private var files: [UInt64: (node: LayerNode, names: [[UInt8]])] = [:]
    private var inodes: UInt64 = 0

    package static func tree(of image: [UInt8]) throws(ErofsFault) -> LayerTree {
        var reader = ErofsReader(image)
        try reader.read()
        return reader.tree
    }

    private init(_ image: [UInt8]) {
        bytes = image
        taken = Array(repeating: false, count: image.count / 32)
    }

    // MARK: Bytes

    func number(_ offset: Int, _ count: Int) throws(ErofsFault) -> UInt64 {
        guard offset >= 0, offset + count <= bytes.count else {
            throw ErofsFault("a number lies behind the image's end")
        }
        return bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Makes a stretch somebody's; it must lie in the image and be nobody's yet.
    mutating func take(_ offset: Int, _ count: Int, _ what: String) throws(ErofsFault) {
        guard offset >= 0, offset.isMultiple(of: 32), count >= 0, count <= bytes.count, offset <= bytes.count - count
        else { throw ErofsFault("\(what) lies outside of the image") }
        for unit in offset / 32..<(offset + count + 31) / 32 {
            if taken[unit] { throw ErofsFault("\(what) at \(offset) lies on something else") }
            taken[unit] = true
        }
    }

    // MARK: The image

    private mutating func read() throws(ErofsFault) {
        guard bytes.count >= Self.blockSize, bytes.count.isMultiple(of: Self.blockSize) else {
            throw ErofsFault("\(bytes.count) bytes are no blocks")
        }
        try take(1024, 128, "the superblock")
        guard try number(1024, 4) == 0xe0f5_e1e2 else { throw ErofsFault("no superblock") }
        guard try number(1036, 1) == 12, try number(1037, 1) == 0 else {
            throw ErofsFault("other blocks or a longer superblock")
        }
        try checkSum()
        guard try number(1032, 4) == 3 else { throw ErofsFault("unknown compatible features") }
        let features = try number(1104, 4)
        guard features & ~4 == 0 else { throw ErofsFault("unknown incompatible features") }
        guard try number(1060, 4) == UInt64(bytes.count / Self.blockSize) else {
            throw ErofsFault("another number of blocks")
        }
        guard try number(1064, 4) == 0, try number(1068, 4) == 0 else { throw ErofsFault("metadata begin elsewhere") }
        let root = try number(1038, 2)
        let node = try readInode(root)
        guard node.node.isFolder else { throw ErofsFault("the root is no folder") }
        try readFolders(from: node)
        try finish(declared: number(1040, 8), mayHaveChunks: features & 4 != 0)
    }

    /// CRC-32C over the first block from the superblock on, with the field itself as zeros, not inverted at the end.
    private func checkSum() throws(ErofsFault) {
        guard try number(1028, 4) == UInt64(Self.checkSum(of: bytes)) else { throw ErofsFault("a wrong checksum") }
    }

    package static func checkSum(of image: [UInt8]) -> UInt32 {
        var sum = UInt32.max
        for offset in 1024..<blockSize {
            sum ^= UInt32((1028..<1032).contains(offset) ? 0 : image[offset])
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82f6_3b78 : sum >> 1 }
        }
        return sum
    }

    private var hasChunks = false

    private mutating func readFolders(from root: Inode) throws(ErofsFault) {
        var pending: [(inode: Inode, path: [UInt8], parent: UInt64)] = [(root, [], root.number)]
        while let (inode, path, parent) = pending.popLast() {
            var folders: UInt32 = 0
            for entry in try folder(inode) {
                switch entry.name {
                case [0x2e]:
                    guard entry.inode == inode.number, entry.type == 2 else { throw ErofsFault("\".\" is elsewhere") }
                case [0x2e, 0x2e]:
                    guard entry.inode == parent, entry.type == 2 else { throw ErofsFault("\"..\" is elsewhere") }
                default:
                    let child = LayerTree.path(path, entry.name)
                    guard child.count < 1 << 16 else { throw ErofsFault("a path is too long") }
                    if let file = files[entry.inode] {
                        guard entry.type == Self.type(file.node) else { throw ErofsFault("an entry has another type") }
                        files[entry.inode]?.names.append(child)
                        continue
                    }
                    let found = try readInode(entry.inode)
                    guard entry.type == Self.type(found.node) else { throw ErofsFault("an entry has another type") }
                    if found.node.isFolder {
                        folders += 1
                        pending.append((found, child, inode.number))
                    } else {
                        var node = found.node
                        try readContent(of: found, into: &node)
                        files[entry.inode] = (node, [child])
                    }
                }
            }
            guard inode.node.links == 2 + folders else { throw ErofsFault("a folder's links are counted wrong") }
            var node = inode.node
            (node.links, node.size) = (1, 0)
            tree.nodes[path] = node
        }
    }

    /// EROFS_FT_*.
    private static func type(_ node: LayerNode) -> UInt8 {
        switch node.type {
        case S_IFREG: 1
        case S_IFDIR: 2
        case S_IFCHR: 3
        case S_IFBLK: 4
        case S_IFIFO: 5
        case S_IFSOCK: 6
        default: 7
        }
    }

    private mutating func finish(declared: UInt64, mayHaveChunks: Bool) throws(ErofsFault) {
        for (node, names) in files.values {
            guard node.links == UInt32(names.count) else { throw ErofsFault("a file's links are counted wrong") }
            let sorted = names.sorted(by: LayerTree.comesFirst)
            for name in sorted {
                var node = node
                node.first = sorted[0]
                tree.nodes[name] = node
            }
        }
        // Files that a later entry of the archive replaced are there but have no name.
        guard inodes <= declared else { throw ErofsFault("fewer inodes are declared than there are") }
        guard mayHaveChunks || !hasChunks else { throw ErofsFault("chunks without their feature") }
    }

    mutating func countInode() { inodes += 1 }
    mutating func noteChunks() { hasChunks = true }
}
