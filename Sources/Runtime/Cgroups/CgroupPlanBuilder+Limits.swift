import OCI

extension CgroupPlanBuilder {
    mutating func add(_ resources: LinuxResources) throws(EngineError) {
        try filterDevices(resources.devices)
        try add(resources.memory)
        try add(resources.cpu)
        try addCPUSet(resources.cpu)
        if let limit = resources.pidsLimit { try addPids(limit) }
        try add(resources.blockIO)
        for limit in resources.hugepageLimits { try add(limit) }
        try add(resources.network)
        for (device, limits) in resources.rdma.sorted(by: { $0.key < $1.key }) { try add(limits, of: device) }
        // Last, so that they win over what the fields above made of themselves.
        for (file, value) in resources.unified.sorted(by: { $0.key < $1.key }) { try addUnified(file, value) }
    }

    // MARK: - memory

    private mutating func add(_ memory: LinuxResources.Memory) throws(EngineError) {
        // 0 is Go's way of not setting a number. A fresh cgroup has no limit, so "no limit" needs no write either, but
        // the controller has to be there: the request is granted by it.
        try addMemoryAndSwap(memory)
        if let reservation = memory.reservation, reservation != 0 {
            let limit = Limit("--memory-reservation", .memory)
            let place = try place(limit, .memory)
            if place.isUnified {
                write(limit, place, "memory.low", CgroupUnits.orMax(reservation))
            } else {
                write(limit, place, "memory.soft_limit_in_bytes", reservation)
            }
        }
        if let tcp = memory.kernelTCP, tcp != 0 {
            let limit = Limit("kernelTCP", .memory)
            let place = try place(limit, .memory)
            if place.isUnified { throw limit.error(.unsupported, "cgroup v2 has no such limit") }
            write(limit, place, "memory.kmem.tcp.limit_in_bytes", tcp)
        }
        if let swappiness = memory.swappiness, swappiness <= 100 {
            try addTuning("--memory-swappiness", file: "memory.swappiness", value: swappiness)
        } else if let swappiness = memory.swappiness, swappiness != UInt64.max {
            throw Limit("--memory-swappiness", .memory).error(.invalid, "\(swappiness) is not between 0 and 100")
        }
        if memory.disableOOMKiller == true { try addTuning("--oom-kill-disable", file: "memory.oom_control", value: 1) }
    }

    private mutating func addMemoryAndSwap(_ memory: LinuxResources.Memory) throws(EngineError) {
        let size = memory.limit == 0 ? nil : memory.limit
        let both = memory.swap == 0 ? nil : memory.swap
        let limit = Limit("--memory", .memory)
        let swapLimit = Limit("--memory-swap", .memory)
        let swap = try CgroupUnits.swap(memory: size, memoryAndSwap: both, limit: swapLimit)
        // A kernel without swap needs no swap limit; "no limit" needs no file.
        let missing: CgroupPlan.Missing = swap == -1 ? .isFine : .isFineWithoutSwap
        let place = size == nil && both == nil ? nil : try place(size == nil ? swapLimit : limit, .memory)
        guard let place else { return }
        if place.isUnified {
            // Swap first: were the memory limit first, pages could go to swap before swap has a limit.
            if let swap { write(swapLimit, place, "memory.swap.max", CgroupUnits.orMax(swap), ifMissing: missing) }
            if let size { write(limit, place, "memory.max", CgroupUnits.orMax(size)) }
        } else {
            // Memory first: the kernel refuses a sum that is smaller than the memory limit, which begins as "none".
            if let size { write(limit, place, "memory.limit_in_bytes", size) }
            if let both { write(swapLimit, place, "memory.memsw.limit_in_bytes", both, ifMissing: missing) }
        }
    }

    /// A setting that does not limit anything and that cgroup v2 does not have: docker discards it there with a
    /// warning.
    private mutating func addTuning(_ option: String, file: String, value: UInt64) throws(EngineError) {
        let limit = Limit(option, .memory)
        if hierarchy.mounts[.memory] == nil, hierarchy.unified != nil {
            warnings.append("\(option) has no meaning on cgroup v2 and is discarded")
            return
        }
        write(limit, try place(limit, .memory), file, value)
    }

    // MARK: - processors

    private mutating func add(_ cpu: LinuxResources.CPU) throws(EngineError) {
        if cpu.idle == 1, cpu.shares ?? 0 != 0 {
            throw Limit("--cpu-shares", .cpu).error(.invalid, "an idle cgroup has no shares")
        }
        if let idle = cpu.idle {
            let limit = Limit("cpu.idle", .cpu)
            write(limit, try place(limit, .cpu), "cpu.idle", idle)
        }
        if let shares = cpu.shares, shares != 0 {
            let limit = Limit("--cpu-shares", .cpu)
            let place = try place(limit, .cpu)
            if place.isUnified {
                write(limit, place, "cpu.weight", CgroupUnits.weight(shares: shares))
            } else {
                // As docker does; the kernel would do it too, without a word.
                write(limit, place, "cpu.shares", min(max(shares, 2), 262_144))
            }
        }
        try addQuota(cpu)
        // The period bounds the runtime, which starts as 0: period first.
        try addRealtime("--cpu-rt-period", "cpu.rt_period_us", cpu.realtimePeriod.map { String($0) })
        try addRealtime("--cpu-rt-runtime", "cpu.rt_runtime_us", cpu.realtimeRuntime.map { String($0) })
    }

    private mutating func addQuota(_ cpu: LinuxResources.CPU) throws(EngineError) {
        let quota = cpu.quota == 0 ? nil : cpu.quota
        let period = cpu.period == 0 ? nil : cpu.period
        let limit = Limit(quota == nil ? "--cpu-period" : "--cpus", .cpu)
        if quota != nil || period != nil {
            let place = try place(limit, .cpu)
            if place.isUnified {
                let amount = quota.map { $0 < 0 ? "max" : String($0) } ?? "max"
                write(limit, place, "cpu.max", "\(amount) \(period ?? 100_000)")
            } else {
                // Period first: the quota is checked against it.
                if let period { write(limit, place, "cpu.cfs_period_us", period) }
                if let quota { write(limit, place, "cpu.cfs_quota_us", max(quota, -1)) }
            }
        }
        // After the quota, which it must not exceed.
        if let burst = cpu.burst {
            let limit = Limit("cpu.burst", .cpu)
            let place = try place(limit, .cpu)
            write(limit, place, place.isUnified ? "cpu.max.burst" : "cpu.cfs_burst_us", burst)
        }
    }

    private mutating func addRealtime(_ option: String, _ file: String, _ value: String?) throws(EngineError) {
        guard let value, value != "0" else { return }
        let limit = Limit(option, .cpu)
        let place = try place(limit, .cpu)
        if place.isUnified { throw limit.error(.unsupported, "cgroup v2 has no such limit") }
        write(limit, place, file, value)
    }

    private mutating func addCPUSet(_ cpu: LinuxResources.CPU) throws(EngineError) {
        for (option, file, value) in [
            ("--cpuset-cpus", "cpuset.cpus", cpu.cpus), ("--cpuset-mems", "cpuset.mems", cpu.mems),
        ] {
            guard let value, !value.isEmpty else { continue }
            let limit = Limit(option, .cpuset)
            guard value.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2C || $0 == 0x2D }) else {
                throw limit.error(.invalid, "\"\(value)\" is no list such as 0-3,6")
            }
            write(limit, try place(limit, .cpuset), file, value)
        }
    }

    // MARK: - the others

    private mutating func addPids(_ amount: Int64) throws(EngineError) {
        // Negative is "no limit", which a fresh cgroup has. 0 would let nothing run: 1 lets the first process run.
        if amount < 0 { return }
        let limit = Limit("--pids-limit", .pids)
        write(limit, try place(limit, .pids), "pids.max", max(amount, 1))
    }

    private mutating func add(_ limits: LinuxResources.HugepageLimit) throws(EngineError) {
        let limit = Limit("hugepageLimits", .hugetlb)
        guard limits.pageSize.utf8.allSatisfy({ $0 > 0x20 && $0 != UInt8(ascii: "/") }) else {
            throw limit.error(.invalid, "\"\(limits.pageSize)\" is no page size such as 2MB")
        }
        let place = try place(limit, .hugetlb)
        let suffix = place.isUnified ? "max" : "limit_in_bytes"
        write(limit, place, "hugetlb.\(limits.pageSize).\(suffix)", limits.limit)
        // Reservations count from Linux 5.7 on.
        write(limit, place, "hugetlb.\(limits.pageSize).rsvd.\(suffix)", limits.limit, ifMissing: .isFine)
    }

    private mutating func add(_ network: LinuxResources.Network) throws(EngineError) {
        if let classID = network.classID, classID != 0 {
            let limit = Limit("network.classID", .netClass)
            write(limit, try place(limit, .netClass), "net_cls.classid", classID)
        }
        for entry in network.priorities {
            let limit = Limit("network.priorities", .netPriority)
            write(limit, try place(limit, .netPriority), "net_prio.ifpriomap", "\(entry.name) \(entry.priority)")
        }
    }

    private mutating func add(_ rdma: LinuxResources.RDMA, of device: String) throws(EngineError) {
        let limit = Limit("rdma", .rdma)
        let handles = rdma.handles.map { " hca_handle=\($0)" } ?? ""
        let objects = rdma.objects.map { " hca_object=\($0)" } ?? ""
        guard !handles.isEmpty || !objects.isEmpty else { return }
        write(limit, try place(limit, .rdma), "rdma.max", device + handles + objects)
    }

    /// A file of cgroup v2 by its name: "memory.high". On a hybrid machine only of controllers that v1 has not taken.
    private mutating func addUnified(_ file: String, _ value: String) throws(EngineError) {
        let limit = Limit("unified setting \(file)", nil)
        let parts = file.split(separator: ".", omittingEmptySubsequences: false)
        // Files of the cgroup itself move processes and enable controllers: they are minirun's.
        guard parts.count > 1, !file.contains("/"), parts[0] != "cgroup" else {
            throw limit.error(.invalid, "it is no file of a controller")
        }
        let controller = String(parts[0])
        if hierarchy.unified != nil, hierarchy.mounts.keys.contains(where: { $0.unifiedName == controller }) {
            throw limit.error(.unsupported, "the \(controller) controller is on cgroup v1")
        }
        write(limit, try placeUnified(limit, controller: controller), file, value)
    }
}
