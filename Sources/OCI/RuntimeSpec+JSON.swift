extension RuntimeSpec {
    /// The version of the specification that this type follows.
    package static let version = "1.3.0"

    /// Reads a `config.json`. Keys that the specification does not define are ignored; values that it does not allow are
    /// errors with their place. What contradicts itself only as a whole is left to `validate`.
    package init(_ json: JSON) throws(EngineError) {
        let reader = try JSONReader(json, "config.json")
        let version = try reader.needText("ociVersion")
        try RuntimeSpec.check(version: version)
        guard let process = try reader.member("process") else {
            throw EngineError(.invalid, "process property must not be empty")
        }
        guard let root = try reader.member("root") else { throw EngineError(.invalid, "root must be specified") }
        self.init(process: try Process(process), root: try Root(root))
        ociVersion = version
        hostname = try reader.text("hostname")
        domainname = try reader.text("domainname")
        for mount in try reader.list("mounts") { mounts.append(try Mount(mount)) }
        if let member = try reader.member("hooks") { hooks = try Hooks(member) }
        annotations = try reader.texts("annotations")
        guard annotations[""] == nil else { throw reader.error("\"annotations\" has an empty key") }
        if let member = try reader.member("linux") { linux = try Linux(member) }
    }

    /// The specification's `config.json`, in the order of keys that other runtimes write. What is nil or empty has no key.
    package var json: JSON {
        var members = JSONMembers()
        members.add("ociVersion", ociVersion)
        members.set("process", process.json)
        members.set("root", root.json)
        members.add("hostname", hostname)
        members.add("domainname", domainname)
        members.add("mounts", mounts.map(\.json))
        members.add("hooks", hooks.json)
        members.add("annotations", annotations)
        members.add("linux", linux.json)
        return members.json
    }

    /// Any version 1.x.y, whatever stands behind "-" and "+" (semver.org): within a major version, an older configuration
    /// means the same to a newer runtime, and 1.0's release candidates are in use.
    private static func check(version: String) throws(EngineError) {
        let core = version.prefix { $0 != "-" && $0 != "+" }
        let label = version.dropFirst(core.count)
        let numbers = core.split(separator: ".", omittingEmptySubsequences: false)
        let isSemantic =
            numbers.count == 3 && numbers.allSatisfy(isNumber) && label.count != 1
            && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-.+".contains($0)) }
        guard isSemantic else {
            throw EngineError(
                .invalid,
                "invalid config.json: \"ociVersion\" is \"\(version)\", not a version such as \"\(self.version)\""
            )
        }
        guard numbers[0] == "1" else {
            throw EngineError(.unsupported, "unsupported ociVersion \"\(version)\": only versions 1.x are supported")
        }
    }

    /// Digits, without a zero before them.
    private static func isNumber(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
        return text.utf8.count == 1 || first != 0x30
    }
}

extension RuntimeSpec.Root {
    init(_ reader: JSONReader) throws(EngineError) {
        self.init(path: try reader.needText("path"), readonly: try reader.bool("readonly") ?? false)
    }

    var json: JSON {
        var members = JSONMembers()
        members.add("path", path)
        members.add("readonly", flag: readonly)
        return members.json
    }
}

extension RuntimeSpec.Mount {
    init(_ reader: JSONReader) throws(EngineError) {
        let destination = try reader.needText("destination")
        self.init(
            // Relative ones are deprecated and mean the root (config.md#mounts).
            destination.isAbsolutePath ? destination : "/" + destination,
            type: try reader.string("type") ?? "",
            source: try reader.string("source") ?? "",
            options: try reader.strings("options") ?? []
        )
        uidMappings = try reader.mappings("uidMappings")
        gidMappings = try reader.mappings("gidMappings")
    }

    var json: JSON {
        var members = JSONMembers()
        members.add("destination", destination)
        members.add("type", type)
        members.add("source", source)
        members.add("options", options)
        members.add("uidMappings", uidMappings.map(\.json))
        members.add("gidMappings", gidMappings.map(\.json))
        return members.json
    }
}

extension RuntimeSpec.IDMapping {
    var json: JSON {
        ["containerID": .number(containerID), "hostID": .number(hostID), "size": .number(size)]
    }
}

extension JSONReader {
    func mappings(_ key: String) throws(EngineError) -> [RuntimeSpec.IDMapping] {
        var result: [RuntimeSpec.IDMapping] = []
        for element in try list(key) {
            let mapping = RuntimeSpec.IDMapping(
                containerID: try element.need("containerID"),
                hostID: try element.need("hostID"),
                size: try element.need("size")
            )
            // As the kernel has it (user_namespaces(7)): an id of 2^32-1 is none.
            let most = UInt32.max - mapping.size
            guard mapping.size > 0, mapping.containerID <= most, mapping.hostID <= most else {
                throw element.error("\(mapping.size) ids from there on are none or too many")
            }
            result.append(mapping)
        }
        return result
    }
}

extension RuntimeSpec.Hooks {
    init(_ reader: JSONReader) throws(EngineError) {
        prestart = try reader.hooks("prestart")
        createRuntime = try reader.hooks("createRuntime")
        createContainer = try reader.hooks("createContainer")
        startContainer = try reader.hooks("startContainer")
        poststart = try reader.hooks("poststart")
        poststop = try reader.hooks("poststop")
    }

    var json: JSON {
        var members = JSONMembers()
        members.add("prestart", prestart.map(\.json))
        members.add("createRuntime", createRuntime.map(\.json))
        members.add("createContainer", createContainer.map(\.json))
        members.add("startContainer", startContainer.map(\.json))
        members.add("poststart", poststart.map(\.json))
        members.add("poststop", poststop.map(\.json))
        return members.json
    }
}

extension RuntimeSpec.Hook {
    init(_ reader: JSONReader) throws(EngineError) {
        self.init(
            path: try reader.needText("path"),
            args: try reader.strings("args") ?? [],
            env: try reader.strings("env") ?? [],
            timeout: try reader.integer("timeout")
        )
        guard path.isAbsolutePath else { throw reader.error("\"path\" is \"\(path)\", not an absolute path") }
        if let timeout, timeout <= 0 { throw reader.error("\"timeout\" is \(timeout), not more than 0 seconds") }
    }

    var json: JSON {
        var members = JSONMembers()
        members.add("path", path)
        members.add("args", args)
        members.add("env", env)
        members.add("timeout", timeout)
        return members.json
    }
}

extension JSONReader {
    fileprivate func hooks(_ key: String) throws(EngineError) -> [RuntimeSpec.Hook] {
        var result: [RuntimeSpec.Hook] = []
        for element in try list(key) { result.append(try RuntimeSpec.Hook(element)) }
        return result
    }
}
