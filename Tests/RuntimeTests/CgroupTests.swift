import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Runtime

/// Real cgroups of this machine.
@Suite("cgroups", .serialized, .enabled(if: CgroupSandbox.v1 != nil, "needs root and cgroup v1's controllers"))
struct CgroupTests {
    private let sandbox: CgroupSandbox

    init() throws { sandbox = try #require(CgroupSandbox.v1) }

    private func leftovers(_ id: String) throws -> [String] {
        let name = try sandbox.name(id)
        return sandbox.hierarchy.directories.flatMap { [name.directory(in: $0)] + name.parentDirectories(in: $0) }
            .filter(FileStatus.exists)
    }

    @Test func memoryLimitBites() throws {
        let plan = try sandbox.plan("memory") { resources in
            resources.memory.limit = 32 << 20
            resources.memory.swap = 32 << 20
        }
        // With those that a JVM asks for together, of which some may be one hierarchy.
        let together = [.cpu, .cpuacct, .cpuset, .memory].compactMap {
            sandbox.hierarchy.mounts[$0 as CgroupController]
        }
        #expect(plan.directories.count == max(1, Set(together).count))
        let cgroup = try Cgroup.create(plan)
        let result = try CgroupSandbox.run(in: cgroup, "head -c 200000000 /dev/zero | tail -n 1 >/dev/null")
        #expect(result.status.code == 137)
        let memory = try #require(try cgroup.statistics().memory)
        #expect(memory.limit == 32 << 20)
        #expect(memory.outOfMemoryKills >= 1)
        #expect(memory.peak ?? 0 > 30 << 20)
        try cgroup.remove()
        #expect(try leftovers("memory") == [])
    }

    @Test func pidsLimitBites() throws {
        let cgroup = try Cgroup.create(try sandbox.plan("pids") { $0.pidsLimit = 3 })
        let result = try CgroupSandbox.run(in: cgroup, "for i in 1 2 3 4; do sleep 60 >/dev/null 2>&1 & done")
        #expect(result.errorText.lowercased().contains("fork"))
        let pids = try #require(try cgroup.statistics().pids)
        #expect(pids.limit == 3)
        // The sleeps still run: removing kills them.
        try cgroup.remove()
        #expect(try leftovers("pids") == [])
    }

    @Test func deniedDevice() throws {
        let cgroup = try Cgroup.create(try sandbox.plan("devices") { $0.devices = LinuxResources.DeviceRule.docker })
        #expect(try CgroupSandbox.run(in: cgroup, "head -c 1 /dev/zero >/dev/null").status == .exited(0))
        let denied = try CgroupSandbox.run(in: cgroup, "head -c 1 /dev/kmsg")
        #expect(denied.errorText.contains("Operation not permitted"))
        let list = try Files.readText("\(try #require(cgroup.directory(of: .devices)))/devices.list")
        #expect(list.contains("c 136:* rwm") && !list.contains("a *:* rwm"))
        try cgroup.remove()
    }

    @Test func everyLimitIsTaken() throws {
        let plan = try sandbox.plan("all", controllers: [.cpuacct, .freezer]) { resources in
            CgroupPlanTests.manyLimits(&resources)
            resources.cpu.cpus = "0"
            resources.blockIO.weightDevices = []
            resources.blockIO.throttleReadBps = []
            resources.blockIO.throttleWriteIOPS = []
        }
        let cgroup = try Cgroup.create(plan)
        #expect(
            try CgroupSandbox.run(in: cgroup, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done").status == .exited(0)
        )
        let statistics = try cgroup.statistics()
        #expect(statistics.cpu?.usage ?? 0 > 1_000_000)
        #expect(statistics.cpu?.user ?? 0 > 0)
        let cpuset = try #require(cgroup.directory(of: .cpuset))
        #expect(try Files.readText("\(cpuset)/cpuset.cpus") == "0\n")
        #expect(try Files.readText("\(cpuset)/cpuset.mems") != "\n")
        try cgroup.remove()
        #expect(try leftovers("all") == [])
    }

    @Test func refusedLimitLeavesNothing() throws {
        let plan = try sandbox.plan("refused", controllers: [.memory, .pids]) { resources in
            resources.cpu.quota = 1
        }
        let error = #expect(throws: EngineError.self) { try Cgroup.create(plan) }
        #expect(error?.message == "cannot apply --cpus: writing 1 into cpu.cfs_quota_us: Invalid argument")
        #expect(try leftovers("refused") == [])
    }

    @Test func takenNames() throws {
        let plan = try sandbox.plan("taken", controllers: [.pids]) { _ in }
        let cgroup = try Cgroup.create(plan)
        _ = try Cgroup.create(plan)
        let process = try CgroupSandbox.start(in: cgroup, "exec sleep 60")
        let error = #expect(throws: EngineError.self) { try Cgroup.create(plan) }
        #expect(error?.message.hasSuffix("/pids/\(plan.name.path) is in use by process \(process)") == true)
        #expect(try Cgroup.names(in: plan.name.parents[0], of: sandbox.hierarchy) == ["taken"])
        try cgroup.remove()
        #expect(try Subprocess.wait(for: process) == .signalled(SIGKILL))
        #expect(try leftovers("taken") == [])
        try cgroup.remove()
    }

    @Test func removeKillsTreesThatFork() throws {
        let cgroup = try Cgroup.create(
            try sandbox.plan("forks", controllers: [.pids, .freezer]) { $0.pidsLimit = 200 }
        )
        let process = try CgroupSandbox.start(
            in: cgroup,
            "while :; do sh -c 'sleep 60' & sleep 0.001; done 2>/dev/null"
        )
        let pids = try #require(cgroup.directory(of: .pids))
        try #require(mkdir("\(pids)/inner", 0o755) == 0)
        try cgroup.remove()
        #expect(try Subprocess.wait(for: process) == .signalled(SIGKILL))
        #expect(try leftovers("forks") == [])
    }

    @Test func freezing() throws {
        let cgroup = try Cgroup.create(try sandbox.plan("freeze", controllers: [.freezer]) { _ in })
        let process = try CgroupSandbox.start(in: cgroup, "exec sleep 60")
        try cgroup.setFrozen(true)
        let state = try Files.readText("\(try #require(cgroup.directory(of: .freezer)))/freezer.state")
        #expect(state == "FROZEN\n")
        // A frozen container can be removed too.
        try cgroup.remove()
        #expect(try Subprocess.wait(for: process) == .signalled(SIGKILL))
    }

    @Test func attachRunningProcess() throws {
        let cgroup = try Cgroup.create(try sandbox.plan("attach", controllers: [.pids]) { _ in })
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        let process = try Subprocess.start(["sleep", "60"], descriptors: [null.raw, null.raw, null.raw])
        try cgroup.attach(process)
        #expect(try Cgroup.processes(in: try #require(cgroup.directory(of: .pids))) == [process])
        try cgroup.remove()
        #expect(try Subprocess.wait(for: process) == .signalled(SIGKILL))
    }

    /// Creating and removing compete for the folder above.
    @Test func racesForTheParent() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    for round in 0..<50 {
                        let name = try CgroupName(
                            "minirun-test-\(getpid())-race/\(worker)-\(round)",
                            removesParents: true
                        )
                        var resources = LinuxResources()
                        resources.devices = LinuxResources.DeviceRule.everything
                        resources.pidsLimit = 5
                        let plan = try CgroupPlan(
                            name,
                            in: sandbox.hierarchy,
                            resources: resources,
                            controllers: [.cpuset]
                        )
                        try Cgroup.create(plan).remove()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try Cgroup.names(in: "minirun-test-\(getpid())-race", of: sandbox.hierarchy) == [])
    }
}
