import CLinux
import LinuxSystem
import OCI

/// An EROFS image being written, front to back: a file's data and its inode go out as the file comes, so that only
/// numbers stay in memory. Folders come last, when all that is in them has a number.
///
/// The image is a chain of stretches: the data of one file, or 256 KiB of inodes with the small pieces of data behind
/// them. The same calls give the same bytes.
final class ErofsImage {
    private let file: ErofsFile
    private let data = PositionedBuffer()
    private let inodes = ErofsInodeArea()
    /// The first block that nothing has yet. Block 0 has the superblock and the root.
    private var nextBlock: Int64 = 1
    private var count: UInt64 = 0
    private var isChunked = false

    /// Bytes of a file's data behind its inode, at most: larger ones would leave too much of a block empty.
    static let inlineLimit = 2048

    /// - Parameter file: empty, to be read and written.
    init(_ file: consuming FileDescriptor) { self.file = ErofsFile(file) }

    // MARK: Inodes

    /// Adds what has no data: a device, a pipe. Gives its number.
    func addNode(_ inode: ErofsInode) throws -> UInt64 {
        try number(at: place(record(inode, .plain, inode.device)))
    }

    /// Adds a file or a link of `inode.size` bytes; `read` gives them piece by piece.
    func addFile(_ inode: ErofsInode, read: () throws -> UnsafeRawBufferPointer?) throws -> UInt64 {
        let shape = Shape(inode, inlineLimit: ErofsImage.inlineLimit, room: ErofsFormat.blockSize)
        let start = try allocate(shape.blocks)
        var tail: [UInt8] = []
        var left = inode.size - Int64(shape.tail)
        var offset = start << Int64(ErofsFormat.blockBits)
        while let piece = try read() {
            let whole = Int(min(Int64(piece.count), left))
            if whole > 0 {
                try data.write(UnsafeRawBufferPointer(rebasing: piece[..<whole]), at: offset, to: file)
                offset += Int64(whole)
                left -= Int64(whole)
            }
            tail += piece[whole...]
        }
        guard left == 0, tail.count == shape.tail else {
            throw EngineError(.failed, "a file changed while it was read")
        }
        return try number(at: place(record(inode, shape.layout, UInt32(start)) + tail))
    }

    /// Adds a sparse file; `read` gives the bytes of its segments, one after the other, at most so many as it is asked.
    func addSparseFile(
        _ inode: ErofsInode,
        _ segments: [TarEntry.Segment],
        read: (Int64) throws -> UnsafeRawBufferPointer?
    ) throws -> UInt64 {
        isChunked = true
        var chunks = ErofsChunks(size: inode.size, segments: segments)
        chunks.start = try allocate(chunks.blocks)
        for segment in segments {
            var offset = segment.offset
            let end = segment.offset + segment.length
            while offset < end, let piece = try read(end - offset) {
                try data.write(piece, at: chunks.place(of: offset), to: file)
                offset += Int64(piece.count)
            }
            guard offset == end else { throw EngineError(.corrupt, "a sparse file is incomplete") }
        }
        return try number(at: place(record(inode, .chunks, UInt32(chunks.bits)) + chunks.table))
    }

    /// Says how many names a file has, when all are known.
    func setLinks(_ links: UInt32, of number: UInt64) throws {
        let offset = Int64(number) * Int64(ErofsFormat.slotSize) + Int64(ErofsFormat.inodeLinksOffset)
        try overwrite(withUnsafeBytes(of: links.littleEndian) { Array($0) }, at: offset)
    }

    // MARK: Folders

    /// A folder's number before its content is known: `inode.size` must be that of the content.
    func reserveFolder(_ inode: ErofsInode) throws -> UInt64 {
        let shape = Shape(inode, inlineLimit: ErofsFormat.blockSize, room: ErofsFormat.blockSize)
        return try number(at: place([UInt8](repeating: 0, count: inode.recordSize + shape.tail)))
    }

    func writeFolder(_ inode: ErofsInode, _ content: [UInt8], number: UInt64) throws {
        try overwrite(
            folderRecord(inode, content, room: ErofsFormat.blockSize),
            at: Int64(number) * Int64(ErofsFormat.slotSize)
        )
    }

    /// The folder's data goes to blocks of its own; the rest follows the inode.
    private func folderRecord(_ inode: ErofsInode, _ content: [UInt8], room: Int) throws -> [UInt8] {
        let shape = Shape(inode, inlineLimit: ErofsFormat.blockSize, room: room)
        let start = try allocate(shape.blocks)
        let whole = content.count - shape.tail
        try content[..<whole].withUnsafeBytes {
            try data.write($0, at: start << Int64(ErofsFormat.blockBits), to: file)
        }
        return record(inode, shape.layout, UInt32(start)) + content[whole...]
    }

    static let rootNumber = UInt64(ErofsFormat.rootOffset / ErofsFormat.slotSize)

    /// Writes the root folder and the superblock; the image is complete then. Nothing is synced.
    /// - Parameter uuid: 16 bytes. Overlayfs tells layers apart by them.
    func finish(root: ErofsInode, _ content: [UInt8], uuid: [UInt8]) throws {
        let room = ErofsFormat.blockSize - ErofsFormat.rootOffset
        guard root.recordSize <= room else {
            throw EngineError(.unsupported, "the root folder has more than \(room) bytes of attributes")
        }
        let record = try folderRecord(root, content, room: room)
        try data.flush(to: file)
        if let end = inodes.end, end.reserved == nextBlock { nextBlock = end.used }
        try inodes.flush(to: file)
        var block = [UInt8](repeating: 0, count: ErofsFormat.blockSize)
        let superblock = ErofsSuperblock(
            inodes: count,
            blocks: UInt32(nextBlock),
            uuid: uuid,
            isChunked: isChunked
        ).bytes
        block.replaceSubrange(ErofsFormat.superblockOffset..<ErofsFormat.rootOffset, with: superblock)
        block.replaceSubrange(ErofsFormat.rootOffset..<ErofsFormat.rootOffset + record.count, with: record)
        ErofsSuperblock.seal(&block)
        try block.withUnsafeBytes { try file.write($0, at: 0) }
        try file.setSize(nextBlock << Int64(ErofsFormat.blockBits))
    }

    /// What the file is known by (`ErofsDigest`), once it is complete.
    func digest() throws -> Digest { try file.digest() }

    // MARK: Places

    /// How a file's data is divided.
    private struct Shape {
        let blocks: Int64
        /// Bytes behind the inode.
        let tail: Int
        var layout: ErofsFormat.Layout { tail > 0 ? .inline : .plain }

        init(_ inode: ErofsInode, inlineLimit: Int, room: Int) {
            let rest = Int(inode.size & Int64(ErofsFormat.blockSize - 1))
            // The kernel reads inode and tail from one block.
            tail = rest <= inlineLimit && inode.recordSize + rest <= room ? rest : 0
            blocks = ErofsFormat.blocks(inode.size - Int64(tail))
        }
    }

    /// Takes blocks that follow each other; the first one's number, or 0 where none is wanted.
    private func allocate(_ blocks: Int64) throws -> Int64 {
        if blocks == 0 { return 0 }
        // The last number stands for a hole.
        guard blocks < Int64(UInt32.max) - nextBlock else {
            throw EngineError(.unsupported, "the layer takes more than the 16 TiB that an EROFS image can have")
        }
        defer { nextBlock += blocks }
        return nextBlock
    }

    private func record(_ inode: ErofsInode, _ layout: ErofsFormat.Layout, _ place: UInt32) -> [UInt8] {
        count += 1
        return inode.record(layout, place: place, number: UInt32(truncatingIfNeeded: count))
    }

    /// Finds a place for an inode and what follows it; gives its offset in the image.
    private func place(_ record: [UInt8]) throws -> Int64 {
        if let offset = inodes.add(record) { return offset }
        try inodes.flush(to: file)
        // One with very many attributes or chunks needs more.
        let blocks = max(ErofsFormat.blocks(Int64(record.count)), ErofsInodeArea.standardBlocks)
        inodes.begin(at: try allocate(blocks), blocks: Int(blocks))
        guard let offset = inodes.add(record) else {
            throw EngineError(.failed, "an inode of \(record.count) bytes has no place")
        }
        return offset
    }

    private func number(at offset: Int64) -> UInt64 { UInt64(offset) / UInt64(ErofsFormat.slotSize) }

    private func overwrite(_ bytes: [UInt8], at offset: Int64) throws {
        if inodes.overwrite(bytes, at: offset) { return }
        try file.overwrite(bytes, at: offset)
    }
}
