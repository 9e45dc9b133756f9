import OCI

extension CgroupPlanBuilder {
    /// - Parameter known: what the container was given before, where it is changed.
    mutating func add(_ memory: LinuxResources.Memory, known: LinuxResources.Memory?) throws(EngineError) {
        // 0 is Go's way of not setting a number. A fresh cgroup has no limit, so "no limit" needs no write either, but
        // the controller has to be there: the request is granted by it.
        try addMemoryAndSwap(memory, known: known)
        if let reservation = memory.reservation, reservation != 0 {
            let limit = limit("--memory-reservation", .memory)
            let place = try place(limit, .memory)
            if place.isUnified {
                write(limit, place, "memory.low", CgroupUnits.orMax(reservation))
            } else {
                write(limit, place, "memory.soft_limit_in_bytes", reservation)
            }
        }
        if let tcp = memory.kernelTCP, tcp != 0 {
            let limit = limit("kernelTCP", .memory)
            let place = try place(limit, .memory)
            if place.isUnified { throw limit.error(.unsupported, "cgroup v2 has no such limit") }
            write(limit, place, "memory.kmem.tcp.limit_in_bytes", tcp)
        }
        if let swappiness = memory.swappiness, swappiness <= 100 {
            try addTuning("--memory-swappiness", file: "memory.swappiness", value: swappiness)
        } else if let swappiness = memory.swappiness, swappiness != UInt64.max {
            throw limit("--memory-swappiness", .memory).error(.invalid, "\(swappiness) is not between 0 and 100")
        }
        if let disable = memory.disableOOMKiller, disable || purpose == .update {
            try addTuning("--oom-kill-disable", file: "memory.oom_control", value: disable ? 1 : 0)
        }
    }

    private mutating func addMemoryAndSwap(
        _ memory: LinuxResources.Memory,
        known: LinuxResources.Memory?
    ) throws(EngineError) {
        let size = memory.limit == 0 ? nil : memory.limit
        let both = memory.swap == 0 ? nil : memory.swap
        guard size != nil || both != nil else { return }
        let limit = limit("--memory", .memory)
        let swapLimit = self.limit("--memory-swap", .memory)
        // What is wrong with the request itself is said before what this machine cannot do.
        if purpose != .update { _ = try CgroupUnits.swap(memory: size, memoryAndSwap: both, limit: swapLimit) }
        let place = try place(size == nil ? swapLimit : limit, .memory)
        if place.isUnified {
            try addUnifiedMemory(size, both, place, known: known, checked: memory.checkBeforeUpdate == true)
        } else {
            addMountedMemory(size, both, place)
        }
    }

    /// cgroup v1, which counts memory and swap together: of a fresh cgroup the memory limit is written first, as the
    /// kernel refuses a sum that is smaller than that, which begins as "none".
    private mutating func addMountedMemory(_ size: Int64?, _ both: Int64?, _ place: Place) {
        // No limit on memory lifts that on swap too.
        let both = size == -1 && both == nil && purpose == .update ? -1 : both
        var writes: [CgroupPlan.Write] = []
        if let size { writes.append(one(limit("--memory", .memory), place, "memory.limit_in_bytes", size)) }
        if let both {
            writes.append(
                one(
                    limit("--memory-swap", .memory),
                    place,
                    "memory.memsw.limit_in_bytes",
                    both,
                    // A kernel without swap needs no swap limit; "no limit" needs no file.
                    ifMissing: both == -1 ? .isFine : .isFineWithoutSwap
                )
            )
        }
        settle(writes)
    }

    /// cgroup v2, which counts swap alone. Of a pair of which one half is changed, the other is what the container was
    /// given before; of a swap limit that is new, memory is what the cgroup has.
    private mutating func addUnifiedMemory(
        _ size: Int64?,
        _ both: Int64?,
        _ place: Place,
        known: LinuxResources.Memory?,
        checked: Bool
    ) throws(EngineError) {
        let limit = limit("--memory", .memory)
        let swapLimit = self.limit("--memory-swap", .memory)
        if checked, purpose == .update { try check(size, both, place) }
        let knownSize = size ?? known?.limit ?? present("\(place.directory)/memory.max").flatMap { Int64($0.trimmed) }
        // As runc does: "no limit" for memory alone lifts that on swap, whatever it was.
        let knownBoth = both ?? (size == -1 ? nil : known?.swap)
        let swap = try CgroupUnits.swap(
            memory: knownSize == 0 ? nil : knownSize,
            memoryAndSwap: knownBoth == 0 ? nil : knownBoth,
            limit: swapLimit
        )
        // Swap first: were the memory limit first, pages could go to swap before swap has a limit.
        if let swap {
            write(
                swapLimit,
                place,
                "memory.swap.max",
                CgroupUnits.orMax(swap),
                ifMissing: swap == -1 ? .isFine : .isFineWithoutSwap
            )
        }
        if let size { write(limit, place, "memory.max", CgroupUnits.orMax(size)) }
    }

    /// checkBeforeUpdate: a limit below what is used would kill the container. As in runc, a usage that cannot be read
    /// forbids nothing.
    private func check(_ size: Int64?, _ both: Int64?, _ place: Place) throws(EngineError) {
        guard let usage = present("\(place.directory)/memory.current").flatMap({ Int64($0.trimmed) }) else { return }
        if let both, both > 0, both <= usage {
            throw EngineError(.conflict, "rejecting memory+swap limit \(both) <= usage \(usage)")
        }
        if let size, size > 0, size <= usage {
            throw EngineError(.conflict, "rejecting memory limit \(size) <= usage \(usage)")
        }
    }

    /// A setting that does not limit anything and that cgroup v2 does not have: docker discards it there with a
    /// warning.
    private mutating func addTuning(_ option: String, file: String, value: UInt64) throws(EngineError) {
        let limit = limit(option, .memory)
        if hierarchy.mounts[.memory] == nil, hierarchy.unified != nil {
            warnings.append("\(limit.option) has no meaning on cgroup v2 and is discarded")
            return
        }
        write(limit, try place(limit, .memory), file, value)
    }
}
