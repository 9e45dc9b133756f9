import LinuxSystem
import OCI

extension SystemdProperties {
    /// systemd's "infinity".
    private static let infinity = UInt64.max

    /// The limits that systemd keeps itself: it would undo those that are only written into the cgroup's files the next
    /// time that it looks after the unit. What it knows nothing about is written there alone.
    ///
    /// - Parameters:
    ///   - known: what the container was given before, where a limit is changed of which systemd wants the other half
    ///     too.
    ///   - version: systemd's, asked for only where it matters.
    mutating func add(
        _ resources: LinuxResources,
        known: LinuxResources? = nil,
        isUnified: Bool,
        version: () throws(EngineError) -> Int
    ) throws(EngineError) {
        try addMemory(resources.memory, known?.memory, isUnified)
        try addProcessors(resources, known, isUnified, version)
        if let limit = resources.pidsLimit {
            // It does not take 0.
            add("TasksMax", .uint64(limit < 0 ? SystemdProperties.infinity : UInt64(max(limit, 1))))
        }
        if let cpus = resources.cpu.cpus, !cpus.isEmpty {
            add("AllowedCPUs", .bytes(try SystemdProperties.bits(cpus, of: "resources.CPU.Cpus")))
        }
        if let mems = resources.cpu.mems, !mems.isEmpty {
            add("AllowedMemoryNodes", .bytes(try SystemdProperties.bits(mems, of: "resources.CPU.Mems")))
        }
        addWeights(resources.blockIO, isUnified)
        if isUnified { try addUnified(resources.unified, version) }
    }

    private mutating func addMemory(
        _ memory: LinuxResources.Memory,
        _ known: LinuxResources.Memory?,
        _ isUnified: Bool
    ) throws(EngineError) {
        let size = memory.limit == 0 ? nil : memory.limit
        // -1 is all ones, which is infinity.
        if let size { add(isUnified ? "MemoryMax" : "MemoryLimit", .uint64(UInt64(bitPattern: size))) }
        guard isUnified else { return }
        if let reservation = memory.reservation, reservation != 0 {
            add("MemoryLow", .uint64(UInt64(bitPattern: reservation)))
        }
        let both = memory.swap ?? (size == nil || size == -1 ? nil : known?.swap)
        let knownSize = size ?? known?.limit
        let swap = try CgroupUnits.swap(
            memory: knownSize == 0 ? nil : knownSize,
            memoryAndSwap: both == 0 || size == nil && memory.swap == nil ? nil : both,
            limit: CgroupPlan.Limit("memory.swap", .memory)
        )
        if let swap { add("MemorySwapMax", .uint64(UInt64(bitPattern: swap))) }
    }

    private mutating func addProcessors(
        _ resources: LinuxResources,
        _ known: LinuxResources?,
        _ isUnified: Bool,
        _ version: () throws(EngineError) -> Int
    ) throws(EngineError) {
        let cpu = resources.cpu
        if isUnified, cpu.idle == 1, try version() >= 252 {
            // Its way to say cpu.idle.
            add("CPUWeight", .uint64(0))
        } else if let shares = cpu.shares, shares != 0 {
            if isUnified {
                add("CPUWeight", .uint64(CgroupUnits.weight(shares: shares)))
            } else {
                add("CPUShares", .uint64(shares))
            }
        }
        guard cpu.quota ?? 0 != 0 || cpu.period ?? 0 != 0 else { return }
        let quota = cpu.quota ?? 0 != 0 ? cpu.quota : known?.cpu.quota
        let period = cpu.period ?? 0 != 0 ? cpu.period : known?.cpu.period
        if let period, period != 0 { add("CPUQuotaPeriodUSec", .uint64(period)) }
        add("CPUQuotaPerSecUSec", .uint64(SystemdProperties.quotaPerSecond(quota, period)))
    }

    /// Microseconds of each second, in whole percents: systemd rounds up to those.
    static func quotaPerSecond(_ quota: Int64?, _ period: UInt64?) -> UInt64 {
        guard let quota, quota > 0 else { return infinity }
        let period = period ?? 0 == 0 ? 100_000 : period ?? 100_000
        let product = UInt64(quota).multipliedReportingOverflow(by: 1_000_000)
        guard !product.overflow else { return infinity }
        let exact = product.partialValue / period
        let rest = exact % 10_000
        let rounded = (exact - rest).addingReportingOverflow(rest == 0 ? 0 : 10_000)
        return rounded.overflow ? infinity : rounded.partialValue
    }

    private mutating func addWeights(_ io: LinuxResources.BlockIO, _ isUnified: Bool) {
        if let weight = io.weight, weight != 0 {
            if isUnified {
                add("IOWeight", .uint64(SystemdProperties.ioWeight(bfq: UInt64(weight))))
            } else {
                add("BlockIOWeight", .uint64(UInt64(weight)))
            }
        }
        guard isUnified else { return }
        for device in io.weightDevices {
            guard let weight = device.weight, weight != 0 else { continue }
            addWeight(device: "\(device.major):\(device.minor)", SystemdProperties.ioWeight(bfq: UInt64(weight)))
        }
    }

    private mutating func addWeight(device: some StringProtocol, _ weight: UInt64) {
        add(
            "IODeviceWeight",
            .array(of: "(st)", [.structure([.string("/dev/block/\(device)"), .uint64(weight)])])
        )
    }

    /// io.weight (1 to 10,000) of which systemd makes this io.bfq.weight (1 to 1,000) again.
    static func ioWeight(bfq weight: UInt64) -> UInt64 {
        weight <= 100 ? max(weight, 1) : 100 + (min(weight, 1 << 32) - 100) * 9900 / 900
    }

    // MARK: - unified

    private mutating func addUnified(
        _ settings: [String: String],
        _ version: () throws(EngineError) -> Int
    ) throws(EngineError) {
        let isIdle = settings["cpu.idle"]?.trimmed == "1"
        for (key, text) in settings.sorted(by: { $0.key < $1.key }) {
            let value = text.trimmed
            func number(infinite: Bool = true) throws(EngineError) -> UInt64 {
                if infinite, value == "max" { return SystemdProperties.infinity }
                guard let number = UInt64(value) else {
                    throw EngineError(.invalid, "unified resource \"\(key)\" value conversion error: \"\(value)\"")
                }
                return number
            }
            switch key {
            case "cpu.idle": if isIdle, try version() >= 252 { add("CPUWeight", .uint64(0)) }
            case "cpu.weight":
                // Both would be the same property.
                if isIdle, try version() >= 252 { continue }
                add("CPUWeight", .uint64(try number(infinite: false)))
            case "cpu.max": try addQuota(key, value)
            case "cpuset.cpus": add("AllowedCPUs", .bytes(try SystemdProperties.bits(value, of: key)))
            case "cpuset.mems": add("AllowedMemoryNodes", .bytes(try SystemdProperties.bits(value, of: key)))
            case "memory.high": add("MemoryHigh", .uint64(try number()))
            case "memory.low": add("MemoryLow", .uint64(try number()))
            case "memory.min": add("MemoryMin", .uint64(try number()))
            case "memory.max": add("MemoryMax", .uint64(try number()))
            case "memory.swap.max": add("MemorySwapMax", .uint64(try number()))
            case "pids.max": add("TasksMax", .uint64(max(try number(), 1)))
            case "io.weight", "io.bfq.weight": try addWeights(key, value)
            // The others are written into their files alone.
            default: continue
            }
        }
    }

    /// "max" or "50000", with the period behind it.
    private mutating func addQuota(_ key: String, _ value: Substring) throws(EngineError) {
        let fields = value.split(whereSeparator: \.isWhitespace)
        let quota = fields.first == "max" ? 0 : fields.first.flatMap { Int64($0) }
        let period = fields.count == 2 ? UInt64(fields[1]) : fields.count == 1 ? 100_000 : nil
        guard let quota, let period, period != 0 else {
            throw EngineError(.invalid, "unified resource \"\(key)\" value invalid: \"\(value)\"")
        }
        add("CPUQuotaPeriodUSec", .uint64(period))
        add("CPUQuotaPerSecUSec", .uint64(SystemdProperties.quotaPerSecond(quota, period)))
    }

    /// Lines such as "500", "default 500" and "8:0 500".
    private mutating func addWeights(_ key: String, _ value: Substring) throws(EngineError) {
        for line in value.split(separator: "\n") {
            let fields = line.split(whereSeparator: \.isWhitespace)
            guard let last = fields.last, fields.count <= 2, let number = UInt64(last) else {
                throw EngineError(.invalid, "unified resource \"\(key)\" value invalid: \"\(line)\"")
            }
            let weight = key == "io.weight" ? number : SystemdProperties.ioWeight(bfq: number)
            if fields.count == 1 || fields[0] == "default" {
                add("IOWeight", .uint64(weight))
            } else {
                addWeight(device: fields[0], weight)
            }
        }
    }

    /// A list such as "0-2,7" as bits, the lowest first.
    static func bits(_ list: some StringProtocol, of key: String) throws(EngineError) -> [UInt8] {
        var bits: [UInt8] = []
        func fault(_ reason: String) -> EngineError {
            EngineError(.invalid, "\(key)=\"\(list)\" conversion error: \(reason)")
        }
        for part in list.split(separator: ",") {
            let text = Substring(part).trimmed
            if text.isEmpty { continue }
            let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map { UInt32($0) }
            guard let first = ends[0], let last = ends[ends.count - 1], last < 1 << 16 else {
                throw fault("invalid number: \(text)")
            }
            guard first <= last else { throw fault("invalid range: \(text)") }
            for number in first...last {
                let byte = Int(number / 8)
                if byte >= bits.count { bits += [UInt8](repeating: 0, count: byte + 1 - bits.count) }
                bits[byte] |= 1 << (number % 8)
            }
        }
        guard !bits.isEmpty else { throw fault("empty value") }
        return bits
    }
}
