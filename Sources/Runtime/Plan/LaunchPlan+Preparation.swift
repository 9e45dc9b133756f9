import OCI

extension LaunchPlan {
    /// What the shim's monitor does on the host before it clones the container's process: nothing but the clone for most
    /// containers. `spec.linux.namespaces` with a path come with the plan as descriptors, in their order.
    package init(preparing spec: RuntimeSpec, in context: LaunchContext) throws(EngineError) {
        steps = []
        for (index, mount) in spec.mounts.enumerated() where mount.isPrepared(spec, context) {
            try appendSource(of: mount, index, spec, context)
        }
        if spec.linux.isNew(.time) { steps.append(.timeOffsets(spec.linux.timeOffsetsText)) }
        let joined = spec.linux.namespaces.filter { $0.path != nil }
        // Others in those namespaces could look into the process until its exec. (Where the caller is root it hides anyway; of
        // one who is not the id maps of a new user namespace could not be written then.)
        if joined.contains(where: { $0.type == .pid || $0.type == .user }) { steps.append(.hide) }
        for (index, namespace) in joined.enumerated() {
            steps.append(.join(namespace.type.flag, descriptor: index, name: namespace.path ?? ""))
        }
        var born: String?
        for case .cloneInto(let directory) in context.cgroupEntries { born = directory }
        steps.append(.clone(try NamespaceFlags(ofClone: spec.linux.namespaces), cgroup: born))
    }

    private mutating func appendSource(
        of mount: RuntimeSpec.Mount,
        _ index: Int,
        _ spec: RuntimeSpec,
        _ context: LaunchContext
    ) throws(EngineError) {
        let options = try MountOptions(mount.options)
        if options.remount { return }
        let slot = spec.slot(ofMount: index, context)
        var mapSlot: Int?
        if mount.isIDMapped {
            let own = mount.uidMappings.isEmpty && mount.gidMappings.isEmpty
            let map = IDMap(
                users: (own ? spec.linux.uidMappings : mount.uidMappings).text,
                groups: (own ? spec.linux.gidMappings : mount.gidMappings).text
            )
            // The map makes room for what is opened with it.
            mapSlot = slot
            steps.append(.idMap(map, slot: slot))
        }
        // Else at its turn, when what its source may lie in is mounted.
        guard mount.isOpenedBefore(spec, context) else { return }
        if mapSlot != nil { try mount.checkSource(after: spec.mounts[..<index], context) }
        steps.append(.openTree(try BindMount(mount, options, spec, context), slot: slot, idMap: mapSlot))
    }

    /// For a process that joins a running container: by a pidfd, which comes with the plan as its only descriptor.
    package init(
        joining namespaces: NamespaceFlags,
        of name: String,
        cgroup: String?,
        initialAffinity: String?
    ) throws(EngineError) {
        steps = []
        if let list = initialAffinity, !list.isEmpty { steps.append(try .affinity(list: list)) }
        steps.append(.hide)
        if !namespaces.isEmpty { steps.append(.join(namespaces, descriptor: 0, name: name)) }
        steps.append(.clone([], cgroup: cgroup))
    }

    /// The process's own steps in the container that it has joined.
    ///
    /// - Parameters:
    ///   - cgroups: the open files to enter cgroups by, which come with the plan in their order.
    ///   - root: the container's root, where it has no mount namespace to join.
    package init(
        executing spec: RuntimeSpec,
        in context: LaunchContext,
        cgroups: [String],
        inUserNamespace: Bool,
        root: String? = nil
    ) throws(EngineError) {
        let process = spec.process
        steps = [.clone([], cgroup: nil), .newSession]
        if let root { steps += [.rootFolder(root, .change), .pivotRoot(.change)] }
        if context.newKeyring { steps.append(.keyring) }
        steps += cgroups.enumerated().map { .enterCgroup(.descriptor($0, name: $1)) }
        if inUserNamespace { steps.append(.becomeRoot(setsGroups: context.setsGroups)) }
        if process.terminal { appendConsole(process, context, device: false) }
        if let list = process.execCPUAffinity?.final, !list.isEmpty {
            steps.append(try .affinity(list: list))
        } else if process.execCPUAffinity?.initial == nil, context.unbindsProcessors {
            steps.append(.allProcessors)
        }
        try appendProcess(spec, context)
    }
}

extension LaunchPlan {
    /// - Parameter device: it is /dev/console as well.
    mutating func appendConsole(_ process: RuntimeSpec.Process, _ context: LaunchContext, device: Bool) {
        let size = process.consoleSize ?? context.callerSize ?? (0, 0)
        steps.append(
            .console(
                columns: size.width,
                rows: size.height,
                uid: process.user.uid,
                device: device,
                keepsLineFeeds: context.keepsLineFeeds
            )
        )
    }
}

extension RuntimeSpec.Mount {
    /// What lies in a mount of the container's own cannot be opened before it: that would be what the mount covers.
    ///
    /// - Throws: where one of those before it lies above its source.
    fileprivate func checkSource(after mounts: ArraySlice<RuntimeSpec.Mount>, _ context: LaunchContext)
        throws(EngineError)
    {
        guard case .folder(let root) = context.root, source.hasPrefix(root + "/") else { return }
        let place = String(source.dropFirst(root.utf8.count))
        guard let above = mounts.first(where: { place == $0.destination || place.hasPrefix($0.destination + "/") })
        else { return }
        throw EngineError(
            .unsupported,
            "the id-mapped mount on \(destination) has its source in the mount on \(above.destination)",
            hint: "In a container with a user namespace its source has to be on the host."
        )
    }
}

extension [RuntimeSpec.IDMapping] {
    /// As /proc/PID/uid_map takes them (user_namespaces(7)).
    package var text: String { map { "\($0.containerID) \($0.hostID) \($0.size)\n" }.joined() }
}

extension RuntimeSpec.Linux {
    /// As /proc/PID/timens_offsets takes them (time_namespaces(7)).
    var timeOffsetsText: String {
        timeOffsets.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.secs) \($0.value.nanosecs)\n" }.joined()
    }
}
