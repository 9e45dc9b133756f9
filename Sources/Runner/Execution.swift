import CLinux
import LinuxSystem
import OCI
import Runtime

/// One container, in the foreground, from its launch to its end: carries signals in, a terminal's bytes both ways, and the
/// exit status out.
///
/// It begins when the value is made: the shim starts and makes the namespaces while its caller finds out what to run. A value
/// that is let go before `run` ends what has begun.
package struct Execution: ~Copyable {
    /// Where the caller's terminal is, for a program that gets one: where the caller types (nil without `-i`) and reads.
    package typealias CallersTerminal = (input: CInt?, output: CInt)

    /// How it went. Times are CLOCK_MONOTONIC in nanoseconds, 0 where it did not come so far.
    package struct Ending: Sendable {
        package var status = ExitStatus.signalled(SIGKILL)
        /// From `started` on.
        package var usage = Launch.Usage()
        package var launched: UInt64 = 0
        package var shimBegan: UInt64 = 0
        package var barrierPassed: UInt64 = 0
        package var started: UInt64 = 0
        package var ended: UInt64 = 0
        /// The shim was killed by somebody, and the container with it.
        package var lost = false
    }

    private var launch: Launch
    /// The shim's file on its own mount. Letting it go waits until every processor has seen the mount go (a grace period of
    /// RCU in the kernel), so that is put off until there is nothing else to do.
    private var program: FileDescriptor?
    private let signals: SignalDescriptor
    private let streams: StandardStreams
    private let terminal: CallersTerminal?
    private var relay: TerminalRelay?
    private var pidfd: FileDescriptor?
    /// Signals that came before there was somebody to send them to.
    private var early: [CInt] = []
    private var interrupts = 0
    /// The signal that asked for the end before there was a program, and when: the way there may be long, as an image's volumes are
    /// filled on it.
    private var wantedEnd: (signal: CInt, since: UInt64)?
    /// How long a launch that is to end may still go on to a program that hears the signal itself, in nanoseconds.
    private static let patience: UInt64 = 1_000_000_000
    /// What the process had used of a processor when it became the program, in nanoseconds: its own way there.
    private var usedBefore: UInt64 = 0
    private var ending = Ending()

    /// Starts the shim.
    ///
    /// - Parameters:
    ///   - namespaces: those that the plan will ask for.
    ///   - cgroup: a cgroup v2 folder that exists, to clone the process into.
    ///   - forwardsSignals: signals that come meanwhile go to the container. They are held back from here on.
    init(
        namespaces: NamespaceFlags,
        cgroup: String?,
        shimPath: String,
        streams: StandardStreams,
        terminal: CallersTerminal?,
        forwardsSignals: Bool
    ) throws {
        // Before the launch: from here on no signal ends this process before the container is cared for.
        let signals = try SignalDescriptor(forwardsSignals ? SignalDescriptor.forwardable : [])
        let program = try MonitorProcess.openProgram(shimPath)
        let launched = Clock.monotonic
        let launch = try Launch(namespaces: namespaces, cgroup: cgroup, shim: program, stdio: streams.theirs)
        streams.launched()
        self.launch = launch
        self.program = consume program
        self.signals = signals
        self.streams = streams
        self.terminal = terminal
        relay = nil
        pidfd = nil
        ending.launched = launched
    }

    /// Carries the plan out and waits for the program's end; `finish` waits for the shim's. Throws `LaunchFailure` where the
    /// program was never executed. Whatever is thrown, the container is gone before.
    ///
    /// - Parameters:
    ///   - ready: called while the shim is at work; the container passes its barrier, and so executes nothing of the image,
    ///     only when it returns.
    ///   - meanwhile: called then, while the container goes on by itself.
    ///   - started: called when the program has been executed.
    package mutating func run(
        _ plan: LaunchPlan,
        ready: () throws -> Void,
        meanwhile: () throws -> Void,
        started: () throws -> Void
    ) throws -> Ending {
        do {
            try launch.carryOut(plan)
            try ready()
            try launch.go()
            try meanwhile()
            program = nil
            try loop(started)
        } catch {
            launch.kill()
            throw error
        }
        return ending
    }

    /// Ends a shim that has not got its plan, and waits for its end.
    consuming func abandon() {
        launch.kill()
        launch.finish()
    }

    /// Waits for the shim's own end.
    package func finish() { launch.finish() }

    private mutating func loop(_ started: () throws -> Void) throws {
        while true {
            var polls = [
                pollfd(fd: launch.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0),
            ]
            let carried = terminal == nil ? streams.polled : relay.polled
            polls += carried
            let timeout = wantedEnd.map { Clock.milliseconds(until: $0.since + Execution.patience) } ?? -1
            if poll(&polls, UInt(polls.count), timeout) < 0, errno != EINTR {
                throw SystemError("waiting for the container")
            }
            while let signal = try signals.next() { try forward(signal) }
            try endLaunch()
            if terminal == nil {
                streams.carry(polls[2...])
            } else if polls.count == 5 {
                relay.carry(inputReady: polls[2].revents != 0, outputReady: polls[4].revents != 0)
            }
            if polls[0].revents != 0, try !take(launch.next(), started) { return try drain() }
        }
    }

    /// Acts on an event; false at the end.
    private mutating func take(
        _ event: consuming Launch.Event,
        _ started: () throws -> Void
    ) throws -> Bool {
        switch consume event {
        case .console(let master):
            if let terminal {
                relay = try TerminalRelay(master: master, input: terminal.input, output: terminal.output)
                relay.resize()
            }
        case .started(let start):
            usedBefore = start.used
            ending.started = start.executed
            ending.shimBegan = start.shimBegan
            ending.barrierPassed = start.barrierPassed
            try started()
            for signal in early { try ProcessSignal.send(signal, to: start.pidfd.raw) }
            wantedEnd = nil
            pidfd = try start.pidfd.duplicate()
        case .failed(let failure): throw failure
        case .exited(let status, let usage):
            // Nothing was executed and no step failed: an end that must not pass for the program's.
            guard ending.started != 0 else { throw EngineError(.failed, "the shim ended before the program began") }
            ending.ended = Clock.monotonic
            ending.status = status
            ending.usage = usage.since(usedBefore)
            return false
        case .lost:
            guard ending.started != 0 else {
                throw EngineError(.failed, "the shim ended before the program began")
            }
            ending.ended = Clock.monotonic
            ending.lost = true
            return false
        }
        return true
    }

    /// What the container wrote to its terminal last goes out, however slow its reader is; unless the caller wants the end.
    private mutating func drain() throws {
        while streams.isDraining, interrupts < 3 {
            var polls = [signalPoll] + streams.polledOutputs
            poll(&polls, UInt(polls.count), -1)
            if try isEndWanted() { return }
            streams.drain(polls[1...])
        }
        var outputReady = false
        while relay.drain(outputReady: outputReady), interrupts < 3 {
            var polls = [signalPoll, relay.polled[2]]
            poll(&polls, 2, -1)
            outputReady = polls[1].revents != 0
            if try isEndWanted() { return }
        }
    }

    private var signalPoll: pollfd { pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0) }

    private func isEndWanted() throws -> Bool {
        while let signal = try signals.next() {
            if [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains(signal) { return true }
        }
        return false
    }

    /// Throws where the launch was asked to end, and has not come to a program meanwhile.
    private func endLaunch() throws {
        guard let wantedEnd else { return }
        if interrupts < 3, Clock.milliseconds(until: wantedEnd.since + Execution.patience) > 0 { return }
        throw EngineError(.failed, "the program was not started: \(ProcessSignal.text(wantedEnd.signal))")
    }

    private mutating func forward(_ signal: CInt) throws {
        if signal == SIGWINCH, relay.isOpen { return relay.resize() }
        if signal == SIGINT || signal == SIGTERM { interrupts += 1 }
        guard let target = pidfd.number else {
            early.append(signal)
            if wantedEnd == nil, [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains(signal) {
                wantedEnd = (signal, Clock.monotonic)
            }
            return
        }
        // A program that is pid 1 and has no handler never sees SIGTERM: whoever asks a third time means it.
        try ProcessSignal.send(interrupts >= 3 ? SIGKILL : signal, to: target)
    }
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
