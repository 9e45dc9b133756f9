import LinuxSystem
import OCI

/// The options as a container's `container.json` has them: what is as usual has no key.
extension ContainerOptions {
    /// - Throws: where a value is of another kind than the key says, or nothing that an option can be.
    init(_ reader: JSONReader) throws(EngineError) {
        command = try reader.strings("command") ?? []
        entrypoint = try reader.strings("entrypoint")
        hostname = try reader.string("hostname")
        domainname = try reader.string("domainname")
        environment = try reader.strings("environment") ?? []
        workingFolder = try reader.string("workingFolder")
        user = try reader.string("user")
        addedGroups = try reader.strings("addedGroups") ?? []
        terminal = try reader.bool("terminal") ?? false
        interactive = try reader.bool("interactive") ?? false
        removeAtEnd = try reader.bool("removeAtEnd") ?? false
        initProcess = try reader.bool("initProcess") ?? false
        labels = try reader.texts("labels")
        annotations = try reader.texts("annotations")
        stopSignal = try reader.string("stopSignal")
        stopTimeout = try reader.integer("stopTimeout")
        try readSecurity(reader)
        try readFiles(reader)
        try readNetwork(reader)
        try readLimits(reader)
    }

    private mutating func readSecurity(_ reader: JSONReader) throws(EngineError) {
        readOnlyRoot = try reader.bool("readOnlyRoot") ?? false
        privileged = try reader.bool("privileged") ?? false
        addedCapabilities = try reader.strings("addedCapabilities") ?? []
        droppedCapabilities = try reader.strings("droppedCapabilities") ?? []
        noNewPrivileges = try reader.bool("noNewPrivileges") ?? false
        systemPathsUnconfined = try reader.bool("systemPathsUnconfined") ?? false
        sysctls = try reader.texts("sysctls")
        if try reader.bool("seccompUnconfined") ?? false { seccomp = .unconfined }
        if let profile = try reader.string("seccompProfile") { seccomp = .profile(profile.rawBytes) }
    }

    private mutating func readFiles(_ reader: JSONReader) throws(EngineError) {
        for element in try reader.list("mounts") { mounts.append(try MountRequest(element)) }
        for element in try reader.list("devices") {
            devices.append(
                DeviceRequest(
                    source: try element.needText("source"),
                    destination: try element.needText("destination"),
                    access: try element.needText("access")
                )
            )
        }
        if let size: UInt64 = try reader.integer("sharedMemorySize") { sharedMemorySize = size }
    }

    private mutating func readNetwork(_ reader: JSONReader) throws(EngineError) {
        if let network = try reader.choice("network", of: Network.self) { self.network = network }
        addedHosts = try reader.strings("addedHosts") ?? []
        exposedPorts = try reader.strings("exposedPorts") ?? []
        nameServers = try reader.strings("nameServers") ?? []
        searchDomains = try reader.strings("searchDomains") ?? []
        resolverOptions = try reader.strings("resolverOptions") ?? []
    }

    private mutating func readLimits(_ reader: JSONReader) throws(EngineError) {
        if let member = try reader.member("resources") { resources = try LinuxResources(member.json) }
        for element in try reader.list("limits") { limits.append(try RuntimeSpec.ResourceLimit(element)) }
        oomScoreAdj = try reader.integer("oomScoreAdj")
    }

    /// - Throws: where a seccomp profile is no text, and so no profile.
    func json() throws(EngineError) -> JSON {
        var members = JSONMembers()
        members.add("command", command)
        if let entrypoint { members.set("entrypoint", .strings(entrypoint)) }
        members.add("hostname", exactly: hostname)
        members.add("domainname", exactly: domainname)
        members.add("environment", environment)
        members.add("workingFolder", exactly: workingFolder)
        members.add("user", exactly: user)
        members.add("addedGroups", addedGroups)
        members.add("terminal", flag: terminal)
        members.add("interactive", flag: interactive)
        members.add("removeAtEnd", flag: removeAtEnd)
        members.add("initProcess", flag: initProcess)
        members.add("labels", labels)
        members.add("annotations", annotations)
        members.add("stopSignal", exactly: stopSignal)
        members.add("stopTimeout", stopTimeout)
        try addSecurity(to: &members)
        members.add("mounts", mounts.map(\.json))
        members.add(
            "devices",
            devices.map { device in
                [
                    "source": .string(device.source), "destination": .string(device.destination),
                    "access": .string(device.access),
                ]
            }
        )
        members.add("sharedMemorySize", sharedMemorySize)
        members.add("network", network.rawValue)
        members.add("addedHosts", addedHosts)
        members.add("exposedPorts", exposedPorts)
        members.add("nameServers", nameServers)
        members.add("searchDomains", searchDomains)
        members.add("resolverOptions", resolverOptions)
        members.add("resources", resources.json)
        members.add("limits", limits.map(\.json))
        members.add("oomScoreAdj", oomScoreAdj)
        return members.json
    }

    private func addSecurity(to members: inout JSONMembers) throws(EngineError) {
        members.add("readOnlyRoot", flag: readOnlyRoot)
        members.add("privileged", flag: privileged)
        members.add("addedCapabilities", addedCapabilities)
        members.add("droppedCapabilities", droppedCapabilities)
        members.add("noNewPrivileges", flag: noNewPrivileges)
        members.add("systemPathsUnconfined", flag: systemPathsUnconfined)
        members.add("sysctls", sysctls)
        switch seccomp {
        case .dockerDefault: break
        case .unconfined: members.add("seccompUnconfined", flag: true)
        case .profile(let bytes):
            guard String(validating: bytes, as: UTF8.self) != nil else {
                throw EngineError(.invalid, "the seccomp profile is not UTF-8")
            }
            members.set("seccompProfile", .string(String(rawBytes: bytes)))
        }
    }
}

extension MountRequest {
    private enum Form: String { case bind, tmpfs, volume }

    fileprivate init(_ reader: JSONReader) throws(EngineError) {
        guard let form = try reader.choice("type", of: Form.self) else { throw reader.error("\"type\" is missing") }
        let kind: Kind =
            switch form {
            case .bind: .bind(source: try reader.needText("source"), create: try reader.bool("create") ?? false)
            case .tmpfs: .tmpfs(options: try reader.strings("options") ?? [])
            case .volume: .volume(copy: try reader.bool("copy") ?? false)
            }
        self.init(kind: kind, destination: try reader.needText("destination"))
        readOnly = try reader.bool("readOnly") ?? false
        recursive = try reader.bool("recursive") ?? true
        readOnlyRecursive = try reader.bool("readOnlyRecursive") ?? true
        propagation = try reader.string("propagation")
    }

    fileprivate var json: JSON {
        var members = JSONMembers()
        switch kind {
        case .bind(let source, let create):
            members.add("type", Form.bind.rawValue)
            members.add("source", source)
            members.add("create", flag: create)
        case .tmpfs(let options):
            members.add("type", Form.tmpfs.rawValue)
            members.add("options", options)
        case .volume(let copy):
            members.add("type", Form.volume.rawValue)
            members.add("copy", flag: copy)
        }
        members.add("destination", destination)
        members.add("readOnly", flag: readOnly)
        if !recursive { members.set("recursive", false) }
        if !readOnlyRecursive { members.set("readOnlyRecursive", false) }
        members.add("propagation", exactly: propagation)
        return members.json
    }
}

extension JSONMembers {
    /// An empty text too: `-w ""` is not the image's working folder.
    fileprivate mutating func add(_ key: String, exactly text: String?) {
        if let text { set(key, .string(text)) }
    }
}
