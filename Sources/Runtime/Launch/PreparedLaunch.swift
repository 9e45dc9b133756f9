import CLinux
import LaunchPlan
import LinuxSystem
import OCI

/// A launch in two plans: the shim's monitor prepares on the host, clones the process, and ends; the process is then this
/// process's own child, and who adopts what this process leaves behind (a subreaper) becomes its parent later.
package struct PreparedLaunch: ~Copyable {
    /// What the process says while it walks its plan.
    package enum Event: ~Copyable {
        /// Its terminal was opened; this is the master.
        case console(FileDescriptor)
        /// It waits at an announced barrier.
        case waiting
        /// It waits to be started. Nothing more will come.
        case created
        /// Its seccomp filter asks through this descriptor, and it waits until that has been handed on.
        case listener(FileDescriptor)
        case failed(LaunchFailure)
        /// The program was executed, or the process has ended without a word.
        case closed
    }

    private let control: FileDescriptor
    /// As this process sees it.
    package let pid: pid_t
    package let pidfd: FileDescriptor
    private var plan: LaunchPlan?

    /// Starts the shim with a preparation, and returns when the process was cloned. It waits for its plan, and ends if this
    /// value goes before.
    ///
    /// - Parameters:
    ///   - descriptors: what the preparation's steps name by index.
    ///   - preserved: how many of our descriptors from 3 on are handed on.
    package init(
        _ preparation: LaunchPlan,
        descriptors: [CInt],
        shim: borrowing FileDescriptor,
        stdio: (CInt, CInt, CInt) = (0, 1, 2),
        preserved: Int = 0
    ) throws {
        let monitor = try MonitorProcess(
            program: shim,
            arguments: ["prepare"],
            stdio: stdio,
            staysAsInit: false,
            preserved: preserved
        )
        let birth: Birth
        do {
            birth = try PreparedLaunch.prepare(preparation, descriptors, monitor)
        } catch {
            monitor.kill()
            PreparedLaunch.endUntold()
            throw error
        }
        monitor.wait()
        let control = try monitor.control.duplicate()
        self.init(control: control, pid: birth.pid, pidfd: FileDescriptor(owning: birth.pidfd))
    }

    private init(control: consuming FileDescriptor, pid: pid_t, pidfd: consuming FileDescriptor) {
        self.control = control
        self.pid = pid
        self.pidfd = pidfd
        plan = nil
    }

    private struct Birth {
        let pid: pid_t
        /// Owned by whoever gets it.
        let pidfd: CInt
    }

    /// Until the process was born.
    private static func prepare(
        _ preparation: LaunchPlan,
        _ descriptors: [CInt],
        _ monitor: borrowing MonitorProcess
    ) throws -> Birth {
        try LaunchMessage.send(preparation, descriptors: descriptors, over: monitor.control)
        var message = lp_message()
        let (received, descriptor) = try monitor.receive(&message, size: MemoryLayout<lp_message>.size)
        guard received else { throw EngineError(.failed, "the shim ended before the process was cloned") }
        if message.kind == LP_MESSAGE_FAILED.rawValue { throw LaunchFailure(message, of: preparation) }
        guard message.kind == LP_MESSAGE_BORN.rawValue, descriptor >= 0 else {
            throw EngineError(.failed, "the shim sent something unknown")
        }
        return Birth(pid: message.status, pidfd: descriptor)
    }

    /// Ends a process that was cloned although nobody has told us: it is our child all the same, and unreaped it would be a
    /// zombie of whoever adopts what we leave, which holds its control group.
    private static func endUntold() {
        let children = (try? Files.readText("/proc/thread-self/children")) ?? ""
        for pid in children.split(separator: " ").compactMap({ pid_t($0) }) {
            // Others may have been our caller's before it executed us.
            guard (try? Files.readText("/proc/\(pid)/comm")) == "minirun-shim\n" else { continue }
            CLinux.kill(pid, SIGKILL)
            _ = try? Subprocess.wait(for: pid)
        }
    }

    /// Gives the process its plan, with the descriptors that its steps name by index.
    package mutating func carryOut(_ plan: LaunchPlan, descriptors: [CInt]) throws {
        self.plan = plan
        try LaunchMessage.send(plan, descriptors: descriptors, over: control)
    }

    /// Lets it pass the barrier at which it waits, or go on after its listener was handed on.
    package func go() throws { try LaunchMessage.go(over: control) }

    /// Waits for the next event.
    package func next() throws -> Event { try LaunchMessage.next(over: control, of: plan) }

    /// Kills the process and reaps it.
    package func kill() {
        _ = linux_pidfd_send_signal(pidfd.raw, SIGKILL)
        _ = try? Subprocess.wait(for: pid)
    }
}

/// The messages of `launch_plan.h` between this process and the one that walks a plan.
enum LaunchMessage {
    static func send(_ plan: LaunchPlan, descriptors: [CInt], over control: borrowing FileDescriptor) throws {
        var message = lp_message()
        message.kind = LP_MESSAGE_PLAN.rawValue
        let bytes = try plan.encoded(descriptors: descriptors.count)
        try withUnsafeBytes(of: &message) {
            try MonitorProcess.send($0, with: bytes, descriptors: descriptors, over: control)
        }
    }

    static func go(over control: borrowing FileDescriptor) throws {
        var message = lp_message()
        message.kind = LP_MESSAGE_GO.rawValue
        try withUnsafeBytes(of: &message) { try MonitorProcess.send($0, over: control) }
    }

    static func next(over control: borrowing FileDescriptor, of plan: LaunchPlan?) throws -> PreparedLaunch.Event {
        var message = lp_message()
        let (received, descriptor) = try MonitorProcess.receive(
            &message,
            size: MemoryLayout<lp_message>.size,
            over: control
        )
        let carried: FileDescriptor? = descriptor >= 0 ? FileDescriptor(owning: descriptor) : nil
        guard received else { return .closed }
        switch lp_message_kind(rawValue: message.kind) {
        case LP_MESSAGE_CONSOLE: if let carried { return .console(carried) }
        case LP_MESSAGE_LISTENER: if let carried { return .listener(carried) }
        case LP_MESSAGE_WAITING: return .waiting
        case LP_MESSAGE_CREATED: return .created
        case LP_MESSAGE_FAILED: return .failed(LaunchFailure(message, of: plan))
        default: break
        }
        throw EngineError(.failed, "the shim sent something unknown")
    }
}
