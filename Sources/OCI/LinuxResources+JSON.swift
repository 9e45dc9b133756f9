extension LinuxResources {
    /// Reads the specification's form. Keys it does not define are ignored; values it does not allow are errors.
    package init(_ json: JSON) throws(EngineError) { try self.init(JSONReader(json, "linux.resources")) }

    init(_ reader: JSONReader) throws(EngineError) {
        for rule in try reader.list("devices") { devices.append(try DeviceRule(rule)) }
        if let member = try reader.member("memory") { memory = try Memory(member) }
        if let member = try reader.member("cpu") { cpu = try CPU(member) }
        pidsLimit = try reader.member("pids")?.integer("limit")
        if let member = try reader.member("blockIO") { blockIO = try BlockIO(member) }
        for limit in try reader.list("hugepageLimits") {
            hugepageLimits.append(
                HugepageLimit(pageSize: try limit.needText("pageSize"), limit: try limit.need("limit"))
            )
        }
        if let member = try reader.member("network") { network = try Network(member) }
        for (device, limits) in try reader.members("rdma") {
            rdma[device] = RDMA(handles: try limits.integer("hcaHandles"), objects: try limits.integer("hcaObjects"))
        }
        unified = try reader.texts("unified")
    }

    /// The specification's form; what is nil or empty has no key.
    package var json: JSON {
        var members = JSONMembers()
        members.add("devices", devices.map(\.json))
        members.add("memory", memory.json)
        members.add("cpu", cpu.json)
        if let pidsLimit { members.add("pids", .object([(key: "limit", value: .number(pidsLimit))])) }
        members.add("blockIO", blockIO.json)
        members.add(
            "hugepageLimits",
            hugepageLimits.map { ["pageSize": .string($0.pageSize), "limit": .number($0.limit)] }
        )
        members.add("network", network.json)
        members.add("rdma", rdma, \.json)
        members.add("unified", unified)
        return members.json
    }
}

extension LinuxResources.DeviceRule {
    fileprivate init(_ reader: JSONReader) throws(EngineError) {
        let type = try reader.string("type") ?? "a"
        // "u" is an old name of a character device (mknod(1)).
        guard let kind = Kind(rawValue: type.isEmpty ? "a" : type == "u" ? "c" : type) else {
            throw reader.error("the type \"\(type)\" is none of a, b and c")
        }
        // runc's own tests give an "a", which says nothing.
        guard let access = LinuxResources.Access((try reader.string("access") ?? "").filter { $0 != "a" }) else {
            throw reader.error("\"access\" has other letters than r, w and m")
        }
        let allow = try reader.bool("allow") ?? false
        self.init(
            allow: allow,
            kind,
            major: try reader.deviceNumber("major"),
            minor: try reader.deviceNumber("minor"),
            // Without letters, a denial is about all of them and a permission about none; "a" is about everything.
            access: access.isEmpty && (!allow || kind == .all) ? .all : access
        )
    }

    fileprivate var json: JSON {
        var members = JSONMembers()
        members.add("allow", .bool(allow))
        if kind != .all { members.add("type", .string(kind.rawValue)) }
        members.add("major", major)
        members.add("minor", minor)
        if !access.isEmpty { members.add("access", access.text) }
        return members.json
    }
}

extension LinuxResources.Memory {
    fileprivate init(_ reader: JSONReader) throws(EngineError) {
        limit = try reader.integer("limit")
        reservation = try reader.integer("reservation")
        swap = try reader.integer("swap")
        kernel = try reader.integer("kernel")
        kernelTCP = try reader.integer("kernelTCP")
        swappiness = try reader.integer("swappiness")
        disableOOMKiller = try reader.bool("disableOOMKiller")
        useHierarchy = try reader.bool("useHierarchy")
        checkBeforeUpdate = try reader.bool("checkBeforeUpdate")
    }

    fileprivate var json: JSON {
        var members = JSONMembers()
        members.add("limit", limit)
        members.add("reservation", reservation)
        members.add("swap", swap)
        members.add("kernel", kernel)
        members.add("kernelTCP", kernelTCP)
        members.add("swappiness", swappiness)
        if let disableOOMKiller { members.add("disableOOMKiller", .bool(disableOOMKiller)) }
        if let useHierarchy { members.add("useHierarchy", .bool(useHierarchy)) }
        if let checkBeforeUpdate { members.add("checkBeforeUpdate", .bool(checkBeforeUpdate)) }
        return members.json
    }
}

extension LinuxResources.CPU {
    fileprivate init(_ reader: JSONReader) throws(EngineError) {
        shares = try reader.integer("shares")
        quota = try reader.integer("quota")
        burst = try reader.integer("burst")
        period = try reader.integer("period")
        realtimeRuntime = try reader.integer("realtimeRuntime")
        realtimePeriod = try reader.integer("realtimePeriod")
        cpus = try reader.text("cpus")
        mems = try reader.text("mems")
        idle = try reader.integer("idle")
    }

    fileprivate var json: JSON {
        var members = JSONMembers()
        members.add("shares", shares)
        members.add("quota", quota)
        members.add("burst", burst)
        members.add("period", period)
        members.add("realtimeRuntime", realtimeRuntime)
        members.add("realtimePeriod", realtimePeriod)
        members.add("cpus", cpus)
        members.add("mems", mems)
        members.add("idle", idle)
        return members.json
    }
}

extension LinuxResources.BlockIO {
    fileprivate init(_ reader: JSONReader) throws(EngineError) {
        weight = try reader.integer("weight")
        leafWeight = try reader.integer("leafWeight")
        for device in try reader.list("weightDevice") {
            weightDevices.append(
                LinuxResources.WeightDevice(
                    major: try device.need("major"),
                    minor: try device.need("minor"),
                    weight: try device.integer("weight"),
                    leafWeight: try device.integer("leafWeight")
                )
            )
        }
        throttleReadBps = try reader.throttles("throttleReadBpsDevice")
        throttleWriteBps = try reader.throttles("throttleWriteBpsDevice")
        throttleReadIOPS = try reader.throttles("throttleReadIOPSDevice")
        throttleWriteIOPS = try reader.throttles("throttleWriteIOPSDevice")
    }

    fileprivate var json: JSON {
        var members = JSONMembers()
        members.add("weight", weight)
        members.add("leafWeight", leafWeight)
        members.add(
            "weightDevice",
            weightDevices.map { device in
                var members = JSONMembers()
                members.add("major", device.major)
                members.add("minor", device.minor)
                members.add("weight", device.weight)
                members.add("leafWeight", device.leafWeight)
                return members.json
            }
        )
        members.add("throttleReadBpsDevice", throttleReadBps.map(\.json))
        members.add("throttleWriteBpsDevice", throttleWriteBps.map(\.json))
        members.add("throttleReadIOPSDevice", throttleReadIOPS.map(\.json))
        members.add("throttleWriteIOPSDevice", throttleWriteIOPS.map(\.json))
        return members.json
    }
}

extension LinuxResources.ThrottleDevice {
    fileprivate var json: JSON { ["major": .number(major), "minor": .number(minor), "rate": .number(rate)] }
}

extension LinuxResources.Network {
    fileprivate init(_ reader: JSONReader) throws(EngineError) {
        classID = try reader.integer("classID")
        for entry in try reader.list("priorities") {
            priorities.append(Priority(name: try entry.needText("name"), priority: try entry.need("priority")))
        }
    }

    fileprivate var json: JSON {
        var members = JSONMembers()
        members.add("classID", classID)
        members.add("priorities", priorities.map { ["name": .string($0.name), "priority": .number($0.priority)] })
        return members.json
    }
}

extension LinuxResources.RDMA {
    fileprivate var json: JSON {
        var members = JSONMembers()
        members.add("hcaHandles", handles)
        members.add("hcaObjects", objects)
        return members.json
    }
}

extension JSONReader {
    /// A device number, of which runtimes write "every one" as -1.
    fileprivate func deviceNumber(_ key: String) throws(EngineError) -> UInt32? {
        guard let number: Int64 = try integer(key), number != -1 else { return nil }
        guard let number = UInt32(exactly: number) else { throw error("\"\(key)\" is no device number") }
        return number
    }

    fileprivate func throttles(_ key: String) throws(EngineError) -> [LinuxResources.ThrottleDevice] {
        var result: [LinuxResources.ThrottleDevice] = []
        for device in try list(key) {
            result.append(
                LinuxResources.ThrottleDevice(
                    major: try device.need("major"),
                    minor: try device.need("minor"),
                    rate: try device.need("rate")
                )
            )
        }
        return result
    }
}
