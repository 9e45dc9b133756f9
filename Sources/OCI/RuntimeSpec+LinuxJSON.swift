extension RuntimeSpec.Linux {
    init(_ reader: JSONReader) throws(EngineError) {
        uidMappings = try reader.mappings("uidMappings")
        gidMappings = try reader.mappings("gidMappings")
        sysctl = try reader.texts("sysctl")
        if let member = try reader.member("resources") { resources = try LinuxResources(member) }
        cgroupsPath = try reader.text("cgroupsPath")
        for element in try reader.list("namespaces") { namespaces.append(try RuntimeSpec.Linux.namespace(element)) }
        if let twice = namespaces.map(\.type).firstRepeated {
            throw reader.error("duplicated namespace \"\(twice.rawValue)\"")
        }
        for element in try reader.list("devices") { devices.append(try RuntimeSpec.Device(element)) }
        for (name, device) in try reader.members("netDevices") {
            netDevices[name] = RuntimeSpec.NetDevice(name: try device.text("name"))
        }
        seccomp = try RuntimeSpec.Linux.seccomp(reader)
        rootfsPropagation = try reader.text("rootfsPropagation") ?? ""
        guard rootfsPropagation.isEmpty || RuntimeSpec.Linux.propagations.contains(rootfsPropagation) else {
            throw EngineError(.invalid, "rootfsPropagation=\(rootfsPropagation) is not supported")
        }
        maskedPaths = try reader.absolutePaths("maskedPaths")
        readonlyPaths = try reader.absolutePaths("readonlyPaths")
        mountLabel = try reader.text("mountLabel")
        if let member = try reader.member("intelRdt") { intelRdt = try RuntimeSpec.IntelRdt(member) }
        if let member = try reader.member("memoryPolicy") { memoryPolicy = try RuntimeSpec.MemoryPolicy(member) }
        if let member = try reader.member("personality") { personality = try RuntimeSpec.Personality(member) }
        for (clock, offset) in try reader.members("timeOffsets") {
            guard clock == "monotonic" || clock == "boottime" else {
                throw reader.error("\"timeOffsets\" has a clock \"\(clock)\"; it may have monotonic and boottime")
            }
            timeOffsets[clock] = try RuntimeSpec.TimeOffset(offset)
        }
    }

    var json: JSON {
        var members = JSONMembers()
        members.add("uidMappings", uidMappings.map(\.json))
        members.add("gidMappings", gidMappings.map(\.json))
        members.add("sysctl", sysctl)
        members.add("resources", resources.json)
        members.add("cgroupsPath", cgroupsPath)
        members.add(
            "namespaces",
            namespaces.map { type, path in
                var entry = JSONMembers()
                entry.add("type", type.rawValue)
                entry.add("path", path)
                return entry.json
            }
        )
        members.add("devices", devices.map(\.json))
        members.add("netDevices", netDevices, \.json)
        if let seccomp { members.set("seccomp", seccomp.json) }
        members.add("rootfsPropagation", rootfsPropagation)
        members.add("maskedPaths", maskedPaths)
        members.add("readonlyPaths", readonlyPaths)
        members.add("mountLabel", mountLabel)
        if let intelRdt { members.set("intelRdt", intelRdt.json) }
        if let memoryPolicy { members.set("memoryPolicy", memoryPolicy.json) }
        if let personality { members.set("personality", personality.json) }
        members.add("timeOffsets", timeOffsets, \.json)
        return members.json
    }

    private static let propagations: Set<String> = [
        "private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable",
    ]

    private static func namespace(_ reader: JSONReader) throws(EngineError) -> (
        type: RuntimeSpec.Namespace, path: String?
    ) {
        let name = try reader.needText("type")
        guard let type = RuntimeSpec.Namespace(rawValue: name) else {
            throw reader.error("namespace \"\(name)\" does not exist")
        }
        let path = try reader.text("path")
        if let path, !path.isAbsolutePath { throw reader.error("\"path\" is \"\(path)\", not an absolute path") }
        return (type, path)
    }

    /// An object without a default action and without a list of rules stands for no filter: what Go writes of an empty one.
    private static func seccomp(_ reader: JSONReader) throws(EngineError) -> SeccompConfiguration? {
        guard let member = try reader.member("seccomp") else { return nil }
        if try member.text("defaultAction") == nil, member.json["syscalls"]?.isNull ?? true { return nil }
        return try SeccompConfiguration(member)
    }
}

extension RuntimeSpec.Device {
    init(_ reader: JSONReader) throws(EngineError) {
        let type = try reader.needText("type")
        guard ["c", "b", "u", "p"].contains(type) else {
            throw reader.error("the type \"\(type)\" is none of c, b, u and p")
        }
        let path = try reader.needText("path")
        // A pipe has no numbers.
        let isPipe = type == "p"
        self.init(
            path: path.isAbsolutePath ? path : "/" + path,
            type: type,
            major: isPipe ? try reader.integer("major") ?? 0 : try reader.need("major"),
            minor: isPipe ? try reader.integer("minor") ?? 0 : try reader.need("minor"),
            uid: try reader.integer("uid") ?? 0,
            gid: try reader.integer("gid") ?? 0
        )
        if let mode: UInt32 = try reader.integer("fileMode") { self.mode = mode & 0o7777 }
    }

    var json: JSON {
        [
            "path": .string(path), "type": .string(type), "major": .number(major), "minor": .number(minor),
            "fileMode": .number(mode), "uid": .number(uid), "gid": .number(gid),
        ]
    }
}

extension RuntimeSpec.NetDevice {
    var json: JSON {
        var members = JSONMembers()
        members.add("name", name)
        return members.json
    }
}

extension RuntimeSpec.TimeOffset {
    init(_ reader: JSONReader) throws(EngineError) {
        self.init(secs: try reader.integer("secs") ?? 0, nanosecs: try reader.integer("nanosecs") ?? 0)
        guard nanosecs < 1_000_000_000 else { throw reader.error("\"nanosecs\" is \(nanosecs), a second or more") }
    }

    var json: JSON { ["secs": .number(secs), "nanosecs": .number(nanosecs)] }
}

extension RuntimeSpec.Personality {
    init(_ reader: JSONReader) throws(EngineError) {
        self.init(domain: try reader.needText("domain"), flags: try reader.strings("flags") ?? [])
        guard domain == "LINUX" || domain == "LINUX32" else {
            throw reader.error("invalid personality domain \"\(domain)\"")
        }
    }

    var json: JSON {
        var members = JSONMembers()
        members.add("domain", domain)
        members.add("flags", flags)
        return members.json
    }
}

extension RuntimeSpec.IntelRdt {
    init(_ reader: JSONReader) throws(EngineError) {
        closID = try reader.text("closID")
        schemata = try reader.strings("schemata") ?? []
        l3CacheSchema = try reader.text("l3CacheSchema")
        memBwSchema = try reader.text("memBwSchema")
        enableMonitoring = try reader.bool("enableMonitoring") ?? false
        enableCMT = try reader.bool("enableCMT") ?? false
        enableMBM = try reader.bool("enableMBM") ?? false
    }

    var json: JSON {
        var members = JSONMembers()
        members.add("closID", closID)
        members.add("schemata", schemata)
        members.add("l3CacheSchema", l3CacheSchema)
        members.add("memBwSchema", memBwSchema)
        members.add("enableMonitoring", flag: enableMonitoring)
        members.add("enableCMT", flag: enableCMT)
        members.add("enableMBM", flag: enableMBM)
        return members.json
    }
}

extension RuntimeSpec.MemoryPolicy {
    init(_ reader: JSONReader) throws(EngineError) {
        self.init(
            // A missing one is what `validate` says of it.
            mode: try reader.text("mode") ?? "",
            nodes: try reader.text("nodes") ?? "",
            flags: try reader.strings("flags") ?? []
        )
    }

    var json: JSON {
        var members = JSONMembers()
        members.add("mode", mode)
        members.add("nodes", nodes)
        members.add("flags", flags)
        return members.json
    }
}

extension JSONReader {
    fileprivate func absolutePaths(_ key: String) throws(EngineError) -> [String] {
        let paths = try strings(key) ?? []
        if let path = paths.first(where: { !$0.isAbsolutePath }) {
            throw error("\"\(key)\" has \"\(path)\", which is not an absolute path")
        }
        return paths
    }
}
