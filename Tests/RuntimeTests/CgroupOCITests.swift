import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Runtime

/// What an OCI runtime does with real cgroups of this machine.
extension CgroupTests {
    @Suite("of OCI containers", .serialized)
    struct OCI {
        private let sandbox: CgroupSandbox

        init() throws { sandbox = try #require(CgroupSandbox.v1) }

        private func placement(_ id: String) throws -> CgroupPlacement {
            try CgroupPlacement(
                cgroupsPath: sandbox.cgroupsPath(id),
                id: id,
                systemd: false,
                hierarchy: sandbox.hierarchy,
                isRootless: false
            )
        }

        private func place(_ id: String, _ change: (inout LinuxResources) -> Void = { _ in }) throws -> Cgroup.Placed {
            var resources = LinuxResources()
            resources.devices = LinuxResources.DeviceRule.docker
            change(&resources)
            let plan = try CgroupPlan(placement(id), in: sandbox.hierarchy, resources: resources, isRootless: false)
            return try Cgroup.place(plan)
        }

        private func changed(_ change: (inout LinuxResources) -> Void) -> LinuxResources {
            var resources = LinuxResources()
            change(&resources)
            return resources
        }

        private func remove(_ placed: Cgroup.Placed) throws {
            try placed.cgroup.remove(in: placed.made)
            #expect(placed.cgroup.directories == [])
        }

        @Test func everywhere() throws {
            let placed = try place("all") {
                CgroupPlanTests.manyLimits(&$0); $0.cpu.cpus = "0"; $0.blockIO = .init()
            }
            #expect(Set(placed.roots) == Set(sandbox.hierarchy.directories))
            #expect(placed.made == placed.roots)
            let process = try CgroupSandbox.start(in: placed.cgroup, "sleep 60 & sleep 60")
            for directory in placed.cgroup.directories {
                #expect(try Cgroup.processes(in: directory).contains(process), "\(directory)")
            }
            #expect(try placed.cgroup.allProcesses().contains(process))
            let full = #expect(throws: EngineError.self) { try place("all") }
            #expect(full?.message.hasPrefix("container's cgroup is not empty: ") == true)
            #expect(placed.cgroup.directories.count == placed.roots.count, "a refusal removes nothing")
            let document = try placed.cgroup.eventsJSON(id: "all")
            #expect(document["data"]?["pids"]?["limit"]?.int == 100)
            #expect(document["data"]?["memory"]?["usage"]?["limit"]?.int == 67_108_864)
            #expect(document["data"]?["memory"]?["raw"]?["cache"] != nil)
            #expect(document["data"]?["cpu"]?["usage"]?["percpu"]?.array?.isEmpty == false)
            try placed.cgroup.kill()
            #expect(try Subprocess.wait(for: process) == .signalled(SIGKILL))
            try remove(placed)
        }

        @Test func takenWhenEmpty() throws {
            let first = try place("taken")
            let second = try place("taken") { $0.pidsLimit = 7 }
            #expect(second.made == [] && second.roots == first.roots)
            // What runs in it is the container's, and the folder is not.
            let process = try CgroupSandbox.start(in: second.cgroup, "exec sleep 60")
            try second.cgroup.remove(in: second.made)
            #expect(try Subprocess.wait(for: process) == .signalled(SIGKILL))
            #expect(second.cgroup.directories.count == first.roots.count)
            try second.cgroup.setFrozen(true)
            let frozen = #expect(throws: EngineError.self) { try place("taken") }
            #expect(frozen?.message == "container's cgroup unexpectedly frozen")
            try second.cgroup.setFrozen(false)
            try remove(first)
        }

        /// Up and down again, with the limits that bound one another.
        @Test func updates() throws {
            let placed = try place("update") { resources in
                resources.memory.limit = 64 << 20
                resources.memory.swap = 64 << 20
                resources.cpu.quota = 50_000
                resources.cpu.period = 100_000
            }
            let cgroup = placed.cgroup
            func value(_ controller: CgroupController, _ file: String) throws -> Int? {
                try Int(Files.readText("\(try #require(cgroup.directory(of: controller)))/\(file)").trimmed)
            }
            let hasSwap = FileStatus.exists(
                "\(try #require(cgroup.directory(of: .memory)))/memory.memsw.limit_in_bytes"
            )
            for size: Int64 in [128, 32, 256, 16] {
                try cgroup.update(
                    changed { changes in
                        changes.memory.limit = size << 20
                        changes.memory.swap = size << 20
                    }
                )
                #expect(try value(.memory, "memory.limit_in_bytes") == Int(size << 20))
                if hasSwap { #expect(try value(.memory, "memory.memsw.limit_in_bytes") == Int(size << 20)) }
            }
            try cgroup.update(changed { $0.memory.limit = -1 })
            #expect(try value(.memory, "memory.limit_in_bytes") ?? 0 > 1 << 50)
            if hasSwap {
                #expect(try value(.memory, "memory.memsw.limit_in_bytes") ?? 0 > 1 << 50)
                try cgroup.update(
                    changed {
                        $0.memory.swap = 1 << 30; $0.memory.limit = 1 << 29
                    }
                )
                let error = #expect(throws: EngineError.self) {
                    try cgroup.update(changed { $0.memory.swap = 1 << 20 })
                }
                #expect(
                    error?.message
                        == "cannot apply memory.swap: writing 1048576 into memory.memsw.limit_in_bytes: Invalid argument"
                )
            }

            for (quota, period, burst) in [
                (400_000, 900_000, 100_000), (3000, 10_000, 0), (90_000, 100_000, 80_000), (2000, 1000, 1),
            ] {
                try cgroup.update(
                    changed { changes in
                        changes.cpu.quota = Int64(quota)
                        changes.cpu.period = UInt64(period)
                        changes.cpu.burst = UInt64(burst)
                    }
                )
                #expect(try value(.cpu, "cpu.cfs_quota_us") == quota)
                #expect(try value(.cpu, "cpu.cfs_period_us") == period)
                #expect(try value(.cpu, "cpu.cfs_burst_us") == burst)
            }
            try cgroup.update(changed { $0.cpu.quota = -1 })
            #expect(try value(.cpu, "cpu.cfs_quota_us") == -1)
            #expect(try value(.cpu, "cpu.cfs_period_us") == 1000)
            try cgroup.update(changed { $0.cpu.idle = 1 })
            #expect(try value(.cpu, "cpu.idle") == 1)
            try cgroup.update(
                changed {
                    $0.pidsLimit = -1; $0.cpu.cpus = "0"
                }
            )
            #expect(try Files.readText("\(try #require(cgroup.directory(of: .pids)))/pids.max") == "max\n")
            try remove(placed)
        }

        /// Below a limit of the cgroup above, a lower period is taken only with the lower quota.
        @Test func quotaBelowALimit() throws {
            let root = try #require(sandbox.hierarchy.mounts[.cpu])
            let pod = "\(root)/minirun-test-\(getpid())-pod"
            try #require(mkdir(pod, 0o755) == 0)
            defer { rmdir(pod) }
            try Files.overwrite("\(pod)/cpu.cfs_quota_us", "50000")
            let placement = try CgroupPlacement(
                cgroupsPath: "/minirun-test-\(getpid())-pod/c",
                id: "c",
                systemd: false,
                hierarchy: sandbox.hierarchy,
                isRootless: false
            )
            var resources = LinuxResources()
            resources.cpu.quota = 40_000
            let placed = try Cgroup.place(
                CgroupPlan(placement, in: sandbox.hierarchy, resources: resources, isRootless: false)
            )
            #expect(throws: EngineError.self) { try placed.cgroup.update(changed { $0.cpu.quota = 60_000 }) }
            try placed.cgroup.update(
                changed { changes in
                    changes.cpu.period = 10_000
                    changes.cpu.quota = 3000
                }
            )
            #expect(try Files.readText("\(pod)/c/cpu.cfs_period_us") == "10000\n")
            try remove(placed)
            // The folders above were the runtime's too, and stay: their names are the caller's.
            for root in sandbox.hierarchy.directories { rmdir("\(root)/minirun-test-\(getpid())-pod") }
        }

        @Test func devicesOfARunningContainer() throws {
            typealias Rule = LinuxResources.DeviceRule
            let placed = try place("devices")
            func canRead(_ device: String) throws -> Bool {
                try CgroupSandbox.run(in: placed.cgroup, ": <\(device)").status == .exited(0)
            }
            #expect(try canRead("/dev/zero"))
            #expect(try !canRead("/dev/kmsg"))
            // Something that fails at any moment without /dev/null would say so.
            let process = try CgroupSandbox.start(in: placed.cgroup, "while : </dev/null; do :; done")
            for rules in [[Rule(allow: true, .character, major: 1, minor: 11)], [Rule(allow: false)]] {
                try placed.cgroup.update(changed { $0.devices = [Rule(allow: false)] + rules })
                #expect(try canRead("/dev/kmsg") == (rules[0].allow))
            }
            #expect(kill(process, 0) == 0)
            try placed.cgroup.kill()
            #expect(try Subprocess.wait(for: process) == .signalled(SIGKILL))
            try remove(placed)
        }

        @Test func pauseAndSignals() throws {
            let placed = try place("pause")
            let process = try CgroupSandbox.start(in: placed.cgroup, "exec sleep 60")
            #expect(try placed.cgroup.isFrozen() == false)
            try placed.cgroup.setFrozen(true)
            #expect(try placed.cgroup.freezerState() == .frozen)
            try placed.cgroup.kill(SIGTERM)
            #expect(try placed.cgroup.isFrozen())
            try placed.cgroup.setFrozen(false)
            #expect(try Subprocess.wait(for: process) == .signalled(SIGTERM))
            #expect(try placed.cgroup.isFrozen() == false)
            try remove(placed)
            #expect(try placed.cgroup.freezerState() == nil)
        }

        /// A pause overtakes forks.
        @Test func pauseOfForks() throws {
            let placed = try place("forks") { $0.pidsLimit = 100 }
            let process = try CgroupSandbox.start(in: placed.cgroup, "while :; do (:); (:) & done 2>/dev/null")
            for _ in 0..<5 {
                try placed.cgroup.setFrozen(true)
                #expect(try placed.cgroup.freezerState() == .frozen)
                try placed.cgroup.setFrozen(false)
            }
            try placed.cgroup.setFrozen(true)
            try placed.cgroup.kill()
            #expect(try Subprocess.wait(for: process) == .signalled(SIGKILL))
            try remove(placed)
        }

        @Test func outOfMemory() throws {
            let placed = try place("oom") {
                $0.memory.limit = 16 << 20; $0.memory.swap = 16 << 20
            }
            var events = try CgroupEvents(placed.cgroup)
            #expect(try events.next() == nil)
            let result = try CgroupSandbox.run(
                in: placed.cgroup,
                "head -c 100000000 /dev/zero | tail -n 1 >/dev/null; true"
            )
            #expect(result.status == .exited(0))
            #expect(CgroupSandbox.isReadable(events.descriptor.raw))
            #expect(try events.next() == .outOfMemory)
            #expect(try events.next() == nil)
            try remove(placed)
            #expect(CgroupSandbox.isReadable(events.descriptor.raw))
            #expect(try events.next() == .ended)
            #expect(try events.next() == nil)
        }
    }
}
