import CLinux
import LinuxSystem
import OCI
import Runtime

/// Verbs for a container that another process follows.
extension Engine {
    /// Waits until a container does not run any more; at once where it does not.
    ///
    /// - Returns: the program's exit code.
    package func wait(for container: ContainerRecord) throws -> Int32 {
        while true {
            if let code = try containers.waitForEnd(of: container.id) { return code }
            // Nobody was at work on it, or whoever was has been killed.
            try recover()
            // Asked first: who is at work on a container writes down its end before it lets go.
            let isActive = containers.isActive(container.id)
            guard let now = try containers.record(container.id) else { return ExitStatus.signalled(SIGKILL).code }
            if now.status != .running { return now.state.exitCode }
            guard isActive else {
                throw EngineError(
                    .failed,
                    "container \(container.id.prefix(12)) has lost its engine and cannot be cleaned up"
                )
            }
            usleep(1000)
        }
    }

    /// Sends a signal to a container's first process.
    ///
    /// - Throws: `conflict` where it does not run.
    package func kill(_ container: ContainerRecord, signal: CInt) throws {
        guard let process = try firstProcess(of: container) else {
            throw EngineError(
                .conflict,
                "cannot kill container: \(container.name): container \(container.id) is not running"
            )
        }
        try ProcessSignal.send(signal, to: process.raw)
    }

    /// Asks a container to end, kills it where it has not after a time, and waits for its end. One that does not run stays as it is.
    ///
    /// - Parameters:
    ///   - signal: nil for the container's own.
    ///   - timeout: seconds; negative for ever, nil for the container's own.
    package func stop(_ container: ContainerRecord, signal: CInt? = nil, timeout: Int? = nil) throws {
        guard let process = try firstProcess(of: container) else { return }
        try ProcessSignal.send(signal ?? container.stopSignal, to: process.raw)
        let timeout = timeout ?? container.stopTimeout
        let milliseconds = timeout < 0 ? -1 : CInt(clamping: timeout.multipliedReportingOverflow(by: 1000).partialValue)
        var end = pollfd(fd: process.raw, events: Int16(POLLIN), revents: 0)
        if poll(&end, 1, milliseconds) == 0 { try ProcessSignal.send(SIGKILL, to: process.raw) }
        _ = try wait(for: container)
    }

    /// Held, so that its number cannot become another's; nil where the container does not run.
    private func firstProcess(of container: ContainerRecord) throws -> FileDescriptor? {
        guard let now = try containers.record(container.id), now.status == .running, containers.isActive(now.id) else {
            return nil
        }
        let cgroup = Cgroup(try CgroupName(container: now.id), in: try .current())
        while let pid = try cgroup.firstProcess() {
            guard let process = ProcessIdentity(living: pid)?.open() else { continue }
            // The number was still the container's when it was opened.
            if try cgroup.firstProcess() == pid { return process }
        }
        return nil
    }
}
