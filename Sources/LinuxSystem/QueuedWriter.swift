import CLinux

/// Writes to a descriptor on a thread of its own: whoever has something to say never waits for somebody who does not read it,
/// be it a pipe's other end or a terminal that was stopped (Ctrl-S).
///
/// A write(2) that waits cannot be taken back, and O_NONBLOCK would be everybody's who shares the descriptor. So a writer that is
/// given up leaves its thread behind, which goes with the process.
package final class QueuedWriter: @unchecked Sendable {
    private struct State {
        var queued: [UInt8] = []
        /// What the thread is writing just now.
        var underWay = 0
        var isClosed = false
        var failure: SystemError?
        /// Somebody waits until no more than this is left.
        var awaited: Int?

        var left: Int { queued.count + underWay }
    }

    private static let piece = 64 << 10

    private let descriptor: CInt
    private let state = Monitor(State())
    private let wake: Pipe
    private var thread: Thread?

    /// Starts the thread. The descriptor stays the caller's.
    package init(_ descriptor: CInt) throws(SystemError) {
        self.descriptor = descriptor
        wake = try Pipe()
        thread = try Thread { self.run() }
    }

    /// Queues all of the bytes, however much waits already: callers look at `left`. After a failed write nothing is queued.
    package func write(_ bytes: [UInt8]) {
        state.update { if $0.failure == nil, !$0.isClosed { $0.queued += bytes } }
    }

    /// How many bytes were not written yet.
    package var left: Int { state.locked(\.left) }

    /// Why nothing can be written any more.
    package var failure: SystemError? { state.locked(\.failure) }

    /// Waits until at most `limit` bytes are left. False where `other` has something to read before, or the time is over.
    package func wait(untilLeft limit: Int, orInput other: CInt = -1, milliseconds: Int? = nil) throws(SystemError)
        -> Bool
    {
        let end = milliseconds.map { Clock.monotonic + UInt64($0) * 1_000_000 }
        while true {
            let isDone = state.update { state in
                state.awaited = state.left <= limit ? nil : limit
                return state.awaited == nil
            }
            if isDone { return true }
            var polls = [
                pollfd(fd: wake.reading.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: other, events: Int16(POLLIN), revents: 0),
            ]
            let now = Clock.monotonic
            let time = end.map { $0 > now ? CInt(clamping: ($0 - now) / 1_000_000 + 1) : 0 } ?? -1
            let count = poll(&polls, 2, time)
            if count < 0, errno != EINTR { throw SystemError("waiting for output to be read") }
            if count == 0 || polls[1].revents != 0 { return false }
            var byte: UInt8 = 0
            if polls[0].revents != 0 { _ = CLinux.read(wake.reading.raw, &byte, 1) }
        }
    }

    /// Ends the thread after what is queued was written. Only where nothing is left it is sure not to wait.
    package func close() {
        state.update { $0.isClosed = true }
        thread?.join()
        thread = nil
    }

    private func run() {
        while true {
            let bytes = state.wait { state -> [UInt8]? in
                if state.queued.isEmpty { return state.isClosed ? [] : nil }
                let bytes = state.queued
                (state.queued, state.underWay) = ([], bytes.count)
                return bytes
            }
            if bytes.isEmpty { return }
            for start in stride(from: 0, to: bytes.count, by: QueuedWriter.piece) {
                let end = min(start + QueuedWriter.piece, bytes.count)
                guard write(bytes[start..<end]) else { break }
            }
        }
    }

    /// One piece; false where it failed.
    private func write(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        var failure: SystemError?
        while !rest.isEmpty, failure == nil {
            let count = rest.withUnsafeBytes { CLinux.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var full = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&full, 1, -1)
            } else if errno != EINTR {
                failure = SystemError("writing")
            }
        }
        let isAwaited = state.update { state in
            state.underWay -= bytes.count
            if let failure { (state.failure, state.queued, state.underWay) = (failure, [], 0) }
            guard let awaited = state.awaited, state.left <= awaited else { return false }
            state.awaited = nil
            return true
        }
        if isAwaited { SignalDescriptor.tell(wake.writing.raw) }
        return failure == nil
    }
}
