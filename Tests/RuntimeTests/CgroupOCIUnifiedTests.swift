import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Runtime

/// The same of cgroup v2 with the controllers that this machine has there.
@Suite(
    "cgroups of OCI containers on v2",
    .serialized,
    .enabled(if: CgroupSandbox.unified != nil, "needs root and cgroup2")
)
struct CgroupOCIUnifiedTests {
    private let sandbox: CgroupSandbox

    init() throws { sandbox = try #require(CgroupSandbox.unified) }

    @Test func everyControllerAndDevices() throws {
        try sandbox.restoring {
            let placed = try sandbox.place("v2")
            let directory = try #require(placed.cgroup.unifiedDirectory)
            #expect(
                Set(
                    try Files.readText("\(directory)/cgroup.controllers").split(whereSeparator: \.isWhitespace).map(
                        String.init
                    )
                )
                    == sandbox.hierarchy.unified?.controllers
            )
            #expect(try CgroupSandbox.run(in: placed.cgroup, ": </dev/kmsg").status != .exited(0))
            var changes = LinuxResources()
            changes.devices = LinuxResources.DeviceRule.everything
            try placed.cgroup.update(changes)
            let folder = try FileDescriptor.open(directory, O_RDONLY | O_DIRECTORY)
            #expect(try DeviceProgram.attached(to: folder.raw).count == 1)
            #expect(try CgroupSandbox.run(in: placed.cgroup, ": </dev/kmsg").status == .exited(0))
            changes.devices = [LinuxResources.DeviceRule(allow: false)]
            try placed.cgroup.update(changes)
            #expect(try CgroupSandbox.run(in: placed.cgroup, ": </dev/kmsg").status != .exited(0))
            try placed.cgroup.giveTo(uid: 1000)
            #expect(try FileStatus.of(directory).owner == 1000)
            #expect(try FileStatus.of("\(directory)/cgroup.procs").owner == 1000)
            #expect(try FileStatus.of("\(directory)/cgroup.freeze").owner == 0)
            let document = try placed.cgroup.eventsJSON(id: "v2")
            #expect(document["data"]?["pids"] != nil)
            try placed.cgroup.remove(in: placed.made)
            #expect(placed.cgroup.directories == [])
        }
    }

    /// Below threads only threads can be.
    @Test func threads() throws {
        try sandbox.restoring {
            let above = try sandbox.place("threads")
            let directory = try #require(above.cgroup.unifiedDirectory)
            try #require(mkdir("\(directory)/t", 0o755) == 0)
            try Files.overwrite("\(directory)/t/cgroup.type", "threaded")
            let inner = try sandbox.place("x", path: "/\(above.cgroup.name.path)/t/x")
            #expect(
                try Files.readText("\(try #require(inner.cgroup.unifiedDirectory))/cgroup.type") == "threaded\n"
            )
            try inner.cgroup.remove(in: inner.made)
            if sandbox.hierarchy.unified?.controllers?.contains("hugetlb") == true {
                let refused = #expect(throws: EngineError.self) {
                    try sandbox.place("x", path: "/\(above.cgroup.name.path)/t/x") {
                        $0.hugepageLimits = [LinuxResources.HugepageLimit(pageSize: "2MB", limit: 0)]
                    }
                }
                #expect(refused?.message.contains("with domain controllers -- it is in domain threaded mode") == true)
            }
            rmdir("\(directory)/t")
            try above.cgroup.remove(in: above.made)
        }
    }

    @Test func endOfTheLastProcess() throws {
        try sandbox.restoring {
            let placed = try sandbox.place("end")
            let directory = try #require(placed.cgroup.unifiedDirectory)
            guard FileStatus.exists("\(directory)/memory.events") else {
                #expect(throws: EngineError.self) { _ = try CgroupEvents(placed.cgroup) }
                return try placed.cgroup.remove(in: placed.made)
            }
            let process = try CgroupSandbox.start(in: placed.cgroup, "exec sleep 60")
            var events = try CgroupEvents(placed.cgroup)
            #expect(try events.next() == nil)
            try placed.cgroup.kill()
            #expect(try Subprocess.wait(for: process) == .signalled(SIGKILL))
            #expect(CgroupSandbox.isReadable(events.descriptor.raw))
            #expect(try events.next() == .ended)
            try placed.cgroup.remove(in: placed.made)
        }
    }
}

/// What cgroup v2 does where it has all its controllers, as in the virtual machine.
@Suite(
    "limits of OCI containers on v2",
    .serialized,
    .enabled(
        if: ["memory", "cpu", "cpuset", "pids", "hugetlb"].allSatisfy {
            CgroupSandbox.unified?.hierarchy.unified?.controllers?.contains($0) == true
        },
        "needs root and cgroup2 with its controllers"
    )
)
struct CgroupUnifiedLimitTests {
    private let sandbox: CgroupSandbox

    init() throws { sandbox = try #require(CgroupSandbox.unified) }

    @Test func updates() throws {
        try sandbox.restoring {
            let placed = try sandbox.place("update") { resources in
                resources.memory.limit = 64 << 20
                resources.memory.swap = 64 << 20
                resources.cpu.quota = 50_000
                resources.cpu.burst = 40_000
            }
            let cgroup = placed.cgroup
            let directory = try #require(cgroup.unifiedDirectory)
            func value(_ file: String) throws -> String { String(try Files.readText("\(directory)/\(file)").trimmed) }
            func update(_ change: (inout LinuxResources) -> Void, known: LinuxResources? = nil) throws {
                var changes = LinuxResources()
                change(&changes)
                try cgroup.update(changes, known: known)
            }
            let hasSwap = FileStatus.exists("\(directory)/memory.swap.max")
            if hasSwap { #expect(try value("memory.swap.max") == "0") }
            try update { $0.memory.swap = 96 << 20 }
            if hasSwap { #expect(try value("memory.swap.max") == "\(32 << 20)") }
            try update { $0.memory.limit = -1 }
            #expect(try value("memory.max") == "max")
            if hasSwap { #expect(try value("memory.swap.max") == "max") }

            // The burst is part of what the quota bounds, in both directions.
            for (quota, period, burst) in [(10_000, 100_000, 5000), (400_000, 900_000, 300_000), (3000, 10_000, 0)] {
                try update { changes in
                    changes.cpu.quota = Int64(quota)
                    changes.cpu.period = UInt64(period)
                    changes.cpu.burst = UInt64(burst)
                }
                #expect(try value("cpu.max") == "\(quota) \(period)")
                #expect(try value("cpu.max.burst") == "\(burst)")
            }
            try update { $0.cpu.period = 20_000 }
            #expect(try value("cpu.max") == "3000 20000")
            try update { $0.cpu.quota = -1 }
            #expect(try value("cpu.max") == "max 20000")
            try update { $0.cpu.shares = 2048 }
            #expect(try value("cpu.weight") == "174")
            try update { $0.cpu.idle = 1 }
            #expect(try value("cpu.idle") == "1")
            try update { $0.pidsLimit = 5 }
            try update { $0.pidsLimit = -1 }
            #expect(try value("pids.max") == "max")
            let process = try CgroupSandbox.start(in: cgroup, "exec sleep 60")
            let refused = #expect(throws: EngineError.self) {
                try update {
                    $0.memory.limit = 4096
                    $0.memory.checkBeforeUpdate = true
                }
            }
            #expect(refused?.message.hasPrefix("rejecting memory limit 4096 <= usage ") == true)
            #expect(kill(process, 0) == 0)
            let document = try cgroup.eventsJSON(id: "v2")["data"]
            #expect(document?["memory"]?["usage"]?["usage"]?.int ?? 0 > 0)
            #expect(document?["memory"]?["raw"]?["anon"] != nil)
            #expect(document?["cpu"]?["usage"]?["total"]?.int ?? 0 > 0)
            #expect(document?["pids"] == ["current": 1])
            try cgroup.kill(SIGTERM)
            #expect(try Subprocess.wait(for: process) == .signalled(SIGTERM))
            try cgroup.remove(in: placed.made)
        }
    }

    @Test func outOfMemory() throws {
        try sandbox.restoring {
            let placed = try sandbox.place("oom") { resources in
                resources.memory.limit = 16 << 20
                resources.memory.swap = 16 << 20
            }
            let process = try CgroupSandbox.start(in: placed.cgroup, "exec sleep 60")
            var events = try CgroupEvents(placed.cgroup)
            #expect(try events.next() == nil)
            _ = try CgroupSandbox.run(in: placed.cgroup, "head -c 100000000 /dev/zero | tail -n 1 >/dev/null")
            #expect(CgroupSandbox.isReadable(events.descriptor.raw))
            #expect(try events.next() == .outOfMemory)
            #expect(try events.next() == nil)
            try placed.cgroup.kill()
            _ = try Subprocess.wait(for: process)
            #expect(try events.next() == .ended)
            #expect(try events.next() == nil)
            try placed.cgroup.remove(in: placed.made)
        }
    }

    @Test func everyLimitIsTaken() throws {
        try sandbox.restoring {
            let placed = try sandbox.place("limits") { resources in
                CgroupPlanTests.manyLimits(&resources)
                resources.cpu.cpus = "0"
                resources.cpu.mems = "0"
                resources.blockIO = LinuxResources.BlockIO()
                resources.hugepageLimits = [LinuxResources.HugepageLimit(pageSize: "2MB", limit: 4 << 20)]
                resources.unified = ["memory.high": "100000000", "cgroup.max.depth": "2"]
            }
            let directory = try #require(placed.cgroup.unifiedDirectory)
            for (file, value) in [
                ("memory.max", "67108864"), ("memory.high", "99999744"), ("cgroup.max.depth", "2"),
                ("cpuset.cpus", "0"),
                ("hugetlb.2MB.max", "4194304"), ("pids.max", "100"), ("cpu.max", "150000 100000"),
            ] { #expect(try Files.readText("\(directory)/\(file)").trimmed == value) }
            try placed.cgroup.remove(in: placed.made)
        }
    }
}

extension CgroupSandbox {
    func place(_ id: String, path: String? = nil, _ change: (inout LinuxResources) -> Void = { _ in }) throws
        -> Cgroup.Placed
    {
        var resources = LinuxResources()
        resources.devices = LinuxResources.DeviceRule.docker
        change(&resources)
        let placement = try CgroupPlacement(
            cgroupsPath: path ?? cgroupsPath(id),
            id: id,
            systemd: false,
            hierarchy: hierarchy,
            isRootless: false
        )
        return try Cgroup.place(
            CgroupPlan(placement, in: hierarchy, resources: resources, isRootless: false)
        )
    }

    /// The root's own controllers as they were.
    func restoring(_ body: () throws -> Void) throws {
        let root = try #require(hierarchy.unified?.directory)
        func enabled() throws -> Set<Substring> {
            Set(try Files.readText("\(root)/cgroup.subtree_control").split(whereSeparator: \.isWhitespace))
        }
        let before = try enabled()
        defer {
            for name in (try? enabled())?.subtracting(before) ?? [] {
                try? Files.overwrite("\(root)/cgroup.subtree_control", "-\(name)")
            }
        }
        try body()
    }

    /// Waits for a descriptor to have something, at most five seconds.
    static func isReadable(_ descriptor: CInt) -> Bool {
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&wait, 1, 5000) == 1
    }
}
