import CLinux
import LinuxSystem
import OCI

/// What a runtime keeps of a container between its commands: `state.json` in the container's folder below `--root`.
package struct ContainerState: Sendable {
    /// The format; another one is refused.
    static let version = 1

    /// How far the commands have come; what the processes have become since is found out each time.
    package enum Phase: String, Sendable { case creating, created, started }

    package var id: String
    /// The configuration's.
    package var ociVersion: String
    package var bundle: String
    package var rootfs: String
    /// Nanoseconds since 1970.
    package var created: UInt64
    package var annotations: [String: String]
    package var phase = Phase.creating
    package var process: ProcessIdentity
    package var cgroup: CgroupPlacement
    /// The hierarchies in which the container has a folder, and those of them in which it was made for it.
    package var cgroupRoots: [String]
    package var cgroupMade: [String]
    /// Its processes end with its first one.
    package var ownsPidNamespace: Bool
    /// The resctrl group that was made for it.
    package var resctrlGroup: String?
    /// Where it has no mount namespace: what its end has to unmount.
    package var hostMounts: HostMounts?

    package init(
        spec: RuntimeSpec,
        id: String,
        bundle: String,
        process: ProcessIdentity,
        cgroup: CgroupPlacement
    ) {
        self.id = id
        ociVersion = spec.ociVersion
        self.bundle = bundle
        rootfs = Files.absolute(spec.root.path, from: bundle)
        created = Clock.realtime
        annotations = spec.annotations
        self.process = process
        self.cgroup = cgroup
        cgroupRoots = []
        cgroupMade = []
        ownsPidNamespace = spec.linux.isNew(.pid)
    }

    package init(_ json: JSON) throws {
        guard json["minirun"]?["version"]?.int == ContainerState.version, let own = json["minirun"],
            let id = json["id"]?.string, let phase = own["phase"]?.string.flatMap(Phase.init(rawValue:)),
            let cgroup = own["cgroup"]
        else {
            throw EngineError(.unsupported, "a container's state is of a version that this minirun does not know")
        }
        self.id = id
        self.phase = phase
        ociVersion = json["ociVersion"]?.string ?? ""
        bundle = json["bundle"]?.string ?? ""
        rootfs = json["rootfs"]?.string ?? ""
        created = json["created"]?.string.flatMap(Timestamp.nanoseconds(rfc3339:)) ?? 0
        annotations = json["annotations"]?.stringMap ?? [:]
        process = ProcessIdentity(
            pid: pid_t(clamping: json["init_process_pid"]?.int ?? 0),
            startTime: json["init_process_start"]?.uint64 ?? 0
        )
        self.cgroup = try CgroupPlacement(cgroup)
        cgroupRoots = own["cgroupRoots"]?.strings ?? []
        cgroupMade = own["cgroupMade"]?.strings ?? []
        ownsPidNamespace = own["ownsPidNamespace"]?.bool ?? true
        resctrlGroup = own["resctrlGroup"]?.string
        hostMounts = HostMounts(own["hostMounts"])
    }

    /// The file. Names that runc's has too stand at the top: tools that look into it (cadvisor) find them there.
    package func json(in hierarchy: CgroupHierarchy) -> JSON {
        let unified = hierarchy.unified?.directory
        let paths = cgroupRoots.map { root -> (key: String, value: JSON) in
            let names = hierarchy.mounts.filter { $0.value == root }.map(\.key.rawValue).sorted()
            return (key: root == unified ? "" : names.joined(separator: ","), .string(cgroup.name.directory(in: root)))
        }
        return [
            "id": .string(id), "init_process_pid": .number(process.pid),
            "init_process_start": .number(process.startTime), "ociVersion": .string(ociVersion),
            "created": .string(Timestamp.rfc3339(nanoseconds: created)), "bundle": .string(bundle),
            "rootfs": .string(rootfs), "annotations": .sortedStrings(annotations), "cgroup_paths": .object(paths),
            "minirun": .object(
                [
                    ("version", .number(ContainerState.version)), ("phase", .string(phase.rawValue)),
                    ("cgroup", cgroup.json), ("cgroupRoots", .strings(cgroupRoots)),
                    ("cgroupMade", .strings(cgroupMade)), ("ownsPidNamespace", .bool(ownsPidNamespace)),
                ] + (resctrlGroup.map { [("resctrlGroup", .string($0))] } ?? [])
                    + (hostMounts.map { [("hostMounts", $0.json)] } ?? [])
            ),
        ]
    }
}

/// A container's status, in the specification's words (runtime.md#state), and `paused` as runc and crun add it.
package enum ContainerStatus: String, Sendable { case creating, created, running, paused, stopped }

extension ContainerState {
    /// The state as the specification has it: what `state` prints and hooks read.
    package func document(_ status: ContainerStatus, owner: String? = nil) -> JSON {
        var members: [(key: String, value: JSON)] = [
            ("ociVersion", .string(ociVersion)), ("id", .string(id)),
            ("pid", .number(status == .stopped ? 0 : process.pid)), ("status", .string(status.rawValue)),
            ("bundle", .string(bundle)), ("rootfs", .string(rootfs)),
            ("created", .string(Timestamp.rfc3339(nanoseconds: created))),
        ]
        if !annotations.isEmpty { members.append(("annotations", .sortedStrings(annotations))) }
        if let owner { members.append(("owner", .string(owner))) }
        return .object(members)
    }

    /// For hooks, whose state has only what the specification names.
    ///
    /// - Parameter pid: the process's number where the hook runs, if that is not here.
    package func hookDocument(_ status: ContainerStatus, pid: pid_t? = nil) -> [UInt8] {
        var members: [(key: String, value: JSON)] = [
            ("ociVersion", .string(ociVersion)), ("id", .string(id)), ("status", .string(status.rawValue)),
        ]
        if status != .stopped { members.append(("pid", .number(pid ?? process.pid))) }
        members.append(("bundle", .string(bundle)))
        if !annotations.isEmpty { members.append(("annotations", .sortedStrings(annotations))) }
        return JSON.object(members).bytes()
    }
}

/// A process that is meant even when its number has been given to another since.
package struct ProcessIdentity: Equatable, Sendable {
    package let pid: pid_t
    /// In clock ticks since boot, as /proc/PID/stat has it (proc(5)).
    package let startTime: UInt64

    package init(pid: pid_t, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }

    /// Of a process that lives, or nil.
    package init?(living pid: pid_t) {
        guard pid > 0, let stat = ProcessStat(pid) else { return nil }
        self.init(pid: pid, startTime: stat.startTime)
    }

    /// Whether it still runs; a zombie does not.
    package var isAlive: Bool {
        guard pid > 0, let stat = ProcessStat(pid) else { return false }
        return stat.startTime == startTime && !stat.isDead
    }

    /// A pidfd of it, or nil where it is gone: signals through it reach this process or none (CVE-class: a reused pid).
    package func open() -> FileDescriptor? {
        guard pid > 0 else { return nil }
        let descriptor = linux_pidfd_open(pid)
        guard descriptor >= 0 else { return nil }
        let file = FileDescriptor(owning: descriptor)
        // Opened first, then asked: what the number means now is what was opened, or that is gone.
        guard isAlive else { return nil }
        return file
    }
}

/// The fields of /proc/PID/stat that tell one process from another (proc(5)).
private struct ProcessStat {
    let startTime: UInt64
    let isDead: Bool

    init?(_ pid: pid_t) {
        guard let text = try? Files.readText("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        // After the name, which may hold blanks and parentheses: field 3 is the state, field 22 the start time.
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let startTime = UInt64(fields[19]) else { return nil }
        self.startTime = startTime
        isDead = fields[0] == "Z" || fields[0] == "X"
    }
}
