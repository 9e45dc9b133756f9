import OCI

extension CgroupPlanBuilder {
    mutating func add(_ io: LinuxResources.BlockIO) throws(EngineError) {
        if let weight = io.weight, weight != 0 {
            let limit = limit("--blkio-weight", .blkio)
            try addWeight(limit, device: "", weight)
        }
        if let weight = io.leafWeight, weight != 0 { try addLeafWeight("blkio.leaf_weight", "\(weight)") }
        for device in io.weightDevices {
            let number = "\(device.major):\(device.minor) "
            if let weight = device.weight, weight != 0 {
                try addWeight(limit("--blkio-weight-device", .blkio), device: number, weight)
            }
            if let weight = device.leafWeight, weight != 0 {
                try addLeafWeight("blkio.leaf_weight_device", "\(number)\(weight)")
            }
        }
        try addThrottles("--device-read-bps", io.throttleReadBps, v1: "read_bps", v2: "rbps")
        try addThrottles("--device-write-bps", io.throttleWriteBps, v1: "write_bps", v2: "wbps")
        try addThrottles("--device-read-iops", io.throttleReadIOPS, v1: "read_iops", v2: "riops")
        try addThrottles("--device-write-iops", io.throttleWriteIOPS, v1: "write_iops", v2: "wiops")
    }

    /// The weight of the BFQ scheduler where the kernel has it; else v1's older file, or v2's weight, which counts
    /// differently. `device` is empty for all, or "8:0 " with its blank.
    private mutating func addWeight(_ limit: Limit, device: String, _ weight: UInt16) throws(EngineError) {
        guard (10...1000).contains(weight) else { throw limit.error(.invalid, "\(weight) is not between 10 and 1000") }
        let place = try place(limit, .blkio)
        let value = "\(device)\(weight)"
        if place.isUnified {
            write(
                limit,
                place,
                [("io.bfq.weight", value), ("io.weight", "\(device)\(CgroupUnits.ioWeight(blkio: weight))")]
            )
        } else {
            let suffix = device.isEmpty ? "" : "_device"
            write(limit, place, [("blkio.bfq.weight\(suffix)", value), ("blkio.weight\(suffix)", value)])
        }
    }

    /// Only the CFQ scheduler, which is gone since Linux 5.0, had it.
    private mutating func addLeafWeight(_ file: String, _ value: String) throws(EngineError) {
        let limit = limit("blockIO.leafWeight", .blkio)
        let place = try place(limit, .blkio)
        if place.isUnified { throw limit.error(.unsupported, "cgroup v2 has no such limit") }
        write(limit, place, file, value)
    }

    private mutating func addThrottles(
        _ option: String,
        _ devices: [LinuxResources.ThrottleDevice],
        v1: String,
        v2: String
    ) throws(EngineError) {
        for device in devices {
            let limit = limit(option, .blkio)
            let place = try place(limit, .blkio)
            let number = "\(device.major):\(device.minor)"
            if place.isUnified {
                // 0 lifts the limit on v1, and v2 has a word for that.
                write(limit, place, "io.max", "\(number) \(v2)=\(device.rate == 0 ? "max" : String(device.rate))")
            } else {
                write(limit, place, "blkio.throttle.\(v1)_device", "\(number) \(device.rate)")
            }
        }
    }
}
