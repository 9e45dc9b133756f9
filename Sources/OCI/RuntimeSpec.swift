/// What a container is, in the words of the runtime specification: the `config.json` of a bundle (runtime-spec, config.md).
///
/// Only what Linux has; the other platforms' parts are ignored. A string that is missing and one that is empty are the same,
/// as in Go: they are nil here.
package struct RuntimeSpec: Sendable {
    /// The version that the configuration follows (config.md#specification-version).
    package var ociVersion: String
    package var process: Process
    package var root: Root
    package var hostname: String?
    package var domainname: String?
    /// In the order in which they are made.
    package var mounts: [Mount]
    package var linux: Linux
    package var hooks: Hooks
    package var annotations: [String: String]

    package init(process: Process, root: Root, linux: Linux = Linux()) {
        ociVersion = RuntimeSpec.version
        self.process = process
        self.root = root
        self.linux = linux
        mounts = []
        hooks = Hooks()
        annotations = [:]
    }

    /// The root file system: a folder, absolute or relative to the bundle.
    package struct Root: Sendable, Equatable {
        package var path: String
        package var readonly: Bool

        package init(path: String, readonly: Bool = false) {
            self.path = path
            self.readonly = readonly
        }
    }

    /// A mount in the container (config.md#mounts); `options` as fstab has them, with the specification's additions.
    package struct Mount: Sendable, Equatable {
        /// Absolute, in the container.
        package var destination: String
        /// Empty or anything for a bind mount.
        package var type: String
        /// For a bind mount a path on the host, absolute or relative to the bundle.
        package var source: String
        package var options: [String]
        /// From the ids that the source has to those that the mount shows; both or none. With the option `idmap` or `ridmap`
        /// and none here, the container's own mappings hold.
        package var uidMappings: [IDMapping] = []
        package var gidMappings: [IDMapping] = []

        package init(_ destination: String, type: String, source: String, options: [String] = []) {
            self.destination = destination
            self.type = type
            self.source = source
            self.options = options
        }

        /// What may be mounted below /proc: what describes the machine, as lxcfs does. Anything else would make programs, and the
        /// runtime's own writes, take something for the kernel's that is not (CVE-2019-16884, CVE-2025-52881).
        package static let allowedInProc: Set<String> = [
            "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat", "/proc/swaps", "/proc/uptime",
            "/proc/loadavg", "/proc/slabinfo", "/proc/net/dev", "/proc/sys/kernel/ns_last_pid",
            "/proc/sys/crypto/fips_enabled",
        ]

        /// Whether it shows a part of the host's tree instead of a file system of its own.
        package var isBind: Bool { type == "bind" || options.contains { $0 == "bind" || $0 == "rbind" } }
    }

    /// `size` ids from `containerID` on stand for those from `hostID` on (config-linux.md#user-namespace-mappings).
    package struct IDMapping: Sendable, Equatable {
        package var containerID: UInt32
        package var hostID: UInt32
        package var size: UInt32

        package init(containerID: UInt32, hostID: UInt32, size: UInt32) {
            self.containerID = containerID
            self.hostID = hostID
            self.size = size
        }
    }
}
