extension RuntimeSpec {
    /// What only Linux has (config-linux.md).
    package struct Linux: Sendable {
        package var uidMappings: [IDMapping] = []
        package var gidMappings: [IDMapping] = []
        /// By names as sysctl(8) has them: "net.core.somaxconn" or "net/core/somaxconn".
        package var sysctl: [String: String] = [:]
        package var resources = LinuxResources()
        package var cgroupsPath: String?
        /// New ones, or those to join where there is a path; each type once.
        package var namespaces: [(type: Namespace, path: String?)] = []
        package var devices: [Device] = []
        /// By their name on the host.
        package var netDevices: [String: NetDevice] = [:]
        package var seccomp: SeccompConfiguration?
        /// "private", "slave", "shared", "unbindable", each also with "r" before it, or empty for the runtime's choice.
        package var rootfsPropagation = ""
        package var maskedPaths: [String] = []
        package var readonlyPaths: [String] = []
        /// The SELinux label of the container's mounts.
        package var mountLabel: String?
        package var intelRdt: IntelRdt?
        package var memoryPolicy: MemoryPolicy?
        package var personality: Personality?
        /// By the clock: "monotonic" or "boottime".
        package var timeOffsets: [String: TimeOffset] = [:]

        package init() {}

        package func has(_ namespace: Namespace) -> Bool { namespaces.contains { $0.type == namespace } }

        /// Where the namespace to join is; nil where a new one is made, or none.
        package func path(of namespace: Namespace) -> String? { namespaces.first { $0.type == namespace }?.path }
    }

    package enum Namespace: String, Sendable, CaseIterable { case pid, network, ipc, uts, mount, cgroup, user, time }

    /// A node to be made in the container (config-linux.md#devices).
    package struct Device: Sendable, Equatable {
        /// Absolute, in the container.
        package var path: String
        /// "c", "b", "u" or "p".
        package var type: String
        package var major: UInt32
        package var minor: UInt32
        /// Permissions, without the bits of the type.
        package var mode: UInt32
        package var uid: UInt32
        package var gid: UInt32

        package init(
            path: String,
            type: String,
            major: UInt32,
            minor: UInt32,
            mode: UInt32 = 0o666,
            uid: UInt32 = 0,
            gid: UInt32 = 0
        ) {
            self.path = path
            self.type = type
            self.major = major
            self.minor = minor
            self.mode = mode
            self.uid = uid
            self.gid = gid
        }
    }

    /// A network device that moves into the container (config-linux.md#network-devices).
    package struct NetDevice: Sendable, Equatable {
        /// Its name there, in which "%d" stands for a number that the kernel finds; nil for the one it has.
        package var name: String?

        package init(name: String? = nil) { self.name = name }
    }

    /// time_namespaces(7): what is added to a clock. Nanoseconds are below a second and count forwards for negative seconds, too.
    package struct TimeOffset: Sendable, Equatable {
        package var secs: Int64
        package var nanosecs: UInt32

        package init(secs: Int64 = 0, nanosecs: UInt32 = 0) {
            self.secs = secs
            self.nanosecs = nanosecs
        }
    }

    /// personality(2).
    package struct Personality: Sendable, Equatable {
        /// "LINUX" or "LINUX32".
        package var domain: String
        /// The specification defines none.
        package var flags: [String]

        package init(domain: String, flags: [String] = []) {
            self.domain = domain
            self.flags = flags
        }
    }

    /// A group of resctrl (config-linux.md#intelrdt).
    package struct IntelRdt: Sendable, Equatable {
        /// The group's folder; "/" for resctrl's own. Nil for one of the container's own.
        package var closID: String?
        /// Lines of `schemata`, written after the other two.
        package var schemata: [String] = []
        package var l3CacheSchema: String?
        package var memBwSchema: String?
        package var enableMonitoring = false
        /// Only in versions 1.1 and 1.2, where nobody implemented them: nothing is done with them.
        package var enableCMT = false
        package var enableMBM = false

        package init() {}
    }

    /// set_mempolicy(2).
    package struct MemoryPolicy: Sendable, Equatable {
        /// "MPOL_…".
        package var mode: String
        /// A list such as "0-3,7"; may be empty.
        package var nodes: String
        /// "MPOL_F_…".
        package var flags: [String]

        package init(mode: String, nodes: String = "", flags: [String] = []) {
            self.mode = mode
            self.nodes = nodes
            self.flags = flags
        }

        /// The kernel's numbers (linux/mempolicy.h).
        package static let modes: [String: Int32] = [
            "MPOL_DEFAULT": 0, "MPOL_PREFERRED": 1, "MPOL_BIND": 2, "MPOL_INTERLEAVE": 3, "MPOL_LOCAL": 4,
            "MPOL_PREFERRED_MANY": 5, "MPOL_WEIGHTED_INTERLEAVE": 6,
        ]

        /// The kernel's bits (linux/mempolicy.h).
        package static let flagBits: [String: Int32] = [
            "MPOL_F_STATIC_NODES": 1 << 15, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_NUMA_BALANCING": 1 << 13,
        ]
    }
}
