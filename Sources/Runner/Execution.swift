import CLinux
import LinuxSystem
import OCI
import Runtime

/// One container, in the foreground, from its launch to its end: carries signals in, a terminal's bytes both ways, and the
/// exit status out.
package struct Execution: Sendable {
    package var plan: LaunchPlan
    package var shimPath: String
    /// What becomes 0 to 2 of the program, unless it gets a terminal.
    package var stdio: (input: CInt, output: CInt, error: CInt)
    /// With a terminal: where the caller types (nil without `-i`) and reads.
    package var terminal: (input: CInt?, output: CInt)?
    /// Signals that come meanwhile go to the container.
    package var forwardsSignals = true

    package init(plan: LaunchPlan, shimPath: String, stdio: (input: CInt, output: CInt, error: CInt)) {
        self.plan = plan
        self.shimPath = shimPath
        self.stdio = stdio
    }

    /// How it went. Times are CLOCK_MONOTONIC in nanoseconds, 0 where it did not come so far.
    package struct Ending: Sendable {
        package var status = ExitStatus.signalled(SIGKILL)
        package var usage = Launch.Usage()
        package var launched: UInt64 = 0
        package var shimBegan: UInt64 = 0
        package var barrierPassed: UInt64 = 0
        package var started: UInt64 = 0
        package var ended: UInt64 = 0
        /// The shim was killed by somebody, and the container with it.
        package var lost = false
    }

    /// Launches and waits for the end. Throws `LaunchFailure` where the program was never executed.
    ///
    /// - Parameters:
    ///   - ready: called while the shim is at work; the container passes its barrier, and so executes nothing of the image,
    ///     only when it returns. Where it throws, the container is gone before the error is.
    ///   - started: called with the program's pid on the host when it has been executed.
    package func run(ready: () throws -> Void, started: (CInt) throws -> Void = { _ in }) throws -> Ending {
        // Before the launch: from here on no signal ends this process before the container is cared for.
        let signals = try SignalDescriptor(forwardsSignals ? SignalDescriptor.forwardable : [])
        let program = try MonitorProcess.openProgram(shimPath)
        var ending = Ending()
        ending.launched = Clock.monotonic
        let launch = try Launch(plan, shim: program, stdio: (stdio.input, stdio.output, stdio.error))
        var loop = ForegroundLoop(launch: launch, terminal: terminal)
        do {
            try ready()
            try loop.run(signals: signals, ending: &ending, started: started)
        } catch {
            loop.kill()
            throw error
        }
        loop.finish()
        return ending
    }
}

/// The loop of `Execution.run`, and what is alive while it turns.
private struct ForegroundLoop: ~Copyable {
    private let launch: Launch
    private let terminal: (input: CInt?, output: CInt)?
    private var relay: TerminalRelay?
    private var pidfd: FileDescriptor?
    /// Signals that came before there was somebody to send them to.
    private var early: [CInt] = []
    private var interrupts = 0

    init(launch: consuming Launch, terminal: (input: CInt?, output: CInt)?) {
        self.launch = launch
        self.terminal = terminal
        relay = nil
        pidfd = nil
    }

    mutating func run(
        signals: borrowing SignalDescriptor,
        ending: inout Execution.Ending,
        started: (CInt) throws -> Void
    ) throws {
        launch.go()
        while true {
            var polls = [
                pollfd(fd: launch.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0),
            ]
            polls += relay.polled
            if poll(&polls, UInt(polls.count), -1) < 0, errno != EINTR {
                throw SystemError("waiting for the container")
            }
            while let signal = try signals.next() { try forward(signal) }
            if polls.count == 5 { relay.carry(inputReady: polls[2].revents != 0, outputReady: polls[4].revents != 0) }
            if polls[0].revents != 0, try !take(launch.next(), &ending, started) { return try drain(signals) }
        }
    }

    /// Acts on an event; false at the end.
    private mutating func take(
        _ event: consuming Launch.Event,
        _ ending: inout Execution.Ending,
        _ started: (CInt) throws -> Void
    ) throws -> Bool {
        switch consume event {
        case .console(let master):
            if let terminal {
                relay = try TerminalRelay(master: master, input: terminal.input, output: terminal.output)
                relay.resize()
            }
        case .started(let start):
            ending.started = Clock.monotonic
            ending.shimBegan = start.shimBegan
            ending.barrierPassed = start.barrierPassed
            try started(ProcessSignal.pid(of: start.pidfd.raw))
            for signal in early { try ProcessSignal.send(signal, to: start.pidfd.raw) }
            pidfd = try start.pidfd.duplicate()
        case .failed(let failure): throw failure
        case .exited(let status, let usage):
            ending.ended = Clock.monotonic
            ending.status = status
            ending.usage = usage
            return false
        case .lost:
            ending.ended = Clock.monotonic
            ending.lost = true
            return false
        }
        return true
    }

    /// What the container wrote to its terminal last goes out, however slow its reader is; unless the caller wants the end.
    private mutating func drain(_ signals: borrowing SignalDescriptor) throws {
        var outputReady = false
        while relay.drain(outputReady: outputReady), interrupts < 3 {
            var polls = [pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0), relay.polled[2]]
            poll(&polls, 2, -1)
            outputReady = polls[1].revents != 0
            while let signal = try signals.next() {
                if [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains(signal) { return }
            }
        }
    }

    private mutating func forward(_ signal: CInt) throws {
        if signal == SIGWINCH, relay.isOpen { return relay.resize() }
        if signal == SIGINT || signal == SIGTERM { interrupts += 1 }
        guard let target = pidfd.number else {
            early.append(signal)
            return
        }
        // A program that is pid 1 and has no handler never sees SIGTERM: whoever asks a third time means it.
        try ProcessSignal.send(interrupts >= 3 ? SIGKILL : signal, to: target)
    }

    consuming func kill() { launch.kill() }
    consuming func finish() { launch.finish() }
}

extension Optional where Wrapped == FileDescriptor, Wrapped: ~Copyable {
    fileprivate var number: CInt? {
        switch self {
        case .some(let file): file.raw
        case .none: nil
        }
    }
}

/// A relay that may not be there yet.
extension Optional where Wrapped == TerminalRelay, Wrapped: ~Copyable {
    fileprivate var isOpen: Bool {
        switch self {
        case .some: true
        case .none: false
        }
    }

    fileprivate var polled: [pollfd] {
        switch self {
        case .some(let relay): relay.polled
        case .none: []
        }
    }

    fileprivate func resize() {
        switch self {
        case .some(let relay): relay.resize()
        case .none: break
        }
    }

    fileprivate mutating func carry(inputReady: Bool, outputReady: Bool) {
        self?.carry(inputReady: inputReady, outputReady: outputReady)
    }

    fileprivate mutating func drain(outputReady: Bool) -> Bool { self?.drain(outputReady: outputReady) ?? false }
}
