import LinuxSystem
import OCI
import Runtime

/// Turns an image's configuration and what the caller wants into a runtime specification, as docker does.
///
/// Pure: what it needs of the host and of the image's files comes in as values, so golden tests need no root.
package struct ContainerSpec: Sendable {
    /// Facts of the host that show in a container.
    package struct Host: Sendable {
        package var hostname: String
        package var processors: Int
        package var capabilities: CapabilitySet
        package var kernel: KernelVersion
        /// Every device node below /dev, for `--privileged`.
        package var devices: [RuntimeSpec.Device] = []

        package init(hostname: String, processors: Int, capabilities: CapabilitySet, kernel: KernelVersion) {
            self.hostname = hostname
            self.processors = processors
            self.capabilities = capabilities
            self.kernel = kernel
        }
    }

    package let id: String
    package let configuration: ContainerConfiguration
    package let options: ContainerOptions
    package let users: UserDatabase
    package let host: Host
    /// The folder that holds `rootfs`, `hosts`, `hostname` and `resolv.conf`.
    package let folder: String
    /// The folder on the disk that holds the container's files, and so its volumes: the same, unless that does not lie there.
    package var dataFolder: String
    /// The nodes that `--device` stands for.
    package var requestedDevices: [(device: RuntimeSpec.Device, access: LinuxResources.Access)] = []
    package var consoleSize: (width: UInt16, height: UInt16)?

    package init(
        id: String,
        configuration: ContainerConfiguration,
        options: ContainerOptions,
        users: UserDatabase,
        host: Host,
        folder: String
    ) {
        self.id = id
        self.configuration = configuration
        self.options = options
        self.users = users
        self.host = host
        self.folder = folder
        dataFolder = folder
    }

    /// The whole specification.
    package func specification() throws -> RuntimeSpec {
        try checkNames()
        let capabilities = try self.capabilities()
        var spec = RuntimeSpec(
            process: try process(capabilities),
            root: .init(path: "\(folder)/rootfs", readonly: options.readOnlyRoot)
        )
        spec.hostname = hostname
        spec.domainname = options.domainname
        spec.mounts = try mounts()
        spec.annotations = options.annotations
        spec.linux = try linux()
        return spec
    }

    package var hostname: String {
        options.hostname ?? (options.network == .host ? host.hostname : String(id.prefix(12)))
    }

    /// The words to execute.
    package func arguments() throws(EngineError) -> [String] {
        let arguments = options.words(over: configuration)
        if arguments.isEmpty { throw EngineError(.invalid, "no command specified") }
        return arguments
    }

    /// Names that the engine writes into files of the container: a line end or a blank in one would add an entry to /etc/hosts.
    private func checkNames() throws(EngineError) {
        for name in [hostname, options.domainname ?? ""] + options.addedHosts {
            guard !name.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else {
                throw EngineError(.invalid, "invalid host name: \"\(name)\"")
            }
        }
        guard hostname.utf8.count <= 64 else {
            throw EngineError(.invalid, "invalid host name: \"\(hostname)\" is longer than 64 bytes")
        }
    }

    private func process(_ capabilities: CapabilitySet) throws -> RuntimeSpec.Process {
        var process = RuntimeSpec.Process(args: try arguments())
        let identity = try users.identity(options.user ?? configuration.user, addedGroups: options.addedGroups)
        process.user = identity.user
        process.env = options.environment(over: configuration, hostname: hostname, home: identity.home)
        process.terminal = options.terminal
        process.consoleSize = consoleSize
        process.cwd = workingFolder
        process.noNewPrivileges = options.noNewPrivileges
        process.rlimits = options.limits
        process.oomScoreAdj = options.oomScoreAdj
        // A user other than root starts with none; the bounding set still limits what a setuid program gives.
        process.capabilities.bounding = capabilities.names
        if identity.user.uid == 0 {
            process.capabilities.permitted = capabilities.names
            process.capabilities.effective = capabilities.names
        }
        return process
    }

    private var workingFolder: String {
        let path = options.workingFolder ?? configuration.workingDir
        // As docker cleans it: as text, so that `..` leads nowhere that a link could choose.
        return Files.absolute(path, from: "/")
    }

    /// What the container may hold.
    private func capabilities() throws -> CapabilitySet {
        if options.privileged { return host.capabilities }
        return try CapabilitySet.adjusted(
            add: options.addedCapabilities,
            drop: options.droppedCapabilities,
            available: host.capabilities
        )
    }

    private func linux() throws -> RuntimeSpec.Linux {
        var linux = RuntimeSpec.Linux()
        linux.namespaces = options.namespaces.map { ($0, nil) }
        linux.cgroupsPath = "/minirun/\(id)"
        linux.resources = options.resources
        linux.sysctl = try sysctls()
        if options.privileged {
            linux.devices = host.devices
            linux.resources.devices = LinuxResources.DeviceRule.everything
        } else {
            linux.devices = requestedDevices.map(\.device)
            linux.resources.devices = LinuxResources.DeviceRule.docker + requestedDevices.map(Self.rule)
        }
        linux.maskedPaths = options.maskedPaths(processors: host.processors)
        linux.readonlyPaths = options.readonlyPaths
        return linux
    }

    private static func rule(_ request: (device: RuntimeSpec.Device, access: LinuxResources.Access))
        -> LinuxResources.DeviceRule
    {
        .init(
            allow: true,
            request.device.type == "b" ? .block : .character,
            major: request.device.major,
            minor: request.device.minor,
            access: request.access
        )
    }

    private func sysctls() throws(EngineError) -> [String: String] {
        var settings = options.network == .none ? DockerDefaults.networkSysctls : [:]
        for (key, value) in options.sysctls {
            guard DockerDefaults.isNamespaced(key) else {
                throw EngineError(.invalid, "sysctl \"\(key)\" is not in a separate kernel namespace")
            }
            if options.network == .host, key.hasPrefix("net.") {
                throw EngineError(.invalid, "sysctl \"\(key)\" not allowed in host network namespace")
            }
            settings[key] = value
        }
        return settings
    }
}
