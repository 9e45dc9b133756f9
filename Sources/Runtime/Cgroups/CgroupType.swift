import LinuxSystem
import OCI

/// The type of a cgroup on v2 (cgroups(7), "thread mode").
enum CgroupType {
    /// The controllers that cannot tell threads of one process apart.
    private static let domain: Set<String> = ["memory", "io", "hugetlb", "rdma", "misc"]

    /// Makes the cgroup, and those above it, fit to hold processes. One that lies below threads can do so only as
    /// another group of threads, which no domain controller limits: such a limit is an error. As runc has it.
    static func check(_ plan: CgroupPlan, in root: String) throws {
        let needsDomain = plan.steps.contains { step in
            guard case .enable(let controllers, _) = step else { return false }
            return controllers.contains { $0.limit != nil && domain.contains($0.name) }
        }
        let folders = plan.name.ancestors(in: root).dropFirst() + [plan.name.directory(in: root)]
        for folder in folders {
            // The file is missing at the root only.
            guard let type = try? Files.readText("\(folder)/cgroup.type").trimmed else { continue }
            switch type {
            case "domain invalid":
                if needsDomain { throw refusal(folder, "it is in an invalid state") }
                try Files.overwrite("\(folder)/cgroup.type", "threaded")
            case "threaded", "domain threaded":
                if needsDomain { throw refusal(folder, "it is in \(type) mode") }
            default: break
            }
        }
    }

    private static func refusal(_ folder: String, _ reason: String) -> EngineError {
        EngineError(.conflict, "cannot enter cgroupv2 \"\(folder)\" with domain controllers -- \(reason)")
    }
}
