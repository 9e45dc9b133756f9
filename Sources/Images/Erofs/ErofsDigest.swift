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

    private struct Counting {
        var next: Int64 = 0
        var digests: [Int64: [UInt8]] = [:]
        var failure: (any Error)?
    }

    static func of(_ file: borrowing FileDescriptor) throws -> OCI.Digest {
        let raw = file.raw
        let size = try file.status().size
        let counting = Monitor(Counting())
        let regions = (size + region - 1) / region
        // One may be enough where the machine has no more threads to give.
        let threads = (1..<max(1, min(Processors.configured, Int(regions)))).compactMap { _ in
            try? Thread { count(raw, size, counting) }
        }
        count(raw, size, counting)
        for thread in threads { thread.join() }
        let counted = counting.update { $0 }
        if let failure = counted.failure { throw failure }
        var hash = SHA256()
        hash.append(size)
        for (number, digest) in counted.digests.sorted(by: { $0.key < $1.key }) {
            hash.append(number)
            hash.update(data: digest)
        }
        return OCI.Digest(sha256: hash.finalize())
    }

    /// Takes region after region until there is none left.
    private static func count(_ file: CInt, _ size: Int64, _ counting: Monitor<Counting>) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let number = counting.update { state in
                defer { state.next += 1 }
                return state.failure == nil ? state.next : Int64.max / region
            }
            let start = number * region
            if start >= size { return }
            do {
                let digest = try digest(of: file, start..<min(start + region, size), buffer)
                counting.update { $0.digests[number] = digest }
            } catch {
                counting.update { $0.failure = error }
            }
        }
    }

    private static func digest(
        of file: CInt,
        _ range: Range<Int64>,
        _ buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> [UInt8]? {
        var hash = SHA256()
        var isEmpty = true
        var offset = range.lowerBound
        while offset < range.upperBound {
            // The threads share the descriptor's offset, and none of them uses it.
            let data = lseek(file, Int(offset), SEEK_DATA)
            if data < 0 || Int64(data) >= range.upperBound { break }
            offset = Int64(data) & ~Int64(piece - 1)
            let wanted = Int(min(Int64(piece), range.upperBound - offset))
            let bytes = try read(file, UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: offset)
            if !isZero(bytes) {
                isEmpty = false
                hash.append(offset)
                hash.update(bufferPointer: bytes)
            }
            offset += Int64(wanted)
        }
        return isEmpty ? nil : Array(hash.finalize())
    }

    private static func read(_ file: CInt, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int64)
        throws(SystemError) -> UnsafeRawBufferPointer
    {
        var count = 0
        while count < buffer.count {
            let more = try retrying("reading") {
                pread(file, buffer.baseAddress?.advanced(by: count), buffer.count - count, Int(offset) + count)
            }
            if more == 0 { throw SystemError("reading", code: EIO) }
            count += more
        }
        return UnsafeRawBufferPointer(buffer)
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
