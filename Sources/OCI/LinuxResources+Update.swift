extension LinuxResources {
    /// What a container is given after a change: `changes` where they say something, the rest as it was. Of lists the
    /// entries about one device, page size or interface take the old one's place.
    ///
    /// Nothing is checked: halves of a pair that do not fit, such as memory without and with swap, are `Cgroup.update`'s
    /// to refuse.
    package func updated(with changes: LinuxResources) -> LinuxResources {
        var result = self
        if !changes.devices.isEmpty { result.devices = changes.devices }
        result.memory.update(with: changes.memory)
        result.cpu.update(with: changes.cpu)
        result.pidsLimit = changes.pidsLimit ?? pidsLimit
        result.blockIO.update(with: changes.blockIO)
        for limit in changes.hugepageLimits {
            result.hugepageLimits.replace(limit) { $0.pageSize == limit.pageSize }
        }
        result.network.classID = changes.network.classID ?? network.classID
        for entry in changes.network.priorities {
            result.network.priorities.replace(entry) { $0.name == entry.name }
        }
        for (device, limits) in changes.rdma {
            result.rdma[device] = RDMA(
                handles: limits.handles ?? rdma[device]?.handles,
                objects: limits.objects ?? rdma[device]?.objects
            )
        }
        result.unified.merge(changes.unified) { _, new in new }
        return result
    }
}

extension LinuxResources.Memory {
    fileprivate mutating func update(with changes: Self) {
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
    fileprivate mutating func update(with changes: Self) {
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
    fileprivate mutating func update(with changes: Self) {
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
