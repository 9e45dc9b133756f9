/// What a container may use: the runtime specification's `linux.resources` (config-linux.md#control-groups).
///
/// Nil everywhere means "as the cgroup above has it". An amount of -1 means "without limit".
package struct LinuxResources: Equatable, Sendable {
    package var devices: [DeviceRule] = []
    package var memory = Memory()
    package var cpu = CPU()
    /// The most tasks; negative for no limit.
    package var pidsLimit: Int64?
    package var blockIO = BlockIO()
    package var hugepageLimits: [HugepageLimit] = []
    package var network = Network()
    /// By the device's name.
    package var rdma: [String: RDMA] = [:]
    /// Files of cgroup v2 and what to write into them.
    package var unified: [String: String] = [:]

    package init() {}

    /// A rule of the device filter: rules hold in order, the last that says something about a device wins.
    package struct DeviceRule: Equatable, Sendable {
        package enum Kind: String, Sendable {
            case all = "a"
            case character = "c"
            case block = "b"
        }

        package var allow: Bool
        package var kind: Kind
        /// Nil for every one.
        package var major: UInt32?
        package var minor: UInt32?
        package var access: Access

        package init(
            allow: Bool,
            _ kind: Kind = .all,
            major: UInt32? = nil,
            minor: UInt32? = nil,
            access: Access = .all
        ) {
            self.allow = allow
            self.kind = kind
            self.major = major
            self.minor = minor
            self.access = access
        }
    }

    /// What may be done with a device. The raw values are the kernel's BPF_DEVCG_ACC_*.
    package struct Access: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        package static let mknod = Access(rawValue: 1)
        package static let read = Access(rawValue: 2)
        package static let write = Access(rawValue: 4)
        package static let all: Access = [.read, .write, .mknod]

        /// From letters of "rwm"; nil for any other.
        package init?(_ text: some StringProtocol) {
            var access: Access = []
            for letter in text {
                switch letter {
                case "r": access.insert(.read)
                case "w": access.insert(.write)
                case "m": access.insert(.mknod)
                default: return nil
                }
            }
            self = access
        }

        package var text: String {
            (contains(.read) ? "r" : "") + (contains(.write) ? "w" : "") + (contains(.mknod) ? "m" : "")
        }
    }

    /// In bytes.
    package struct Memory: Equatable, Sendable {
        package var limit: Int64?
        package var reservation: Int64?
        /// Memory and swap together, as cgroup v1 counts.
        package var swap: Int64?
        /// Deprecated in the specification, which lets runtimes ignore it: nothing is done with it.
        package var kernel: Int64?
        package var kernelTCP: Int64?
        package var swappiness: UInt64?
        package var disableOOMKiller: Bool?
        package var useHierarchy: Bool?
        package var checkBeforeUpdate: Bool?
        package init() {}
    }

    /// Times are in microseconds.
    package struct CPU: Equatable, Sendable {
        package var shares: UInt64?
        package var quota: Int64?
        package var burst: UInt64?
        package var period: UInt64?
        package var realtimeRuntime: Int64?
        package var realtimePeriod: UInt64?
        /// Lists such as "0-2,7".
        package var cpus: String?
        package var mems: String?
        /// 1: only when nothing else runs (SCHED_IDLE).
        package var idle: Int64?
        package init() {}
    }

    package struct BlockIO: Equatable, Sendable {
        /// 10 to 1000.
        package var weight: UInt16?
        package var leafWeight: UInt16?
        package var weightDevices: [WeightDevice] = []
        /// In bytes and operations a second.
        package var throttleReadBps: [ThrottleDevice] = []
        package var throttleWriteBps: [ThrottleDevice] = []
        package var throttleReadIOPS: [ThrottleDevice] = []
        package var throttleWriteIOPS: [ThrottleDevice] = []
        package init() {}
    }

    package struct WeightDevice: Equatable, Sendable {
        package var major: UInt32
        package var minor: UInt32
        package var weight: UInt16?
        package var leafWeight: UInt16?

        package init(major: UInt32, minor: UInt32, weight: UInt16? = nil, leafWeight: UInt16? = nil) {
            self.major = major
            self.minor = minor
            self.weight = weight
            self.leafWeight = leafWeight
        }
    }

    package struct ThrottleDevice: Equatable, Sendable {
        package var major: UInt32
        package var minor: UInt32
        package var rate: UInt64

        package init(major: UInt32, minor: UInt32, rate: UInt64) {
            self.major = major
            self.minor = minor
            self.rate = rate
        }
    }

    package struct HugepageLimit: Equatable, Sendable {
        /// As the kernel writes it: "2MB", "1GB".
        package var pageSize: String
        /// In bytes.
        package var limit: UInt64

        package init(pageSize: String, limit: UInt64) {
            self.pageSize = pageSize
            self.limit = limit
        }
    }

    package struct Network: Equatable, Sendable {
        package var classID: UInt32?
        package var priorities: [Priority] = []

        package struct Priority: Equatable, Sendable {
            package var name: String
            package var priority: UInt32
        }

        package init() {}
    }

    package struct RDMA: Equatable, Sendable {
        package var handles: UInt32?
        package var objects: UInt32?

        package init(handles: UInt32? = nil, objects: UInt32? = nil) {
            self.handles = handles
            self.objects = objects
        }
    }
}
