import CLinux

/// One step of a launch: what the shim does, in the order in which it does it. `launch_plan.h` gives each its meaning in C.
///
/// Paths of targets are the container's; all others are the host's.
package enum LaunchStep: Equatable, Sendable {
    /// With a cgroup v2 folder, the process is born into it.
    case clone(NamespaceFlags, cgroup: String?)
    case newSession
    case propagation(MountPropagation)
    case layer(String)
    case overlay(mountPoint: String, upper: String, work: String, options: String)
    case rootFolder(String)
    case loopback
    case oomScore(Int)
    case fileSystem(type: String, target: String, source: String, options: String, attributes: MountAttributes)
    case bind(BindMount)
    case link(path: String, target: String)
    case device(path: String, kind: UInt32, mode: UInt32, major: UInt32, minor: UInt32, uid: UInt32, gid: UInt32)
    /// Standard streams that are the host's files or devices become the container's own.
    case ownStreams
    case console(columns: UInt16, rows: UInt16, uid: UInt32)
    case barrier
    /// A `tasks` file of cgroup v1.
    case enterCgroup(tasks: String)
    case unshare(NamespaceFlags)
    case sysctl(key: String, value: String)
    case mask(String)
    case readOnly(String)
    case rootReadOnly
    case pivotRoot
    case hostname(String)
    case domainname(String)
    case resourceLimit(type: UInt32, name: String, soft: UInt64, hard: UInt64)
    case ownPipes(uid: UInt32, gid: UInt32)
    case workingFolder(path: String, uid: UInt32, gid: UInt32)
    case noNewPrivileges
    case seccomp(SeccompFilter)
    case boundingSet(CapabilitySet)
    case ids(uid: UInt32, gid: UInt32, groups: [UInt32], umask: UInt32?)
    case capabilities(
        effective: CapabilitySet,
        permitted: CapabilitySet,
        inheritable: CapabilitySet,
        ambient: CapabilitySet
    )
    case initProcess
    case execute(arguments: [String], environment: [String])
}

/// A part of the host's file tree that appears in the container.
package struct BindMount: Equatable, Sendable {
    package var source: String
    package var target: String
    package var set: MountAttributes = []
    package var clear: MountAttributes = []
    /// Submounts of the source come along.
    package var recursive = true
    /// `set` and `clear` go for submounts too.
    package var attributesRecursive = false
    /// A missing source is created as a folder (docker's `-v`).
    package var makeSource = false
    package var propagation = MountPropagation.private

    package init(source: String, target: String) {
        self.source = source
        self.target = target
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

    /// Their names, in a fixed order.
    package var names: [String] {
        let all: [(NamespaceFlags, String)] = [
            (.pid, "pid"), (.mount, "mount"), (.uts, "uts"), (.ipc, "ipc"), (.network, "network"), (.user, "user"),
            (.cgroup, "cgroup"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}

/// How mount events travel (mount_namespaces(7)).
package enum MountPropagation: String, Equatable, Sendable {
    case `private`, slave, shared, unbindable

    /// MS_*, without MS_REC.
    package var flag: UInt64 {
        switch self {
        case .private: 1 << 18
        case .slave: 1 << 19
        case .shared: 1 << 20
        case .unbindable: 1 << 17
        }
    }
}

/// MOUNT_ATTR_* of mount_setattr(2).
package struct MountAttributes: OptionSet, Equatable, Sendable {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }

    package static let readOnly = MountAttributes(rawValue: 0x01)
    package static let noSetuid = MountAttributes(rawValue: 0x02)
    package static let noDevices = MountAttributes(rawValue: 0x04)
    package static let noExecute = MountAttributes(rawValue: 0x08)
    package static let noAccessTime = MountAttributes(rawValue: 0x10)
    package static let strictAccessTime = MountAttributes(rawValue: 0x20)
    /// The field that the two above are values of: it is cleared before one of them is set.
    package static let accessTimeField = MountAttributes(rawValue: 0x70)
    package static let noFolderAccessTime = MountAttributes(rawValue: 0x80)
    package static let noSymbolicLinks = MountAttributes(rawValue: 0x20_0000)

    package var names: [String] {
        let all: [(MountAttributes, String)] = [
            (.readOnly, "ro"), (.noSetuid, "nosuid"), (.noDevices, "nodev"), (.noExecute, "noexec"),
            (.noAccessTime, "noatime"),
            (.strictAccessTime, "strictatime"), (.noFolderAccessTime, "nodiratime"), (.noSymbolicLinks, "nosymfollow"),
        ]
        return all.filter { contains($0.0) }.map(\.1)
    }
}
