import OCI
import Testing

@testable import Runtime

@Suite("cgroup plans")
struct CgroupPlanTests {
    static let hybrid = CgroupHierarchyTests.hierarchy(
        "\(CgroupHierarchyTests.hybridMounts)\n\(CgroupHierarchyTests.unifiedMount)"
    )
    static let v1 = CgroupHierarchyTests.hierarchy(CgroupHierarchyTests.hybridMounts)
    static let v2 = CgroupHierarchy(
        unified: CgroupHierarchy.Unified(
            directory: "/sys/fs/cgroup",
            controllers: ["cpu", "cpuset", "io", "memory", "pids", "hugetlb", "rdma"]
        ),
        ownPath: "/"
    )

    /// A plan's text without its device rules, which have a test of their own.
    static func text(
        _ hierarchy: CgroupHierarchy,
        controllers: Set<CgroupController> = [],
        _ change: (inout LinuxResources) -> Void = { _ in }
    ) throws -> String {
        var resources = LinuxResources()
        resources.devices = LinuxResources.DeviceRule.everything
        change(&resources)
        let plan = try CgroupPlan(
            CgroupName(container: "x"),
            in: hierarchy,
            resources: resources,
            controllers: controllers
        )
        return plan.text.replacing("/sys/fs/cgroup/", with: "").replacing("minirun/x", with: "*")
    }

    @Test func privilegedWithoutLimitsNeedsNothingOnV1() throws {
        #expect(try Self.text(Self.hybrid) == "")
        #expect(try Self.text(Self.v2) == "mkdir *\nclone into *")
    }

    @Test func devicesOnV1() throws {
        let plan = try Self.text(Self.hybrid) { $0.devices = LinuxResources.DeviceRule.docker }
        #expect(
            plan == """
                mkdir devices/*
                write devices/*/devices.deny = a
                write devices/*/devices.allow = c 1:5 rwm
                write devices/*/devices.allow = c 1:3 rwm
                write devices/*/devices.allow = c 1:9 rwm
                write devices/*/devices.allow = c 1:8 rwm
                write devices/*/devices.allow = c 5:0 rwm
                write devices/*/devices.allow = c 5:1 rwm
                write devices/*/devices.allow = c *:* m
                write devices/*/devices.allow = b *:* m
                write devices/*/devices.allow = c 1:7 rwm
                write devices/*/devices.allow = c 136:* rwm
                write devices/*/devices.allow = c 5:2 rwm
                write devices/*/devices.allow = c 10:200 rwm
                enter devices/*/tasks
                """
        )
    }

    @Test func devicesOnV2() throws {
        let plan = try Self.text(Self.v2) { $0.devices = [] }
        #expect(plan.contains("\nfilter devices of * with"))
        var withoutDevices = Self.hybrid
        withoutDevices.mounts[.devices] = nil
        #expect(
            try Self.text(withoutDevices) { $0.devices = [] }.hasPrefix("mkdir unified/*\nfilter devices of unified/*")
        )
        var withoutV2 = Self.v1
        withoutV2.mounts[.devices] = nil
        let error = #expect(throws: EngineError.self) { try Self.text(withoutV2) { $0.devices = [] } }
        #expect(error?.message == "cannot apply the device rules: the devices controller is not available")
    }

    static func manyLimits(_ resources: inout LinuxResources) {
        resources.memory.limit = 67_108_864
        resources.memory.swap = 134_217_728
        resources.memory.reservation = 33_554_432
        resources.cpu.shares = 512
        resources.cpu.quota = 150_000
        resources.cpu.period = 100_000
        resources.cpu.burst = 1000
        resources.cpu.cpus = "0-1"
        resources.pidsLimit = 100
        resources.blockIO.weight = 500
        resources.blockIO.weightDevices = [LinuxResources.WeightDevice(major: 8, minor: 0, weight: 10)]
        resources.blockIO.throttleReadBps = [LinuxResources.ThrottleDevice(major: 8, minor: 0, rate: 1_048_576)]
        resources.blockIO.throttleWriteIOPS = [LinuxResources.ThrottleDevice(major: 8, minor: 0, rate: 0)]
    }

    @Test func limitsOnV1() throws {
        #expect(
            try Self.text(Self.v1, Self.manyLimits) == """
                mkdir memory/*
                mkdir cpu,cpuacct/*
                mkdir cpuset/*
                mkdir pids/*
                mkdir blkio/*
                inherit cpuset cpuset/minirun from cpuset
                inherit cpuset cpuset/* from cpuset/minirun
                write memory/*/memory.limit_in_bytes = 67108864
                write memory/*/memory.memsw.limit_in_bytes = 134217728, if there is swap
                write memory/*/memory.soft_limit_in_bytes = 33554432
                write cpu,cpuacct/*/cpu.shares = 512
                write cpu,cpuacct/*/cpu.cfs_period_us = 100000
                write cpu,cpuacct/*/cpu.cfs_quota_us = 150000
                write cpu,cpuacct/*/cpu.cfs_burst_us = 1000
                write cpuset/*/cpuset.cpus = 0-1
                write pids/*/pids.max = 100
                write blkio/*/blkio.bfq.weight = 500, or blkio/*/blkio.weight = 500
                write blkio/*/blkio.bfq.weight_device = 8:0 10, or blkio/*/blkio.weight_device = 8:0 10
                write blkio/*/blkio.throttle.read_bps_device = 8:0 1048576
                write blkio/*/blkio.throttle.write_iops_device = 8:0 0
                enter memory/*/tasks
                enter cpu,cpuacct/*/tasks
                enter cpuset/*/tasks
                enter pids/*/tasks
                enter blkio/*/tasks
                """
        )
    }

    @Test func limitsOnV2() throws {
        #expect(
            try Self.text(Self.v2, controllers: [.memory, .cpuacct, .netClass], Self.manyLimits) == """
                mkdir *
                enable memory, cpu, cpuset, pids, io in /sys/fs/cgroup
                enable memory, cpu, cpuset, pids, io in minirun
                write */memory.swap.max = 67108864, if there is swap
                write */memory.max = 67108864
                write */memory.low = 33554432
                write */cpu.weight = 59
                write */cpu.max = 150000 100000
                write */cpu.max.burst = 1000
                write */cpuset.cpus = 0-1
                write */pids.max = 100
                write */io.bfq.weight = 500, or */io.weight = 4950
                write */io.bfq.weight = 8:0 10, or */io.weight = 8:0 1
                write */io.max = 8:0 rbps=1048576
                write */io.max = 8:0 wiops=max
                clone into *
                """
        )
    }

    @Test func rareLimitsOnHybrid() throws {
        let plan = try Self.text(Self.hybrid, controllers: [.freezer, .pids]) { resources in
            resources.hugepageLimits = [LinuxResources.HugepageLimit(pageSize: "2MB", limit: 4096)]
            resources.rdma = ["mlx": LinuxResources.RDMA(handles: 3)]
            resources.unified = ["hugetlb.1GB.max": "0"]
            resources.memory.swappiness = 10
        }
        #expect(
            plan == """
                mkdir freezer/*
                mkdir pids/*
                mkdir memory/*
                mkdir unified/*
                enable hugetlb, rdma in unified
                enable hugetlb, rdma in unified/minirun
                write memory/*/memory.swappiness = 10
                write unified/*/hugetlb.2MB.max = 4096
                write unified/*/hugetlb.2MB.rsvd.max = 4096, if it exists
                write unified/*/rdma.max = mlx hca_handle=3
                write unified/*/hugetlb.1GB.max = 0
                enter freezer/*/tasks
                enter pids/*/tasks
                enter memory/*/tasks
                clone into unified/*
                """
        )
    }

    @Test func statisticsAloneNeverFail() throws {
        var bare = Self.v2
        bare.unified?.controllers = []
        #expect(try Self.text(bare, controllers: [.memory, .pids, .cpuacct]) == "mkdir *\nclone into *")
        #expect(try Self.text(CgroupHierarchy(mounts: [.cpu: "/c"]), controllers: [.memory]) == "")
        #expect(
            try Self.text(Self.v2, controllers: [.memory]).contains("enable memory (if available) in minirun")
        )
    }

    struct Refusal: Sendable {
        let hierarchy: CgroupHierarchy
        let message: String
        let change: @Sendable (inout LinuxResources) -> Void
    }

    static let bare = CgroupHierarchy(unified: CgroupHierarchy.Unified(directory: "/sys/fs/cgroup", controllers: []))
    static let refusals: [Refusal] = [
        Refusal(hierarchy: bare, message: "--memory: the memory controller is not available") { $0.memory.limit = 1 },
        Refusal(
            hierarchy: CgroupHierarchy(mounts: [.cpu: "/c"]),
            message: "--memory: the memory controller is not available"
        ) {
            $0.memory.limit = 1
        },
        Refusal(hierarchy: bare, message: "--pids-limit: the pids controller is not available") { $0.pidsLimit = 4 },
        Refusal(hierarchy: bare, message: "--cpus: the cpu controller is not available") { $0.cpu.quota = 4000 },
        Refusal(hierarchy: bare, message: "--cpuset-cpus: the cpuset controller is not available") {
            $0.cpu.cpus = "0"
        },
        Refusal(hierarchy: bare, message: "--device-read-bps: the blkio controller is not available") {
            $0.blockIO.throttleReadBps = [LinuxResources.ThrottleDevice(major: 1, minor: 2, rate: 3)]
        },
        Refusal(hierarchy: v2, message: "--cpu-rt-runtime: cgroup v2 has no such limit") { $0.cpu.realtimeRuntime = 1 },
        Refusal(hierarchy: v2, message: "network.classID: the net_cls controller is not available") {
            $0.network.classID = 1
        },
        Refusal(hierarchy: v1, message: "--memory-swap: it needs a limit for memory too (--memory)") {
            $0.memory.swap = 1
        },
        Refusal(hierarchy: v2, message: "--memory-swap: 1 is less than the memory limit 2, which it includes") {
            $0.memory.limit = 2
            $0.memory.swap = 1
        },
        Refusal(hierarchy: v1, message: "--cpuset-cpus: \"all\" is no list such as 0-3,6") { $0.cpu.cpus = "all" },
        Refusal(hierarchy: v2, message: "--blkio-weight: 5 is not between 10 and 1000") { $0.blockIO.weight = 5 },
        Refusal(hierarchy: v1, message: "unified setting memory.high: cgroup v2 is not in use") {
            $0.unified = ["memory.high": "1"]
        },
        Refusal(hierarchy: hybrid, message: "unified setting memory.high: the memory controller is on cgroup v1") {
            $0.unified = ["memory.high": "1"]
        },
        Refusal(hierarchy: v2, message: "unified setting cgroup.procs: it is no file of a controller") {
            $0.unified = ["cgroup.procs": "1"]
        },
        Refusal(hierarchy: v2, message: "unified setting ../x.y: it is no file of a controller") {
            $0.unified = ["../x.y": "1"]
        },
        Refusal(hierarchy: v1, message: "--cpu-shares: an idle cgroup has no shares") {
            $0.cpu.idle = 1
            $0.cpu.shares = 2
        },
    ]

    @Test(arguments: refusals.indices)
    func limitsThatCannotBeApplied(_ index: Int) throws {
        let refusal = Self.refusals[index]
        let error = #expect(throws: EngineError.self) { try Self.text(refusal.hierarchy, refusal.change) }
        #expect(error?.message == "cannot apply \(refusal.message)")
    }

    @Test func tuningIsDiscardedOnV2() throws {
        #expect(
            try Self.text(Self.v2) { $0.memory.disableOOMKiller = true }
                == "mkdir *\nclone into *\nwarning: --oom-kill-disable has no meaning on cgroup v2 and is discarded"
        )
    }

    @Test func swap() throws {
        func written(_ limit: Int64?, _ swap: Int64?) throws -> [Substring] {
            try Self.text(Self.v2) { resources in
                resources.memory.limit = limit
                resources.memory.swap = swap
            }.split(separator: "\n").filter { $0.hasPrefix("write") }
        }
        #expect(try written(5, 5) == ["write */memory.swap.max = 0, if there is swap", "write */memory.max = 5"])
        #expect(try written(5, -1) == ["write */memory.swap.max = max, if it exists", "write */memory.max = 5"])
        #expect(try written(-1, nil) == ["write */memory.swap.max = max, if it exists", "write */memory.max = max"])
        #expect(try written(5, nil) == ["write */memory.max = 5"])
        #expect(try written(0, 0) == [])
    }

    @Test(arguments: [
        0: 1, 2: 1, 3: 2, 100: 17, 512: 59, 1024: 100, 2048: 174, 65536: 3023, 262_144: 10_000, 1 << 40: 10_000,
    ])
    func weights(_ shares: UInt64, _ weight: UInt64) { #expect(CgroupUnits.weight(shares: shares) == weight) }

    @Test(arguments: [10: 1, 100: 910, 500: 4950, 1000: 10_000])
    func ioWeights(_ weight: UInt16, _ expected: UInt64) { #expect(CgroupUnits.ioWeight(blkio: weight) == expected) }
}
