import OCI

/// A source with a window: headers are read in place, and content is handed on without being copied.
final class TarInput {
    private let source: any ByteSource
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 512 << 10, alignment: 16)
    /// The part of `buffer` that is not consumed yet.
    private var pending = 0..<0

    init(_ source: any ByteSource) { self.source = source }

    deinit { buffer.deallocate() }

    /// At least one and at most `limit` bytes, valid until the next call; empty at the end.
    func piece(limit: Int64) throws -> UnsafeRawBufferPointer {
        if pending.isEmpty { pending = 0..<(try source.read(into: buffer)) }
        let count = Int(min(Int64(pending.count), limit))
        let start = pending.lowerBound
        pending = (start + count)..<pending.upperBound
        return UnsafeRawBufferPointer(rebasing: buffer[start..<start + count])
    }

    /// One 512-byte block, valid until the next call; nil at the end of the source.
    func block() throws -> UnsafeRawBufferPointer? {
        if pending.count < TarHeader.size {
            let kept = pending.count
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[pending]))
            pending = 0..<kept
            while pending.count < TarHeader.size {
                let count = try source.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[pending.upperBound...])
                )
                if count == 0 {
                    if pending.isEmpty { return nil }
                    throw corruptTar("it ends inside a block")
                }
                pending = 0..<(pending.upperBound + count)
            }
        }
        let start = pending.lowerBound
        pending = (start + TarHeader.size)..<pending.upperBound
        return UnsafeRawBufferPointer(rebasing: buffer[start..<start + TarHeader.size])
    }

    func skip(_ count: Int64) throws {
        var left = count
        while left > 0 {
            let piece = try piece(limit: left)
            if piece.isEmpty { throw corruptTar("it ends inside a file") }
            left -= Int64(piece.count)
        }
    }

    /// Reads the source to its end.
    func drain() throws {
        while try !piece(limit: .max).isEmpty {}
    }
}
