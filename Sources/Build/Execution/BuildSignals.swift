import CLinux
import LinuxSystem

/// SIGINT, SIGTERM and SIGHUP while a build runs: held back, so that what it has begun can be undone first.
struct BuildSignals: ~Copyable {
    let descriptor: SignalDescriptor
    private let before: sigset_t

    init() throws {
        var set = sigset_t()
        sigemptyset(&set)
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &set, &before)
        self.before = before
        descriptor = try SignalDescriptor(Builder.signals)
    }

    deinit {
        var mask = before
        pthread_sigmask(SIG_SETMASK, &mask, nil)
    }

    /// Throws BuildInterrupted where a signal has come.
    func check() throws {
        if let signal = try descriptor.next() { throw BuildInterrupted(signal: signal) }
    }
}
