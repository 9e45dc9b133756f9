/// A stretch of inodes in memory, until it is full.
final class ErofsInodeArea {
    static let standardBlocks: Int64 = 64
    private var bytes: [UInt8] = []
    /// Bytes used in each block.
    private var used: [Int] = []
    /// Blocks before this one are full.
    private var firstOpen = 0
    private var start: Int64 = 0

    /// Starts a stretch of empty blocks. The one before must have been flushed.
    func begin(at block: Int64, blocks: Int) {
        bytes = [UInt8](repeating: 0, count: blocks << ErofsFormat.blockBits)
        used = [Int](repeating: 0, count: blocks)
        firstOpen = 0
        start = block
    }

    /// The block after the last one that is used, and the one after the stretch; nil where there is none.
    var end: (used: Int64, reserved: Int64)? {
        guard let last = used.lastIndex(where: { $0 > 0 }) else { return nil }
        return (start + Int64(last) + 1, start + Int64(used.count))
    }

    /// Puts a record into the first block with room for it; its offset in the image, or nil if there is none. No record
    /// crosses from one block into the next unless it is larger than a block: then it begins with one.
    func add(_ record: [UInt8]) -> Int64? {
        while firstOpen < used.count, used[firstOpen] > ErofsFormat.blockSize - ErofsFormat.inodeSize { firstOpen += 1 }
        guard
            let block = record.count > ErofsFormat.blockSize
                ? empty(ErofsFormat.blocks(Int64(record.count)))
                : used[firstOpen...].firstIndex(where: { $0 + record.count <= ErofsFormat.blockSize })
        else { return nil }
        let offset = block << ErofsFormat.blockBits + used[block]
        bytes.replaceSubrange(offset..<offset + record.count, with: record)
        fill(offset + (record.count + ErofsFormat.slotSize - 1) & ~(ErofsFormat.slotSize - 1), from: block)
        return start << Int64(ErofsFormat.blockBits) + Int64(offset)
    }

    /// The first of so many blocks at the end that nothing is in yet.
    private func empty(_ blocks: Int64) -> Int? {
        let first = (used.lastIndex { $0 > 0 } ?? -1) + 1
        return first + Int(blocks) <= used.count ? first : nil
    }

    private func fill(_ end: Int, from block: Int) {
        var block = block
        while block << ErofsFormat.blockBits + ErofsFormat.blockSize < end {
            used[block] = ErofsFormat.blockSize
            block += 1
        }
        used[block] = end - block << ErofsFormat.blockBits
    }

    /// Replaces bytes that are still in memory; false where they are not.
    func overwrite(_ record: [UInt8], at offset: Int64) -> Bool {
        let place = offset - start << Int64(ErofsFormat.blockBits)
        guard place >= 0, place + Int64(record.count) <= Int64(bytes.count) else { return false }
        bytes.replaceSubrange(Int(place)..<Int(place) + record.count, with: record)
        return true
    }

    func flush(to file: ErofsFile) throws {
        if let end {
            try bytes[..<(Int(end.used - start) << ErofsFormat.blockBits)].withUnsafeBytes {
                try file.write($0, at: start << Int64(ErofsFormat.blockBits))
            }
        }
        used = []
        bytes = []
        firstOpen = 0
    }
}

/// Bytes on their way into a file: neighbours leave together.
final class PositionedBuffer {
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 512 << 10, alignment: 4096)
    private var start: Int64 = 0
    private var count = 0

    deinit { buffer.deallocate() }

    /// Large pieces are not copied. Between two pieces nothing is written, unless both are in the buffer: there the gap
    /// up to the next block is zeros.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64, to file: ErofsFile) throws {
        if bytes.isEmpty { return }
        let gap = offset - start - Int64(count)
        if count == 0 || gap < 0 || gap >= 4096 || Int64(count) + gap + Int64(bytes.count) > Int64(buffer.count) {
            try flush(to: file)
            if bytes.count >= buffer.count / 4 { return try file.write(bytes, at: offset) }
            start = offset
        } else if gap > 0 {
            UnsafeMutableRawBufferPointer(rebasing: buffer[count..<count + Int(gap)])
                .initializeMemory(as: UInt8.self, repeating: 0)
            count += Int(gap)
        }
        UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: bytes)
        count += bytes.count
    }

    func flush(to file: ErofsFile) throws {
        if count == 0 { return }
        try file.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]), at: start)
        count = 0
    }
}
