import LaunchPlan
import LinuxSystem
import OCI

/// A launch under way: the shim walks the plan, and this end hears what becomes of it.
package struct Launch: ~Copyable {
    /// What the shim says.
    package enum Event: ~Copyable {
        /// The container's terminal was opened; this is its master.
        case console(FileDescriptor)
        /// The program was executed.
        case started(Start)
        /// A step failed. The container is gone, or will be in a moment.
        case failed(LaunchFailure)
        /// The program has ended.
        case exited(ExitStatus, Usage)
        /// The shim has ended without a word: it was killed, and with it the container.
        case lost
    }

    package struct Start: ~Copyable {
        /// Of the container's first process.
        package let pidfd: FileDescriptor
        /// CLOCK_MONOTONIC in ns: the shim's first instruction, when it let the container pass the barrier, and the exec.
        package let shimBegan: UInt64
        package let barrierPassed: UInt64
        package let executed: UInt64
        /// The processor time that the process had taken by then, in nanoseconds.
        package let used: UInt64
    }

    /// What the container's processes used, as wait4(2) counts it.
    package struct Usage: Sendable {
        /// Microseconds.
        package var userTime: UInt64 = 0
        package var systemTime: UInt64 = 0
        /// Resident bytes of the biggest process.
        package var peakMemory: UInt64 = 0

        package init() {}

        /// Without what was used before, in nanoseconds. The way to the program is almost all the kernel's work.
        package func since(_ before: UInt64) -> Usage {
            var usage = self
            let microseconds = before / 1000
            let system = min(systemTime, microseconds)
            usage.systemTime -= system
            usage.userTime -= min(userTime, microseconds - system)
            return usage
        }
    }

    /// Nil until it was sent.
    private var plan: LaunchPlan?
    private let monitor: MonitorProcess

    /// Starts the shim and clones the container's first process, which waits for its plan. Let go of the value to end it.
    ///
    /// - Parameters:
    ///   - namespaces: those of the plan that will come.
    ///   - cgroup: a cgroup v2 folder to clone into.
    package init(
        namespaces: NamespaceFlags,
        cgroup: String? = nil,
        shim: borrowing FileDescriptor,
        stdio: (Int32, Int32, Int32)
    ) throws {
        let words = [String(namespaces.rawValue, radix: 16)] + (cgroup.map { [$0] } ?? [])
        monitor = try MonitorProcess(program: shim, arguments: words, stdio: stdio)
        plan = nil
    }

    /// Starts the shim with its plan at once.
    package static func start(_ plan: LaunchPlan, shim: borrowing FileDescriptor, stdio: (Int32, Int32, Int32)) throws
        -> Launch
    {
        guard case .clone(let namespaces, let cgroup) = plan.steps.first else {
            throw EngineError(.failed, "a launch plan begins with a clone")
        }
        var launch = try Launch(namespaces: namespaces, cgroup: cgroup, shim: shim, stdio: stdio)
        try launch.carryOut(plan)
        return launch
    }

    /// Gives the container's process its plan. It walks it up to the barrier, and on after `go()`.
    package mutating func carryOut(_ plan: LaunchPlan) throws {
        self.plan = plan
        var message = lp_message()
        message.kind = LP_MESSAGE_PLAN.rawValue
        try withUnsafeBytes(of: &message) { try monitor.send($0, with: plan.encoded()) }
    }

    /// To poll(2) for events.
    package var descriptor: Int32 { monitor.control.raw }

    /// Lets the container pass the barrier: its cgroup exists and its state is written.
    package func go() throws {
        var message = lp_message()
        message.kind = LP_MESSAGE_GO.rawValue
        try withUnsafeBytes(of: &message) { try monitor.send($0) }
    }

    /// Waits for the next event.
    package func next() throws -> Event {
        var message = lp_message()
        let (received, descriptor) = try monitor.receive(&message, size: MemoryLayout<lp_message>.size)
        let carried: FileDescriptor? = descriptor >= 0 ? FileDescriptor(owning: descriptor) : nil
        guard received else { return .lost }
        switch lp_message_kind(rawValue: message.kind) {
        case LP_MESSAGE_CONSOLE:
            if let carried { return .console(carried) }
        case LP_MESSAGE_STARTED:
            if let carried {
                return .started(
                    Start(
                        pidfd: carried,
                        shimBegan: message.time.0,
                        barrierPassed: message.time.1,
                        executed: message.time.2,
                        used: message.used
                    )
                )
            }
        case LP_MESSAGE_FAILED:
            return .failed(LaunchFailure(message, of: plan))
        case LP_MESSAGE_EXITED:
            var usage = Usage()
            usage.userTime = message.user_time
            usage.systemTime = message.system_time
            usage.peakMemory = message.peak_memory
            return .exited(ExitStatus(waitStatus: message.status), usage)
        default: break
        }
        throw EngineError(.failed, "the shim sent something unknown")
    }

    /// Ends the container at once, if it still runs, and the shim.
    package func kill() { monitor.kill() }

    /// Waits for the shim's end, after the container's.
    package func finish() { monitor.wait() }
}
