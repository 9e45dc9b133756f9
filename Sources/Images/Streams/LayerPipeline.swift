import LinuxSystem
import OCI

/// A layer's way from its blob to its tar, on all processors:
///
/// ```
/// thread 1: read the blob, verify its digest ─► thread 2: decompress ─┬► thread 3: hash the tar, and a blob that still comes
///                                                                     └► the caller: parse and write
/// ```
///
/// At most 5 MiB are between the stages. Whatever a stage throws reaches the caller in the place of the bytes that do not come,
/// and ends all of them.
enum LayerPipeline {
    /// Hands the tar that is in `blob` to `body`, and returns its digest with what `body` returns.
    ///
    /// - Parameters:
    ///   - diffID: what the tar must be; nil takes any. `body` is not told the end of the tar before it is known to be right,
    ///     so it must read to the end, and must not let anything out before.
    ///   - formats: how `blob` may be compressed.
    ///   - budget: how large the tar may be beside it.
    ///   - reserve: asked for the decoder's memory, on another thread.
    /// - Throws: what went wrong first. No thread is left behind; one that waits inside of `blob` is waited for.
    static func run<R>(
        _ blob: any ByteSource,
        diffID: Digest?,
        formats: Set<CompressionFormat> = .all,
        budget: ExpansionBudget,
        reserve: @escaping DecoderMemory = { _ in },
        _ body: (_ tar: any PieceSource) throws -> R
    ) throws -> (result: R, tar: TarFacts) {
        let compressed = try ReadAhead(blob, pieces: ReadAhead.compressedPiece)
        defer { compressed.stop() }
        // Counted on the thread that decompresses.
        let metered = MeteredSource(compressed.reader())
        let limit = PieceLimit()
        let decompressing = DecompressingSource(metered, formats: formats) { bytes in
            try reserve(bytes)
            if bytes >= LayerPipeline.largeDecoder { limit.shrink() }
        }
        let limited = LimitedSource(decompressing, budget) { metered.count }
        let tar = try ReadAhead(limited, pieces: ReadAhead.tarPiece, readers: 2, limit: limit)
        // A thread inside of a stage ends only when the stage before it does.
        defer {
            compressed.cancel()
            tar.stop()
        }
        let digesting = try PieceDigest(tar.reader(1), beside: (blob as? any DigestedSource)?.sharedDigest)
        defer {
            tar.cancel()
            digesting.join()
        }
        let result = try body(VerifiedPieces(tar.reader(0), digesting, expected: diffID))
        let (digest, size) = try digesting.result()
        return (result, TarFacts(digest: digest, size: size, format: decompressing.format))
    }

    /// A decoder of so many bytes leaves little for anything else: the format of zstd asks everybody to take windows of 128 MiB.
    private static let largeDecoder = 32 << 20

    /// Hands `blob` to `body` as it is: a tar without compression, whose digest `blob` itself verifies.
    static func plain<R>(_ blob: any ByteSource, _ body: (_ tar: any PieceSource) throws -> R) throws -> R {
        let tar = try ReadAhead(blob, pieces: ReadAhead.tarPiece)
        defer { tar.stop() }
        return try body(tar.reader())
    }
}

/// What a layer's tar turned out to be.
struct TarFacts {
    var digest: Digest
    var size: Int64
    /// How its blob is compressed; nil for an empty one.
    var format: CompressionFormat?
}

/// Computes the digest of pieces on a thread of its own, and helps with another one.
private final class PieceDigest: @unchecked Sendable {
    private let state = Monitor<Result<RunningDigest, any Error>?>(nil)
    private var thread: Thread?

    init(_ pieces: ReadAheadReader, beside shared: (any SharedDigest)?) throws {
        guard RunningDigest.hasPairs, let shared else {
            thread = try Thread { [state] in state.complete { try PieceDigest.digest(pieces) { $0.update($1) } } }
            return
        }
        let scratch = try PageBuffer(count: streamBufferSize)
        // At once, so that nothing is hashed alone before the thread is there.
        shared.join()
        do {
            thread = try Thread { [state] in
                defer { shared.leave() }
                state.complete {
                    try PieceDigest.digest(pieces) { try PieceDigest.update(&$0, $1, beside: shared, scratch.bytes) }
                }
            }
        } catch {
            shared.leave()
            throw error
        }
    }

    private static func digest(
        _ pieces: ReadAheadReader,
        _ update: (inout RunningDigest, UnsafeRawBufferPointer) throws -> Void
    ) throws -> RunningDigest {
        var running = RunningDigest()
        while case let piece = try pieces.next(), !piece.isEmpty { try update(&running, piece) }
        return running
    }

    private static func update(
        _ running: inout RunningDigest,
        _ piece: UnsafeRawBufferPointer,
        beside shared: any SharedDigest,
        _ scratch: UnsafeMutableRawBufferPointer
    ) throws {
        var rest = piece
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest.prefix(scratch.count))
            if try !shared.update(beside: &running, part, scratch) { running.update(part) }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(part.count))
        }
    }

    /// Waits for the end of the pieces.
    func result() throws -> (digest: Digest, size: Int64) {
        let running = try state.wait { $0 }.get()
        return (running.digest, running.count)
    }

    func join() { thread?.join() }
}

/// Passes pieces on, and the end only if their digest is right.
private final class VerifiedPieces: PieceSource {
    private let pieces: ReadAheadReader
    private let digesting: PieceDigest
    private let expected: Digest?

    init(_ pieces: ReadAheadReader, _ digesting: PieceDigest, expected: Digest?) {
        self.pieces = pieces
        self.digesting = digesting
        self.expected = expected
    }

    func next() throws -> UnsafeRawBufferPointer {
        let piece = try pieces.next()
        if piece.isEmpty, let expected {
            let digest = try digesting.result().digest
            if digest != expected { throw EngineError(.corrupt, "layer \(expected) has the digest \(digest)") }
        }
        return piece
    }
}

extension Monitor<Result<RunningDigest, any Error>?> {
    fileprivate func complete(_ body: () throws -> RunningDigest) {
        let result = Result { try body() }
        update { $0 = result }
    }
}
