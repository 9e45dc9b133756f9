import LinuxSystem
import OCI
import Runtime

/// `minirun oci update`
enum OCIUpdate {
    static let verb = OCIVerb(
        "update",
        "update container resource constraints",
        options: {
            [
                .value(
                    "resources",
                    short: "r",
                    .file,
                    "JSON of the resources to update, in a file or on the standard input (-)"
                ),
                .value("blkio-weight", .integer, "specifies per cgroup weight, range is from 10 to 1000"),
                .value("cpu-period", .text, "CPU CFS period to be used for hardcapping (in usecs)"),
                .value("cpu-quota", .text, "CPU CFS hardcap limit (in usecs)"),
                .value("cpu-burst", .text, "CPU CFS hardcap burst limit (in usecs)"),
                .value("cpu-share", .text, "CPU shares (relative weight vs. other containers)"),
                .value("cpu-rt-period", .text, "CPU realtime period to be used for hardcapping (in usecs)"),
                .value("cpu-rt-runtime", .text, "CPU realtime hardcap limit (in usecs)"),
                .value("cpuset-cpus", .text, "CPU(s) to use"),
                .value("cpuset-mems", .text, "memory node(s) to use"),
                .value("cpu-idle", .text, "set cgroup SCHED_IDLE or not, 0: default behavior, 1: SCHED_IDLE"),
                .value("kernel-memory", .text, "obsolete: ignored"),
                .value("kernel-memory-tcp", .text, "obsolete"),
                .value("memory", .text, "memory limit (in bytes)"),
                .value("memory-reservation", .text, "memory reservation or soft_limit (in bytes)"),
                .value("memory-swap", .text, "total memory usage (memory + swap); -1 for unlimited swap"),
                .value("pids-limit", .integer, "maximum number of pids allowed in the container"),
                .value("l3-cache-schema", .text, "the string of Intel RDT/CAT L3 cache schema"),
                .value("mem-bw-schema", .text, "the string of Intel RDT/MBA memory bandwidth schema"),
            ]
        },
        run: run
    )

    private static func run(_ call: OCICall) throws -> Int32 {
        let id = try call.id()
        let arguments = call.arguments
        for option in ["l3-cache-schema", "mem-bw-schema"] where arguments.value(option)?.isEmpty == false {
            throw EngineError(.unsupported, "--\(option): updating resctrl is not supported")
        }
        var changes: LinuxResources
        switch arguments.value("resources") ?? "" {
        case "": changes = try resources(arguments)
        case "-": changes = try resources(try StandardStream.input.readAll())
        case let file:
            changes = try resources(try Files.read(Files.absolute(file, from: call.directory), waiting: true))
        }
        if changes.memory.kernel != nil || changes.memory.kernelTCP != nil {
            call.log.warn("Kernel memory settings are ignored and will be removed")
            changes.memory.kernel = nil
            changes.memory.kernelTCP = nil
        }
        // Without a limit on memory one on swap has no meaning (runc does the same).
        if changes.memory.limit == -1, changes.memory.swap == nil { changes.memory.swap = -1 }
        try call.runtime().update(id, changes)
        return 0
    }

    static func resources(_ text: [UInt8]) throws -> LinuxResources {
        let json: JSON
        do { json = try JSON.parse(text) } catch { throw EngineError(.invalid, "invalid resources: \(error)") }
        return try LinuxResources(json.withKeysAsWritten)
    }

    static func resources(_ arguments: ParsedArguments) throws(EngineError) -> LinuxResources {
        var resources = LinuxResources()
        func given(_ option: String) -> String? { arguments.value(option).flatMap { $0.isEmpty ? nil : $0 } }
        func number(_ option: String) throws(EngineError) -> Int64? {
            try value(option, given(option)) { (text) throws(ValueError) in try Scalars.decimalInteger(text) }
        }
        func unsigned(_ option: String) throws(EngineError) -> UInt64? {
            guard let number = try number(option) else { return nil }
            guard let value = UInt64(exactly: number) else {
                throw EngineError(.invalid, "invalid value for \(option): \(number)")
            }
            return value
        }
        func size(_ option: String) throws(EngineError) -> Int64? {
            try value(option, given(option)) { (text) throws(ValueError) in try Sizes.bytesOrUnlimited(text) }
        }
        if let weight = try unsigned("blkio-weight"), weight != 0 {
            guard let weight = UInt16(exactly: weight) else {
                throw EngineError(.invalid, "invalid value for blkio-weight: \(weight)")
            }
            resources.blockIO.weight = weight
        }
        resources.cpu.cpus = given("cpuset-cpus")
        resources.cpu.mems = given("cpuset-mems")
        resources.cpu.idle = try number("cpu-idle")
        resources.cpu.burst = try unsigned("cpu-burst")
        resources.cpu.period = try unsigned("cpu-period")
        resources.cpu.shares = try unsigned("cpu-share")
        resources.cpu.quota = try number("cpu-quota")
        resources.cpu.realtimePeriod = try unsigned("cpu-rt-period")
        resources.cpu.realtimeRuntime = try number("cpu-rt-runtime")
        resources.memory.limit = try size("memory")
        resources.memory.swap = try size("memory-swap")
        resources.memory.reservation = try size("memory-reservation")
        resources.memory.kernel = try size("kernel-memory")
        resources.memory.kernelTCP = try size("kernel-memory-tcp")
        resources.pidsLimit = try number("pids-limit")
        return resources
    }

    private static func value(
        _ option: String,
        _ text: String?,
        _ read: (String) throws(ValueError) -> Int64
    ) throws(EngineError) -> Int64? {
        guard let text else { return nil }
        do throws(ValueError) { return try read(text) } catch {
            throw EngineError(.invalid, "invalid value for \(option): \(error.message)")
        }
    }
}

extension JSON {
    /// The same with the specification's spelling of the keys of `linux.resources`: Go does not look at their case, and callers
    /// rely on that.
    var withKeysAsWritten: JSON {
        switch self {
        case .array(let elements): return .array(elements.map(\.withKeysAsWritten))
        case .object(let members):
            return .object(
                members.map { member in
                    let key = JSON.resourceKeys[member.key.lowercased()] ?? member.key
                    // Their keys are names of files and devices.
                    let isFree = key == "unified" || key == "rdma"
                    return (key: key, value: isFree ? member.value : member.value.withKeysAsWritten)
                }
            )
        default: return self
        }
    }

    private static let resourceKeys: [String: String] = Dictionary(
        uniqueKeysWithValues: [
            "devices", "allow", "type", "major", "minor", "access", "memory", "limit", "reservation", "swap", "kernel",
            "kernelTCP", "swappiness", "disableOOMKiller", "useHierarchy", "checkBeforeUpdate", "cpu", "shares",
            "quota",
            "burst", "period", "realtimeRuntime", "realtimePeriod", "cpus", "mems", "idle", "pids", "blockIO", "weight",
            "leafWeight", "weightDevice", "throttleReadBpsDevice", "throttleWriteBpsDevice", "throttleReadIOPSDevice",
            "throttleWriteIOPSDevice", "rate", "hugepageLimits", "pageSize", "network", "classID", "priorities", "name",
            "priority", "rdma", "unified",
        ].map { ($0.lowercased(), $0) }
    )
}
