import CLinux
import Crypto
import LinuxSystem
import OCI

/// What an image's file is known by: a SHA-256 that leaves out zeros, so that holes cost nothing however large a sparse
/// file makes them, and that all processors can count together.
///
/// The file is divided into regions of 16 MiB and these into pieces of 64 KiB. A region's digest is that of the places
/// (8 bytes) and the bytes of its pieces that are not all zero; the file's is that of its size and its regions' digests,
/// each after its number. Regions of zeros have none.
enum ErofsDigest {
    private static let region: Int64 = 16 << 20
    private static let piece = 64 << 10

    static func of(_ file: borrowing FileDescriptor) throws -> OCI.Digest {
        let size = try file.status().size
        var hash = SHA256()
        hash.append(size)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 4096)
        defer { buffer.deallocate() }
        for start in stride(from: 0, to: size, by: Int64.Stride(region)) {
            guard let digest = try digest(of: file, start..<min(start + region, size), buffer) else { continue }
            hash.append(start / region)
            hash.update(data: digest)
        }
        return OCI.Digest(sha256: hash.finalize())
    }

    private static func digest(
        of file: borrowing FileDescriptor,
        _ range: Range<Int64>,
        _ buffer: UnsafeMutableRawBufferPointer
    ) throws -> [UInt8]? {
        var hash = SHA256()
        var isEmpty = true
        var offset = range.lowerBound
        while offset < range.upperBound {
            let data = lseek(file.raw, Int(offset), SEEK_DATA)
            if data < 0 || Int64(data) >= range.upperBound { break }
            offset = Int64(data) & ~Int64(piece - 1)
            let wanted = Int(min(Int64(piece), range.upperBound - offset))
            var count = 0
            while count < wanted {
                let room = UnsafeMutableRawBufferPointer(rebasing: buffer[count..<wanted])
                let more = try file.read(into: room, at: offset + Int64(count))
                if more == 0 { throw SystemError("reading", code: EIO) }
                count += more
            }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<wanted])
            if !isZero(bytes) {
                isEmpty = false
                hash.append(offset)
                hash.update(bufferPointer: bytes)
            }
            offset += Int64(wanted)
        }
        return isEmpty ? nil : Array(hash.finalize())
    }

    private static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress, let first = bytes.first else { return true }
        return first == 0 && memcmp(start, start + 1, bytes.count - 1) == 0
    }
}

extension SHA256 {
    fileprivate mutating func append(_ number: Int64) {
        withUnsafeBytes(of: number.littleEndian) { update(bufferPointer: $0) }
    }
}
