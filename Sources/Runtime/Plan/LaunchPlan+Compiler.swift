import OCI

/// What a plan is made of beside the container's specification: facts of this host and this engine.
package struct LaunchContext: Sendable {
    /// Where the root file system comes from.
    package enum Root: Sendable {
        /// An overlay of unpacked layers, the top first. Without an upper folder it is read-only.
        case overlay(layers: [String], upper: String, work: String, mountPoint: String, options: String)
        case folder(String)
    }

    package var root: Root
    /// How the process gets into its cgroup.
    package var cgroupEntries: [CgroupPlan.Entry] = []
    /// What a mount of type "cgroup" stands for on this host.
    package var cgroupMounts: [CgroupFileSystem] = []
    package var seccomp: SeccompFilter?
    /// The shim stays as pid 1 and passes signals on.
    package var initProcess = false
    /// Sources of `-v` binds that are created when they are missing.
    package var makeSources: Set<String> = []

    package init(root: Root) { self.root = root }
}

/// One file system below /sys/fs/cgroup in a container. An empty name is the unified hierarchy, mounted on the folder itself.
package struct CgroupFileSystem: Equatable, Sendable {
    package var type: String
    package var name: String
    package var options: String
    /// Further names that lead to it: `cpu` and `cpuacct` for a hierarchy that holds both.
    package var links: [String]

    package init(type: String, name: String, options: String, links: [String] = []) {
        self.type = type
        self.name = name
        self.options = options
        self.links = links
    }
}

extension LaunchPlan {
    /// Compiles a specification into the steps that make it true. Pure: nothing is looked up and nothing is changed.
    ///
    /// The order is the safety; each group says what would break if it moved.
    package init(_ spec: RuntimeSpec, in context: LaunchContext) throws(EngineError) {
        steps = []
        guard spec.linux.namespaces.allSatisfy({ $0.path == nil }) else {
            throw EngineError(.unsupported, "joining a namespace is not supported yet")
        }
        let flags = try NamespaceFlags(ofClone: spec.linux.namespaces.map(\.type))
        var born: String?
        for case .cloneInto(let directory) in context.cgroupEntries { born = directory }
        steps.append(.clone(flags, cgroup: born))

        // Before any mount: else the mounts below would show up on the host.
        steps += [.newSession, .propagation(.slave)]
        appendRoot(context.root)
        if flags.contains(.network) { steps.append(.loopback) }
        // On the host's procfs, which is gone after the pivot.
        if let score = spec.process.oomScoreAdj { steps.append(.oomScore(score)) }

        for mount in spec.mounts where mount.type != "cgroup" { try append(mount, context) }
        try appendDevices(spec)
        if spec.process.terminal {
            let size = spec.process.consoleSize ?? (0, 0)
            steps.append(.console(columns: size.width, rows: size.height, uid: spec.process.user.uid))
        } else {
            // After the devices, which take the place of the host's; before the pivot, while /proc is the host's.
            steps.append(.ownStreams)
        }

        // Settings before their files become read-only; masks after every mount, so that none of them uncovers what is masked.
        // All of it while the engine still makes the cgroup.
        steps += spec.linux.sysctl.sorted { $0.key < $1.key }.map {
            .sysctl(key: $0.key.split(separator: ".").joined(separator: "/"), value: $0.value)
        }
        steps += spec.linux.readonlyPaths.map { .readOnly($0) }
        steps += spec.linux.maskedPaths.map { .mask($0) }

        steps.append(.barrier)
        for case .ownTask(let file) in context.cgroupEntries { steps.append(.enterCgroup(tasks: file)) }
        if spec.linux.has(.cgroup) { steps.append(.unshare(.cgroup)) }
        // The only mounts after the masks: what they show is the container's own, and their place is its own, too.
        for mount in spec.mounts where mount.type == "cgroup" { try appendCgroup(mount, context.cgroupMounts) }
        if spec.root.readonly { steps.append(.rootReadOnly) }
        steps.append(.pivotRoot)

        if let hostname = spec.hostname { steps.append(.hostname(hostname)) }
        if let domainname = spec.domainname { steps.append(.domainname(domainname)) }
        try appendProcess(spec.process, context)
    }

    private mutating func appendRoot(_ root: LaunchContext.Root) {
        switch root {
        case .overlay(let layers, let upper, let work, let mountPoint, let options):
            steps += layers.map { .layer($0) }
            steps.append(.overlay(mountPoint: mountPoint, upper: upper, work: work, options: options))
        case .folder(let path): steps.append(.rootFolder(path))
        }
    }

    private mutating func append(_ mount: RuntimeSpec.Mount, _ context: LaunchContext) throws(EngineError) {
        let options = try MountOptions(mount.options)
        guard options.bind || mount.type == "bind" else {
            steps.append(
                .fileSystem(
                    type: mount.type,
                    target: mount.destination,
                    source: mount.source,
                    options: options.data.joined(separator: ","),
                    attributes: options.set.union(options.recursiveSet)
                )
            )
            return
        }
        var bind = BindMount(source: mount.source, target: mount.destination)
        bind.set = options.set.union(options.recursiveSet)
        bind.clear = options.clear
        bind.recursive = options.recursiveBind
        bind.attributesRecursive = !options.recursiveSet.isEmpty
        bind.propagation = options.propagation ?? .private
        bind.makeSource = context.makeSources.contains(mount.source)
        steps.append(.bind(bind))
    }

    /// The nodes and links that every container has (config-linux.md#default-devices, runtime-linux.md#dev-symbolic-links).
    private mutating func appendDevices(_ spec: RuntimeSpec) throws(EngineError) {
        let defaults: [(String, UInt32, UInt32)] = [
            ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0),
        ]
        // /dev bound from the host brings its own.
        guard !spec.mounts.contains(where: { $0.destination == "/dev" && $0.type == "bind" }) else { return }
        let named = Set(spec.linux.devices.map(\.path))
        for (name, major, minor) in defaults where !named.contains("/dev/\(name)") {
            steps.append(
                .device(path: "/dev/\(name)", kind: 0o020000, mode: 0o666, major: major, minor: minor, uid: 0, gid: 0)
            )
        }
        for device in spec.linux.devices {
            let kinds: [String: UInt32] = ["c": 0o020000, "u": 0o020000, "b": 0o060000, "p": 0o010000]
            guard let kind = kinds[device.type] else {
                throw EngineError(.invalid, "unknown device type \"\(device.type)\"")
            }
            steps.append(
                .device(
                    path: device.path,
                    kind: kind,
                    mode: device.mode,
                    major: device.major,
                    minor: device.minor,
                    uid: device.uid,
                    gid: device.gid
                )
            )
        }
        let links = [
            ("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"), ("core", "/proc/kcore"),
        ]
        steps += links.map { .link(path: "/dev/\($0.0)", target: $0.1) }
    }

    /// Cgroup file systems are mounted in the container's own cgroup namespace, so that their root is its cgroup.
    private mutating func appendCgroup(_ mount: RuntimeSpec.Mount, _ cgroupMounts: [CgroupFileSystem])
        throws(EngineError)
    {
        let attributes = try MountOptions(mount.options).set
        if let unified = cgroupMounts.first(where: { $0.name.isEmpty }) {
            steps.append(
                .fileSystem(
                    type: unified.type,
                    target: mount.destination,
                    source: "cgroup",
                    options: unified.options,
                    attributes: attributes
                )
            )
            return
        }
        guard !cgroupMounts.isEmpty else { return }
        steps.append(
            .fileSystem(
                type: "tmpfs",
                target: mount.destination,
                source: "cgroup",
                options: "mode=755",
                attributes: attributes.subtracting(.readOnly)
            )
        )
        for cgroup in cgroupMounts {
            steps.append(
                .fileSystem(
                    type: cgroup.type,
                    target: "\(mount.destination)/\(cgroup.name)",
                    source: "cgroup",
                    options: cgroup.options,
                    attributes: attributes
                )
            )
            steps += cgroup.links.map { .link(path: "\(mount.destination)/\($0)", target: cgroup.name) }
        }
        if attributes.contains(.readOnly) { steps.append(.readOnly(mount.destination)) }
    }
}

extension NamespaceFlags {
    /// The flags with which a container's first process is cloned. The cgroup namespace comes later: its root is the cgroup at
    /// the time of its making.
    package init(ofClone namespaces: [RuntimeSpec.Namespace]) throws(EngineError) {
        self = []
        for namespace in namespaces where namespace != .cgroup { formUnion(try namespace.flag) }
    }
}

extension RuntimeSpec.Namespace {
    var flag: NamespaceFlags {
        get throws(EngineError) {
            switch self {
            case .pid: .pid
            case .network: .network
            case .ipc: .ipc
            case .uts: .uts
            case .mount: .mount
            case .cgroup: .cgroup
            case .user, .time: throw EngineError(.unsupported, "\(rawValue) namespaces are not supported yet")
            }
        }
    }
}
