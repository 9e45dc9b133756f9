import OCI

/// A source with a window: headers are read in place, and content is handed on without being copied.
final class TarInput {
    private let source: any PieceSource
    /// The part of the source's piece that is not consumed yet.
    private var pending = UnsafeRawBufferPointer(start: nil, count: 0)
    /// A block that lies in two pieces.
    private let split = UnsafeMutableRawBufferPointer.allocate(byteCount: TarHeader.size, alignment: 16)

    init(_ source: any PieceSource) { self.source = source }

    deinit { split.deallocate() }

    /// At least one and at most `limit` bytes, valid until the next call; empty at the end.
    func piece(limit: Int64) throws -> UnsafeRawBufferPointer {
        if pending.isEmpty { pending = try source.next() }
        return take(Int(min(Int64(pending.count), limit)))
    }

    private func take(_ count: Int) -> UnsafeRawBufferPointer {
        let piece = UnsafeRawBufferPointer(rebasing: pending[..<count])
        pending = UnsafeRawBufferPointer(rebasing: pending[count...])
        return piece
    }

    /// One 512-byte block, valid until the next call; nil at the end of the source.
    func block() throws -> UnsafeRawBufferPointer? {
        if pending.isEmpty { pending = try source.next() }
        if pending.count >= TarHeader.size { return take(TarHeader.size) }
        var filled = 0
        while filled < TarHeader.size {
            let piece = try piece(limit: Int64(TarHeader.size - filled))
            if piece.isEmpty {
                if filled == 0 { return nil }
                throw corruptTar("it ends inside a block")
            }
            UnsafeMutableRawBufferPointer(rebasing: split[filled...]).copyMemory(from: piece)
            filled += piece.count
        }
        return UnsafeRawBufferPointer(split)
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

/// A source in pieces, without a thread.
final class BufferedPieces: PieceSource {
    private let source: any ByteSource
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 512 << 10, alignment: 16)

    init(_ source: any ByteSource) { self.source = source }

    deinit { buffer.deallocate() }

    func next() throws -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: buffer[..<(try source.read(into: buffer))])
    }
}
