import CLinux
import LinuxSystem
import OCI

/// A file with its running digest. Reading at an offset, appending, and helping with the digest may happen at the same time.
final class GrowingFile: @unchecked Sendable {
    private let file: FileDescriptor
    private let counted = Monitor(Counted())

    private struct Counted {
        /// Bytes in the file.
        var written: Int64 = 0
        /// Of them, how many are in the digest.
        var hashed: Int64 = 0
        /// Nil while somebody hashes.
        var digest: RunningDigest? = RunningDigest()

        /// For whoever hashes; nil where somebody does, or everything is hashed.
        mutating func take() -> RunningDigest? {
            guard hashed < written, let taken = digest else { return nil }
            digest = nil
            return taken
        }
    }

    /// How much may be left to the helpers: what they do not get to must be hashed at the end.
    private static let backlog: Int64 = 64 << 20

    init(reading file: consuming FileDescriptor) { self.file = file }

    /// Takes what the file holds as the beginning; more than `limit` bytes are nobody's beginning.
    init(_ file: consuming FileDescriptor, limit: Int64) throws {
        self.file = file
        let size = try self.file.status().size
        guard size <= limit else {
            try truncate()
            return
        }
        counted.update { $0.written = size }
        _ = try digest()
        _ = try retrying("seeking") { lseek(self.file.raw, Int(size), SEEK_SET) }
    }

    var count: Int64 { counted.locked { $0.written } }

    /// - Parameter isHelped: whether others hash, too: then it is mostly left to them.
    func append(_ bytes: UnsafeRawBufferPointer, isHelped: Bool) throws {
        try file.write(bytes)
        let taken = counted.update { counted -> RunningDigest? in
            counted.written += Int64(bytes.count)
            if isHelped, counted.written - counted.hashed <= GrowingFile.backlog { return nil }
            return counted.take()
        }
        guard var digest = taken else { return }
        defer { give(digest) }
        let end = count
        if digest.count + Int64(bytes.count) == end { digest.update(bytes) } else { try catchUp(&digest, to: end) }
    }

    /// Of all that is there. Nothing may be appended meanwhile.
    func digest() throws -> Digest {
        // Whoever has it now gives it back after some bytes.
        var digest = counted.wait { counted -> RunningDigest? in
            defer { counted.digest = nil }
            return counted.digest
        }
        defer { give(digest) }
        try catchUp(&digest, to: count)
        return digest.digest
    }

    /// `SharedDigest`.
    func update(
        beside running: inout RunningDigest,
        _ bytes: UnsafeRawBufferPointer,
        _ scratch: UnsafeMutableRawBufferPointer
    )
        throws -> Bool
    {
        guard var digest = counted.update({ $0.take() }) else { return false }
        defer { give(digest) }
        let room = Int(min(Int64(min(scratch.count, bytes.count)), count - digest.count))
        let found = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: scratch[..<room]), at: digest.count)
        RunningDigest.update(&running, bytes, &digest, UnsafeRawBufferPointer(rebasing: scratch[..<found]))
        return true
    }

    private func give(_ digest: RunningDigest) {
        counted.update { counted in
            counted.hashed = digest.count
            counted.digest = digest
        }
    }

    private func catchUp(_ digest: inout RunningDigest, to end: Int64) throws {
        if digest.count >= end { return }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 16)
        defer { buffer.deallocate() }
        while digest.count < end {
            let room = UnsafeMutableRawBufferPointer(
                rebasing: buffer.prefix(Int(min(Int64(buffer.count), end - digest.count)))
            )
            let count = try file.read(into: room, at: digest.count)
            if count == 0 { throw SystemError("reading", code: EIO) }
            digest.update(UnsafeRawBufferPointer(rebasing: room[..<count]))
        }
    }

    func truncate() throws {
        try retrying("truncating") { ftruncate(file.raw, 0) }
        try file.rewind()
        counted.wait { counted -> Void? in
            if counted.digest == nil { return nil }
            counted = Counted()
            return ()
        }
    }

    func sync() throws { try file.sync() }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        try file.read(into: buffer, at: offset)
    }
}
