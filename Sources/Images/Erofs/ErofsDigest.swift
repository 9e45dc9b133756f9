import CInflate
import CLinux
import Crypto
import LinuxSystem
import OCI

/// What an image's file is known by, to see after a power cut or years on a disk whether it is what was written. Against
/// somebody who means to deceive it is no protection, which a record beside the file could not give in any case: it has
/// CRC-32s below, a tenth of SHA-256's time.
///
/// The file is divided into pieces of 64 KiB. The digest is the SHA-256 of the file's size and, for each piece that is not
/// all zero, of its place (8 bytes) and its CRC-32 (8 bytes); so holes cost nothing, however large a sparse file makes them.
/// All processors count together, 16 MiB at a time.
enum ErofsDigest {
    private static let region: Int64 = 16 << 20
    static let piece: Int64 = 64 << 10

    /// The digest of a file whose pieces are told in order.
    struct Sum {
        private var hash = SHA256()

        init(size: Int64) { hash.append(size) }

        /// A piece that is not all zero.
        mutating func add(_ checksum: UInt32, at offset: Int64) {
            hash.append(offset)
            hash.append(Int64(checksum))
        }

        /// Whatever is in a piece.
        mutating func add(_ bytes: UnsafeRawBufferPointer, at offset: Int64, _ check: UnsafePointer<crc32>) {
            if !ErofsDigest.isZero(bytes) { add(ErofsDigest.checksum(bytes, check), at: offset) }
        }

        var digest: OCI.Digest { OCI.Digest(sha256: Array(hash.finalize())) }
    }

    private struct Counting {
        var next: Int64 = 0
        var checksums: [Int64: [(offset: Int64, checksum: UInt32)]] = [:]
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
        var sum = Sum(size: size)
        for (_, checksums) in counted.checksums.sorted(by: { $0.key < $1.key }) {
            for piece in checksums { sum.add(piece.checksum, at: piece.offset) }
        }
        return sum.digest
    }

    /// Takes region after region until there is none left.
    private static func count(_ file: CInt, _ size: Int64, _ counting: Monitor<Counting>) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(piece), alignment: 4096)
        let check = UnsafeMutablePointer<crc32>.allocate(capacity: 1)
        defer {
            buffer.deallocate()
            check.deallocate()
        }
        crc32_prepare(check)
        while true {
            let number = counting.update { state in
                defer { state.next += 1 }
                return state.failure == nil ? state.next : Int64.max / region
            }
            let start = number * region
            if start >= size { return }
            do {
                let found = try checksums(of: file, start..<min(start + region, size), check, buffer)
                counting.update { $0.checksums[number] = found }
            } catch {
                counting.update { $0.failure = error }
            }
        }
    }

    /// The place and the CRC-32 of one piece after the other.
    private static func checksums(
        of file: CInt,
        _ range: Range<Int64>,
        _ check: UnsafePointer<crc32>,
        _ buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> [(offset: Int64, checksum: UInt32)] {
        var found: [(offset: Int64, checksum: UInt32)] = []
        var offset = range.lowerBound
        while offset < range.upperBound {
            // The threads share the descriptor's offset, and none of them uses it.
            let data = lseek(file, Int(offset), SEEK_DATA)
            if data < 0 || Int64(data) >= range.upperBound { break }
            offset = Int64(data) & ~(piece - 1)
            let wanted = Int(min(piece, range.upperBound - offset))
            let bytes = try read(file, UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: offset)
            if !isZero(bytes) { found.append((offset, checksum(bytes, check))) }
            offset += Int64(wanted)
        }
        return found
    }

    fileprivate static func checksum(_ bytes: UnsafeRawBufferPointer, _ check: UnsafePointer<crc32>) -> UInt32 {
        crc32_update(check, 0, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
    }

    static func read(_ file: CInt, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int64)
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

    static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let start = bytes.baseAddress, let first = bytes.first else { return true }
        return first == 0 && memcmp(start, start + 1, bytes.count - 1) == 0
    }
}

extension SHA256 {
    fileprivate mutating func append(_ number: Int64) {
        withUnsafeBytes(of: number.littleEndian) { update(bufferPointer: $0) }
    }
}
