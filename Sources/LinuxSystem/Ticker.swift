import CLinux

/// Calls something at a steady pace on a thread of its own, until it is stopped.
///
/// The thread takes no signals: they are the main thread's business, and a container's.
package final class Ticker: @unchecked Sendable {
    private let body: @Sendable () -> Void
    private let milliseconds: CInt
    private let stopping: FileDescriptor
    private let stopped: FileDescriptor
    private var thread = pthread_t()

    package init(every milliseconds: Int, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        self.body = body
        self.milliseconds = CInt(milliseconds)
        let pipe = try Pipe()
        stopped = try pipe.reading.duplicate()
        stopping = try pipe.writing.duplicate()
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Ticker>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            Unmanaged.passRetained(self).toOpaque()
        )
        pthread_sigmask(SIG_SETMASK, &before, nil)
        if code != 0 { throw SystemError("starting a thread", code: code) }
    }

    private func run() {
        var end = pollfd(fd: stopped.raw, events: Int16(POLLIN), revents: 0)
        while poll(&end, 1, milliseconds) == 0 { body() }
    }

    /// Waits for a call under way and ends the thread. Call it once.
    package func stop() {
        try? stopping.write([0])
        pthread_join(thread, nil)
    }
}

/// A lock between threads (pthread_mutex_lock(3)).
package final class Lock: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    package init() { pthread_mutex_init(mutex, nil) }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` while no other thread does.
    package func locked<R>(_ body: () throws -> R) rethrows -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }
}
