import CLinux

/// Runs something on a thread of its own (pthread_create(3)).
///
/// The thread takes no signals: they are the main thread's business, and a container's.
package final class Thread: @unchecked Sendable {
    private let body: @Sendable () -> Void
    private var handle = pthread_t()

    /// Starts at once. Whoever starts a thread calls `join`, once.
    package init(_ body: @escaping @Sendable () -> Void) throws(SystemError) {
        self.body = body
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        let kept = Unmanaged.passRetained(self)
        let code = pthread_create(
            &handle,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Thread>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            },
            kept.toOpaque()
        )
        pthread_sigmask(SIG_SETMASK, &before, nil)
        if code != 0 {
            kept.release()
            throw SystemError("starting a thread", code: code)
        }
    }

    /// Waits until the thread has ended.
    package func join() { pthread_join(handle, nil) }
}

/// A value that several threads change, and wait for (pthread_cond_wait(3)).
package final class Monitor<State>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State

    package init(_ state: State) {
        self.state = state
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Looks at the value while no other thread has it.
    package func locked<R>(_ body: (State) throws -> R) rethrows -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(state)
    }

    /// Runs `body` while no other thread does, and wakes all that wait.
    package func update<R>(_ body: (inout State) throws -> R) rethrows -> R {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }

    /// Runs `body` as `update` does, again after every change, until it has a result.
    package func wait<R>(_ body: (inout State) throws -> R?) rethrows -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = try body(&state) {
                pthread_cond_broadcast(changed)
                return result
            }
            pthread_cond_wait(changed, mutex)
        }
    }
}
