extension RuntimeSpec {
    /// Checks what needs no host to be seen as wrong: parts that contradict each other and numbers that the kernel refuses.
    /// The first that is found is thrown.
    ///
    /// What success does not promise: that namespaces, devices and mappings fit this host, or that a namespace to join is not
    /// the host's own.
    package func validate() throws(EngineError) {
        try process.validate()
        for mount in mounts { try validate(mount) }
        // It means "as it is" to chown(2): the node would be the runtime's.
        for device in linux.devices {
            for (id, name) in [(device.uid, "uid"), (device.gid, "gid")] where id == .max {
                throw EngineError(.invalid, "the device \(device.path) has the \(name) \(id), which is none")
            }
        }
        try validateNames()
        try validateNamespaces()
        try validateSettings()
        try validateNetDevices()
        try linux.memoryPolicy?.validate()
        try linux.intelRdt?.validate()
        if let flags = linux.personality?.flags, !flags.isEmpty {
            throw EngineError(.invalid, "personality flags are not supported: \(flags.joined(separator: ", "))")
        }
    }

    private func validateNames() throws(EngineError) {
        if hostname != nil, !linux.has(.uts) {
            throw EngineError(.invalid, "unable to set hostname without a private UTS namespace")
        }
        if domainname != nil, !linux.has(.uts) {
            throw EngineError(.invalid, "unable to set domainname without a private UTS namespace")
        }
        if !linux.maskedPaths.isEmpty || !linux.readonlyPaths.isEmpty, !linux.has(.mount) {
            throw EngineError(.invalid, "unable to restrict sys entries without a private MNT namespace")
        }
    }

    /// A new user namespace without mappings is left to the runtime, which may have mappings of its own.
    private func validateNamespaces() throws(EngineError) {
        if !linux.uidMappings.isEmpty || !linux.gidMappings.isEmpty {
            guard linux.has(.user) else {
                throw EngineError(
                    .invalid,
                    "user namespace mappings specified, but user namespace isn't enabled in the config"
                )
            }
            try RuntimeSpec.validate(linux.uidMappings, "linux.uidMappings")
            try RuntimeSpec.validate(linux.gidMappings, "linux.gidMappings")
        }
        if !linux.timeOffsets.isEmpty {
            guard linux.has(.time) else {
                throw EngineError(
                    .invalid,
                    "time namespace offsets specified, but time namespace isn't enabled in the config"
                )
            }
            guard linux.path(of: .time) == nil else {
                throw EngineError(.invalid, "time namespace offsets specified for a time namespace that exists already")
            }
        }
    }

    /// No id may be mapped twice (user_namespaces(7)).
    private static func validate(_ mappings: [IDMapping], _ name: String) throws(EngineError) {
        for side in [\IDMapping.containerID, \IDMapping.hostID] {
            let sorted = mappings.sorted { $0[keyPath: side] < $1[keyPath: side] }
            for (one, next) in zip(sorted, sorted.dropFirst())
            where UInt64(one[keyPath: side]) + UInt64(one.size) > UInt64(next[keyPath: side]) {
                throw EngineError(.invalid, "\(name) has \(next[keyPath: side]) twice")
            }
        }
    }

    private func validate(_ mount: Mount) throws(EngineError) {
        func invalid(_ what: String) -> EngineError {
            EngineError(.invalid, "invalid mount \"\(mount.destination)\": \(what)")
        }
        if mount.isBind {
            // The kernel would ignore them: they belong to a file system that is mounted already.
            if let option = mount.fileSystemOptions.first {
                throw invalid("bind mounts cannot have any filesystem-specific options applied: \"\(option)\"")
            }
        } else if mount.type.isEmpty {
            throw invalid("neither a type nor the option bind or rbind")
        }
        guard mount.isIDMapped else { return }
        guard mount.isBind else { throw invalid("id-mapped mounts are only supported for bind-mounts") }
        guard mount.uidMappings.isEmpty == mount.gidMappings.isEmpty else {
            throw invalid("id-mapped mounts must have both uid and gid mappings specified")
        }
        guard !mount.uidMappings.isEmpty || linux.has(.user) else {
            throw invalid("idmap without mappings and without a user namespace whose mappings could hold")
        }
        try RuntimeSpec.validate(mount.uidMappings, "uidMappings of \"\(mount.destination)\"")
        try RuntimeSpec.validate(mount.gidMappings, "gidMappings of \"\(mount.destination)\"")
    }

    private func validateNetDevices() throws(EngineError) {
        guard !linux.netDevices.isEmpty else { return }
        guard linux.has(.network) else {
            throw EngineError(.invalid, "unable to move network devices without a NET namespace")
        }
        var inside: Set<String> = []
        for (name, device) in linux.netDevices.sorted(by: { $0.key < $1.key }) {
            for name in [name, device.name ?? name] where !NetDevice.isValid(name) {
                throw EngineError(.invalid, "invalid network device name \"\(name)\"")
            }
            let target = device.name ?? name
            // "%d" gives each its own.
            guard target.contains("%d") || inside.insert(target).inserted else {
                throw EngineError(.invalid, "more than one network device would be \"\(target)\" in the container")
            }
        }
    }
}

extension RuntimeSpec.NetDevice {
    /// As the kernel has it: less than IFNAMSIZ bytes, neither "." nor "..", and no "/", ":" or space in it.
    static func isValid(_ name: String) -> Bool {
        (1..<16).contains(name.utf8.count) && name != "." && name != ".."
            && !name.utf8.contains { "/: \t\n\u{b}\u{c}\r".utf8.contains($0) }
    }
}

extension RuntimeSpec.MemoryPolicy {
    func validate() throws(EngineError) {
        guard RuntimeSpec.MemoryPolicy.modes[mode] != nil else {
            throw EngineError(.invalid, "invalid memory policy mode \"\(mode)\"")
        }
        for flag in flags where RuntimeSpec.MemoryPolicy.flagBits[flag] == nil {
            throw EngineError(.invalid, "invalid memory policy flag \"\(flag)\"")
        }
        guard !flags.contains("MPOL_F_STATIC_NODES") || !flags.contains("MPOL_F_RELATIVE_NODES") else {
            throw EngineError(
                .invalid,
                "invalid memory policy: flags MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other"
            )
        }
        let named: NumberRanges
        do {
            named = try NumberRanges(nodes)
        } catch {
            throw EngineError(.invalid, "invalid memory policy nodes: \(error.message)")
        }
        switch mode {
        case "MPOL_DEFAULT", "MPOL_LOCAL":
            let count = named.ranges.reduce(0) { $0 + $1.count }
            guard count == 0 else {
                throw EngineError(.invalid, "invalid memory policy: \(mode) mode requires 0 nodes but got \(count)")
            }
        case "MPOL_PREFERRED": break
        default:
            guard !named.isEmpty else {
                throw EngineError(.invalid, "invalid memory policy: \(mode) mode requires at least one node")
            }
        }
    }
}

extension RuntimeSpec.IntelRdt {
    /// The group's name is one folder of resctrl, or resctrl's own; a line is one line.
    func validate() throws(EngineError) {
        if let closID, closID == "." || closID == ".." || (closID != "/" && closID.utf8.contains(UInt8(ascii: "/"))) {
            throw EngineError(.invalid, "invalid intelRdt.closID \"\(closID)\"")
        }
        if let memBwSchema, !memBwSchema.hasPrefix("MB:") {
            throw EngineError(.invalid, "intelRdt.memBwSchema does not start with \"MB:\"")
        }
        for line in schemata + [l3CacheSchema, memBwSchema].compactMap({ $0 })
        where line.utf8.contains(UInt8(ascii: "\n")) {
            throw EngineError(.invalid, "a schema of intelRdt has more than one line: \"\(line)\"")
        }
    }
}
