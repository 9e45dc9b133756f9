import LinuxSystem
import OCI

extension CgroupEventsDocument {
    func memory() throws(SystemError) -> JSON {
        if let files = mounted(.memory) { return try mountedMemory(files) }
        if let unified { return try unifiedMemory(unified) }
        return .object([])
    }

    /// v1: "swap" is memory and swap together.
    private func mountedMemory(_ files: CgroupFiles) throws(SystemError) -> JSON {
        guard let stat = try files.table("memory.stat") else { return .object([]) }
        var result = EventMembers()
        result.add("cache", stat["cache"] ?? 0)
        for (key, prefix) in [
            ("usage", "memory"), ("swap", "memory.memsw"), ("kernel", "memory.kmem"), ("kernelTCP", "memory.kmem.tcp"),
        ] {
            guard let usage = try files.amount("\(prefix).usage_in_bytes") else { continue }
            result.add(
                key,
                CgroupEventsDocument.entry(
                    // Newer kernels have no kmem.limit_in_bytes.
                    limit: try files.amount("\(prefix).limit_in_bytes") ?? 0,
                    usage: usage,
                    max: try files.amount("\(prefix).max_usage_in_bytes") ?? 0,
                    failures: try files.amount("\(prefix).failcnt") ?? 0
                )
            )
        }
        result.add("raw", CgroupEventsDocument.raw(stat))
        return result.json
    }

    /// v2 counts swap alone; the document has both together, as v1 has. Their peaks do not add up, so there is none.
    private func unifiedMemory(_ files: CgroupFiles) throws(SystemError) -> JSON {
        guard let stat = try files.table("memory.stat") else { return .object([]) }
        var result = EventMembers()
        result.add("cache", stat["file"] ?? 0)
        if let usage = try files.amount("memory.current") {
            let limit = try files.amount("memory.max") ?? 0
            let peak = try files.amount("memory.peak") ?? 0
            result.add("usage", CgroupEventsDocument.entry(limit: limit, usage: usage, max: peak, failures: 0))
            let swap = try files.amount("memory.swap.current") ?? 0
            let swapLimit = try files.amount("memory.swap.max") ?? 0
            let both = swapLimit.addingReportingOverflow(limit)
            result.add(
                "swap",
                CgroupEventsDocument.entry(
                    limit: both.overflow ? UInt64.max : both.partialValue,
                    usage: swap &+ usage,
                    max: 0,
                    failures: 0
                )
            )
        }
        result.add("raw", CgroupEventsDocument.raw(stat))
        result.add("psi", try CgroupEventsDocument.pressure(files, "memory.pressure"))
        return result.json
    }

    private static func entry(limit: UInt64, usage: UInt64, max: UInt64, failures: UInt64) -> EventMembers {
        var entry = EventMembers()
        entry.keep("limit", limit)
        entry.add("usage", usage)
        entry.add("max", max)
        entry.keep("failcnt", failures)
        return entry
    }

    private static func raw(_ stat: [Substring: UInt64]) -> JSON? {
        if stat.isEmpty { return nil }
        return .object(stat.sorted { $0.key < $1.key }.map { (key: String($0.key), value: .number($0.value)) })
    }
}

extension CgroupEventsDocument {
    func blockIO() throws(SystemError) -> JSON {
        if let files = mounted(.blkio) { return try mountedBlockIO(files) }
        guard let unified else { return .object([]) }
        var bytes: [JSON] = []
        var operations: [JSON] = []
        // "254:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0"
        for line in try unified.lines("io.stat") {
            let fields = line.split(separator: " ")
            guard let device = fields.first?.split(separator: ":"), device.count == 2 else { continue }
            for field in fields.dropFirst() {
                let pair = field.split(separator: "=")
                guard pair.count == 2, let value = UInt64(pair[1]) else { continue }
                switch pair[0] {
                case "rbytes": bytes.append(CgroupEventsDocument.entry(device, "Read", value))
                case "wbytes": bytes.append(CgroupEventsDocument.entry(device, "Write", value))
                case "rios": operations.append(CgroupEventsDocument.entry(device, "Read", value))
                case "wios": operations.append(CgroupEventsDocument.entry(device, "Write", value))
                default: break
                }
            }
        }
        var result = EventMembers()
        result.add("ioServiceBytesRecursive", bytes.isEmpty ? nil : .array(bytes))
        result.add("ioServicedRecursive", operations.isEmpty ? nil : .array(operations))
        result.add("psi", try CgroupEventsDocument.pressure(unified, "io.pressure"))
        return result.json
    }

    /// The kernel's files depend on its version and its schedulers: the first set counts of which the first file has
    /// lines.
    private func mountedBlockIO(_ files: CgroupFiles) throws(SystemError) -> JSON {
        let all = [
            ("sectorsRecursive", "sectors"), ("ioServiceTimeRecursive", "io_service_time"),
            ("ioWaitTimeRecursive", "io_wait_time"), ("ioMergedRecursive", "io_merged"),
            ("ioQueueRecursive", "io_queued"), ("ioTimeRecursive", "time"), ("ioServicedRecursive", "io_serviced"),
            ("ioServiceBytesRecursive", "io_service_bytes"),
        ]
        let few = Array(all.suffix(2))
        let sets = [
            (all, "blkio.bfq.", "_recursive"), (few, "blkio.bfq.", "_recursive"), (all, "blkio.", "_recursive"),
            (few, "blkio.throttle.", "_recursive"), (few, "blkio.throttle.", ""),
        ]
        for (entries, prefix, suffix) in sets {
            var found: [String: JSON] = [:]
            for (key, name) in entries {
                let rows = try files.lines("\(prefix)\(name)\(suffix)").compactMap(CgroupEventsDocument.row)
                if rows.isEmpty, found.isEmpty { break }
                if !rows.isEmpty { found[key] = .array(rows) }
            }
            guard !found.isEmpty else { continue }
            var result = EventMembers()
            for key in [
                "ioServiceBytesRecursive", "ioServicedRecursive", "ioQueueRecursive", "ioServiceTimeRecursive",
                "ioWaitTimeRecursive", "ioMergedRecursive", "ioTimeRecursive", "sectorsRecursive",
            ] { result.add(key, found[key]) }
            return result.json
        }
        return .object([])
    }

    /// "8:0 Read 4096" or "8:0 4096"; nil for the line with the sum of all.
    private static func row(_ line: Substring) -> JSON? {
        let fields = line.split { $0 == " " || $0 == ":" }
        guard fields.count == 3 || fields.count == 4, let value = UInt64(fields[fields.count - 1]) else { return nil }
        return entry(Array(fields.prefix(2)), fields.count == 4 ? fields[2] : "", value)
    }

    private static func entry(_ device: [Substring], _ operation: Substring, _ value: UInt64) -> JSON {
        var entry = EventMembers()
        entry.add("major", UInt64(device[0]) ?? 0)
        entry.add("minor", UInt64(device[1]) ?? 0)
        entry.add("op", operation.isEmpty ? nil : .string(String(operation)))
        entry.add("value", value)
        return entry.json
    }
}
