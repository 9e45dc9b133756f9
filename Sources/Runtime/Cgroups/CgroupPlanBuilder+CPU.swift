import OCI

extension CgroupPlanBuilder {
    mutating func add(_ cpu: LinuxResources.CPU) throws(EngineError) {
        if cpu.idle == 1, cpu.shares ?? 0 != 0 {
            throw limit("--cpu-shares", .cpu).error(.invalid, "an idle cgroup has no shares")
        }
        if let idle = cpu.idle {
            let limit = limit("cpu.idle", .cpu)
            write(limit, try place(limit, .cpu), "cpu.idle", idle)
        }
        if let shares = cpu.shares, shares != 0 {
            let limit = limit("--cpu-shares", .cpu)
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
        settle(
            try realtime("--cpu-rt-period", "cpu.rt_period_us", cpu.realtimePeriod.map { String($0) })
                + realtime("--cpu-rt-runtime", "cpu.rt_runtime_us", cpu.realtimeRuntime.map { String($0) })
        )
    }

    /// On v1 the period is first, as the quota is checked against it; the burst, which the quota bounds, is last.
    private mutating func addQuota(_ cpu: LinuxResources.CPU) throws(EngineError) {
        let quota = cpu.quota == 0 ? nil : cpu.quota
        let period = cpu.period == 0 ? nil : cpu.period
        let limit = limit(quota == nil ? "--cpu-period" : "--cpus", .cpu)
        var writes: [CgroupPlan.Write] = []
        if quota != nil || period != nil {
            let place = try place(limit, .cpu)
            if place.isUnified {
                writes.append(one(limit, place, "cpu.max", unifiedQuota(quota, period, place)))
            } else {
                if let period { writes.append(one(limit, place, "cpu.cfs_period_us", period)) }
                if let quota { writes.append(one(limit, place, "cpu.cfs_quota_us", max(quota, -1))) }
            }
        }
        if let burst = cpu.burst {
            let limit = self.limit("cpu.burst", .cpu)
            if let quota, quota > 0, burst > UInt64(quota) {
                throw limit.error(.invalid, "\(burst) is more than the quota \(quota)")
            }
            let place = try place(limit, .cpu)
            writes.append(one(limit, place, place.isUnified ? "cpu.max.burst" : "cpu.cfs_burst_us", burst))
        }
        settle(writes)
    }

    /// cpu.max holds both; the half that is not given stays as it is.
    private func unifiedQuota(_ quota: Int64?, _ period: UInt64?, _ place: Place) -> String {
        let now =
            purpose == .update
            ? present("\(place.directory)/cpu.max")?.split(whereSeparator: \.isWhitespace).map(String.init) : nil
        let amount = quota.map { $0 < 0 ? "max" : String($0) } ?? now?.first ?? "max"
        return "\(amount) \(period.map { String($0) } ?? now?.dropFirst().first ?? "100000")"
    }

    private mutating func realtime(_ option: String, _ file: String, _ value: String?) throws(EngineError)
        -> [CgroupPlan.Write]
    {
        guard let value, value != "0" else { return [] }
        let limit = limit(option, .cpu)
        let place = try place(limit, .cpu)
        if place.isUnified { throw limit.error(.unsupported, "cgroup v2 has no such limit") }
        return [one(limit, place, file, value)]
    }

    mutating func addCPUSet(_ cpu: LinuxResources.CPU) throws(EngineError) {
        for (option, file, value) in [
            ("--cpuset-cpus", "cpuset.cpus", cpu.cpus), ("--cpuset-mems", "cpuset.mems", cpu.mems),
        ] {
            guard let value, !value.isEmpty else { continue }
            let limit = limit(option, .cpuset)
            // The kernel knows more forms ("0-10:2/4"), of which docker has none.
            guard purpose != .run || value.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2C || $0 == 0x2D })
            else {
                throw limit.error(.invalid, "\"\(value)\" is no list such as 0-3,6")
            }
            write(limit, try place(limit, .cpuset), file, value)
        }
    }
}
