import CLinux
import LinuxSystem
import OCI

/// A child of this process that it waits for: it carries signals in, a terminal's bytes both ways, and the exit status out.
package struct ForegroundProcess: ~Copyable {
    private let pid: pid_t
    private let pidfd: FileDescriptor
    private let signals: SignalDescriptor
    private var relay: TerminalRelay?
    /// Until the program has said that it is ready.
    private var notify: NotifySocket?

    /// Takes the signals over: make it before the process begins, so that none is lost.
    ///
    /// - Parameter console: the master of its terminal, to be joined with the caller's 0 and 1.
    package init(
        pid: pid_t,
        pidfd: borrowing FileDescriptor,
        console: consuming FileDescriptor?,
        signals: consuming SignalDescriptor,
        notify: consuming NotifySocket? = nil
    ) throws {
        let own = try pidfd.duplicate()
        let relay = try ForegroundProcess.relay(console)
        self.pid = pid
        self.pidfd = own
        self.signals = signals
        self.relay = relay
        self.notify = notify
    }

    private static func relay(_ console: consuming FileDescriptor?) throws -> TerminalRelay? {
        guard let console = consume console else { return nil }
        let relay = try TerminalRelay(master: console, input: 0, output: 1, showsLines: true)
        relay.resize()
        return relay
    }

    /// Waits for its end.
    package mutating func wait() throws -> ExitStatus {
        while true {
            var polls = [
                pollfd(fd: pidfd.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0),
            ]
            polls.append(notifyPoll)
            polls += relayPolls
            if poll(&polls, UInt(polls.count), -1) < 0, errno != EINTR { throw SystemError("waiting for the process") }
            while let signal = try signals.next() {
                if signal == SIGWINCH { relay?.resize() } else { try ProcessSignal.send(signal, to: pidfd.raw) }
            }
            if polls[2].revents != 0 { passNotification() }
            if polls.count == 6 { relay?.carry(inputReady: polls[3].revents != 0, outputReady: polls[5].revents != 0) }
            if polls[0].revents != 0 { break }
        }
        let status = try Subprocess.wait(for: pid)
        drain()
        return status
    }

    private var notifyPoll: pollfd {
        switch notify {
        case .some(let notify): notify.polled
        case .none: pollfd(fd: -1, events: 0, revents: 0)
        }
    }

    /// The main process is this one: systemd started it, and its end is the program's.
    private mutating func passNotification() {
        let isDone: Bool
        switch notify {
        case .some(let notify): isDone = (try? notify.handOn(main: getpid(), waits: false)) ?? true
        case .none: isDone = true
        }
        if isDone { notify = nil }
    }

    private var relayPolls: [pollfd] {
        switch relay {
        case .some(let relay): relay.polled
        case .none: []
        }
    }

    /// What it wrote last goes out.
    private mutating func drain() {
        var outputReady = false
        while relay?.drain(outputReady: outputReady) ?? false {
            var polls = [relayPolls[2]]
            poll(&polls, 1, 1000)
            outputReady = polls[0].revents != 0
            if !outputReady { return }
        }
    }
}

extension LaunchContext {
    /// For a process whose terminal will be joined with the caller's.
    mutating func adoptCallerTerminal() {
        keepsLineFeeds = true
        callerSize = (Terminal.size(1) ?? Terminal.size(0)).map {
            (UInt16(clamping: $0.columns), UInt16(clamping: $0.rows))
        }
    }
}
