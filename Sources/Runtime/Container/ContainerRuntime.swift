import CLinux
import LinuxSystem
import OCI

/// An OCI runtime (runtime-spec, runtime.md): the operations that containerd, Podman and Docker call, each by a command of its
/// own. Between them nothing runs but the containers; what is known of one lies in its `ContainerFolder`.
package struct ContainerRuntime: Sendable {
    /// Where the containers' folders are.
    package let root: String
    /// The path of `minirun-shim`.
    package let shim: String
    /// Cgroups are asked of systemd.
    package var usesSystemd = false
    /// Compiled filters; nil compiles anew each time.
    package var filterCache: String?
    /// For what the caller should read but need not act on.
    package var warn: @Sendable (String) -> Void = { _ in }
    /// For who looks for a mistake: how far the work has come.
    package var debug: @Sendable (String) -> Void = { _ in }

    package init(root: String, shim: String) {
        self.root = root
        self.shim = shim
    }

    package func folder(_ id: String) throws(EngineError) -> ContainerFolder {
        try ContainerFolder(root: root, id: id)
    }

    /// A container's state and what it is doing now.
    package func inspect(_ id: String) throws -> (state: ContainerState, status: ContainerStatus) {
        let folder = try folder(id)
        let state = try folder.read()
        return (state, try status(of: state, in: folder))
    }

    /// What a container is doing, found out anew each time.
    func status(of state: ContainerState, in folder: ContainerFolder) throws -> ContainerStatus {
        let isAlive = state.process.isAlive
        if let cgroup = try? cgroup(of: state), try isAlive && cgroup.isFrozen() { return .paused }
        if !isAlive { return .stopped }
        switch state.phase {
        case .creating: return .creating
        case .started: return .running
        // A `start` that was killed may have come as far as the program; the socket says so, whose only holder it was.
        case .created: return StartSocket.isWaited(on: folder.startPath) ? .created : .running
        }
    }

    func cgroup(of state: ContainerState) throws -> Cgroup {
        Cgroup(state.cgroup.name, in: try CgroupHierarchy.current())
    }

    /// The specification that a container was created with.
    package func specification(of folder: ContainerFolder) throws -> RuntimeSpec {
        try RuntimeSpec(JSON.parse(try Files.read(folder.configurationPath)))
    }

    /// Reads a bundle's configuration.
    static func specification(of request: CreateRequest) throws -> RuntimeSpec {
        let path = request.configuration ?? "\(request.bundle)/config.json"
        let name = request.configuration ?? "config.json"
        let bytes: [UInt8]
        do {
            bytes = try Files.read(path, waiting: request.configuration != nil)
        } catch {
            guard error.code == SystemError.notFound else { throw error }
            throw EngineError(.notFound, "JSON specification file \(name) not found")
        }
        let json: JSON
        do { json = try JSON.parse(bytes) } catch {
            throw EngineError(.invalid, "\(name): \(error)")
        }
        if json.isNull { throw EngineError(.invalid, "config cannot be null") }
        return try RuntimeSpec(json)
    }

    /// All containers below the root, by their ids; those that cannot be read are reported and left out.
    package func all() throws -> [(state: ContainerState, status: ContainerStatus, owner: uid_t)] {
        var result: [(state: ContainerState, status: ContainerStatus, owner: uid_t)] = []
        for id in try Files.list(root).sorted() {
            do {
                let folder = try folder(id)
                guard FileStatus.exists(folder.statePath) else { continue }
                let state = try folder.read()
                result.append((state, try status(of: state, in: folder), try FileStatus.of(folder.path).owner))
            } catch {
                warn("load container \(id): \(error)")
            }
        }
        return result
    }
}

/// The socket on which a created process waits.
package enum StartSocket {
    package static func listen(_ path: String) throws(SystemError) -> FileDescriptor {
        FileDescriptor(
            owning: try retrying("listening on", path) { linux_listen(path, Int32(SOCK_SEQPACKET.rawValue)) }
        )
    }

    package static func connect(_ path: String) throws(SystemError) -> FileDescriptor {
        FileDescriptor(
            owning: try retrying("connecting to", path) { linux_connect(path, Int32(SOCK_SEQPACKET.rawValue)) }
        )
    }

    /// Whether somebody holds its other end. The process takes this for a `start` that went away, and waits on.
    static func isWaited(on path: String) -> Bool { (try? connect(path)) != nil }
}
