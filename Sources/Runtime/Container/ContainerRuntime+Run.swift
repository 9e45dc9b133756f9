import CLinux
import LinuxSystem
import OCI

extension ContainerRuntime {
    /// Creates and starts a container. Detached it returns then, with 0; else it waits for the end, removes the container unless
    /// it is kept, and returns the program's exit code.
    package func run(_ request: CreateRequest, detached: Bool, keep: Bool, isSubreaper: Bool = true) throws -> Int32 {
        // Before there is a process: what comes meanwhile is for it.
        let signals = detached ? nil : try SignalDescriptor(SignalDescriptor.forwardable)
        if !detached, isSubreaper { linux_become_subreaper() }
        var request = request
        request.detached = detached
        var created = try create(request)
        let notify: NotifySocket?
        do {
            notify = try begin(request.id, notifySocket: request.notifySocket)
        } catch {
            try? delete(request.id, force: true)
            throw error
        }
        guard let signals = consume signals else {
            if let notify { awaitReadiness(notify, created.pidfd, main: created.pid) }
            return 0
        }
        var process = try ForegroundProcess(
            pid: created.pid,
            pidfd: created.pidfd,
            console: created.console.take(),
            signals: signals,
            notify: notify
        )
        let status = try process.wait()
        debug("process exited: pid \(created.pid), status \(status.code)")
        if !keep { try delete(request.id, force: true) }
        return status.code
    }
}
