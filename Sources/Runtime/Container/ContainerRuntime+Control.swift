import CLinux
import LinuxSystem
import OCI

extension ContainerRuntime {
    /// Stops every process of a container where it stands.
    package func pause(_ id: String) throws {
        let folder = try folder(id)
        let lock = try folder.lock()
        let state = try folder.read()
        switch try status(of: state, in: folder) {
        case .running, .created: try cgroup(of: state).setFrozen(true)
        case .creating, .paused, .stopped: throw ContainerRuntime.notRunning
        }
        _ = consume lock
    }

    package func resume(_ id: String) throws {
        let folder = try folder(id)
        let lock = try folder.lock()
        let state = try folder.read()
        guard try status(of: state, in: folder) == .paused else {
            throw EngineError(.conflict, "container not paused")
        }
        try cgroup(of: state).setFrozen(false)
        _ = consume lock
    }

    /// Changes the limits of a container: what `changes` does not name stays.
    package func update(_ id: String, _ changes: LinuxResources) throws {
        let folder = try folder(id)
        let lock = try folder.lock()
        let state = try folder.read()
        guard try status(of: state, in: folder) != .stopped else { throw ContainerRuntime.notRunning }
        var spec = try specification(of: folder)
        let warnings = try cgroup(of: state)
            .update(changes, known: spec.linux.resources, unit: state.cgroup.unit)
        for warning in warnings { warn(warning) }
        spec.linux.resources.merge(changes)
        try Files.replace(folder.configurationPath, with: spec.json.bytes(), mode: 0o600)
        _ = consume lock
    }

    /// The processes of a container, by their numbers here.
    package func processes(_ id: String) throws -> [pid_t] {
        try cgroup(of: try folder(id).read()).allProcesses()
    }

    /// The document of `events --stats`.
    package func statistics(_ id: String) throws -> JSON {
        let (state, status) = try inspect(id)
        guard status != .stopped else { throw EngineError(.conflict, "container with id \(id) is not running") }
        return try cgroup(of: state).eventsJSON(id: id)
    }

    /// A container's cgroup, for what watches it.
    package func runningCgroup(_ id: String) throws -> Cgroup {
        let (state, status) = try inspect(id)
        guard status != .stopped else { throw EngineError(.conflict, "container with id \(id) is not running") }
        return try cgroup(of: state)
    }
}
