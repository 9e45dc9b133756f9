/// A resource controller of the kernel, by its name on cgroup v1.
package enum CgroupController: String, CaseIterable, Comparable, Sendable {
    case cpu
    case cpuacct
    case cpuset
    case memory
    case devices
    case freezer
    case blkio
    case pids
    case hugetlb
    case rdma
    case netClass = "net_cls"
    case netPriority = "net_prio"
    case perfEvent = "perf_event"
    case misc

    /// The name in cgroup v2's cgroup.controllers; nil where v2 has none: its cgroups can always be frozen, always
    /// count CPU time and performance events, an eBPF program filters devices, and the network's tags became nftables'
    /// business.
    package var unifiedName: String? {
        switch self {
        case .blkio: "io"
        case .cpu, .cpuset, .memory, .pids, .hugetlb, .rdma, .misc: rawValue
        case .cpuacct, .devices, .freezer, .netClass, .netPriority, .perfEvent: nil
        }
    }

    package static func < (a: CgroupController, b: CgroupController) -> Bool { a.rawValue < b.rawValue }
}
