extension LinuxResources {
    /// Reads the specification's form. Keys it does not define are ignored; values it does not allow are errors.
    package init(_ json: JSON) throws(EngineError) {
        let reader = try ResourcesReader(json)
        for rule in try reader.list("devices") { devices.append(try DeviceRule(rule)) }
        if let member = try reader.member("memory") { memory = try Memory(member) }
        if let member = try reader.member("cpu") { cpu = try CPU(member) }
        pidsLimit = try reader.member("pids")?.integer("limit")
        if let member = try reader.member("blockIO") { blockIO = try BlockIO(member) }
        for limit in try reader.list("hugepageLimits") {
            hugepageLimits.append(HugepageLimit(pageSize: try limit.name("pageSize"), limit: try limit.need("limit")))
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
        members.add("rdma", .object(rdma.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value.json) }))
        members.add(
            "unified",
            .object(unified.sorted { $0.key < $1.key }.map { (key: $0.key, value: .string($0.value)) })
        )
        return members.json
    }
}

extension LinuxResources.DeviceRule {
    fileprivate init(_ reader: ResourcesReader) throws(EngineError) {
        let type = try reader.string("type") ?? "a"
        // "u" is an old name of a character device (mknod(1)).
        guard let kind = Kind(rawValue: type.isEmpty ? "a" : type == "u" ? "c" : type) else {
            throw reader.error("the type \"\(type)\" is none of a, b and c")
        }
        guard let access = LinuxResources.Access(try reader.string("access") ?? "") else {
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
        if !access.isEmpty { members.add("access", .string(access.text)) }
        return members.json
    }
}

extension LinuxResources.Memory {
    fileprivate init(_ reader: ResourcesReader) throws(EngineError) {
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
    fileprivate init(_ reader: ResourcesReader) throws(EngineError) {
        shares = try reader.integer("shares")
        quota = try reader.integer("quota")
        burst = try reader.integer("burst")
        period = try reader.integer("period")
        realtimeRuntime = try reader.integer("realtimeRuntime")
        realtimePeriod = try reader.integer("realtimePeriod")
        cpus = try reader.string("cpus")
        mems = try reader.string("mems")
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
        if let cpus { members.add("cpus", .string(cpus)) }
        if let mems { members.add("mems", .string(mems)) }
        members.add("idle", idle)
        return members.json
    }
}

extension LinuxResources.BlockIO {
    fileprivate init(_ reader: ResourcesReader) throws(EngineError) {
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
    fileprivate init(_ reader: ResourcesReader) throws(EngineError) {
        classID = try reader.integer("classID")
        for entry in try reader.list("priorities") {
            priorities.append(Priority(name: try entry.name("name"), priority: try entry.need("priority")))
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

/// An object under construction, which leaves out what is nil or empty.
private struct JSONMembers {
    private var members: [(key: String, value: JSON)] = []

    var json: JSON { .object(members) }

    mutating func add(_ key: String, _ value: (some FixedWidthInteger)?) {
        if let value { members.append((key: key, value: .number(value))) }
    }

    mutating func add(_ key: String, _ elements: [JSON]) {
        if !elements.isEmpty { members.append((key: key, value: .array(elements))) }
    }

    mutating func add(_ key: String, _ value: JSON) {
        if case .object(let inner) = value, inner.isEmpty { return }
        members.append((key: key, value: value))
    }
}

/// A part of `linux.resources` that is being read, with its place for the error's text: "blockIO.weightDevice[1]".
///
/// A key with the value null counts as missing, as in Go.
private struct ResourcesReader {
    let json: JSON
    let place: String

    init(_ json: JSON) throws(EngineError) { try self.init(json, "") }

    private init(_ json: JSON, _ place: String) throws(EngineError) {
        self.json = json
        self.place = place
        guard json.object != nil else { throw error("not an object") }
    }

    func error(_ what: String) -> EngineError {
        EngineError(.invalid, "invalid linux.resources: \(place.isEmpty ? "" : "\(place): ")\(what)")
    }

    func string(_ key: String) throws(EngineError) -> String? { try value(key, "a string", \.string) }
    func bool(_ key: String) throws(EngineError) -> Bool? { try value(key, "true or false", \.bool) }

    /// A string that must be there.
    func name(_ key: String) throws(EngineError) -> String {
        guard let text = try string(key), !text.isEmpty else { throw error("\"\(key)\" is missing") }
        return text
    }

    func integer<I: FixedWidthInteger>(_ key: String) throws(EngineError) -> I? {
        guard let member = json[key], !member.isNull else { return nil }
        guard case .number(let text) = member, let value = I(text) else {
            throw error("\"\(key)\" is no whole number from \(I.min) to \(I.max)")
        }
        return value
    }

    func need<I: FixedWidthInteger>(_ key: String) throws(EngineError) -> I {
        guard let value: I = try integer(key) else { throw error("\"\(key)\" is missing") }
        return value
    }

    /// A device number, of which runtimes write "every one" as -1.
    func deviceNumber(_ key: String) throws(EngineError) -> UInt32? {
        guard let number: Int64 = try integer(key), number != -1 else { return nil }
        guard let number = UInt32(exactly: number) else { throw error("\"\(key)\" is no device number") }
        return number
    }

    func member(_ key: String) throws(EngineError) -> ResourcesReader? {
        guard let member = json[key], !member.isNull else { return nil }
        return try ResourcesReader(member, path(key))
    }

    func members(_ key: String) throws(EngineError) -> [(String, ResourcesReader)] {
        var result: [(String, ResourcesReader)] = []
        for (name, value) in try value(key, "an object", \.object) ?? [] {
            result.append((name, try ResourcesReader(value, path("\(key).\(name)"))))
        }
        return result
    }

    /// An object of strings.
    func texts(_ key: String) throws(EngineError) -> [String: String] {
        var result: [String: String] = [:]
        for (name, value) in try value(key, "an object", \.object) ?? [] {
            guard let text = value.string else { throw error("\"\(key).\(name)\" is not a string") }
            result[name] = text
        }
        return result
    }

    func list(_ key: String) throws(EngineError) -> [ResourcesReader] {
        var result: [ResourcesReader] = []
        for (index, element) in (try value(key, "a list", \.array) ?? []).enumerated() {
            result.append(try ResourcesReader(element, path("\(key)[\(index)]")))
        }
        return result
    }

    func throttles(_ key: String) throws(EngineError) -> [LinuxResources.ThrottleDevice] {
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

    private func path(_ key: String) -> String { place.isEmpty ? key : "\(place).\(key)" }

    private func value<V>(_ key: String, _ kind: String, _ read: (JSON) -> V?) throws(EngineError) -> V? {
        guard let member = json[key], !member.isNull else { return nil }
        guard let value = read(member) else { throw error("\"\(key)\" is not \(kind)") }
        return value
    }
}
