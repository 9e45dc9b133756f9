import OCI

/// What somebody asks of a container beside its image: the options of `create` and `run` as values.
package struct ContainerOptions: Equatable, Sendable {
    package enum Network: String, Sendable { case none, host }

    package enum Seccomp: Equatable, Sendable {
        case dockerDefault
        case unconfined
        /// The text of a profile, docker's or the runtime specification's.
        case profile([UInt8])
    }

    /// What replaces the image's command; empty keeps it.
    package var command: [String] = []
    /// What replaces the image's entry point; [] removes it. Either also drops the image's command.
    package var entrypoint: [String]?
    package var name: String?
    package var hostname: String?
    package var domainname: String?
    /// `NAME=value`, later ones win.
    package var environment: [String] = []
    package var workingFolder: String?
    /// `user[:group]`, names or numbers.
    package var user: String?
    package var addedGroups: [String] = []
    package var terminal = false
    package var interactive = false
    package var removeAtEnd = false
    package var initProcess = false
    package var readOnlyRoot = false
    package var privileged = false
    package var network = Network.none
    package var addedCapabilities: [String] = []
    package var droppedCapabilities: [String] = []
    package var noNewPrivileges = false
    package var seccomp = Seccomp.dockerDefault
    /// `--security-opt systempaths=unconfined`: nothing masked and nothing read-only in /proc and /sys.
    package var systemPathsUnconfined = false
    package var mounts: [MountRequest] = []
    package var devices: [DeviceRequest] = []
    package var limits: [RuntimeSpec.ResourceLimit] = []
    package var sysctls: [String: String] = [:]
    /// Bytes of /dev/shm.
    package var sharedMemorySize: UInt64 = 64 << 20
    package var resources = LinuxResources()
    package var labels: [String: String] = [:]
    package var annotations: [String: String] = [:]
    package var stopSignal: String?
    package var stopTimeout: Int?
    package var oomScoreAdj: Int?
    /// `name:address`, for /etc/hosts.
    package var addedHosts: [String] = []
    /// `80/tcp`; beside the image's.
    package var exposedPorts: [String] = []
    package var nameServers: [String] = []
    package var searchDomains: [String] = []
    package var resolverOptions: [String] = []

    package init() {}

    /// The namespaces that the container has for itself.
    package var namespaces: [RuntimeSpec.Namespace] {
        [.mount, .uts, .pid, .ipc, .cgroup] + (network == .none ? [.network] : [])
    }
}

/// A mount that the caller asks for: `-v`, `--mount` and `--tmpfs` all become one of these.
package struct MountRequest: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// An absolute path of the host. With `create` a missing one becomes a folder, as docker's `-v` does.
        case bind(source: String, create: Bool)
        /// Options as tmpfs(5) has them.
        case tmpfs(options: [String])
        /// A folder of the container's own, which goes with it. With `copy` it begins with what the image has at its place.
        case volume(copy: Bool)
    }

    package var kind: Kind
    /// An absolute path in the container.
    package var destination: String
    package var readOnly: Bool
    /// `bind-recursive`: false leaves submounts out.
    package var recursive: Bool
    /// A read-only bind makes its submounts read-only too (docker since 25).
    package var readOnlyRecursive: Bool
    /// "rprivate", "rslave", …; nil for docker's default.
    package var propagation: String?

    package init(kind: Kind, destination: String, readOnly: Bool = false) {
        self.kind = kind
        self.destination = destination
        self.readOnly = readOnly
        recursive = true
        readOnlyRecursive = true
    }
}

/// `--device /dev/x[:/dev/y[:rwm]]`.
package struct DeviceRequest: Equatable, Sendable {
    package var source: String
    package var destination: String
    /// Of "rwm".
    package var access: String

    package init(source: String, destination: String, access: String) {
        self.source = source
        self.destination = destination
        self.access = access
    }
}
