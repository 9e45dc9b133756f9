import CLinux

/// A lock with a condition to wait for (pthread_cond_wait(3)): how a thread waits for what another one does.
package final class Monitor: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    package init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` while no other thread does.
    package func locked<R>(_ body: () throws -> R) rethrows -> R {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }

    /// Runs `change` and wakes all who wait.
    package func change<R>(_ change: () throws -> R) rethrows -> R {
        try locked {
            defer { pthread_cond_broadcast(condition) }
            return try change()
        }
    }

    /// Waits until `body` gives a value. It is asked now and after each `change`, while no other thread runs in here.
    package func wait<R>(_ body: () throws -> R?) rethrows -> R {
        try locked {
            while true {
                if let value = try body() { return value }
                pthread_cond_wait(condition, mutex)
            }
        }
    }
}
