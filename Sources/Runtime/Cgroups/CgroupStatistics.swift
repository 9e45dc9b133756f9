import CLinux
import LinuxSystem

/// What a container uses and has used. A part is nil where its controller was not asked for or does not exist.
package struct CgroupStatistics: Equatable, Sendable {
    package var memory: Memory?
    package var cpu: CPU?
    package var pids: Pids?
    package var io: [IO] = []
    /// Pressure stall information, on v2 only: by "cpu", "memory" and "io".
    package var pressure: [String: Pressure] = [:]

    /// In bytes.
    package struct Memory: Equatable, Sendable {
        /// With the file cache; docker shows it without `inactiveFile`.
        package var current: UInt64 = 0
        package var peak: UInt64?
        /// Nil for none.
        package var limit: UInt64?
        package var inactiveFile: UInt64 = 0
        package var swap: UInt64?
        /// How many processes the kernel killed for want of memory.
        package var outOfMemoryKills: UInt64 = 0
    }

    /// In nanoseconds.
    package struct CPU: Equatable, Sendable {
        package var usage: UInt64 = 0
        package var user: UInt64?
        package var system: UInt64?
        package var periods: UInt64 = 0
        package var throttledPeriods: UInt64 = 0
        package var throttled: UInt64 = 0
    }

    package struct Pids: Equatable, Sendable {
        package var current: UInt64 = 0
        package var peak: UInt64?
        /// Nil for none.
        package var limit: UInt64?
    }

    /// Of one block device.
    package struct IO: Equatable, Sendable {
        package var device: String
        package var readBytes: UInt64 = 0
        package var writtenBytes: UInt64 = 0
        package var reads: UInt64 = 0
        package var writes: UInt64 = 0
    }

    package struct Pressure: Equatable, Sendable {
        package var some = Share()
        package var full = Share()

        /// In percent of the last 10, 60 and 300 seconds, and in microseconds since the start.
        package struct Share: Equatable, Sendable {
            package var average10 = 0.0
            package var average60 = 0.0
            package var average300 = 0.0
            package var total: UInt64 = 0
        }
    }
}

extension Cgroup {
    /// What the cgroup's folders say now. Files that this kernel does not have leave their fields nil.
    package func statistics() throws(SystemError) -> CgroupStatistics {
        var result = CgroupStatistics()
        if let unified = unifiedDirectory { try CgroupStatisticsReader(unified).readUnified(&result) }
        if let directory = directory(of: .memory) { result.memory = try CgroupStatisticsReader(directory).memoryV1() }
        if let directory = directory(of: .pids) { result.pids = try CgroupStatisticsReader(directory).pids() }
        if let directory = directory(of: .blkio) { result.io = try CgroupStatisticsReader(directory).ioV1() }
        if let directory = directory(of: .cpuacct) {
            try CgroupStatisticsReader(directory).readUsageV1(into: &result.cpu)
        }
        if let directory = directory(of: .cpu) {
            try CgroupStatisticsReader(directory).readThrottlingV1(into: &result.cpu)
        }
        return result
    }
}

/// Reads the files of one cgroup folder.
private struct CgroupStatisticsReader {
    let files: CgroupFiles

    init(_ directory: String) { files = CgroupFiles(directory) }

    // MARK: - cgroup v2

    func readUnified(_ result: inout CgroupStatistics) throws(SystemError) {
        result.memory = try memoryUnified()
        result.pids = try pids()
        result.io = try ioUnified()
        if let values = try files.table("cpu.stat") {
            result.cpu = CgroupStatistics.CPU(
                usage: (values["usage_usec"] ?? 0) * 1000,
                user: values["user_usec"].map { $0 * 1000 },
                system: values["system_usec"].map { $0 * 1000 },
                periods: values["nr_periods"] ?? 0,
                throttledPeriods: values["nr_throttled"] ?? 0,
                throttled: (values["throttled_usec"] ?? 0) * 1000
            )
        }
        for resource in ["cpu", "memory", "io"] { result.pressure[resource] = try pressure("\(resource).pressure") }
    }

    private func memoryUnified() throws(SystemError) -> CgroupStatistics.Memory? {
        guard let current = try files.number("memory.current") else { return nil }
        return CgroupStatistics.Memory(
            current: current,
            peak: try files.number("memory.peak"),
            limit: try files.number("memory.max"),
            inactiveFile: try files.table("memory.stat")?["inactive_file"] ?? 0,
            swap: try files.number("memory.swap.current"),
            outOfMemoryKills: try files.table("memory.events")?["oom_kill"] ?? 0
        )
    }

    private func ioUnified() throws(SystemError) -> [CgroupStatistics.IO] {
        try files.lines("io.stat").map { line in
            let fields = line.split(separator: " ")
            var io = CgroupStatistics.IO(device: String(fields.first ?? ""))
            for field in fields.dropFirst() {
                let pair = field.split(separator: "=")
                guard pair.count == 2, let value = UInt64(pair[1]) else { continue }
                switch pair[0] {
                case "rbytes": io.readBytes = value
                case "wbytes": io.writtenBytes = value
                case "rios": io.reads = value
                case "wios": io.writes = value
                default: break
                }
            }
            return io
        }
    }

    /// "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and the same for "full".
    private func pressure(_ file: String) throws(SystemError) -> CgroupStatistics.Pressure? {
        let lines: [Substring]
        do throws(SystemError) {
            lines = try files.lines(file)
        } catch {
            // The kernel was started with psi=0.
            if error.code == EOPNOTSUPP { return nil }
            throw error
        }
        guard !lines.isEmpty else { return nil }
        var result = CgroupStatistics.Pressure()
        for line in lines {
            var share = CgroupStatistics.Pressure.Share()
            for field in line.split(separator: " ").dropFirst() {
                let pair = field.split(separator: "=")
                guard pair.count == 2 else { continue }
                switch pair[0] {
                case "avg10": share.average10 = Double(pair[1]) ?? 0
                case "avg60": share.average60 = Double(pair[1]) ?? 0
                case "avg300": share.average300 = Double(pair[1]) ?? 0
                case "total": share.total = UInt64(pair[1]) ?? 0
                default: break
                }
            }
            if line.hasPrefix("some") { result.some = share } else { result.full = share }
        }
        return result
    }

    // MARK: - cgroup v1

    func memoryV1() throws(SystemError) -> CgroupStatistics.Memory? {
        guard let current = try files.number("memory.usage_in_bytes") else { return nil }
        let both = try files.number("memory.memsw.usage_in_bytes")
        // "No limit" is the largest number of whole pages.
        let limit = try files.number("memory.limit_in_bytes").flatMap { $0 < UInt64(Int64.max) - 65535 ? $0 : nil }
        return CgroupStatistics.Memory(
            current: current,
            peak: try files.number("memory.max_usage_in_bytes"),
            limit: limit,
            inactiveFile: try files.table("memory.stat")?["total_inactive_file"] ?? 0,
            swap: both.map { $0 > current ? $0 - current : 0 },
            outOfMemoryKills: try files.table("memory.oom_control")?["oom_kill"] ?? 0
        )
    }

    func readUsageV1(into cpu: inout CgroupStatistics.CPU?) throws(SystemError) {
        guard let usage = try files.number("cpuacct.usage") else { return }
        var result = cpu ?? CgroupStatistics.CPU()
        result.usage = usage
        result.user = try files.number("cpuacct.usage_user")
        result.system = try files.number("cpuacct.usage_sys")
        cpu = result
    }

    func readThrottlingV1(into cpu: inout CgroupStatistics.CPU?) throws(SystemError) {
        guard let values = try files.table("cpu.stat") else { return }
        var result = cpu ?? CgroupStatistics.CPU()
        result.periods = values["nr_periods"] ?? 0
        result.throttledPeriods = values["nr_throttled"] ?? 0
        result.throttled = values["throttled_time"] ?? 0
        cpu = result
    }

    /// "254:0 Read 4096".
    func ioV1() throws(SystemError) -> [CgroupStatistics.IO] {
        var devices: [CgroupStatistics.IO] = []
        func add(
            _ file: String,
            _ read: WritableKeyPath<CgroupStatistics.IO, UInt64>,
            _ write: WritableKeyPath<CgroupStatistics.IO, UInt64>
        ) throws(SystemError) {
            for line in try files.lines(file) {
                let fields = line.split(separator: " ")
                guard fields.count == 3, fields[1] == "Read" || fields[1] == "Write", let value = UInt64(fields[2])
                else {
                    continue
                }
                let index = devices.firstIndex { $0.device == fields[0] } ?? devices.endIndex
                if index == devices.endIndex { devices.append(CgroupStatistics.IO(device: String(fields[0]))) }
                devices[index][keyPath: fields[1] == "Read" ? read : write] = value
            }
        }
        try add("blkio.throttle.io_service_bytes_recursive", \.readBytes, \.writtenBytes)
        try add("blkio.throttle.io_serviced_recursive", \.reads, \.writes)
        return devices
    }

    // MARK: - both

    func pids() throws(SystemError) -> CgroupStatistics.Pids? {
        guard let current = try files.number("pids.current") else { return nil }
        return CgroupStatistics.Pids(
            current: current,
            peak: try files.number("pids.peak"),
            limit: try files.number("pids.max")
        )
    }
}
