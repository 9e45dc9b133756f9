import LinuxSystem

extension BuildExecution {
    /// Does on a thread of its own what waits for a registry or another process, so that a signal ends the build meanwhile. What is under way
    /// then ends with the process, as by a kill: blobs of which a part came stay, and the next build goes on with them.
    func errand<R: Sendable>(_ work: @escaping @Sendable () throws -> R) throws -> R {
        let errand = try Errand<R>()
        let thread = try Thread { errand.run(work) }
        try withSignals { signals in
            if let signal = try signals.wait(orInput: errand.end) { throw BuildInterrupted(signal: signal) }
        }
        thread.join()
        return try errand.result()
    }
}

/// Something that a thread does, and its end to poll(2) for.
private final class Errand<R: Sendable>: @unchecked Sendable {
    private let ended: Pipe
    private let outcome = Monitor<Result<R, any Error>?>(nil)

    init() throws { ended = try Pipe() }

    var end: Int32 { ended.reading.raw }

    func run(_ work: () throws -> R) {
        let result = Result { try work() }
        outcome.update { $0 = result }
        SignalDescriptor.tell(ended.writing.raw)
    }

    func result() throws -> R { try outcome.wait { $0 }.get() }
}
