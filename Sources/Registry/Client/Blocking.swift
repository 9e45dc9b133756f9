import CLinux
import LinuxSystem
import NIOPosix

/// The one bridge from synchronous code to asynchronous code.
///
/// No thread of this target exists before the first call. They are started with every signal held back, so that signals
/// stay the main thread's.
enum Blocking {
    /// Runs `body` to its end and returns what it gives. The calling thread waits meanwhile: never call it from a task.
    static func run<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) throws -> R {
        try start(body).value()
    }

    /// The same; SIGINT, SIGTERM and SIGHUP cancel it, and end the process as they usually do once it has stopped.
    static func untilSignal<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) throws -> R {
        let stopping = [SIGINT, SIGTERM, SIGHUP]
        let signals = try SignalDescriptor(stopping)
        let ended = try Pipe()
        let writing = ended.writing.raw
        let running = start {
            defer { SignalDescriptor.tell(writing) }
            return try await body()
        }
        if let signal = try signals.wait(orInput: ended.reading.raw) {
            running.cancel()
            SignalDescriptor.die(of: signal)
        }
        try signals.letGo(stopping)
        return try running.value()
    }

    /// Starts `body` and returns at once.
    static func start<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) -> Running<R> {
        let held = SignalDescriptor.holdAll()
        defer { SignalDescriptor.restore(held) }
        _ = MultiThreadedEventLoopGroup.singleton
        return Running(body)
    }

    /// Does something that waits for the disk or for another program away from the threads that carry tasks.
    static func aside<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await NIOThreadPool.singleton.runIfActive(body)
    }

    /// Something asynchronous under way.
    final class Running<R: Sendable>: Sendable {
        private let result = Result()
        private let task: Task<Void, Never>

        fileprivate init(_ body: @escaping @Sendable () async throws -> R) {
            let result = result
            task = Task.detached {
                do { result.set(.success(try await body())) } catch { result.set(.failure(error)) }
            }
        }

        /// Waits for the end.
        func value() throws -> R { try result.wait().get() }

        /// Asks it to stop, and waits until it has. What it failed for is returned, if that was something else.
        @discardableResult
        func cancel() -> (any Error)? {
            task.cancel()
            guard case .failure(let error) = result.wait(), !(error is CancellationError) else { return nil }
            return error
        }

        private final class Result: @unchecked Sendable {
            private let monitor = Monitor<Swift.Result<R, any Error>?>(nil)

            func set(_ value: Swift.Result<R, any Error>) { monitor.update { $0 = value } }
            func wait() -> Swift.Result<R, any Error> { monitor.wait { $0 } }
        }
    }
}
