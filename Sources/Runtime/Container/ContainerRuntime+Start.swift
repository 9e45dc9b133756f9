import CLinux
import LinuxSystem
import OCI

extension ContainerRuntime {
    /// Starts a created container (runtime.md#start): its program is executed when this returns.
    ///
    /// - Parameter host: the caller's NOTIFY_SOCKET. This then returns when the program has said that it is ready, or has ended.
    package func start(_ id: String, notifySocket host: String? = nil) throws {
        guard let notify = try begin(id, notifySocket: host) else { return }
        let process = try folder(id).read().process
        guard let pidfd = process.open() else { return }
        awaitReadiness(notify, pidfd, main: process.pid)
    }

    /// The program runs, whatever becomes of its notification.
    func awaitReadiness(_ notify: borrowing NotifySocket, _ pidfd: borrowing FileDescriptor, main: pid_t) {
        do throws(SystemError) { try notify.wait(for: pidfd, main: main) } catch { warn("notifying systemd: \(error)") }
    }

    /// `start` without the wait. Returns the socket on which the program says that it is ready.
    func begin(_ id: String, notifySocket host: String?) throws -> NotifySocket? {
        let folder = try folder(id)
        let lock = try folder.lock()
        var state = try folder.read()
        switch try status(of: state, in: folder) {
        case .created: break
        case .running: throw EngineError(.conflict, "cannot start an already running container")
        case .paused: throw EngineError(.conflict, "cannot start a container in the paused state")
        case .stopped, .creating: throw EngineError(.conflict, "cannot start a container that has stopped")
        }
        let spec = try specification(of: folder)
        var notify: NotifySocket?
        if let host { notify = try NotifySocket.of(folder, host: host) }
        try letGo(state, spec, folder)
        state.phase = .started
        try folder.write(state, in: try .current())
        // The socket has done its work.
        try Files.remove(folder.startPath)
        do throws(EngineError) {
            try RuntimeHooks.run(
                spec.hooks.poststart,
                kind: "poststart",
                state: state.hookDocument(.running),
                bundle: state.bundle
            )
        } catch {
            // As runc: a container whose poststart hook fails does not go on.
            if let process = state.process.open() { try ProcessSignal.send(SIGKILL, to: process.raw) }
            throw error
        }
        _ = consume lock
        return notify
    }

    /// Connects to the process, says go, and waits for its exec.
    private func letGo(_ state: ContainerState, _ spec: RuntimeSpec, _ folder: ContainerFolder) throws {
        let socket: FileDescriptor
        do throws(SystemError) { socket = try StartSocket.connect(folder.startPath) } catch {
            throw EngineError(.failed, "cannot start a container that has stopped: \(error)")
        }
        try LaunchMessage.go(over: socket)
        let plan = try startedPlan(spec, state)
        while true {
            switch try LaunchMessage.next(over: socket, of: plan) {
            case .listener(let listener):
                guard let configuration = spec.linux.seccomp else { continue }
                try SeccompAgent.hand(listener, of: state.process.pid, state.document(.creating), configuration)
                try LaunchMessage.go(over: socket)
            case .failed(let failure): throw ExecutionFailure(failure) ?? failure.error
            case .closed: return
            case .console: throw EngineError(.failed, "the process said something unexpected")
            case .waiting: throw EngineError(.failed, "the process said something unexpected")
            case .created: throw EngineError(.failed, "the process said something unexpected")
            }
        }
    }

    /// The plan whose steps the process names where one fails. Compiled anew: `create` has taken its own along.
    private func startedPlan(_ spec: RuntimeSpec, _ state: ContainerState) throws -> LaunchPlan {
        var spec = spec
        var silent = self
        silent.warn = { _ in }
        var context = try silent.context(for: &spec, id: state.id)
        context.startDescriptor = 0
        context.cgroupIsReady = true
        return try LaunchPlan(spec, in: context)
    }
}
