import CLinux
import LinuxSystem
import OCI

extension Cgroup {
    /// What `runc events --stats` prints for a container: {"type":"stats","id":…,"data":…} with runc's keys
    /// (types/events.go), in bytes and nanoseconds. cgroup v2's files are converted to v1's notions as runc does. Keys
    /// are left out where runc leaves them out, which is for zero at most of them.
    package func eventsJSON(id: String) throws(SystemError) -> JSON {
        ["type": "stats", "id": .string(id), "data": try CgroupEventsDocument(self).json]
    }
}

/// The "data" of a statistics event. Each part comes from v1 where the container is under the controller there, else
/// from v2.
struct CgroupEventsDocument {
    let cgroup: Cgroup

    init(_ cgroup: Cgroup) { self.cgroup = cgroup }

    var json: JSON {
        get throws(SystemError) {
            [
                "cpu": try cpu(), "cpuset": try cpuset(), "memory": try memory(), "pids": try pids(),
                "blkio": try blockIO(), "hugetlb": try hugepages(), "intel_rdt": .object([]),
                // runc counts those of a veth pair that it made, which it has not done for years.
                "network_interfaces": .null,
            ]
        }
    }

    var unified: CgroupFiles? { cgroup.unifiedDirectory.map(CgroupFiles.init) }
    func mounted(_ controller: CgroupController) -> CgroupFiles? {
        cgroup.directory(of: controller).map(CgroupFiles.init)
    }

    // MARK: - processors

    private func cpu() throws(SystemError) -> JSON {
        var cpu = EventMembers()
        if mounted(.cpu) != nil || mounted(.cpuacct) != nil {
            if let files = mounted(.cpuacct) { cpu.add("usage", try CgroupEventsDocument.usage(files)) }
            if let files = mounted(.cpu) {
                cpu.add("throttling", try CgroupEventsDocument.throttling(files, time: "throttled_time", factor: 1))
            }
        } else if let unified {
            let stat = try unified.table("cpu.stat") ?? [:]
            var usage = EventMembers()
            usage.add("total", (stat["usage_usec"] ?? 0) &* 1000)
            usage.keep("kernel", (stat["system_usec"] ?? 0) &* 1000)
            usage.keep("user", (stat["user_usec"] ?? 0) &* 1000)
            cpu.add("usage", usage)
            cpu.add("throttling", try CgroupEventsDocument.throttling(unified, time: "throttled_usec", factor: 1000))
            cpu.add("psi", try CgroupEventsDocument.pressure(unified, "cpu.pressure"))
        }
        return cpu.json
    }

    /// cpuacct's counters are in nanoseconds, but user and system time in hundredths of a second (USER_HZ).
    private static func usage(_ files: CgroupFiles) throws(SystemError) -> EventMembers {
        var usage = EventMembers()
        usage.add("total", try files.amount("cpuacct.usage") ?? 0)
        let processors = try files.text("cpuacct.usage_percpu")?.split(whereSeparator: \.isWhitespace) ?? []
        usage.add("percpu", processors.map { UInt64($0) ?? 0 })
        // "cpu user system", then a line for each processor.
        let rows = try files.lines("cpuacct.usage_all").dropFirst().map { $0.split(separator: " ") }
        usage.add("percpu_kernel", rows.compactMap { $0.count > 2 ? UInt64($0[2]) : nil })
        usage.add("percpu_user", rows.compactMap { $0.count > 2 ? UInt64($0[1]) : nil })
        let stat = try files.table("cpuacct.stat") ?? [:]
        usage.keep("kernel", (stat["system"] ?? 0) &* 10_000_000)
        usage.keep("user", (stat["user"] ?? 0) &* 10_000_000)
        return usage
    }

    private static func throttling(
        _ files: CgroupFiles,
        time: Substring,
        factor: UInt64
    ) throws(SystemError) -> EventMembers {
        let stat = try files.table("cpu.stat") ?? [:]
        var result = EventMembers()
        result.add("periods", stat["nr_periods"] ?? 0)
        result.add("throttledPeriods", stat["nr_throttled"] ?? 0)
        result.add("throttledTime", (stat[time] ?? 0) &* factor)
        return result
    }

    /// v1's only: all zero elsewhere, as in runc.
    private func cpuset() throws(SystemError) -> JSON {
        var result = EventMembers()
        let files = mounted(.cpuset)
        func flag(_ key: String) throws(SystemError) { result.keep(key, try files?.amount("cpuset.\(key)") ?? 0) }
        result.add("cpus", try files?.list("cpuset.cpus") ?? [])
        try flag("cpu_exclusive")
        result.add("mems", try files?.list("cpuset.mems") ?? [])
        for key in [
            "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page", "memory_spread_slab",
            "memory_pressure", "sched_load_balance",
        ] { try flag(key) }
        // -1 is the system's default.
        let level = try files?.text("cpuset.sched_relax_domain_level").flatMap { Int64($0.trimmed) }
        result.keep("sched_relax_domain_level", level ?? 0)
        return result.json
    }

    // MARK: - the others

    private func pids() throws(SystemError) -> JSON {
        var result = EventMembers()
        guard let files = mounted(.pids) ?? unified else { return result.json }
        if let current = try files.amount("pids.current") {
            result.add("current", current)
            // "max" is no number, and no key.
            result.add("limit", try files.number("pids.max") ?? 0)
        } else if let unified {
            result.add("current", UInt64(try Cgroup.processes(in: unified.directory).count))
        }
        return result.json
    }

    /// By page size, "2MB". Reservations where the kernel counts them, as runc has it.
    private func hugepages() throws(SystemError) -> JSON {
        guard let files = mounted(.hugetlb) ?? unified else { return .object([]) }
        let isUnified = mounted(.hugetlb) == nil
        let suffix = isUnified ? ".current" : ".usage_in_bytes"
        var names: [String] = []
        do throws(SystemError) { names = try Files.list(files.directory) } catch {
            if error.code != ENOENT { throw error }
        }
        // "hugetlb.2MB.current"; those with a further part count something else.
        let sizes = names.compactMap { name -> String? in
            guard name.hasPrefix("hugetlb."), name.hasSuffix(suffix) else { return nil }
            let size = String(name.dropFirst(8).dropLast(suffix.count))
            return size.contains(".") ? nil : size
        }
        var members: [(key: String, value: JSON)] = []
        for size in sizes.sorted() {
            let reserved = try files.amount("hugetlb.\(size).rsvd\(suffix)")
            let counted = "hugetlb.\(size)\(reserved == nil ? "" : ".rsvd")"
            var entry = EventMembers()
            entry.add("usage", try files.amount("\(counted)\(suffix)") ?? 0)
            if isUnified {
                entry.keep("failcnt", try files.table("hugetlb.\(size).events")?["max"] ?? 0)
            } else {
                entry.add("max", try files.amount("\(counted).max_usage_in_bytes") ?? 0)
                entry.keep("failcnt", try files.amount("\(counted).failcnt") ?? 0)
            }
            members.append((key: size, value: entry.json))
        }
        return .object(members)
    }

    /// Pressure stall information: "some avg10=0.12 avg60=0.00 avg300=0.00 total=17", and the same for "full".
    static func pressure(_ files: CgroupFiles, _ file: String) throws(SystemError) -> JSON? {
        var lines: [Substring] = []
        do throws(SystemError) { lines = try files.lines(file) } catch {
            // The kernel was started without it.
            if error.code == EOPNOTSUPP { return nil }
            throw error
        }
        guard !lines.isEmpty else { return nil }
        var result = EventMembers()
        for line in lines {
            let fields = line.split(separator: " ")
            let pairs = fields.dropFirst().map { $0.split(separator: "=") }.filter { $0.count == 2 }
            // All zero is nothing, in runc's form.
            guard let kind = fields.first, pairs.contains(where: { Double($0[1]) != 0 }) else { continue }
            result.add(
                String(kind),
                .object(pairs.map { (key: String($0[0]), value: .number(CgroupEventsDocument.shortest($0[1]))) })
            )
        }
        return result.json
    }

    /// "1.50" as 1.5, "2.00" as 2.
    private static func shortest(_ number: Substring) -> String {
        guard number.contains(".") else { return String(number) }
        var text = number
        while text.last == "0" { text.removeLast() }
        if text.last == "." { text.removeLast() }
        return String(text)
    }
}

/// An object under construction: `add` leaves out what is zero or empty, `keep` does not.
struct EventMembers {
    private var members: [(key: String, value: JSON)] = []
    private var isZero = true

    var json: JSON { .object(members) }

    mutating func add(_ key: String, _ value: UInt64) { if value != 0 { keep(key, value) } }

    mutating func add(_ key: String, _ values: [UInt64]) {
        if !values.isEmpty { add(key, .array(values.map { .number($0) })) }
    }

    /// An object of which every number is zero is left out as a whole.
    mutating func add(_ key: String, _ value: EventMembers) { if !value.isZero { add(key, value.json) } }

    mutating func add(_ key: String, _ value: JSON?) {
        guard let value else { return }
        isZero = false
        members.append((key: key, value: value))
    }

    mutating func keep(_ key: String, _ value: some FixedWidthInteger) {
        isZero = isZero && value == 0
        members.append((key: key, value: .number(value)))
    }
}
