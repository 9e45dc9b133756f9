extension LinuxResources {
    /// Takes over what a change says; what that leaves open stays. Of lists the entries about one device, page size or
    /// interface take the old one's place.
    ///
    /// Nothing is checked: halves of a pair that do not fit, such as memory without and with swap, are `Cgroup.update`'s
    /// to refuse.
    package mutating func merge(_ changes: LinuxResources) {
        if !changes.devices.isEmpty { devices = changes.devices }
        memory.merge(changes.memory)
        cpu.merge(changes.cpu)
        pidsLimit = changes.pidsLimit ?? pidsLimit
        blockIO.merge(changes.blockIO)
        for limit in changes.hugepageLimits { hugepageLimits.replace(limit) { $0.pageSize == limit.pageSize } }
        network.classID = changes.network.classID ?? network.classID
        for entry in changes.network.priorities { network.priorities.replace(entry) { $0.name == entry.name } }
        for (device, limits) in changes.rdma {
            let old = rdma[device]
            rdma[device] = RDMA(handles: limits.handles ?? old?.handles, objects: limits.objects ?? old?.objects)
        }
        unified.merge(changes.unified) { $1 }
    }
}

extension LinuxResources.Memory {
    fileprivate mutating func merge(_ changes: Self) {
        // No limit on memory lifts that on swap.
        if changes.limit == -1, changes.swap == nil { swap = nil }
        limit = changes.limit ?? limit
        reservation = changes.reservation ?? reservation
        swap = changes.swap ?? swap
        kernel = changes.kernel ?? kernel
        kernelTCP = changes.kernelTCP ?? kernelTCP
        swappiness = changes.swappiness ?? swappiness
        disableOOMKiller = changes.disableOOMKiller ?? disableOOMKiller
        useHierarchy = changes.useHierarchy ?? useHierarchy
        // It is about one change.
        checkBeforeUpdate = changes.checkBeforeUpdate
    }
}

extension LinuxResources.CPU {
    fileprivate mutating func merge(_ changes: Self) {
        shares = changes.shares ?? shares
        quota = changes.quota ?? quota
        burst = changes.burst ?? burst
        period = changes.period ?? period
        realtimeRuntime = changes.realtimeRuntime ?? realtimeRuntime
        realtimePeriod = changes.realtimePeriod ?? realtimePeriod
        cpus = changes.cpus ?? cpus
        mems = changes.mems ?? mems
        idle = changes.idle ?? idle
    }
}

extension LinuxResources.BlockIO {
    fileprivate mutating func merge(_ changes: Self) {
        weight = changes.weight ?? weight
        leafWeight = changes.leafWeight ?? leafWeight
        for var device in changes.weightDevices {
            let old = weightDevices.last { $0.major == device.major && $0.minor == device.minor }
            device.weight = device.weight ?? old?.weight
            device.leafWeight = device.leafWeight ?? old?.leafWeight
            weightDevices.replace(device) { $0.major == device.major && $0.minor == device.minor }
        }
        for list in [
            \Self.throttleReadBps, \Self.throttleWriteBps, \Self.throttleReadIOPS, \Self.throttleWriteIOPS,
        ] {
            for device in changes[keyPath: list] {
                self[keyPath: list].replace(device) { $0.major == device.major && $0.minor == device.minor }
            }
        }
    }
}

extension Array {
    /// Puts an element into the place of those that it replaces, or at the end.
    fileprivate mutating func replace(_ element: Element, where isOld: (Element) -> Bool) {
        let place = firstIndex(where: isOld) ?? endIndex
        removeAll(where: isOld)
        insert(element, at: Swift.min(place, endIndex))
    }
}
