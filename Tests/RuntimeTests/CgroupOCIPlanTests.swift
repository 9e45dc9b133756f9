import OCI
import Testing

@testable import Runtime

/// The plan for an OCI container, and changes to one that runs.
@Suite("cgroup plans for OCI")
struct CgroupOCIPlanTests {
    static func text(_ text: String) -> String {
        text.replacing("/sys/fs/cgroup/", with: "").replacing("x/y", with: "*")
    }

    static func plan(
        _ hierarchy: CgroupHierarchy,
        path: String? = "/x/y",
        isRootless: Bool = false,
        _ change: (inout LinuxResources) -> Void = { _ in }
    ) throws -> CgroupPlan {
        var resources = LinuxResources()
        resources.devices = LinuxResources.DeviceRule.everything
        change(&resources)
        let placement = try CgroupPlacement(
            cgroupsPath: path,
            id: "y",
            systemd: false,
            hierarchy: hierarchy,
            isRootless: isRootless
        )
        return try CgroupPlan(placement, in: hierarchy, resources: resources, isRootless: isRootless)
    }

    /// The part of a plan's text that has nothing to do with folders.
    static func steps(_ hierarchy: CgroupHierarchy, _ change: (inout LinuxResources) -> Void) throws -> [String] {
        try text(plan(hierarchy, change).text).split(separator: "\n").map(String.init)
            .filter { line in !["mkdir", "enter", "clone", "enable", "inherit"].contains { line.hasPrefix($0) } }
    }

    @Test func everywhereOnHybrid() throws {
        #expect(
            Self.text(try Self.plan(CgroupPlanTests.hybrid).text) == """
                mkdir blkio/*
                mkdir cpu,cpuacct/*
                mkdir cpuset/*
                mkdir devices/*
                mkdir freezer/*
                mkdir memory/*
                mkdir pids/*
                mkdir systemd/*
                mkdir unified/*
                inherit cpuset cpuset/x from cpuset
                inherit cpuset cpuset/* from cpuset/x
                write devices/*/devices.allow = a
                enter blkio/*/tasks
                enter cpu,cpuacct/*/tasks
                enter cpuset/*/tasks
                enter devices/*/tasks
                enter freezer/*/tasks
                enter memory/*/tasks
                enter pids/*/tasks
                enter systemd/*/tasks
                clone into unified/*
                """
        )
    }

    @Test func everythingOnV2() throws {
        #expect(
            Self.text(try Self.plan(CgroupPlanTests.v2) { $0.pidsLimit = -1 }.text) == """
                mkdir *
                enable cpu (if available), cpuset (if available), hugetlb (if available), io (if available), \
                memory (if available), pids, rdma (if available) in /sys/fs/cgroup
                enable cpu (if available), cpuset (if available), hugetlb (if available), io (if available), \
                memory (if available), pids, rdma (if available) in x
                filter devices of * with 8 instructions
                write */pids.max = max
                clone into *
                """
        )
    }

    @Test func relativePlaces() throws {
        var v2 = CgroupPlanTests.v2
        v2.ownPath = "/user.slice/a/b"
        v2.unified?.controllers = ["pids"]
        let text = Self.text(try Self.plan(v2, path: "c/d").text)
        #expect(
            text == """
                mkdir user.slice/a/c/d
                enable pids (if available) in /sys/fs/cgroup
                enable pids (if available) in user.slice
                enable pids (if available) in user.slice/a
                enable pids (if available) in user.slice/a/c
                filter devices of user.slice/a/c/d with 8 instructions
                clone into user.slice/a/c/d
                """
        )
        let v1 = CgroupHierarchyTests.hierarchy(
            "35 31 0:32 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset",
            own: "3:cpuset:/job\n"
        )
        let error = #expect(throws: EngineError.self) { try Self.plan(v1, path: "c/d") }
        #expect(error?.message == "cannot apply the device rules: the devices controller is not available")
        let mixed = CgroupHierarchyTests.hierarchy(
            """
            35 31 0:32 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
            36 31 0:33 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices
            """,
            own: "4:devices:/\n3:cpuset:/job\n"
        )
        #expect(
            Self.text(try Self.plan(mixed, path: "c/d").text) == """
                mkdir cpuset/job/c/d
                mkdir devices/c/d
                inherit cpuset cpuset/job/c from cpuset/job
                inherit cpuset cpuset/job/c/d from cpuset/job/c
                write devices/c/d/devices.allow = a
                enter cpuset/job/c/d/tasks
                enter devices/c/d/tasks
                """
        )
    }

    @Test func limitsOnV1() throws {
        #expect(
            try Self.steps(CgroupPlanTests.v1, CgroupPlanTests.manyLimits) == [
                "write devices/*/devices.allow = a",
                "in the order that is taken: write memory/*/memory.limit_in_bytes = 67108864; "
                    + "write memory/*/memory.memsw.limit_in_bytes = 134217728, if there is swap",
                "write memory/*/memory.soft_limit_in_bytes = 33554432",
                "write cpu,cpuacct/*/cpu.shares = 512",
                "in the order that is taken: write cpu,cpuacct/*/cpu.cfs_period_us = 100000; "
                    + "write cpu,cpuacct/*/cpu.cfs_quota_us = 150000; write cpu,cpuacct/*/cpu.cfs_burst_us = 1000",
                "write cpuset/*/cpuset.cpus = 0-1",
                "write pids/*/pids.max = 100",
                "write blkio/*/blkio.bfq.weight = 500, or blkio/*/blkio.weight = 500",
                "write blkio/*/blkio.bfq.weight_device = 8:0 10, or blkio/*/blkio.weight_device = 8:0 10",
                "write blkio/*/blkio.throttle.read_bps_device = 8:0 1048576",
                "write blkio/*/blkio.throttle.write_iops_device = 8:0 0",
            ]
        )
    }

    @Test func unifiedSettings() throws {
        let settings = [
            "io.max": "259:0 rbps=2097152 wiops=120\n253:0 rbps=1\n", "cgroup.max.depth": "3", "memory.high": "max",
        ]
        #expect(
            try Self.steps(CgroupPlanTests.v2) { $0.unified = settings }.dropFirst() == [
                "write */cgroup.max.depth = 3",
                "write */io.max = 259:0 rbps=2097152 wiops=120", "write */io.max = 253:0 rbps=1",
                "write */memory.high = max",
            ]
        )
        for (hierarchy, key, message) in [
            (CgroupPlanTests.v1, "memory.high", "invalid configuration: cannot use unified on cgroup v1"),
            (CgroupPlanTests.hybrid, "memory.high", "invalid configuration: cannot use unified on cgroup v1"),
            (
                CgroupPlanTests.v2, "cgroup.procs",
                "cannot apply unified setting cgroup.procs: it is no file of a controller"
            ),
            (
                CgroupPlanTests.v2, "../cpu.max",
                "cannot apply unified setting ../cpu.max: it is no file of a controller"
            ),
            (CgroupPlanTests.v2, "memory", "cannot apply unified setting memory: it is no file of a controller"),
            (CgroupPlanTests.v2, ".memory", "cannot apply unified setting .memory: it is no file of a controller"),
            (
                CgroupPlanTests.v2, "dmem.max",
                "cannot apply unified setting dmem.max: the dmem controller is not available"
            ),
        ] {
            let error = #expect(throws: EngineError.self) { try Self.steps(hierarchy) { $0.unified = [key: "1"] } }
            #expect(error?.message == message)
        }
    }

    @Test func wordsOfTheSpecification() throws {
        let bare = CgroupHierarchy(
            unified: CgroupHierarchy.Unified(directory: "/sys/fs/cgroup", controllers: []),
            ownPath: "/"
        )
        for (message, change) in [
            ("memory.limit: the memory controller is not available", { $0.memory.limit = 1 }),
            ("cpu.quota: the cpu controller is not available", { $0.cpu.quota = 1000 }),
            ("pids.limit: the pids controller is not available", { $0.pidsLimit = -1 }),
            ("blockIO.weight: 5 is not between 10 and 1000", { $0.blockIO.weight = 5 }),
            (
                "memory.swap: 1 is less than the memory limit 2, which it includes",
                {
                    $0.memory.limit = 2
                    $0.memory.swap = 1
                }
            ),
            (
                "cpu.burst: 6 is more than the quota 5",
                {
                    $0.cpu.quota = 5
                    $0.cpu.burst = 6
                }
            ),
        ] as [(String, (inout LinuxResources) -> Void)] {
            let hierarchy = message.contains("available") ? bare : CgroupPlanTests.v2
            let error = #expect(throws: EngineError.self) { try Self.steps(hierarchy, change) }
            #expect(error?.message == "cannot apply \(message)")
        }
    }
}

@Suite("cgroup updates")
struct CgroupUpdateTests {
    /// What would be written, with the cgroup's present files.
    static func update(
        _ hierarchy: CgroupHierarchy,
        present: [String: String] = [:],
        known: LinuxResources? = nil,
        _ change: (inout LinuxResources) -> Void
    ) throws -> [String] {
        var changes = LinuxResources()
        change(&changes)
        let update = try CgroupUpdate(CgroupName("/x/y"), in: hierarchy, changes: changes, known: known) { path in
            if path.hasSuffix("/tasks") { return path.contains("cpuset") ? nil : "" }
            return present[String(path.split(separator: "/").last ?? "")]
        }
        return CgroupOCIPlanTests.text(update.text).split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("enable") }
    }

    @Test func nothing() throws {
        #expect(try Self.update(CgroupPlanTests.v1) { _ in } == [])
        #expect(try Self.update(CgroupPlanTests.v2) { _ in } == [])
    }

    @Test func memoryOnV1() throws {
        #expect(
            try Self.update(CgroupPlanTests.v1) { $0.memory.swap = 100 }
                == ["write memory/*/memory.memsw.limit_in_bytes = 100, if there is swap"]
        )
        #expect(
            try Self.update(CgroupPlanTests.v1) { $0.memory.limit = -1 } == [
                "in the order that is taken: write memory/*/memory.limit_in_bytes = -1; "
                    + "write memory/*/memory.memsw.limit_in_bytes = -1, if it exists"
            ]
        )
        #expect(
            try Self.update(CgroupPlanTests.v1) { $0.memory.disableOOMKiller = false }
                == ["write memory/*/memory.oom_control = 0"]
        )
    }

    @Test func memoryOnV2() throws {
        func written(
            _ limit: Int64?,
            _ swap: Int64?,
            present: [String: String] = [:],
            known: (Int64?, Int64?)? = nil
        ) throws -> [String] {
            var before = LinuxResources()
            before.memory.limit = known?.0
            before.memory.swap = known?.1
            return try Self.update(CgroupPlanTests.v2, present: present, known: known == nil ? nil : before) {
                $0.memory.limit = limit
                $0.memory.swap = swap
            }.map { $0.replacing("write */memory.", with: "").replacing(", if there is swap", with: "") }
        }
        #expect(try written(60, 80) == ["swap.max = 20", "max = 60"])
        #expect(try written(60, 60) == ["swap.max = 0", "max = 60"])
        #expect(try written(nil, 80, present: ["memory.max": "50\n"]) == ["swap.max = 30"])
        #expect(try written(nil, 80, present: ["memory.max": "50\n"], known: (60, nil)) == ["swap.max = 20"])
        #expect(try written(60, nil) == ["max = 60"])
        #expect(try written(60, nil, known: (50, 80)) == ["swap.max = 20", "max = 60"])
        #expect(try written(60, nil, known: (50, -1)) == ["swap.max = max, if it exists", "max = 60"])
        #expect(try written(-1, nil, known: (50, 80)) == ["swap.max = max, if it exists", "max = max"])
        #expect(try written(-1, 30) == ["swap.max = 30", "max = max"])
        #expect(try written(nil, -1) == ["swap.max = max, if it exists"])
        let alone = #expect(throws: EngineError.self) { try written(nil, 80, present: ["memory.max": "max\n"]) }
        #expect(alone?.message == "cannot apply memory.swap: it needs a limit for memory too (--memory)")
        let small = #expect(throws: EngineError.self) { try written(100, nil, known: (50, 80)) }
        #expect(small?.message == "cannot apply memory.swap: 80 is less than the memory limit 100, which it includes")
    }

    @Test func checkBeforeUpdate() throws {
        func check(_ limit: Int64?, _ swap: Int64?, isChecked: Bool = true) throws {
            _ = try Self.update(CgroupPlanTests.v2, present: ["memory.current": "5000\n", "memory.max": "9000\n"]) {
                $0.memory.limit = limit
                $0.memory.swap = swap
                $0.memory.checkBeforeUpdate = isChecked
            }
        }
        try check(5001, 6000)
        try check(-1, -1)
        try check(1024, nil, isChecked: false)
        let memory = #expect(throws: EngineError.self) { try check(1024, nil) }
        #expect(memory?.message == "rejecting memory limit 1024 <= usage 5000")
        let both = #expect(throws: EngineError.self) { try check(1024, 2048) }
        #expect(both?.message == "rejecting memory+swap limit 2048 <= usage 5000")
    }

    @Test func quotaOnV2() throws {
        let present = ["cpu.max": "500000 1000000\n"]
        #expect(
            try Self.update(CgroupPlanTests.v2, present: present) { $0.cpu.period = 900_000 }
                == ["write */cpu.max = 500000 900000"]
        )
        #expect(
            try Self.update(CgroupPlanTests.v2, present: present) { $0.cpu.quota = 600_000 }
                == ["write */cpu.max = 600000 1000000"]
        )
        #expect(
            try Self.update(CgroupPlanTests.v2, present: present) { $0.cpu.quota = -1 } == [
                "write */cpu.max = max 1000000"
            ]
        )
        #expect(
            try Self.update(CgroupPlanTests.v2, present: ["cpu.max": "max 100000\n"]) { $0.cpu.period = 50_000 }
                == ["write */cpu.max = max 50000"]
        )
        #expect(
            try Self.update(CgroupPlanTests.v2, present: present) {
                $0.cpu.quota = 10
                $0.cpu.burst = 5
            } == ["in the order that is taken: write */cpu.max = 10 1000000; write */cpu.max.burst = 5"]
        )
        #expect(
            try Self.update(CgroupPlanTests.v1) { $0.cpu.period = 5 } == ["write cpu,cpuacct/*/cpu.cfs_period_us = 5"]
        )
    }

    @Test func others() throws {
        #expect(try Self.update(CgroupPlanTests.v1) { $0.pidsLimit = -1 } == ["write pids/*/pids.max = max"])
        #expect(try Self.update(CgroupPlanTests.v2) { $0.pidsLimit = 0 } == ["write */pids.max = 1"])
        #expect(
            try Self.update(CgroupPlanTests.v2) { $0.unified = ["cpu.weight": "8", "cgroup.freeze": "1"] }
                == ["write */cgroup.freeze = 1", "write */cpu.weight = 8"]
        )
        // The container is in no cgroup of the cpuset controller, as minirun's own often are not.
        let error = #expect(throws: EngineError.self) { try Self.update(CgroupPlanTests.v1) { $0.cpu.cpus = "0" } }
        #expect(error?.message == "cannot apply cpu.cpus: the container has no cgroup in /sys/fs/cgroup/cpuset")
    }

    @Test func devicesOnV1() throws {
        typealias Rule = LinuxResources.DeviceRule
        let list = "c 1:3 rwm\nc 1:7 rwm\nb 8:* rwm\nb 9:1 r\nc *:* m\n"
        let written = try Self.update(CgroupPlanTests.v1, present: ["devices.list": list]) {
            $0.devices = [Rule(allow: false), Rule(allow: true, .block, major: 8, access: .read)]
        }
        // What stays allowed is never taken away.
        #expect(written.first == "write devices/*/devices.allow = b 8:* r")
        #expect(
            written.filter { $0.contains("deny") }
                == ["write devices/*/devices.deny = b 8:* wm", "write devices/*/devices.deny = b 9:1 r"]
        )
        let fromAll = try Self.update(CgroupPlanTests.v1, present: ["devices.list": "a *:* rwm\n"]) {
            $0.devices = [Rule(allow: false)]
        }
        #expect(fromAll.first == "write devices/*/devices.deny = a")
        let toAll = try Self.update(CgroupPlanTests.v1, present: ["devices.list": list]) {
            $0.devices = Rule.everything
        }
        #expect(toAll == ["write devices/*/devices.allow = a"])
        #expect(
            try Self.update(CgroupPlanTests.v2) { $0.devices = Rule.everything }
                == ["filter devices of * with 8 instructions"]
        )
    }
}

@Suite("updated resources")
struct UpdatedResourcesTests {
    @Test func changesWin() throws {
        var before = LinuxResources()
        before.memory.limit = 5
        before.memory.swap = 9
        before.cpu.shares = 7
        before.pidsLimit = 3
        before.blockIO.throttleReadBps = [
            LinuxResources.ThrottleDevice(major: 8, minor: 0, rate: 1),
            LinuxResources.ThrottleDevice(major: 8, minor: 1, rate: 2),
            LinuxResources.ThrottleDevice(major: 8, minor: 0, rate: 3),
        ]
        before.blockIO.weightDevices = [LinuxResources.WeightDevice(major: 8, minor: 0, weight: 10, leafWeight: 20)]
        before.rdma = ["a": LinuxResources.RDMA(handles: 1, objects: 2)]
        before.unified = ["a.b": "1", "c.d": "2"]
        var after = before
        after.merge(LinuxResources())
        #expect(after == before)
        var changes = LinuxResources()
        changes.memory.limit = 6
        changes.cpu.quota = 50
        changes.blockIO.throttleReadBps = [
            LinuxResources.ThrottleDevice(major: 8, minor: 0, rate: 4),
            LinuxResources.ThrottleDevice(major: 9, minor: 0, rate: 5),
        ]
        changes.blockIO.weightDevices = [LinuxResources.WeightDevice(major: 8, minor: 0, weight: 30)]
        changes.rdma = ["a": LinuxResources.RDMA(handles: 5), "b": LinuxResources.RDMA(objects: 6)]
        changes.unified = ["c.d": "3"]
        changes.hugepageLimits = [LinuxResources.HugepageLimit(pageSize: "2MB", limit: 7)]
        after.merge(changes)
        #expect(after.memory.limit == 6 && after.memory.swap == 9)
        #expect(after.cpu.shares == 7 && after.cpu.quota == 50)
        #expect(after.pidsLimit == 3)
        #expect(after.blockIO.throttleReadBps.map(\.rate) == [4, 2, 5])
        #expect(
            after.blockIO.weightDevices
                == [LinuxResources.WeightDevice(major: 8, minor: 0, weight: 30, leafWeight: 20)]
        )
        #expect(after.rdma["a"] == LinuxResources.RDMA(handles: 5, objects: 2))
        #expect(after.unified == ["a.b": "1", "c.d": "3"])
        #expect(after.hugepageLimits.count == 1)
        changes = LinuxResources()
        changes.memory.limit = -1
        after.merge(changes)
        #expect(after.memory.swap == nil)
    }
}
