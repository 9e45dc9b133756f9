import OCI

extension LaunchPlan {
    mutating func append(_ mount: RuntimeSpec.Mount, _ index: Int, _ spec: RuntimeSpec, _ context: LaunchContext)
        throws(EngineError)
    {
        let options = try MountOptions(mount.options)
        guard mount.isAllowedPlace else {
            throw EngineError(.invalid, "\"\(mount.destination)\" cannot be mounted because it is inside /proc")
        }
        if mount.type == "cgroup" || mount.type == "cgroup2", !mount.isBind {
            return try appendCgroup(mount, spec, context)
        }
        if mount.isBind || options.remount {
            let bind = try BindMount(mount, options, spec, context)
            if options.remount {
                steps.append(.remount(bind))
            } else if mount.isOpenedBefore(spec, context) {
                steps.append(.attach(bind, slot: spec.slot(ofMount: index, context)))
            } else {
                steps.append(.bind(bind, idMap: mount.isIDMapped ? spec.slot(ofMount: index, context) : nil))
            }
            return
        }
        var made = FileSystemMount(
            mount.type,
            on: mount.destination,
            source: mount.source.isEmpty ? mount.type : mount.source,
            options: (options.superblock + options.data).joined(separator: ","),
            attributes: options.set.union(options.recursiveSet)
        )
        if mount.isReadOnlyDev { made.attributes.remove(.readOnly) }
        made.copiesUp = options.copiesUp && mount.type == "tmpfs"
        made.propagation = options.propagation
        if spec.linux.has(.user) {
            made.instead = ["sysfs": "/sys", "proc": "/proc", "mqueue": "/dev/mqueue"][mount.type]
        }
        steps.append(.fileSystem(made))
    }

    /// Cgroup file systems are mounted in the container's own cgroup namespace, so that their root is its cgroup; without one
    /// the container's own folder is bound.
    mutating func appendCgroup(_ mount: RuntimeSpec.Mount, _ spec: RuntimeSpec, _ context: LaunchContext)
        throws(EngineError)
    {
        let attributes = try MountOptions(mount.options).set
        let isOwn = spec.linux.has(.cgroup)
        if let unified = context.cgroupMounts.first(where: { $0.name.isEmpty }) {
            var made = FileSystemMount(
                unified.type,
                on: mount.destination,
                source: "cgroup",
                options: unified.options,
                attributes: attributes
            )
            if spec.linux.has(.user) { made.instead = unified.folder }
            steps.append(.fileSystem(made))
            return
        }
        guard !context.cgroupMounts.isEmpty else { return }
        let base = FileSystemMount(
            "tmpfs",
            on: mount.destination,
            source: "cgroup",
            options: "mode=755",
            attributes: attributes.subtracting(.readOnly)
        )
        steps.append(.fileSystem(base))
        for cgroup in context.cgroupMounts {
            let target = "\(mount.destination)/\(cgroup.name)"
            if let folder = cgroup.folder, !isOwn {
                var bind = BindMount(source: folder, target: target)
                bind.set = attributes
                steps.append(.bind(bind))
            } else {
                steps.append(
                    .fileSystem(
                        FileSystemMount(
                            cgroup.type,
                            on: target,
                            source: "cgroup",
                            options: cgroup.options,
                            attributes: attributes
                        )
                    )
                )
            }
            steps += cgroup.links.map { .link(path: "\(mount.destination)/\($0)", target: cgroup.name) }
        }
        // The tmpfs alone: what is mounted in it is read-only by itself.
        if attributes.contains(.readOnly) { steps.append(.remount(.readOnly(mount.destination))) }
    }
}

extension RuntimeSpec.Mount {
    /// A procfs as a whole shows nothing else than the kernel's; a part of one at another part's place does.
    var isAllowedPlace: Bool {
        guard destination == "/proc" || destination.hasPrefix("/proc/") else { return true }
        if destination == "/proc", type == "proc" || source == "/proc" { return true }
        return RuntimeSpec.Mount.allowedInProc.contains(destination)
    }

    /// Whether the preparation has something to do for it: to open its source, or to make its id map.
    func isPrepared(_ spec: RuntimeSpec, _ context: LaunchContext) -> Bool {
        isBind && isIDMapped || isOpenedBefore(spec, context)
    }

    /// Whether its source is opened on the host before the container is cloned: where the container's root may not reach it,
    /// or may not map its ids, which only the host's root may do.
    ///
    /// One that lies in the container's root may be there only once the mounts before it are.
    func isOpenedBefore(_ spec: RuntimeSpec, _ context: LaunchContext) -> Bool {
        guard isBind else { return false }
        if isIDMapped, spec.linux.has(.user) { return true }
        if case .folder(let root) = context.root, source.hasPrefix(root + "/") { return false }
        // Nobody else may do that, and need not: the container's ids are the caller's own there.
        if !context.opensSources { return false }
        return spec.linux.has(.user) || spec.linux.namespaces.contains { $0.type == .mount && $0.path != nil }
    }
}

extension RuntimeSpec {
    /// Where the preparation leaves the opened source of a mount, or its id map: numbers without gaps, however many other
    /// mounts there are.
    func slot(ofMount index: Int, _ context: LaunchContext) -> Int {
        mounts[..<index].count { $0.isPrepared(self, context) }
    }
}

extension BindMount {
    /// Makes what is mounted there read-only, for `remount`.
    static func readOnly(_ target: String) -> BindMount {
        var mount = BindMount(source: "", target: target)
        (mount.set, mount.propagation) = (.readOnly, nil)
        return mount
    }

    init(_ mount: RuntimeSpec.Mount, _ options: MountOptions, _ spec: RuntimeSpec, _ context: LaunchContext)
        throws(EngineError)
    {
        self.init(source: mount.source, target: mount.destination)
        guard options.data.isEmpty else {
            throw EngineError(
                .invalid,
                "bind mounts cannot have any filesystem-specific options applied",
                hint: "\(mount.destination): \(options.data.joined(separator: ","))"
            )
        }
        (set, clear) = (options.set, options.clear)
        if context.clearsAttributes, !set.isEmpty || !clear.isEmpty {
            // In a user namespace the host's attributes are locked, and this one alone is not.
            let others: MountAttributes =
                spec.linux.has(.user)
                ? .noSymbolicLinks : [.readOnly, .noSetuid, .noDevices, .noExecute, .noSymbolicLinks]
            clear.formUnion(others.subtracting(set))
            // Those of access times go with each other: where none is asked for, they stay.
            if set.contains(.noFolderAccessTime) { clear.insert(.accessTimeField) }
            if clear.contains(.accessTimeField), !set.contains(.noFolderAccessTime) {
                clear.insert(.noFolderAccessTime)
            }
        }
        keepsLocked = spec.linux.has(.user)
        (recursiveSet, recursiveClear) = (options.recursiveSet, options.recursiveClear)
        recursive = options.recursiveBind || !options.bind
        propagation = options.remount ? options.propagation : options.propagation ?? .private
        propagationRecursive = options.propagation == nil || options.propagationRecursive
        makeSource = context.makeSources.contains(mount.source)
        copiesUp = context.copiedUp.contains(mount.source)
        mapRecursive = options.idMappedRecursive
        ownLink = options.ownLink
    }
}
