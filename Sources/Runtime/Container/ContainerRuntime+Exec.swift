import CLinux
import LinuxSystem
import OCI

/// What `exec` is asked for.
package struct ExecRequest: Sendable {
    package var id: String
    /// Made of the container's own process and the caller's wishes, or as the caller's file has it.
    package var process: RuntimeSpec.Process
    package var detached = false
    package var pidFile: String?
    package var consoleSocket: String?
    package var pidfdSocket: String?
    package var preserved = 0
    /// Runs in a paused container, when that is resumed.
    package var ignoresPause = false
    /// `--cgroup`: cgroups below the container's own, by controllers; an empty name stands for all.
    package var cgroups: [(controllers: [String], path: String)] = []

    package init(id: String, process: RuntimeSpec.Process) {
        self.id = id
        self.process = process
    }
}

extension ContainerRuntime {
    /// Runs a further process in a container, with the restrictions of its first one. Returns the program's exit code, or 0 where
    /// it is detached.
    package func exec(_ request: ExecRequest) throws -> Int32 {
        let folder = try folder(request.id)
        let state = try folder.read()
        switch try status(of: state, in: folder) {
        case .stopped, .creating: throw EngineError(.conflict, "cannot exec in a stopped container")
        case .paused where !request.ignoresPause:
            throw EngineError(
                .conflict,
                "cannot exec in a paused container (use --ignore-paused to override)"
            )
        case .created, .running, .paused: break
        }
        // Held from here on: what its number means cannot change any more.
        guard let container = state.process.open() else {
            throw EngineError(.conflict, "cannot exec in a stopped container")
        }
        try request.process.checkConsole(socket: request.consoleSocket, detached: request.detached)
        let signals = request.detached ? nil : try SignalDescriptor(SignalDescriptor.forwardable)
        var spec = try specification(of: folder)
        let joined = try NamespaceFiles.others(of: state.process.pid)
        adopt(request.process, in: &spec, state, joined)
        var execution = try Execution(self, request, spec, state, joined)
        do {
            let console: FileDescriptor?
            do { console = try execution.begin(container) } catch {
                throw EngineError.launching(error, initializing: false)
            }
            if let path = request.pidFile { try PIDFile.write(execution.pid, to: path) }
            if let path = request.pidfdSocket { try CallerSocket.hand(execution.pidfd(), named: "setns", to: path) }
            guard let signals = consume signals else { return 0 }
            var process = try ForegroundProcess(
                pid: execution.pid,
                pidfd: execution.pidfd(),
                console: console,
                signals: signals
            )
            let code = try process.wait().code
            debug("process exited: pid \(execution.pid), status \(code)")
            return code
        } catch {
            execution.kill()
            throw error
        }
    }

    /// The container's settings stay, its process becomes the new one. What that leaves open is as the first one's.
    private func adopt(
        _ process: RuntimeSpec.Process,
        in spec: inout RuntimeSpec,
        _ state: ContainerState,
        _ joined: NamespaceFlags
    ) {
        let first = spec.process
        spec.process = process
        if spec.process.rlimits.isEmpty { spec.process.rlimits = first.rlimits }
        if spec.process.apparmorProfile == nil { spec.process.apparmorProfile = first.apparmorProfile }
        if spec.process.selinuxLabel == nil { spec.process.selinuxLabel = first.selinuxLabel }
        if spec.process.scheduler == nil { spec.process.scheduler = first.scheduler }
        if spec.process.ioPriority == nil { spec.process.ioPriority = first.ioPriority }
        if spec.process.execCPUAffinity == nil { spec.process.execCPUAffinity = first.execCPUAffinity }
        if spec.process.oomScoreAdj == nil { spec.process.oomScoreAdj = first.oomScoreAdj }
        if spec.process.user.umask == nil { spec.process.user.umask = first.user.umask }
        spec.hooks = RuntimeSpec.Hooks()
        if spec.linux.has(.user), spec.linux.uidMappings.isEmpty, joined.contains(.user) {
            let pid = state.process.pid
            spec.linux.uidMappings = UserNamespace.mappings((try? Files.readText("/proc/\(pid)/uid_map")) ?? "")
            spec.linux.gidMappings = UserNamespace.mappings((try? Files.readText("/proc/\(pid)/gid_map")) ?? "")
        }
    }
}

/// One `exec` under way.
private struct Execution: ~Copyable {
    private let runtime: ContainerRuntime
    private let request: ExecRequest
    private let spec: RuntimeSpec
    private let state: ContainerState
    private let joined: NamespaceFlags
    private let context: LaunchContext
    private var launched: PreparedLaunch?

    init(
        _ runtime: ContainerRuntime,
        _ request: ExecRequest,
        _ spec: RuntimeSpec,
        _ state: ContainerState,
        _ joined: NamespaceFlags
    ) throws {
        self.runtime = runtime
        self.request = request
        self.state = state
        self.joined = joined
        var spec = spec
        var context = try runtime.context(for: &spec, id: state.id)
        context.preservedDescriptors = request.preserved
        if !request.detached { context.adoptCallerTerminal() }
        self.spec = spec
        self.context = context
        launched = nil
    }

    var pid: pid_t {
        switch launched {
        case .some(let launch): launch.pid
        case .none: 0
        }
    }

    func pidfd() throws -> FileDescriptor {
        switch launched {
        case .some(let launch): try launch.pidfd.duplicate()
        case .none: throw EngineError(.failed, "the process was never launched")
        }
    }

    /// Until its program is executed. Returns the master of its terminal, where no console socket took it.
    mutating func begin(_ container: borrowing FileDescriptor) throws -> FileDescriptor? {
        let doors = try ExecCgroups(state, request.cgroups, initial: runtime.cgroup(of: state), joined: joined)
        let preparation = try LaunchPlan(
            joining: joined,
            of: "container \(state.id)",
            cgroup: doors.unified,
            initialAffinity: spec.process.execCPUAffinity?.initial
        )
        for case .affinity(let mask, _) in preparation.steps {
            runtime.debug("nsexec: affinity: \(ProcessorMask.text(mask))")
        }
        let shim = try MonitorProcess.openProgram(runtime.shim)
        var launch = try PreparedLaunch(
            preparation,
            descriptors: joined.isEmpty ? [] : [container.raw],
            shim: shim,
            preserved: request.preserved
        )
        let pid = launch.pid
        runtime.debug("nsexec container setup: process \(pid) was cloned")
        if joined.contains(.user) { try UserNamespace.raiseLimits(spec.process, of: pid) }
        // From outside, where the right to lower it may be.
        if let score = spec.process.oomScoreAdj { try Files.overwrite("/proc/\(pid)/oom_score_adj", "\(score)") }
        let plan = try LaunchPlan(
            executing: spec,
            in: context,
            cgroups: doors.names,
            inUserNamespace: joined.contains(.user),
            // A container without a mount namespace of its own has only a root of its own.
            root: joined.contains(.mount) ? nil : "/proc/\(state.process.pid)/root"
        )
        try launch.carryOut(plan, descriptors: doors.descriptors)
        runtime.debug("child process in init(): it got its plan of \(plan.steps.count) steps")
        runtime.debug("setns_init: about to exec \(spec.process.args.first ?? "")")
        var console: FileDescriptor?
        do {
            while try take(launch.next(), of: launch, &console) {}
        } catch {
            launch.kill()
            throw error
        }
        launched = consume launch
        return console
    }

    /// False at the exec.
    private func take(
        _ event: consuming PreparedLaunch.Event,
        of launch: borrowing PreparedLaunch,
        _ console: inout FileDescriptor?
    ) throws -> Bool {
        switch consume event {
        case .console(let master):
            if let path = request.consoleSocket {
                try CallerSocket.hand(master, named: "/dev/ptmx", to: path)
            } else {
                console = consume master
            }
        case .listener(let listener):
            guard let configuration = spec.linux.seccomp else { return true }
            try SeccompAgent.hand(listener, of: launch.pid, state.document(.running), configuration)
            try launch.go()
        case .failed(let failure): throw failure
        case .closed: return false
        case .waiting: throw EngineError(.failed, "the process said something unexpected")
        case .created: throw EngineError(.failed, "the process said something unexpected")
        }
        return true
    }

    func kill() {
        switch launched {
        case .some(let launch): launch.kill()
        case .none: break
        }
    }
}

/// How a further process gets into the container's cgroups.
private final class ExecCgroups {
    /// A folder of cgroup v2 to be born into.
    let unified: String?
    private(set) var names: [String] = []
    private var files: [NamespaceFiles.OpenFile] = []
    var descriptors: [CInt] { files.map { $0.descriptor.raw } }

    init(
        _ state: ContainerState,
        _ wanted: [(controllers: [String], path: String)],
        initial cgroup: Cgroup,
        joined: NamespaceFlags
    ) throws {
        let hierarchy = cgroup.hierarchy
        let known = Set(hierarchy.mounts.keys.map(\.rawValue)).union(hierarchy.named.keys)
        if let unknown = wanted.flatMap(\.controllers).first(where: { !known.contains($0) }) {
            throw EngineError(.notFound, "unknown controller \(unknown) in --cgroup")
        }
        var unified: String?
        for root in state.cgroupRoots {
            let isUnified = root == hierarchy.unified?.directory
            let controllers = hierarchy.mounts.filter { $0.value == root }.map(\.key.rawValue)
            let below = try ExecCgroups.path(for: controllers, wanted)
            let directory = cgroup.name.directory(in: root) + (below.isEmpty ? "" : "/\(below)")
            guard FileStatus.exists(directory) else {
                if !below.isEmpty || hierarchy.mode == .unified {
                    throw EngineError(.notFound, "error adding pid to cgroup \(directory): no such file or directory")
                }
                continue
            }
            if isUnified, hierarchy.mode == .unified {
                unified = directory
            } else {
                let name = "\(directory)/\(isUnified ? "cgroup.procs" : "tasks")"
                names.append(name)
                files.append(NamespaceFiles.OpenFile(try FileDescriptor.open(name, O_WRONLY)))
            }
        }
        // A cgroup with controllers for those below it takes no process (cgroups(7)): systemd in a container moves its first
        // process to a leaf, and that is where the new one goes, too.
        if let directory = unified, wanted.isEmpty,
            let control = try? Files.readText("\(directory)/cgroup.subtree_control"),
            !control.allSatisfy(\.isWhitespace),
            let text = try? Files.readText("/proc/\(state.process.pid)/cgroup"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("0::") }),
            let root = hierarchy.unified?.directory
        {
            unified = root + line.dropFirst(3)
        }
        // The clone comes after the joining. In the container's mount namespace the folder has no name, and out of its cgroup
        // namespace no process may be moved, not even by a birth, where v2 is mounted with `nsdelegate` (cgroups(7)), as
        // systemd does. A file that was opened in our own namespaces is still good for it.
        if let directory = unified, !joined.isDisjoint(with: [.mount, .cgroup]) {
            let name = "\(directory)/cgroup.procs"
            names.append(name)
            files.append(NamespaceFiles.OpenFile(try FileDescriptor.open(name, O_WRONLY)))
            unified = nil
        }
        self.unified = unified
    }

    private static func path(for controllers: [String], _ wanted: [(controllers: [String], path: String)])
        throws(EngineError) -> String
    {
        for (names, path) in wanted where names.isEmpty || !Set(names).isDisjoint(with: controllers) {
            let parts = path.split(separator: "/")
            guard !parts.contains("..") else { throw EngineError(.invalid, "bad sub cgroup path: \(path)") }
            return parts.joined(separator: "/")
        }
        return ""
    }
}
