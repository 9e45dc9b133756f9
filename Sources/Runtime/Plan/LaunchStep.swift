import CLinux
import OCI

/// One step of a launch: what the shim does, in the order in which it does it. `launch_plan.h` gives each its meaning in C.
///
/// Paths of targets are the container's; all others are the host's.
package enum LaunchStep: Equatable, Sendable {
    // -- in a preparation, by the monitor
    /// Not to be looked into by processes of the container that is joined.
    case hide
    case idMap(IDMap, slot: Int)
    case openTree(BindMount, slot: Int, idMap: Int?)
    /// The text of /proc/PID/timens_offsets.
    case timeOffsets(String)
    /// Namespaces or a process, by the index of the descriptor that comes with the plan; `name` is for the reader.
    case join(NamespaceFlags, descriptor: Int, name: String)

    // -- by the child
    /// With a cgroup v2 folder, the process is born into it. Last in a preparation, first in every other plan.
    case clone(NamespaceFlags, cgroup: String?)
    case newSession
    case keyring
    case propagation(MountPropagation, recursive: Bool, of: String)
    case layer(String)
    case overlay(mountPoint: String, upper: String, work: String, options: String)
    case rootFolder(String, RootChange)
    case loopback
    case oomScore(Int)
    case becomeRoot(setsGroups: Bool)
    case fileSystem(FileSystemMount)
    /// With the slot of an id map that the preparation has made.
    case bind(BindMount, idMap: Int? = nil)
    /// What the preparation has opened.
    case attach(BindMount, slot: Int)
    case remount(BindMount)
    case link(path: String, target: String)
    case device(path: String, kind: UInt32, mode: UInt32, major: UInt32, minor: UInt32, uid: UInt32, gid: UInt32)
    /// Standard streams that are the host's files or devices become the container's own; others are refused, or inherited.
    case ownStreams(inherits: Bool)
    case console(columns: UInt16, rows: UInt16, uid: UInt32, device: Bool, keepsLineFeeds: Bool)
    case barrier(announced: Bool)
    case hook(ContainerHook)
    case enterCgroup(CgroupDoor)
    case unshare(NamespaceFlags)
    case sysctl(key: String, value: String)
    case mask(String)
    case readOnly(String)
    /// A folder in the new root, made where it is missing and can be made.
    case folder(path: String)
    case rootReadOnly
    case pivotRoot(RootChange)

    // -- by the child, inside
    /// A file below /proc/self/attr, written at the exec.
    case attribute(file: String, value: String)
    case personality(UInt64)
    /// A `struct sched_attr`, and the policy's name.
    case scheduler([UInt8], name: String)
    case ioPriority(Int32, name: String)
    /// A mask, and the list that it was made of.
    case affinity([UInt8], list: String)
    case memoryPolicy(UInt64, nodes: [UInt8], name: String)
    case hostname(String)
    case domainname(String)
    case resourceLimit(type: UInt32, name: String, soft: UInt64, hard: UInt64)
    case ownPipes(uid: UInt32, gid: UInt32)
    case workingFolder(path: String)
    case boundingSet(CapabilitySet)
    case ids(uid: UInt32, gid: UInt32, groups: [UInt32], umask: UInt32?, setsGroups: Bool)
    case home
    /// With the effective capabilities that the program will have.
    case findProgram(arguments: [String], environment: [String], capabilities: CapabilitySet)
    /// The index of the listening socket that comes with the plan.
    case start(descriptor: Int)
    case capabilities(
        effective: CapabilitySet,
        permitted: CapabilitySet,
        inheritable: CapabilitySet,
        ambient: CapabilitySet
    )
    case noNewPrivileges
    case seccomp(SeccompFilter)
    case initProcess
    /// `keeps`: how many descriptors from 3 on the program gets.
    case execute(arguments: [String], environment: [String], keeps: Int)
}

/// How the root is changed.
package enum RootChange: String, Equatable, Sendable {
    case pivot
    /// MS_MOVE and chroot(2) (`--no-pivot`), for a root on an initramfs.
    case move
    /// chroot(2) alone: the container has no mount namespace of its own.
    case change

    var number: UInt64 {
        switch self {
        case .pivot: 0
        case .move: 1
        case .change: 2
        }
    }
}

/// How a process gets into a cgroup by itself, with a write.
package enum CgroupDoor: Equatable, Sendable {
    /// A `tasks` file of cgroup v1.
    case file(String)
    /// The index of an open one that comes with the plan, where the host's tree is out of reach; `name` is for the reader.
    case descriptor(Int, name: String)
}

/// The two maps of a user namespace, as the kernel takes them (user_namespaces(7)).
package struct IDMap: Equatable, Sendable {
    package var users: String
    package var groups: String

    package init(users: String, groups: String) {
        self.users = users
        self.groups = groups
    }
}

/// A new file system in the container.
package struct FileSystemMount: Equatable, Sendable {
    package var type: String
    package var target: String
    package var source: String
    package var options: String
    package var attributes: MountAttributes
    /// It begins with what the image has at the target.
    package var copiesUp = false
    package var propagation: MountPropagation?
    /// A folder of the host to bind where a user namespace may not mount it.
    package var instead: String?

    package init(
        _ type: String,
        on target: String,
        source: String,
        options: String = "",
        attributes: MountAttributes = []
    ) {
        self.type = type
        self.target = target
        self.source = source
        self.options = options
        self.attributes = attributes
    }
}

/// A part of the host's file tree that appears in the container.
package struct BindMount: Equatable, Sendable {
    package var source: String
    package var target: String
    package var set: MountAttributes = []
    package var clear: MountAttributes = []
    /// Of submounts too.
    package var recursiveSet: MountAttributes = []
    package var recursiveClear: MountAttributes = []
    /// Submounts of the source come along.
    package var recursive = true
    /// A missing source is created as a folder (docker's `-v`).
    package var makeSource = false
    /// A source that is empty is filled with what the root has at the target, and gets its owner and mode (docker's volumes).
    package var copiesUp = false
    /// The id map goes for submounts too.
    package var mapRecursive = false
    /// The source is a link that is bound itself (crun's `copy-symlink`).
    package var ownLink = false
    /// Fails rather than clears what the host has set: in a user namespace that is locked.
    package var keepsLocked = false
    /// Nil leaves it as it is.
    package var propagation: MountPropagation? = .private
    /// The propagation of submounts too.
    package var propagationRecursive = true

    package init(source: String, target: String) {
        self.source = source
        self.target = target
    }
}

/// A hook that the shim runs, in the container's namespaces.
package struct ContainerHook: Equatable, Sendable {
    /// "createContainer" or "startContainer".
    package var kind: String
    /// Its place among those of its kind.
    package var index: Int
    package var path: String
    package var arguments: [String]
    package var environment: [String]
    /// Milliseconds.
    package var timeout: Int?
    /// The container's state as JSON, for its standard input.
    package var state: [UInt8]

    package init(_ hook: RuntimeSpec.Hook, kind: String, index: Int, state: [UInt8]) {
        self.kind = kind
        self.index = index
        path = hook.path
        arguments = hook.args
        environment = hook.env
        timeout = hook.timeoutMilliseconds
        self.state = state
    }
}

/// CLONE_NEW* flags of clone(2).
package struct NamespaceFlags: OptionSet, Equatable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static let mount = NamespaceFlags(rawValue: UInt64(CLONE_NEWNS))
    package static let cgroup = NamespaceFlags(rawValue: UInt64(CLONE_NEWCGROUP))
    package static let uts = NamespaceFlags(rawValue: UInt64(CLONE_NEWUTS))
    package static let ipc = NamespaceFlags(rawValue: UInt64(CLONE_NEWIPC))
    package static let user = NamespaceFlags(rawValue: UInt64(CLONE_NEWUSER))
    package static let pid = NamespaceFlags(rawValue: UInt64(CLONE_NEWPID))
    package static let network = NamespaceFlags(rawValue: UInt64(CLONE_NEWNET))
    package static let time = NamespaceFlags(rawValue: 0x80)  // CLONE_NEWTIME

    /// Their names, in a fixed order.
    package var names: [String] {
        let all: [(NamespaceFlags, String)] = [
            (.pid, "pid"), (.mount, "mount"), (.uts, "uts"), (.ipc, "ipc"), (.network, "network"), (.user, "user"),
            (.cgroup, "cgroup"), (.time, "time"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}
