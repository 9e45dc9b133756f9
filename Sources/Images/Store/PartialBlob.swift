import CLinux
import LinuxSystem
import OCI

/// A blob that is being fetched: `partial/HEX`, a file that grows while others read it from its start.
///
/// What is on the disk after a kill is the beginning of the next try. The file is locked by whoever appends to it
/// (flock(2)), so two processes never fetch one blob at the same time; the lock goes with its holder. Bytes are hashed as they
/// come, and the file gets its name under `blobs/` only when size and digest are right.
///
/// One side, the fetcher, calls `claim`, `append`, `restart`, `finish` and `fail`, one call at a time. Any number of
/// threads read through `source()`, also before the first byte is there.
package final class PartialBlob: @unchecked Sendable {
    package let descriptor: Descriptor
    let store: ImageStore
    private let monitor = Monitor(Progress())

    private struct Progress {
        var state = State.expected
        /// How often it was begun anew: bytes that a reader has had do not count after that.
        var generation = 0
        /// Who hashes it beside something else (`SharedDigest`).
        var helpers = 0
    }

    private enum State {
        /// Not begun.
        case expected
        /// `count` bytes are there.
        case growing(GrowingFile, count: Int64)
        /// Verified and under its name.
        case stored
        case failed(any Error)
    }

    package init(_ descriptor: Descriptor, in store: ImageStore) {
        self.descriptor = descriptor
        self.store = store
    }

    private var path: String { "\(store.partialFolder)/\(descriptor.digest.hex)" }

    // MARK: - The fetcher's side

    /// What came of `claim`.
    package enum Claim: Equatable, Sendable {
        /// So many bytes are there from an earlier try; what follows them is the caller's to append.
        case mine(count: Int64)
        /// The blob is in the store.
        case stored
        /// Another process fetches it. Ask again later.
        case taken
    }

    /// Takes the blob's file, unless another process has it or the blob is there. Reads what is there already.
    package func claim() throws -> Claim {
        while true {
            if store.hasBlob(descriptor.digest, size: descriptor.size) {
                monitor.update { $0.state = .stored }
                return .stored
            }
            try Files.makeDirectories(store.partialFolder, mode: 0o700)
            let file = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o644)
            guard flock(file.raw, LOCK_EX | LOCK_NB) == 0 else {
                if errno == EWOULDBLOCK { return .taken }
                throw SystemError("locking", path)
            }
            // Its last holder may have finished it, or a collection removed it, between our two calls.
            let (own, named) = (try file.status(), try? FileStatus.of(path))
            guard own.device == named?.device, own.inode == named?.inode else { continue }
            let growing = try GrowingFile(file, limit: descriptor.size)
            let count = growing.count
            monitor.update { $0.state = .growing(growing, count: count) }
            return .mine(count: count)
        }
    }

    /// Adds bytes to the end. More than the blob should have are refused.
    package func append(_ bytes: UnsafeRawBufferPointer) throws {
        let file = try file()
        guard file.count + Int64(bytes.count) <= descriptor.size else {
            throw EngineError(
                .corrupt,
                "blob \(descriptor.digest) is larger than the \(descriptor.size) bytes it should have"
            )
        }
        try file.append(bytes, isHelped: monitor.locked { $0.helpers > 0 })
        monitor.update { $0.state = .growing(file, count: file.count) }
    }

    /// Forgets what is there. Readers who have had some of it are told.
    package func restart() throws {
        let file = try file()
        try file.truncate()
        monitor.update { progress in
            progress.generation += 1
            progress.state = .growing(file, count: 0)
        }
    }

    /// Verifies the blob, syncs it and gives it its name. One that is not what its descriptor says is emptied.
    /// - Returns: whether it was right.
    package func finish() throws -> Bool {
        let file = try file()
        guard file.count == descriptor.size else {
            try restart()
            return false
        }
        // Before the digest is asked for: whoever helps with it goes on meanwhile.
        try file.sync()
        guard try file.digest() == descriptor.digest else {
            try restart()
            return false
        }
        try retrying("renaming", path) { rename(path, store.blobPath(descriptor.digest)) }
        monitor.update { $0.state = .stored }
        return true
    }

    /// Gives up: whoever reads gets the error. What is on the disk stays for the next try; nothing at all is not kept.
    package func fail(_ error: any Error) {
        monitor.update { progress in
            if case .stored = progress.state { return }
            if case .growing(_, 0) = progress.state { unlink(path) }
            progress.state = .failed(error)
        }
    }

    /// The bytes that are there.
    package var count: Int64 { (try? file())?.count ?? 0 }

    private func file() throws -> GrowingFile {
        try monitor.locked { progress in
            guard case .growing(let file, _) = progress.state else {
                throw EngineError(.failed, "blob \(descriptor.digest) is not being fetched")
            }
            return file
        }
    }

    // MARK: - The reader's side

    /// The blob from its start, read as it comes. `read` waits for bytes; the end comes only after the whole blob was
    /// verified, so it needs no hashing by the reader.
    package func source() -> any WaitingSource { PartialSource(self, generation: monitor.locked { $0.generation }) }

    /// Whether readers had bytes that did not count: they must begin anew.
    package var wasRestarted: Bool { monitor.locked { $0.generation } > 0 }

    enum Ready {
        case bytes(GrowingFile, until: Int64)
        case stored
    }

    func cancel(_ reader: PartialSource) { monitor.update { _ in reader.isCancelled = true } }

    /// Waits for bytes after `offset`, or for the end.
    func wait(_ reader: PartialSource, after offset: Int64, generation: Int) throws -> Ready {
        try monitor.wait { progress in
            if reader.isCancelled { throw EngineError(.failed, "stopped") }
            guard generation == progress.generation else {
                throw EngineError(
                    .corrupt,
                    "blob \(descriptor.digest) was not what its digest says, and is "
                        + "fetched again"
                )
            }
            switch progress.state {
            case .expected: return nil
            case .growing(let file, let count): return count > offset ? .bytes(file, until: count) : nil
            case .stored: return .stored
            case .failed(let error): throw error
            }
        }
    }
}

extension PartialBlob: SharedDigest {
    func join() { monitor.update { $0.helpers += 1 } }
    func leave() { monitor.update { $0.helpers -= 1 } }

    func update(
        beside running: inout RunningDigest,
        _ bytes: UnsafeRawBufferPointer,
        _ scratch: UnsafeMutableRawBufferPointer
    )
        throws -> Bool
    {
        guard case .growing(let file, _) = monitor.locked({ $0.state }) else { return false }
        return try file.update(beside: &running, bytes, scratch)
    }
}

/// Reads a partial blob from its start; once the blob is stored, the rest from there.
final class PartialSource: WaitingSource, DigestedSource, @unchecked Sendable {
    private let blob: PartialBlob
    private let generation: Int
    /// The reader's own.
    private var offset: Int64 = 0
    private var stored: GrowingFile?
    /// Guarded by the blob's monitor, since it ends a wait there.
    var isCancelled = false

    init(_ blob: PartialBlob, generation: Int) {
        self.blob = blob
        self.generation = generation
    }

    func cancel() { blob.cancel(self) }

    var sharedDigest: (any SharedDigest)? { blob }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while stored == nil {
            switch try blob.wait(self, after: offset, generation: generation) {
            case .bytes(let file, let end):
                let room = Int(min(Int64(buffer.count), end - offset))
                let count = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<room]), at: offset)
                // Nothing, where it was emptied in between: the next turn throws.
                if count > 0 { return advance(count) }
            case .stored:
                stored = GrowingFile(reading: try FileDescriptor.open(blob.store.blobPath(blob.descriptor.digest)))
            }
        }
        return advance(try stored?.read(into: buffer, at: offset) ?? 0)
    }

    private func advance(_ count: Int) -> Int {
        offset += Int64(count)
        return count
    }
}
