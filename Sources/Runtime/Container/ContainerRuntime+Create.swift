import CLinux
import LinuxSystem
import OCI

/// What `create` and `run` are asked for.
package struct CreateRequest: Sendable {
    package var id: String
    /// Absolute.
    package var bundle: String
    package var pidFile: String?
    package var consoleSocket: String?
    package var pidfdSocket: String?
    package var noPivot = false
    package var newKeyring = true
    /// How many of the caller's descriptors from 3 on the program gets.
    package var preserved = 0
    /// The caller returns when the container is there, and leaves its terminal to `consoleSocket`.
    package var detached = true
    /// Further entries of the environment (socket activation).
    package var environment: [String] = []
    /// The caller's NOTIFY_SOCKET: the container gets one of its own.
    package var notifySocket: String?
    /// The configuration, where that is not the bundle's config.json. Absolute.
    package var configuration: String?

    package init(id: String, bundle: String) {
        self.id = id
        self.bundle = bundle
    }
}

/// A container that was created by this process, which is its parent.
package struct CreatedContainer: ~Copyable {
    package let spec: RuntimeSpec
    package let pid: pid_t
    package let pidfd: FileDescriptor
    /// The master of its terminal, where no console socket took it.
    package var console: FileDescriptor?
}

extension ContainerRuntime {
    /// Creates a container (runtime.md#create): all of it is there, and its process waits for `start`. A failure leaves nothing.
    package func create(_ request: CreateRequest) throws -> CreatedContainer {
        var spec = try ContainerRuntime.specification(of: request)
        try spec.validate()
        try spec.process.checkConsole(socket: request.consoleSocket, detached: request.detached)
        let folder = try folder(request.id)
        if request.notifySocket != nil { spec.mounts.append(NotifySocket.mount(folder)) }
        let stored = spec.json.bytes()
        try prepare(&spec, request)

        let hierarchy = try CgroupHierarchy.current()
        let placement = try CgroupPlacement(
            cgroupsPath: spec.linux.cgroupsPath,
            id: request.id,
            systemd: usesSystemd,
            hierarchy: hierarchy
        )
        let cgroup = try CgroupPlan(placement, in: hierarchy, resources: spec.linux.resources)
        for warning in cgroup.warnings { warn(warning) }
        if !FileStatus.exists(folder.path) { try Cgroup.check(cgroup) }

        let lock = try folder.claim()
        let undo = Undo()
        undo.arm { try? folder.remove() }
        do {
            try Files.write(folder.configurationPath, stored, mode: 0o600)
            if request.notifySocket != nil { try Files.makeDirectories(folder.notifyFolder) }
            var creation = try Creation(runtime: self, request: request, spec: spec, folder: folder, undo: undo)
            do { try creation.launch(placement, cgroup) } catch {
                throw EngineError.launching(error, initializing: true)
            }
            let created = try creation.finish()
            undo.disarm()
            _ = consume lock
            return created
        } catch {
            undo.run()
            _ = consume lock
            throw error
        }
    }

    /// What the caller's situation adds to the bundle's configuration.
    func prepare(_ spec: inout RuntimeSpec, _ request: CreateRequest) throws {
        spec.root.path = Files.absolute(spec.root.path, from: request.bundle)
        guard (try? FileStatus.following(spec.root.path))?.kind == .directory else {
            throw EngineError(.notFound, "invalid rootfs: \(spec.root.path) is not a folder")
        }
        spec.process.env += request.environment
        if request.notifySocket != nil { spec.process.env.append(NotifySocket.environment) }
        for index in spec.mounts.indices {
            let mount = spec.mounts[index]
            spec.mounts[index].destination = Files.absolute(mount.destination, from: "/")
            if mount.isBind { spec.mounts[index].source = Files.absolute(mount.source, from: request.bundle) }
            // Some callers give the host's path of a place in the root.
            if mount.destination.hasPrefix(spec.root.path + "/") {
                spec.mounts[index].destination = String(mount.destination.dropFirst(spec.root.path.utf8.count))
            }
        }
        // As crun: a user namespace that nobody has described has the caller as its root.
        if spec.linux.isNew(.user), spec.linux.uidMappings.isEmpty, spec.linux.gidMappings.isEmpty {
            spec.linux.uidMappings = [RuntimeSpec.IDMapping(containerID: 0, hostID: geteuid(), size: 1)]
            spec.linux.gidMappings = [RuntimeSpec.IDMapping(containerID: 0, hostID: getegid(), size: 1)]
        }
        if let path = spec.linux.namespaces.first(where: { $0.type == .user })?.path,
            spec.linux.uidMappings.isEmpty
        {
            try readMappings(of: path, &spec)
        }
    }

    /// What the launch plan needs to know beside the specification and the cgroup.
    func createContext(for spec: inout RuntimeSpec, _ request: CreateRequest) throws -> LaunchContext {
        var context = try context(for: &spec, id: request.id)
        context.rootChange = request.noPivot ? .move : .pivot
        context.newKeyring = request.newKeyring
        context.preservedDescriptors = request.preserved
        context.cgroupIsReady = true
        context.startDescriptor = 0
        if !request.detached { context.adoptCallerTerminal() }
        // A mount of the root's must never show up on the host, and none whose parent hands mounts on can become the root.
        if let propagation = try spec.linux.propagation {
            let keepsMounts = propagation.kind == .slave || propagation.kind == .private
            let mountPoint = MountPoints.holding(spec.root.path)
            if !keepsMounts || (!propagation.recursive && mountPoint != "/") { context.privateMountPoint = mountPoint }
        }
        return context
    }

    /// A user namespace that is joined has its maps already; a process in it shows them.
    private func readMappings(of path: String, _ spec: inout RuntimeSpec) throws {
        let file = try FileDescriptor.open(path, O_RDONLY)
        let maps = try UserNamespaceMaps.read(file)
        spec.linux.uidMappings = UserNamespace.mappings(maps.users)
        spec.linux.gidMappings = UserNamespace.mappings(maps.groups)
    }
}

/// One `create` under way.
private struct Creation: ~Copyable {
    let runtime: ContainerRuntime
    let request: CreateRequest
    let folder: ContainerFolder
    let undo: Undo
    let hierarchy: CgroupHierarchy
    var spec: RuntimeSpec
    var context: LaunchContext
    private let listener: FileDescriptor
    private let hostMounts: HostMounts?
    private var launched: PreparedLaunch?
    private var state: ContainerState?
    private var console: FileDescriptor?

    init(runtime: ContainerRuntime, request: CreateRequest, spec: RuntimeSpec, folder: ContainerFolder, undo: Undo)
        throws
    {
        var spec = spec
        let context = try runtime.createContext(for: &spec, request)
        let hierarchy = try CgroupHierarchy.current()
        let hostMounts = try HostMounts(spec)
        let listener = try StartSocket.listen(folder.startPath)
        self.runtime = runtime
        self.request = request
        self.folder = folder
        self.undo = undo
        self.hierarchy = hierarchy
        self.spec = spec
        self.context = context
        self.listener = listener
        self.hostMounts = hostMounts
        launched = nil
        state = nil
        console = nil
    }

    /// Makes the cgroup, and the process in it, as far as its barrier. Whatever of it is made is armed to be undone.
    mutating func launch(_ placement: CgroupPlacement, _ plan: CgroupPlan) throws {
        var placed: Cgroup.Placed?
        // Before anything is made: whatever moment a kill leaves, `delete` knows what there may be.
        var begun = ContainerState(
            spec: spec,
            id: request.id,
            bundle: request.bundle,
            process: ProcessIdentity(pid: 0, startTime: 0),
            cgroup: placement
        )
        begun.cgroupRoots = plan.roots
        begun.hostMounts = hostMounts
        if let hostMounts { undo.arm { try? hostMounts.remove() } }
        begun.cgroupMade = plan.roots.filter { !FileStatus.exists(plan.name.directory(in: $0)) }
        try folder.write(begun, in: hierarchy)
        if placement.unit == nil {
            placed = try place(plan)
            context.cgroupEntries = placed?.entries ?? []
        }
        context.cgroupMounts = CgroupFileSystem.all(
            in: hierarchy,
            roots: placed?.roots ?? hierarchy.directories,
            name: plan.name
        )
        let joined = try NamespaceFiles(spec.linux.namespaces)
        let shim = try MonitorProcess.openProgram(runtime.shim)
        let preparation = try LaunchPlan(preparing: spec, in: context)
        let launch = try PreparedLaunch(
            preparation,
            descriptors: joined.descriptors,
            shim: shim,
            preserved: request.preserved
        )
        let pid = launch.pid
        let pidfd = try launch.pidfd.duplicate().release()
        undo.arm {
            _ = linux_pidfd_send_signal(pidfd, SIGKILL)
            _ = try? Subprocess.wait(for: pid)
            close(pidfd)
        }
        launched = consume launch
        runtime.debug("nsexec container setup: process \(pid) was cloned")
        try settle(pid, placement, plan, placed)
        try carryOut()
    }

    private func place(_ plan: CgroupPlan, process: pid_t? = nil) throws -> Cgroup.Placed {
        let placed = try Cgroup.place(plan, process: process)
        undo.arm { try? placed.cgroup.remove(in: placed.made) }
        return placed
    }

    /// What the process needs from outside before its plan: its maps, limits that it may not raise itself, its state on the disk.
    private mutating func settle(
        _ pid: pid_t,
        _ placement: CgroupPlacement,
        _ plan: CgroupPlan,
        _ placed: Cgroup.Placed?
    ) throws {
        guard let identity = ProcessIdentity(living: pid) else {
            throw EngineError(.failed, "the process ended before its plan")
        }
        var state = ContainerState(
            spec: spec,
            id: request.id,
            bundle: request.bundle,
            process: identity,
            cgroup: placement
        )
        state.rootfs = spec.root.path
        state.hostMounts = hostMounts
        var placed = placed
        if let unit = placement.unit {
            try unit.start(
                pid: pid,
                resources: spec.linux.resources,
                description: "minirun container \(request.id)",
                annotations: spec.annotations
            )
            undo.arm { try? unit.stop() }
            placed = try place(plan, process: pid)
        }
        state.cgroupRoots = placed?.roots ?? []
        state.cgroupMade = placed?.made ?? []
        // From here on `delete` knows what to end and to remove.
        try folder.write(state, in: hierarchy)
        if spec.linux.has(.user) {
            if spec.linux.isNew(.user) { try UserNamespace.map(spec, of: pid) }
            try UserNamespace.raiseLimits(spec.process, of: pid)
            if let score = spec.process.oomScoreAdj { try Files.overwrite("/proc/\(pid)/oom_score_adj", "\(score)") }
            if spec.ownsCgroup, let owner = UserNamespace.host(0, spec.linux.uidMappings) {
                try placed?.cgroup.giveTo(uid: owner)
            }
        }
        state.resctrlGroup = try ResourceControl.place(spec, id: request.id, pid: pid, undo)
        try folder.write(state, in: hierarchy)
        self.state = state
    }

    private mutating func carryOut() throws {
        guard let state else { return }
        let inner = try Creation.innerPID(of: state.process.pid)
        context.hookStates = (state.hookDocument(.creating, pid: inner), state.hookDocument(.created, pid: inner))
        let plan = try LaunchPlan(spec, in: context)
        try launched?.carryOut(plan, descriptors: [listener.raw])
        runtime.debug("child process in init(): it got its plan of \(plan.steps.count) steps")
        try NetworkDevices.move(spec.linux.netDevices, into: state.process.pid)
        while true {
            switch try next() {
            case .console(let master): try take(consume master)
            case .waiting:
                try runHooks(state)
                try launched?.go()
            case .created:
                runtime.debug("init: closing the pipe to signal completion")
                return
            case .failed(let failure): throw failure
            case .listener: throw EngineError(.failed, "the process said something unexpected")
            case .closed: throw EngineError(.failed, "the process ended before it was created")
            }
        }
    }

    /// The process's number in its own pid namespace: what the hooks there know it by.
    private static func innerPID(of pid: pid_t) throws -> pid_t {
        let lines = try Files.readText("/proc/\(pid)/status").split(separator: "\n")
        let numbers = lines.first { $0.hasPrefix("NSpid:") }?.split(whereSeparator: \.isWhitespace)
        return numbers?.last.flatMap { pid_t($0) } ?? pid
    }

    private func next() throws -> PreparedLaunch.Event {
        switch launched {
        case .some(let launch): try launch.next()
        case .none: .closed
        }
    }

    private mutating func take(_ master: consuming FileDescriptor) throws {
        if let path = request.consoleSocket {
            try CallerSocket.hand(master, named: "/dev/ptmx", to: path)
        } else {
            console = consume master
        }
    }

    /// Once one of them has run, `poststop` has to run after a failure (runtime.md#lifecycle).
    private func runHooks(_ state: ContainerState) throws {
        let (hooks, warn) = (spec.hooks, runtime.warn)
        if !hooks.poststop.isEmpty {
            undo.arm {
                RuntimeHooks.runAll(
                    hooks.poststop,
                    kind: "poststop",
                    state: state.hookDocument(.stopped),
                    bundle: state.bundle,
                    warn: warn
                )
            }
        }
        let document = state.hookDocument(.creating)
        try RuntimeHooks.run(hooks.prestart, kind: "prestart", state: document, bundle: state.bundle)
        try RuntimeHooks.run(hooks.createRuntime, kind: "createRuntime", state: document, bundle: state.bundle)
    }

    /// Tells the caller, last the pid file: who sees it may take the container for created.
    consuming func finish() throws -> CreatedContainer {
        guard var state, let pidfd = try duplicatePidfd() else {
            throw EngineError(.failed, "the process was never launched")
        }
        state.phase = .created
        try folder.write(state, in: hierarchy)
        if let path = request.pidfdSocket { try CallerSocket.hand(pidfd, named: "standard", to: path) }
        if let path = request.pidFile { try PIDFile.write(state.process.pid, to: path) }
        return CreatedContainer(spec: spec, pid: state.process.pid, pidfd: pidfd, console: console)
    }

    private func duplicatePidfd() throws -> FileDescriptor? {
        switch launched {
        case .some(let launch): try launch.pidfd.duplicate()
        case .none: nil
        }
    }
}

/// `--pid-file`: the number without a line end, whole or not there at all; callers read it as it is.
enum PIDFile {
    static func write(_ pid: pid_t, to path: String) throws(SystemError) {
        try Files.replace(path, with: Array("\(pid)".utf8), mode: 0o644)
    }
}

/// Where the host has its mounts.
enum MountPoints {
    /// The mount point that a folder lies on.
    static func holding(_ path: String) -> String? {
        let real = (try? Link.canonical(path)) ?? path
        guard let text = try? Files.readText("/proc/self/mountinfo") else { return nil }
        return text.split(separator: "\n").compactMap { line -> String? in
            let fields = line.split(separator: " ", maxSplits: 5)
            return fields.count > 4 ? String(fields[4]) : nil
        }.filter { $0 == "/" || real == $0 || real.hasPrefix($0 + "/") }.max { $0.utf8.count < $1.utf8.count }
    }
}
