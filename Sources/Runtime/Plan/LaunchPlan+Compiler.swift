import OCI

extension LaunchPlan {
    /// Compiles a specification into the steps that make it true. Pure: nothing is looked up and nothing is changed.
    ///
    /// The order is the safety; each group says what would break if it moved.
    package init(_ spec: RuntimeSpec, in context: LaunchContext) throws(EngineError) {
        steps = []
        let flags = try NamespaceFlags(ofClone: spec.linux.namespaces)
        var born: String?
        for case .cloneInto(let directory) in context.cgroupEntries { born = directory }
        steps.append(.clone(flags, cgroup: born))
        steps.append(.newSession)
        if context.newKeyring { steps.append(.keyring) }
        // While the caller's ids may still write there.
        if context.cgroupIsReady { appendCgroupEntry(spec, context) }
        if context.unbindsProcessors { steps.append(.allProcessors) }

        // Before any mount: else the mounts below would show up on the host.
        let change = spec.linux.has(.mount) ? context.rootChange : .change
        if change != .change {
            let propagation = try spec.linux.propagation
            steps.append(.propagation(propagation?.kind ?? .slave, recursive: propagation?.recursive ?? true, of: "/"))
            if let path = context.privateMountPoint { steps.append(.propagation(.private, recursive: false, of: path)) }
        }
        appendRoot(context.root)
        if flags.contains(.network) { steps.append(.loopback) }
        // On the host's procfs, which is gone after the pivot.
        if let score = spec.process.oomScoreAdj, !spec.linux.has(.user) { steps.append(.oomScore(score)) }
        // After all that the caller's ids are needed for, before anything is created that must belong to the container.
        if spec.linux.has(.user) { steps.append(.becomeRoot(setsGroups: context.setsGroups)) }

        for (index, mount) in spec.mounts.enumerated() where mount.type != "cgroup" || context.cgroupIsReady {
            try append(mount, index, spec, context)
        }
        try appendDevices(spec)
        appendStreams(spec, context)

        // Settings before their files become read-only; masks after every mount, so that none of them uncovers what is masked.
        // All of it while the engine still makes the cgroup.
        steps += spec.linux.sysctl.sorted { $0.key < $1.key }.map {
            .sysctl(key: RuntimeSpec.Linux.sysctlPath($0.key), value: $0.value)
        }
        steps += Self.unique(spec.linux.readonlyPaths).map { .readOnly($0) }
        steps += Self.unique(spec.linux.maskedPaths).map { .mask($0) }

        steps.append(.barrier(announced: context.startDescriptor != nil))
        if !context.cgroupIsReady {
            appendCgroupEntry(spec, context)
            // The only mounts after the masks: what they show is the container's own, and their place is its own, too.
            for mount in spec.mounts where mount.type == "cgroup" { try appendCgroup(mount, spec, context) }
        }
        steps += spec.hooks.createContainer.enumerated().map {
            .hook(ContainerHook($1, kind: "createContainer", index: $0, state: context.hookStates.creating))
        }
        // A /dev that is to be read-only has got its nodes by now.
        if let dev = spec.mounts.last(where: { $0.isReadOnlyDev }) {
            steps.append(.remount(.readOnly(dev.destination)))
        }
        if spec.root.readonly {
            // Later it could not be made.
            steps.append(.folder(path: spec.process.cwd))
            steps.append(.rootReadOnly)
        }
        steps.append(.pivotRoot(change))
        if change != .change, let propagation = try spec.linux.propagation {
            steps.append(.propagation(propagation.kind, recursive: propagation.recursive, of: "/"))
        }

        if let hostname = spec.hostname { steps.append(.hostname(hostname)) }
        if let domainname = spec.domainname { steps.append(.domainname(domainname)) }
        try appendProcess(spec, context)
    }

    private mutating func appendRoot(_ root: LaunchContext.Root) {
        switch root {
        case .overlay(let layers, let upper, let work, let mountPoint, let options):
            steps += layers.map { .layer($0) }
            steps.append(.overlay(mountPoint: mountPoint, upper: upper, work: work, options: options))
        case .folder(let path): steps.append(.rootFolder(path, .pivot))
        }
    }

    /// The cgroup namespace is made in the cgroup, which becomes its root.
    private mutating func appendCgroupEntry(_ spec: RuntimeSpec, _ context: LaunchContext) {
        for case .ownTask(let file) in context.cgroupEntries { steps.append(.enterCgroup(.file(file))) }
        if spec.linux.isNew(.cgroup) { steps.append(.unshare(.cgroup)) }
    }

    private mutating func appendStreams(_ spec: RuntimeSpec, _ context: LaunchContext) {
        if spec.process.terminal {
            appendConsole(spec.process, context, device: true)
        } else {
            // After the devices, which take the place of the host's; before the pivot, while /proc is the host's.
            steps.append(.ownStreams(inherits: context.inheritsStreams))
        }
    }

    private static func unique(_ paths: [String]) -> [String] {
        var seen: Set<String> = []
        return paths.filter { seen.insert($0).inserted }
    }

    /// The nodes and links that every container has (config-linux.md#default-devices, runtime-linux.md#dev-symbolic-links).
    private mutating func appendDevices(_ spec: RuntimeSpec) throws(EngineError) {
        let defaults: [(String, UInt32, UInt32)] = [
            ("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0),
        ]
        // /dev bound from the host brings its own.
        guard !spec.mounts.contains(where: { $0.destination == "/dev" && $0.isBind }) else { return }
        let named = Set(spec.linux.devices.map(\.path))
        for (name, major, minor) in defaults where !named.contains("/dev/\(name)") {
            appendDevice(
                .device(path: "/dev/\(name)", kind: 0o020000, mode: 0o666, major: major, minor: minor, uid: 0, gid: 0),
                "/dev/\(name)",
                spec
            )
        }
        for device in spec.linux.devices where device.path != "/dev/ptmx" {
            let kinds: [String: UInt32] = ["c": 0o020000, "u": 0o020000, "b": 0o060000, "p": 0o010000]
            guard let kind = kinds[device.type] else {
                throw EngineError(.invalid, "unknown device type \"\(device.type)\"")
            }
            let step = LaunchStep.device(
                path: device.path,
                kind: kind,
                mode: device.mode & 0o7777,
                major: device.major,
                minor: device.minor,
                uid: device.uid,
                gid: device.gid
            )
            appendDevice(step, device.path, spec)
        }
        let links = [
            ("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"), ("core", "/proc/kcore"),
        ]
        steps += links.map { .link(path: "/dev/\($0.0)", target: $0.1) }
    }

    /// A user namespace may not make device nodes: there the host's is bound.
    private mutating func appendDevice(_ step: LaunchStep, _ path: String, _ spec: RuntimeSpec) {
        guard spec.linux.has(.user) else { return steps.append(step) }
        var bind = BindMount(source: path, target: path)
        bind.recursive = false
        bind.set = [.noSetuid, .noExecute]
        steps.append(.bind(bind))
    }
}

extension NamespaceFlags {
    /// The flags with which a container's first process is cloned. The cgroup namespace comes later: its root is the cgroup at
    /// the time of its making. The time namespace comes before: its offsets are written while nobody is in it.
    package init(ofClone namespaces: [RuntimeSpec.Namespace]) throws(EngineError) {
        self = []
        for namespace in namespaces where namespace != .cgroup && namespace != .time { formUnion(namespace.flag) }
    }

    /// Of those that are new.
    package init(ofClone namespaces: [(type: RuntimeSpec.Namespace, path: String?)]) throws(EngineError) {
        try self.init(ofClone: namespaces.filter { $0.path == nil }.map(\.type))
    }
}

extension RuntimeSpec.Namespace {
    package var flag: NamespaceFlags {
        switch self {
        case .pid: .pid
        case .network: .network
        case .ipc: .ipc
        case .uts: .uts
        case .mount: .mount
        case .cgroup: .cgroup
        case .user: .user
        case .time: .time
        }
    }
}

extension RuntimeSpec.Linux {
    package func isNew(_ type: RuntimeSpec.Namespace) -> Bool {
        namespaces.contains { $0.type == type && $0.path == nil }
    }

    /// `rootfsPropagation`: nil where it is the runtime's choice.
    package var propagation: (kind: MountPropagation, recursive: Bool)? {
        get throws(EngineError) {
            if rootfsPropagation.isEmpty { return nil }
            let isRecursive = rootfsPropagation.first == "r"
            let name = isRecursive ? String(rootfsPropagation.dropFirst()) : rootfsPropagation
            guard let kind = MountPropagation(rawValue: name) else {
                throw EngineError(.invalid, "rootfsPropagation=\(rootfsPropagation) is not supported")
            }
            return (kind, isRecursive)
        }
    }
}

extension RuntimeSpec.Mount {
    /// Mounted writable at first, for the nodes.
    var isReadOnlyDev: Bool { destination == "/dev" && !isBind && options.contains("ro") }
}
