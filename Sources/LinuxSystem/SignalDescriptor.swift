import CLinux

/// Signals as something to read: blocked for the process and delivered through a descriptor (signalfd(2)).
///
/// Block before the first thread exists; a thread that does not block them would get them instead.
package struct SignalDescriptor: ~Copyable {
    package let descriptor: FileDescriptor

    /// Takes over the given signals.
    package init(_ signals: [CInt]) throws(SystemError) {
        var set = try Self.hold(signals)
        descriptor = FileDescriptor(
            owning: try retrying("watching signals") { signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK)) }
        )
    }

    /// Holds the signals back for a descriptor that is made later: those that come meanwhile are the first that it reads.
    @discardableResult
    package static func hold(_ signals: [CInt]) throws(SystemError) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        try retrying("blocking signals") { sigprocmask(SIG_BLOCK, &set, nil) }
        return set
    }

    /// Waits for a signal, or until there is something to read from another descriptor: then nil.
    package func wait(orInput other: CInt) throws(SystemError) -> CInt? {
        while true {
            var polls = [
                pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: other, events: Int16(POLLIN), revents: 0),
            ]
            try retrying("waiting for a signal") { poll(&polls, 2, -1) }
            if polls[0].revents != 0, let signal = try next() { return signal }
            if polls[1].revents != 0 { return nil }
        }
    }

    /// Wakes who waits for input of a pipe: writes one byte.
    package static func tell(_ writing: CInt) {
        var byte: UInt8 = 0
        _ = write(writing, &byte, 1)
    }

    /// Gives the signals back to the process.
    package func letGo(_ signals: [CInt]) throws(SystemError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        try retrying("unblocking signals") { sigprocmask(SIG_UNBLOCK, &set, nil) }
    }

    /// Ends the process by the signal, as if it had never been held back.
    package static func die(of signal: CInt) {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, signal)
        sigprocmask(SIG_UNBLOCK, &set, nil)
        kill(getpid(), signal)
    }

    /// The calling thread's set of blocked signals.
    package struct Mask: @unchecked Sendable {
        fileprivate var set = sigset_t()
    }

    /// Holds every signal back from the calling thread, and so from those that it starts meanwhile (pthread_sigmask(3)).
    package static func holdAll() -> Mask {
        var before = Mask()
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before.set)
        return before
    }

    /// Undoes `holdAll`.
    package static func restore(_ mask: Mask) {
        var mask = mask
        pthread_sigmask(SIG_SETMASK, &mask.set, nil)
    }

    /// The next signal that has come, or nil.
    package func next() throws(SystemError) -> CInt? {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        let count = read(descriptor.raw, &info, size)
        if count == size { return CInt(info.ssi_signo) }
        if count < 0, errno == EAGAIN || errno == EINTR { return nil }
        throw SystemError("reading a signal")
    }

    /// All signals that a foreground container's caller may send it: everything but those that cannot be caught, those that a
    /// program gets for its own faults, SIGCHLD, and SIGPIPE.
    package static var forwardable: [CInt] {
        var signals: [CInt] = []
        signals.reserveCapacity(64)
        for signal: CInt in 1...64 {
            switch signal {
            case SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT: continue
            // glibc's own.
            case 32, 33: continue
            default: signals.append(signal)
            }
        }
        return signals
    }
}

/// Signals through a pidfd: they can never reach another process that got the same number (pidfd_send_signal(2)).
package enum ProcessSignal {
    package static func send(_ signal: CInt, to pidfd: CInt) throws(SystemError) {
        if linux_pidfd_send_signal(pidfd, signal) != 0, errno != ESRCH { throw SystemError("sending signal \(signal)") }
    }

    /// strsignal(3), beginning with a small letter: "killed", "bad system call".
    package static func text(_ signal: CInt) -> String {
        guard let text = strsignal(signal).map({ String(cString: $0) }) else { return "\(signal)" }
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}
