import OCI

extension CgroupPlanBuilder {
    /// - Parameter known: what the container was given before, where it is changed.
    mutating func add(_ resources: LinuxResources, known: LinuxResources? = nil) throws(EngineError) {
        // Without rules a new container may use the runtime's own devices, and a running one what it could.
        if purpose != .update || !resources.devices.isEmpty { try filterDevices(resources.devices) }
        try add(resources.memory, known: known?.memory)
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

    private mutating func addPids(_ amount: Int64) throws(EngineError) {
        // Negative is "no limit", which a fresh cgroup has. 0 would let nothing run: 1 lets the first process run.
        if amount < 0, purpose == .run { return }
        let limit = limit("--pids-limit", .pids)
        write(limit, try place(limit, .pids), "pids.max", amount < 0 ? "max" : String(max(amount, 1)))
    }

    private mutating func add(_ limits: LinuxResources.HugepageLimit) throws(EngineError) {
        let limit = limit("hugepageLimits", .hugetlb)
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
            let limit = limit("network.classID", .netClass)
            write(limit, try place(limit, .netClass), "net_cls.classid", classID)
        }
        for entry in network.priorities {
            let limit = limit("network.priorities", .netPriority)
            write(limit, try place(limit, .netPriority), "net_prio.ifpriomap", "\(entry.name) \(entry.priority)")
        }
    }

    private mutating func add(_ rdma: LinuxResources.RDMA, of device: String) throws(EngineError) {
        let limit = limit("rdma", .rdma)
        let handles = rdma.handles.map { " hca_handle=\($0)" } ?? ""
        let objects = rdma.objects.map { " hca_object=\($0)" } ?? ""
        guard !handles.isEmpty || !objects.isEmpty else { return }
        write(limit, try place(limit, .rdma), "rdma.max", device + handles + objects)
    }

    /// A file of cgroup v2 by its name: "memory.high". On a hybrid machine only of controllers that v1 has not taken.
    private mutating func addUnified(_ file: String, _ value: String) throws(EngineError) {
        let limit = Limit("unified setting \(file)", nil)
        let parts = file.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count > 1, !file.contains("/"), !parts[0].isEmpty, isOurs(file) else {
            throw limit.error(.invalid, "it is no file of a controller")
        }
        let controller = String(parts[0])
        if hierarchy.unified != nil, hierarchy.mounts.keys.contains(where: { $0.unifiedName == controller }) {
            if purpose != .run { throw CgroupPlanBuilder.noUnified }
            throw limit.error(.unsupported, "the \(controller) controller is on cgroup v1")
        }
        guard hierarchy.unified != nil || purpose == .run else { throw CgroupPlanBuilder.noUnified }
        if let controllers = hierarchy.unified?.controllers, controller != "cgroup", !controllers.contains(controller) {
            throw limit.error(.unsupported, "the \(controller) controller is not available")
        }
        let place =
            controller == "cgroup" ? try placeOfCgroup(limit) : try placeUnified(limit, controller: controller)
        // Files such as io.max take one device in one write(2).
        for line in value.split(separator: "\n") { write(limit, place, file, line) }
    }

    /// As runc has it.
    private static let noUnified = EngineError(
        .unsupported,
        "invalid configuration: cannot use unified on cgroup v1"
    )

    /// Of the cgroup's own files, those that move and kill processes and enable controllers are the runtime's.
    private func isOurs(_ file: String) -> Bool {
        guard file.hasPrefix("cgroup.") else { return true }
        return purpose != .run
            && !["procs", "threads", "subtree_control", "type", "kill"].contains(String(file.dropFirst(7)))
    }
}
