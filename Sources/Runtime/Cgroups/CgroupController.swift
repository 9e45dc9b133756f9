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

    /// The name in cgroup v2's cgroup.controllers; nil where v2 has none: its cgroups can always be frozen and always
    /// count CPU time, an eBPF program filters devices, and the network's tags became nftables' business.
    package var unifiedName: String? {
        switch self {
        case .blkio: "io"
        case .cpu, .cpuset, .memory, .pids, .hugetlb, .rdma: rawValue
        case .cpuacct, .devices, .freezer, .netClass, .netPriority: nil
        }
    }

    package static func < (a: CgroupController, b: CgroupController) -> Bool { a.rawValue < b.rawValue }
}
