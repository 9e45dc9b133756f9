import CLinux

/// Calls something at a steady pace on a thread of its own, until it is stopped.
package final class Ticker: @unchecked Sendable {
    private let body: @Sendable () -> Void
    private let milliseconds: CInt
    private let stopping: FileDescriptor
    private let stopped: FileDescriptor
    private var thread: Thread?

    package init(every milliseconds: Int, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        self.body = body
        self.milliseconds = CInt(milliseconds)
        let pipe = try Pipe()
        stopped = try pipe.reading.duplicate()
        stopping = try pipe.writing.duplicate()
        thread = try Thread { self.run() }
    }

    private func run() {
        var end = pollfd(fd: stopped.raw, events: Int16(POLLIN), revents: 0)
        while poll(&end, 1, milliseconds) == 0 { body() }
    }

    /// Waits for a call under way and ends the thread. Call it once.
    package func stop() {
        try? stopping.write([0])
        thread?.join()
        thread = nil
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
