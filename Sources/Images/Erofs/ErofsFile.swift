import CInflate
import CLinux
import LinuxSystem
import OCI

/// An image's file while it is written, in any order, and its digest (`ErofsDigest`): counted of what is written, while that
/// is in the processor's caches.
final class ErofsFile {
    private let file: FileDescriptor
    private let check = UnsafeMutablePointer<crc32>.allocate(capacity: 1)
    private var pieces: [Int64: Piece] = [:]

    /// What is known of a piece of the file. Bytes that nobody has written are zeros, and add nothing.
    private struct Piece {
        /// The sum of what was written, as if the piece were whole.
        var sum: UInt32 = 0
        var isZero = true
        /// Something was written twice: only reading tells what is there.
        var isOverwritten = false

        mutating func add(_ part: UInt32) {
            sum ^= part
            isZero = false
        }
    }

    /// - Parameter file: empty, to be read and written.
    init(_ file: consuming FileDescriptor) {
        self.file = file
        crc32_prepare(check)
    }

    deinit { check.deallocate() }

    /// Writes where nothing was written before.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws {
        count(bytes, at: offset)
        try file.write(bytes, at: offset)
    }

    /// Writes, perhaps where something was written before.
    func overwrite(_ bytes: [UInt8], at offset: Int64) throws {
        if bytes.isEmpty { return }
        for number in offset / ErofsDigest.piece...(offset + Int64(bytes.count) - 1) / ErofsDigest.piece {
            pieces[number, default: Piece()].isOverwritten = true
        }
        try file.write(bytes, at: offset)
    }

    func setSize(_ size: Int64) throws {
        try retrying("growing the image") { ftruncate(file.raw, Int(size)) }
    }

    private func count(_ bytes: UnsafeRawBufferPointer, at offset: Int64) {
        var rest = bytes
        var offset = offset
        while !rest.isEmpty {
            let (number, start) = offset.quotientAndRemainder(dividingBy: ErofsDigest.piece)
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Int(ErofsDigest.piece - start)))
            if !ErofsDigest.isZero(part) {
                let behind = Int(ErofsDigest.piece - start) - part.count
                let first = part.baseAddress?.assumingMemoryBound(to: UInt8.self)
                pieces[number, default: Piece()].add(crc32_part(check, first, part.count, behind))
            }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
            offset += Int64(part.count)
        }
    }

    /// The digest of the file as it is. What was overwritten is read again, and the last piece if it is not whole.
    func digest() throws -> OCI.Digest {
        let size = try file.status().size
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(ErofsDigest.piece), alignment: 4096)
        defer { buffer.deallocate() }
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        let first = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let zeros = crc32_update(check, 0, first, buffer.count)
        var sum = ErofsDigest.Sum(size: size)
        for (number, piece) in pieces.sorted(by: { $0.key < $1.key }) {
            let offset = number * ErofsDigest.piece
            let length = min(ErofsDigest.piece, size - offset)
            if !piece.isOverwritten, length == ErofsDigest.piece {
                if !piece.isZero { sum.add(piece.sum ^ zeros, at: offset) }
                continue
            }
            if length <= 0 { continue }
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(length)])
            try sum.add(ErofsDigest.read(file.raw, room, at: offset), at: offset, check)
        }
        return sum.digest
    }
}
