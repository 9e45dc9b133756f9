import LinuxSystem
import OCI

/// Bytes handed on in place, piece by piece.
protocol PieceSource: AnyObject {
    /// The next bytes, valid until the next call; empty at the end, and every call after it.
    func next() throws -> UnsafeRawBufferPointer
}

/// Reads a source on a thread of its own, into a few buffers that go round. Each reader sees all of the bytes, and may be on
/// a thread of its own, too; the slowest one holds the source back, so that memory is bounded.
///
/// An error of the source reaches every reader after the bytes before it. `stop` must be called, or the thread never ends.
final class ReadAhead: @unchecked Sendable {
    /// 1 MiB: whole tar blocks, and few hand-overs; four of them ride out the stages' different paces.
    static let tarPiece = 1 << 20
    /// What is compressed comes as often in smaller pieces.
    static let compressedPiece = 256 << 10
    static let pieces = 4
    /// What pieces become where memory is short (`shrink`).
    static let smallPiece = 128 << 10

    fileprivate struct State {
        /// How many pieces were read from the source, and by reader how many were given back.
        var filled = 0
        var released: [Int]
        /// By slot of the ring.
        var sizes = [Int](repeating: 0, count: ReadAhead.pieces)
        var end: End?
        var isStopped = false
    }

    fileprivate enum End {
        case over
        case failed(any Error)
    }

    fileprivate let state: Monitor<State>
    private let source: any ByteSource
    /// Of a small source only a part of the first piece is ever touched.
    private let buffer: PageBuffer
    private let pieceSize: Int
    private let limit: PieceLimit
    private var hasBegun = false
    private var thread: Thread?

    /// Starts at once. From now on the source belongs to the thread.
    /// - Parameter limit: changed by `source` in its `read`, if at all.
    init(_ source: any ByteSource, pieces size: Int, readers: Int = 1, limit: PieceLimit = PieceLimit()) throws {
        self.source = source
        self.limit = limit
        pieceSize = size
        state = Monitor(State(released: Array(repeating: 0, count: readers)))
        buffer = try PageBuffer(count: size * ReadAhead.pieces)
        thread = try Thread { self.run() }
    }

    func reader(_ index: Int = 0) -> ReadAheadReader { ReadAheadReader(self, index) }

    /// Makes the readers fail and the thread end; one that is inside the source ends when that returns.
    func cancel() { state.update { $0.isStopped = true } }

    /// Cancels and waits for the thread. No reader may be used after it.
    func stop() {
        cancel()
        thread?.join()
        thread = nil
    }

    fileprivate func piece(_ number: Int, size: Int) -> UnsafeMutableRawBufferPointer {
        let start = number % ReadAhead.pieces * pieceSize
        return UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[start..<start + size])
    }

    private func run() {
        do {
            while let number = nextFree() {
                let count = try fill(piece(number, size: pieceSize))
                state.update { state in
                    if count == 0 { return state.end = .over }
                    state.sizes[number % ReadAhead.pieces] = count
                    state.filled += 1
                }
                if count == 0 { return }
            }
        } catch {
            state.update { $0.end = .failed(error) }
        }
    }

    private func fill(_ piece: UnsafeMutableRawBufferPointer) throws -> Int {
        var filled = 0
        while case let most = min(piece.count, limit.bytes), filled < most {
            // The source's first bytes may say how large the pieces shall be.
            let end = hasBegun ? most : min(most, ReadAhead.smallPiece)
            hasBegun = true
            let count = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: piece[filled..<end]))
            if count == 0 { break }
            filled += count
        }
        limit.count(filled)
        return filled
    }

    /// Waits for a free buffer; nil when it is over.
    private func nextFree() -> Int? {
        let number = state.wait { state -> Int? in
            if state.isStopped { return -1 }
            let slowest = state.released.min() ?? 0
            return state.filled - slowest < ReadAhead.pieces ? state.filled : nil
        }
        return number < 0 ? nil : number
    }
}

/// How large the pieces of a `ReadAhead` may be. Belongs to the thread that reads its source.
final class PieceLimit: @unchecked Sendable {
    private(set) var bytes = Int.max
    private var read = 0
    /// After so many bytes the program's pages go again: at work it needs few of them, at the start of something others.
    private static let interval = 64 << 20

    /// From now on there shall be as little as possible in memory: pieces are small, and of a buffer that was not used yet the rest
    /// is never touched.
    func shrink() {
        bytes = ReadAhead.smallPiece
        ProgramPages.release()
    }

    /// So many more bytes were read.
    func count(_ count: Int) {
        if bytes == Int.max { return }
        read += count
        guard read >= PieceLimit.interval else { return }
        read = 0
        ProgramPages.release()
    }
}

/// One reader's view of what was read ahead: in place, or copied as a source.
final class ReadAheadReader: PieceSource, ByteSource, @unchecked Sendable {
    private let ahead: ReadAhead
    private let index: Int
    /// Pieces that were taken, the current one included.
    private var taken = 0
    /// What `read` has not copied yet.
    private var rest = UnsafeRawBufferPointer(start: nil, count: 0)

    fileprivate init(_ ahead: ReadAhead, _ index: Int) {
        self.ahead = ahead
        self.index = index
    }

    func next() throws -> UnsafeRawBufferPointer {
        let size = try ahead.state.wait { state throws -> Int? in
            state.released[index] = taken
            if state.isStopped { throw EngineError(.failed, "stopped") }
            if state.filled > taken { return state.sizes[taken % ReadAhead.pieces] }
            switch state.end {
            case .over: return 0
            case .failed(let error): throw error
            case nil: return nil
            }
        }
        if size == 0 { return UnsafeRawBufferPointer(start: nil, count: 0) }
        taken += 1
        return UnsafeRawBufferPointer(ahead.piece(taken - 1, size: size))
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        if rest.isEmpty { rest = try next() }
        let count = min(buffer.count, rest.count)
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        return count
    }
}
