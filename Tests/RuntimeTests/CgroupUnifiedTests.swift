import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Runtime

/// cgroup v2 as this machine has it, perhaps beside v1 and then with few controllers: hugetlb stands for all of them.
@Suite("cgroup v2", .serialized, .enabled(if: CgroupSandbox.unified != nil, "needs root and a writable cgroup2 mount"))
struct CgroupUnifiedTests {
    private let sandbox: CgroupSandbox

    init() throws { sandbox = try #require(CgroupSandbox.unified) }

    @Test func killAndStatistics() throws {
        let cgroup = try Cgroup.create(try sandbox.plan("v2", controllers: [.cpuacct, .freezer]) { _ in })
        let process = try CgroupSandbox.start(in: cgroup, "while :; do :; done")
        try cgroup.setFrozen(true)
        let statistics = try cgroup.statistics()
        #expect(statistics.cpu?.usage ?? 0 > 0)
        if FileStatus.exists("/proc/pressure/cpu") { #expect(statistics.pressure["cpu"] != nil) }
        try cgroup.remove()
        #expect(try Subprocess.wait(for: process) == .signalled(SIGKILL))
        #expect(cgroup.directories == [])
    }

    @Test func missingControllerNamesTheLimit() throws {
        var hierarchy = sandbox.hierarchy
        // As on a hybrid machine, where the list was not read.
        hierarchy.unified?.controllers = nil
        var resources = LinuxResources()
        resources.rdma = ["mlx": LinuxResources.RDMA(handles: 1)]
        let plan = try CgroupPlan(
            try sandbox.name("missing"),
            in: hierarchy,
            resources: resources,
            controllers: [.rdma]
        )
        let error = #expect(throws: EngineError.self) { try Cgroup.create(plan) }
        // Where the controller is there the device is not.
        let isThere = sandbox.hierarchy.unified?.controllers?.contains("rdma") == true
        let reason = isThere ? "writing mlx hca_handle=1 into rdma.max: " : "the rdma controller is not available"
        #expect(error?.message.hasPrefix("cannot apply rdma: \(reason)") == true, "\(error?.message ?? "nothing")")
        #expect(Cgroup(plan.name, in: hierarchy).directories == [])
    }

    @Test(
        .enabled(
            if: CgroupSandbox.unified?.hierarchy.unified?.controllers?.contains("hugetlb") == true,
            "needs hugetlb"
        )
    )
    func controllersAreHandedDown() throws {
        let root = try #require(sandbox.hierarchy.unified?.directory)
        let before = try Files.readText("\(root)/cgroup.subtree_control").contains("hugetlb")
        defer { if !before { try? Files.overwrite("\(root)/cgroup.subtree_control", "-hugetlb") } }
        let limits = [LinuxResources.HugepageLimit(pageSize: "2MB", limit: 4 << 20)]
        let cgroup = try Cgroup.create(try sandbox.plan("huge") { $0.hugepageLimits = limits })
        let directory = try #require(cgroup.unifiedDirectory)
        #expect(try Files.readText("\(directory)/hugetlb.2MB.max") == "4194304\n")
        try cgroup.remove()
    }

    /// minirun in a container: its cgroup is the root of what it sees, and has processes of its own.
    @Test(
        .enabled(
            if: CgroupSandbox.unified?.hierarchy.unified?.controllers?.contains("hugetlb") == true,
            "needs hugetlb"
        )
    )
    func noInternalProcesses() throws {
        let root = try #require(sandbox.hierarchy.unified?.directory)
        let before = try Files.readText("\(root)/cgroup.subtree_control").contains("hugetlb")
        try Files.overwrite("\(root)/cgroup.subtree_control", "+hugetlb")
        defer { if !before { try? Files.overwrite("\(root)/cgroup.subtree_control", "-hugetlb") } }
        let outer = try Cgroup.create(
            try CgroupPlan(
                try CgroupName("minirun-test-\(getpid())-outer"),
                in: sandbox.hierarchy,
                resources: LinuxResources(),
                controllers: []
            )
        )
        let process = try CgroupSandbox.start(in: outer, "exec sleep 60")
        let seen = CgroupHierarchy.Unified(directory: try #require(outer.unifiedDirectory), controllers: ["hugetlb"])
        var resources = LinuxResources()
        resources.hugepageLimits = [LinuxResources.HugepageLimit(pageSize: "2MB", limit: 0)]

        let stranger = CgroupHierarchy(unified: seen, ownPath: "/elsewhere")
        let refused = try CgroupPlan(try CgroupName(container: "x"), in: stranger, resources: resources)
        let error = #expect(throws: EngineError.self) { try Cgroup.create(refused) }
        #expect(
            error?.message
                == "cannot apply hugepageLimits: processes in \(seen.directory) keep the hugetlb controller from being enabled"
        )

        let owner = CgroupHierarchy(unified: seen, ownPath: "/")
        let cgroup = try Cgroup.create(try CgroupPlan(try CgroupName(container: "x"), in: owner, resources: resources))
        #expect(try Cgroup.processes(in: "\(seen.directory)/init") == [process])
        try cgroup.remove()
        try outer.remove()
        #expect(try Subprocess.wait(for: process) == .signalled(SIGKILL))
    }
}
