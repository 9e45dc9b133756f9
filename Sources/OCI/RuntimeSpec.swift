/// What a container is, in the words of the runtime specification: the `config.json` of a bundle (runtime-spec, config.md).
package struct RuntimeSpec: Sendable {
    package var process: Process
    package var root: Root
    package var hostname: String?
    package var domainname: String?
    package var mounts: [Mount]
    package var linux: Linux
    package var annotations: [String: String]

    package init(process: Process, root: Root, linux: Linux = Linux()) {
        self.process = process
        self.root = root
        self.linux = linux
        mounts = []
        annotations = [:]
    }

    /// The root file system: a folder, absolute or relative to the bundle.
    package struct Root: Sendable {
        package var path: String
        package var readonly: Bool

        package init(path: String, readonly: Bool = false) {
            self.path = path
            self.readonly = readonly
        }
    }

    /// The first process (config.md#process).
    package struct Process: Sendable {
        package var terminal = false
        /// Columns and rows, where the caller has a terminal.
        package var consoleSize: (width: UInt16, height: UInt16)?
        package var user = User()
        package var args: [String]
        package var env: [String] = []
        package var cwd = "/"
        package var capabilities = Capabilities()
        package var rlimits: [ResourceLimit] = []
        package var noNewPrivileges = false
        package var oomScoreAdj: Int?

        package init(args: [String]) { self.args = args }
    }

    package struct User: Sendable, Equatable {
        package var uid: UInt32 = 0
        package var gid: UInt32 = 0
        package var additionalGids: [UInt32] = []
        package var umask: UInt32?

        package init(uid: UInt32 = 0, gid: UInt32 = 0, additionalGids: [UInt32] = []) {
            self.uid = uid
            self.gid = gid
            self.additionalGids = additionalGids
        }
    }

    /// The five sets of capabilities(7), by names with CAP_.
    package struct Capabilities: Sendable, Equatable {
        package var bounding: [String] = []
        package var effective: [String] = []
        package var permitted: [String] = []
        package var inheritable: [String] = []
        package var ambient: [String] = []

        package init() {}
    }

    /// setrlimit(2), by the name with RLIMIT_.
    package struct ResourceLimit: Sendable, Equatable {
        package var type: String
        package var soft: UInt64
        package var hard: UInt64

        package init(type: String, soft: UInt64, hard: UInt64) {
            self.type = type
            self.soft = soft
            self.hard = hard
        }
    }

    /// A mount in the container (config.md#mounts); `options` as fstab has them, with the specification's additions.
    package struct Mount: Sendable, Equatable {
        package var destination: String
        package var type: String
        package var source: String
        package var options: [String]

        package init(_ destination: String, type: String, source: String, options: [String] = []) {
            self.destination = destination
            self.type = type
            self.source = source
            self.options = options
        }
    }

    package enum Namespace: String, Sendable, CaseIterable { case pid, network, ipc, uts, mount, cgroup, user, time }

    package struct Device: Sendable, Equatable {
        package var path: String
        /// "c", "b", "u" or "p".
        package var type: String
        package var major: UInt32
        package var minor: UInt32
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

    /// What only Linux has (config-linux.md).
    package struct Linux: Sendable {
        package var namespaces: [(type: Namespace, path: String?)] = []
        package var devices: [Device] = []
        package var cgroupsPath: String?
        package var resources = LinuxResources()
        package var seccomp: SeccompConfiguration?
        package var sysctl: [String: String] = [:]
        package var maskedPaths: [String] = []
        package var readonlyPaths: [String] = []
        /// "private", "slave", "shared", "unbindable" or empty for the runtime's choice.
        package var rootfsPropagation = ""

        package init() {}

        package func has(_ namespace: Namespace) -> Bool { namespaces.contains { $0.type == namespace } }
    }
}
