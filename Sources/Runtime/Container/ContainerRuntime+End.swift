import CLinux
import LinuxSystem
import OCI

extension ContainerRuntime {
    /// Sends a signal to a container's first process (runtime.md#kill), or to all of its processes.
    ///
    /// Without a pid namespace of its own the end of the first process does not end the others: SIGKILL then goes to all.
    package func kill(_ id: String, _ signal: CInt, all: Bool = false) throws {
        let folder = try folder(id)
        let state = try folder.read()
        let process = state.process.open()
        let cgroup = try cgroup(of: state)
        if all || (signal == SIGKILL && !state.ownsPidNamespace) {
            let others = try cgroup.allProcesses()
            guard !others.isEmpty || process != nil else {
                if all { return }
                throw ContainerRuntime.notRunning
            }
            if !others.isEmpty { try cgroup.kill(signal) }
            if !others.contains(state.process.pid), let process { try ProcessSignal.send(signal, to: process.raw) }
            return
        }
        guard let process else { throw ContainerRuntime.notRunning }
        try ProcessSignal.send(signal, to: process.raw)
        // A frozen process dies only when it is thawed.
        if signal == SIGKILL, try cgroup.isFrozen() { try cgroup.setFrozen(false) }
    }

    static let notRunning = EngineError(.conflict, "container not running")

    /// Removes a container that has stopped (runtime.md#delete), with all that `create` made; by force, one that runs too.
    package func delete(_ id: String, force: Bool = false) throws {
        let folder = try folder(id)
        guard FileStatus.exists(folder.path) else {
            if force { return }
            throw ContainerFolder.missing
        }
        let lock: FileLock
        do {
            lock = try self.lock(folder, force: force)
        } catch let error as EngineError where force && error.kind == .notFound {
            // Another command was faster.
            return
        }
        let state: ContainerState
        do {
            state = try folder.read()
        } catch let error as EngineError where error.kind == .notFound {
            // What a command that was killed has left.
            try folder.remove()
            if force { return }
            throw error
        }
        let status = try status(of: state, in: folder)
        if status == .running || status == .paused, !force {
            throw EngineError(
                .conflict,
                "cannot delete container \(id) that is not stopped: \(status.rawValue)"
            )
        }
        try end(state)
        try remove(state, folder)
        _ = consume lock
    }

    /// The lock; by force, also where a command holds it that waits for the container, which then ends.
    private func lock(_ folder: ContainerFolder, force: Bool) throws -> FileLock {
        if force, try folder.attemptLock() == nil, let state = try? folder.read(),
            let process = state.process.open()
        {
            try ProcessSignal.send(SIGKILL, to: process.raw)
        }
        return try folder.lock()
    }

    /// Ends what runs of a container, and waits until it has.
    private func end(_ state: ContainerState) throws {
        let cgroup = try cgroup(of: state)
        guard let process = state.process.open() else { return }
        try ProcessSignal.send(SIGKILL, to: process.raw)
        if try cgroup.isFrozen() { try cgroup.setFrozen(false) }
        var ended = pollfd(fd: process.raw, events: Int16(POLLIN), revents: 0)
        guard poll(&ended, 1, 10_000) > 0 else { throw EngineError(.failed, "container init still running") }
    }

    private func remove(_ state: ContainerState, _ folder: ContainerFolder) throws {
        let spec = try? specification(of: folder)
        let cgroup = try cgroup(of: state)
        // Its processes go with it, those of a shared pid namespace too.
        try cgroup.remove(in: state.cgroupMade)
        if let unit = state.cgroup.unit { try unit.stop() }
        try state.hostMounts?.remove()
        if let group = state.resctrlGroup { try ResourceControl.remove(group) }
        try folder.remove()
        guard let hooks = spec?.hooks.poststop else { return }
        // The container is gone whatever they say (runtime.md#lifecycle): a failure is a warning.
        RuntimeHooks.runAll(
            hooks,
            kind: "poststop",
            state: state.hookDocument(.stopped),
            bundle: state.bundle,
            warn: warn
        )
    }
}
