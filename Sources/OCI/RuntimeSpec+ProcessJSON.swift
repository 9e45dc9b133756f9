extension RuntimeSpec.Process {
    /// Reads a process alone, as `exec --process FILE` gets it: the same as a configuration's `process`.
    package init(_ json: JSON) throws(EngineError) {
        guard !json.isNull else { throw EngineError(.invalid, "process property must not be empty") }
        try self.init(JSONReader(json, "process"))
    }

    /// Reads a process that joins a container: what it does not say about its rights and limits holds as for the container's
    /// first process, as with runc. Its own "false" for `noNewPrivileges` counts, since a missing one is the same.
    package init(_ json: JSON, joining container: RuntimeSpec.Process) throws(EngineError) {
        try self.init(json)
        if json["capabilities"]?.object == nil { capabilities = container.capabilities }
        if rlimits.isEmpty { rlimits = container.rlimits }
        apparmorProfile = apparmorProfile ?? container.apparmorProfile
        selinuxLabel = selinuxLabel ?? container.selinuxLabel
        scheduler = scheduler ?? container.scheduler
        ioPriority = ioPriority ?? container.ioPriority
    }

    init(_ reader: JSONReader) throws(EngineError) {
        guard let cwd = try reader.text("cwd") else { throw EngineError(.invalid, "Cwd property must not be empty") }
        guard cwd.isAbsolutePath else { throw EngineError(.invalid, "Cwd must be an absolute path") }
        let args = try reader.strings("args")
        if let args, args.isEmpty { throw EngineError(.invalid, "args must not be empty") }
        self.init(args: args ?? [])
        self.cwd = cwd
        terminal = try reader.bool("terminal") ?? false
        if let size = try reader.member("consoleSize") {
            consoleSize = (width: try size.need("width"), height: try size.need("height"))
        }
        if let member = try reader.member("user") { user = try RuntimeSpec.User(member) }
        env = try reader.strings("env") ?? []
        if let member = try reader.member("capabilities") { capabilities = try RuntimeSpec.Capabilities(member) }
        for element in try reader.list("rlimits") { rlimits.append(try RuntimeSpec.ResourceLimit(element)) }
        if let twice = rlimits.map(\.type).firstRepeated {
            throw reader.error("\"rlimits\" has \"\(twice)\" more than once")
        }
        noNewPrivileges = try reader.bool("noNewPrivileges") ?? false
        apparmorProfile = try reader.text("apparmorProfile")
        oomScoreAdj = try reader.integer("oomScoreAdj")
        if let member = try reader.member("scheduler") { scheduler = try RuntimeSpec.Scheduler(member) }
        selinuxLabel = try reader.text("selinuxLabel")
        if let member = try reader.member("ioPriority") { ioPriority = try RuntimeSpec.IOPriority(member) }
        if let member = try reader.member("execCPUAffinity") { execCPUAffinity = try RuntimeSpec.CPUAffinity(member) }
    }

    package var json: JSON {
        var members = JSONMembers()
        members.add("terminal", flag: terminal)
        if let size = consoleSize {
            members.add("consoleSize", ["height": .number(size.height), "width": .number(size.width)])
        }
        members.set("user", user.json)
        members.add("args", args)
        members.add("env", env)
        members.add("cwd", cwd)
        members.add("capabilities", capabilities.json)
        members.add("rlimits", rlimits.map(\.json))
        members.add("noNewPrivileges", flag: noNewPrivileges)
        members.add("apparmorProfile", apparmorProfile)
        members.add("oomScoreAdj", oomScoreAdj)
        members.add("scheduler", scheduler?.json)
        members.add("selinuxLabel", selinuxLabel)
        members.add("ioPriority", ioPriority?.json)
        members.add("execCPUAffinity", execCPUAffinity?.json)
        return members.json
    }
}

extension RuntimeSpec.User {
    init(_ reader: JSONReader) throws(EngineError) {
        self.init(
            uid: try reader.integer("uid") ?? 0,
            gid: try reader.integer("gid") ?? 0,
            additionalGids: try reader.integers("additionalGids")
        )
        umask = try reader.integer("umask")
    }

    var json: JSON {
        var members = JSONMembers()
        members.add("uid", uid)
        members.add("gid", gid)
        members.add("umask", umask)
        members.add("additionalGids", additionalGids.map { .number($0) })
        return members.json
    }
}

extension RuntimeSpec.Capabilities {
    init(_ reader: JSONReader) throws(EngineError) {
        bounding = try reader.strings("bounding") ?? []
        effective = try reader.strings("effective") ?? []
        inheritable = try reader.strings("inheritable") ?? []
        permitted = try reader.strings("permitted") ?? []
        ambient = try reader.strings("ambient") ?? []
    }

    var json: JSON {
        var members = JSONMembers()
        members.add("bounding", bounding)
        members.add("effective", effective)
        members.add("inheritable", inheritable)
        members.add("permitted", permitted)
        members.add("ambient", ambient)
        return members.json
    }
}

extension RuntimeSpec.ResourceLimit {
    package init(_ reader: JSONReader) throws(EngineError) {
        self.init(type: try reader.needText("type"), soft: try reader.need("soft"), hard: try reader.need("hard"))
    }

    package var json: JSON { ["type": .string(type), "hard": .number(hard), "soft": .number(soft)] }
}

extension RuntimeSpec.Scheduler {
    init(_ reader: JSONReader) throws(EngineError) {
        guard let policy = try reader.choice("policy", of: Policy.self) else {
            throw reader.error("\"policy\" is missing")
        }
        self.init(policy: policy)
        nice = try reader.integer("nice") ?? 0
        priority = try reader.integer("priority") ?? 0
        flags = try reader.choices("flags", of: Flag.self) ?? []
        runtime = try reader.integer("runtime") ?? 0
        deadline = try reader.integer("deadline") ?? 0
        period = try reader.integer("period") ?? 0
    }

    var json: JSON {
        var members = JSONMembers()
        members.add("policy", policy.rawValue)
        members.add("nice", nice == 0 ? nil : nice)
        members.add("priority", priority == 0 ? nil : priority)
        members.add("flags", flags.map(\.rawValue))
        members.add("runtime", runtime == 0 ? nil : runtime)
        members.add("deadline", deadline == 0 ? nil : deadline)
        members.add("period", period == 0 ? nil : period)
        return members.json
    }
}

extension RuntimeSpec.IOPriority {
    init(_ reader: JSONReader) throws(EngineError) {
        guard let kind = try reader.choice("class", of: Class.self) else { throw reader.error("\"class\" is missing") }
        self.init(class: kind, priority: try reader.integer("priority") ?? 0)
    }

    var json: JSON { ["class": .string(`class`.rawValue), "priority": .number(priority)] }
}

extension RuntimeSpec.CPUAffinity {
    init(_ reader: JSONReader) throws(EngineError) {
        self.init(initial: try reader.text("initial"), final: try reader.text("final"))
    }

    var json: JSON {
        var members = JSONMembers()
        members.add("initial", initial)
        members.add("final", final)
        return members.json
    }
}

extension Sequence where Element: Hashable {
    /// The first element that was there before.
    var firstRepeated: Element? {
        var seen: Set<Element> = []
        return first { !seen.insert($0).inserted }
    }
}
