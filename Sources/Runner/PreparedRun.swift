import Images
import LinuxSystem
import OCI
import Runtime

/// A run that is decided and not yet begun: the specification, the cgroup and the steps. `--explain` shows it, `run` carries
/// it out.
package struct PreparedRun: Sendable {
    package let spec: RuntimeSpec
    package let cgroup: CgroupPlan
    package let plan: LaunchPlan
    /// What has to be made beside the bundle before the launch.
    package let volumes: [ContainerSpec.Volume]

    /// What is known of the container beside its options.
    package struct Surroundings: Sendable {
        package var id: String
        /// The bundle's folder.
        package var folder: String
        /// Where the overlay's upper and work folders are: the bundle's, unless that does not lie on the disk.
        package var dataFolder: String
        /// The unpacked layers, the top first.
        package var layers: [String]
        package var host: ContainerSpec.Host
        package var hierarchy: CgroupHierarchy
        /// Where compiled filters are kept; nil compiles anew.
        package var filterCache: String?
        /// For statistics, beside what the limits need.
        package var controllers: Set<CgroupController> = []
        package var consoleSize: (width: UInt16, height: UInt16)?

        package init(id: String, folder: String, layers: [String], host: ContainerSpec.Host, hierarchy: CgroupHierarchy)
        {
            self.id = id
            self.folder = folder
            dataFolder = folder
            self.layers = layers
            self.host = host
            self.hierarchy = hierarchy
        }
    }

    /// - Parameter read: a file of the image, nil where there is none.
    package init(
        _ configuration: ContainerConfiguration,
        _ options: ContainerOptions,
        in surroundings: Surroundings,
        read: (String) throws -> [UInt8]?
    ) throws {
        let users = UserDatabase(passwd: try read("/etc/passwd"), group: try read("/etc/group"))
        var description = ContainerSpec(
            id: surroundings.id,
            configuration: configuration,
            options: options,
            users: users,
            host: surroundings.host,
            folder: surroundings.folder
        )
        description.dataFolder = surroundings.dataFolder
        description.consoleSize = surroundings.consoleSize
        for request in options.devices { description.requestedDevices += try HostDevices.resolve(request) }
        var spec = try description.specification()
        volumes = try description.volumes()

        cgroup = try CgroupPlan(
            CgroupName(container: surroundings.id),
            in: surroundings.hierarchy,
            resources: spec.linux.resources,
            controllers: surroundings.controllers
        )
        var context = LaunchContext(
            root: .overlay(
                layers: surroundings.layers,
                upper: "\(surroundings.dataFolder)/upper",
                work: "\(surroundings.dataFolder)/work",
                mountPoint: "\(surroundings.folder)/rootfs",
                // Nobody mounts the upper folder of a container that is removed at its end again: it need not reach the disk.
                options: options.removeAtEnd ? "volatile" : ""
            )
        )
        context.cgroupEntries = cgroup.entries
        context.cgroupMounts = CgroupFileSystem.all(in: cgroup.hierarchy, roots: cgroup.roots, name: cgroup.name)
        context.initProcess = options.initProcess
        for case .bind(let source, create: true) in options.mounts.map(\.kind) { context.makeSources.insert(source) }
        context.copiedUp = Set(volumes.filter(\.copiesUp).map(\.source))
        context.seccomp = try PreparedRun.filter(options, surroundings, &spec)
        self.spec = spec
        plan = try LaunchPlan(spec, in: context)
    }

    /// The filter, and in the specification the profile it comes from unless that is docker's own.
    private static func filter(_ options: ContainerOptions, _ surroundings: Surroundings, _ spec: inout RuntimeSpec)
        throws
        -> SeccompFilter?
    {
        if options.privileged { return nil }
        let capabilities = try CapabilitySet(names: spec.process.capabilities.bounding)
        let kernel = surroundings.host.kernel
        let cache = surroundings.filterCache.map(SeccompCache.init(directory:))
        switch options.seccomp {
        case .unconfined: return nil
        case .dockerDefault:
            if let cache { return try cache.filter(forDockerDefaultWith: capabilities, kernel: kernel) }
            return try SeccompFilter.compile(DockerProfile.configuration(capabilities: capabilities, kernel: kernel))
        case .profile(let text):
            guard let profile = try SeccompProfile.read(text) else { return nil }
            let configuration = profile.configuration(for: .init(capabilities: capabilities, kernel: kernel))
            spec.linux.seccomp = configuration
            return try cache?.filter(for: configuration) ?? SeccompFilter.compile(configuration)
        }
    }
}

extension PreparedRun {
    /// The run in words: the cgroup, then the steps of the launch.
    package var text: String {
        "cgroup:\n" + cgroup.text.split(separator: "\n").map { "  \($0)\n" }.joined() + "launch:\n" + plan.text
    }

    /// The run as data: the specification, the cgroup and the steps.
    package var json: JSON {
        [
            "spec": spec.json, "cgroup": .strings(cgroup.text.split(separator: "\n").map(String.init)),
            "launch": plan.json,
        ]
    }
}
