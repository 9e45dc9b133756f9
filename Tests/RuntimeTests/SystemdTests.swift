import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Runtime

/// The machine's own systemd, as root: a VM's, where MINIRUN_SYSTEMD is set.
@Suite(
    "systemd",
    .serialized,
    .enabled(if: Process.environment("MINIRUN_SYSTEMD") != nil, "needs root and a running systemd (MINIRUN_SYSTEMD)")
)
struct SystemdTests {
    private let hierarchy: CgroupHierarchy

    init() throws { hierarchy = try CgroupHierarchy.current() }

    private func placement(_ name: String, slice: String = "minirun-test.slice") throws -> CgroupPlacement {
        try CgroupPlacement(
            cgroupsPath: "\(slice):minirun-test:\(getpid())-\(name)",
            id: name,
            systemd: true,
            hierarchy: hierarchy,
            isRootless: false
        )
    }

    private func sleep() throws -> pid_t {
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        return try Subprocess.start(["sleep", "600"], descriptors: [null.raw, null.raw, null.raw])
    }

    /// What systemd says of a unit.
    private func show(_ unit: SystemdUnit, _ properties: String...) throws -> [String] {
        let result = try Subprocess.run(
            ["systemctl", "show", unit.name] + properties.map { "--property=\($0)" },
            timeout: 20_000
        )
        return result.outputText.split(separator: "\n").map(String.init).sorted()
    }

    private func cgroups(of process: pid_t) throws -> [Substring] {
        try Files.readText("/proc/\(process)/cgroup").split(separator: "\n")
            .compactMap { $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).last }
    }

    @Test func lifeOfAScope() throws {
        let placement = try placement("life")
        let unit = try #require(placement.unit)
        let process = try sleep()
        var resources = LinuxResources()
        resources.pidsLimit = 50
        resources.memory.limit = 64 << 20
        resources.devices = LinuxResources.DeviceRule.docker
        try unit.start(
            pid: process,
            resources: resources,
            description: "minirun's test",
            annotations: [
                "org.systemd.property.TimeoutStopSec": "2", "org.systemd.property.Documentation": "['man:x']",
            ]
        )
        // It says so when the process is there.
        #expect(try cgroups(of: process).contains("/\(placement.name.path)"))
        #expect(
            try show(
                unit,
                "TasksMax",
                "Slice",
                "Delegate",
                "DefaultDependencies",
                "TimeoutStopUSec",
                "DevicePolicy",
                "Documentation"
            )
                == [
                    "DefaultDependencies=no", "Delegate=yes", "DevicePolicy=strict", "Documentation=man:x",
                    "Slice=minirun-test.slice", "TasksMax=50", "TimeoutStopUSec=2s",
                ]
        )
        try unit.set(changed { $0.pidsLimit = 60 })
        #expect(try show(unit, "TasksMax") == ["TasksMax=60"])
        try unit.set(LinuxResources())

        let taken = #expect(throws: EngineError.self) {
            try unit.start(pid: process, resources: LinuxResources(), description: "the same again")
        }
        #expect(taken?.message.hasPrefix("unable to start unit \"\(unit.name)\": ") == true)

        try unit.stop()
        #expect(try Subprocess.wait(for: process) == .signalled(SIGTERM))
        #expect(Cgroup(placement.name, in: hierarchy).directories == [])
        try unit.stop()
        try unit.resetFailed()
    }

    /// What systemd does not do is done beside it, and goes with it.
    @Test func placeInAScope() throws {
        let placement = try placement("place")
        let unit = try #require(placement.unit)
        let process = try sleep()
        var resources = LinuxResources()
        resources.devices = LinuxResources.DeviceRule.docker
        if hierarchy.unified?.controllers?.contains("pids") == true || hierarchy.mounts[.pids] != nil {
            resources.pidsLimit = 40
        }
        let plan = try CgroupPlan(placement, in: hierarchy, resources: resources, isRootless: false)
        try Cgroup.check(plan)
        try unit.start(pid: process, resources: resources, description: "minirun's test")
        let placed = try Cgroup.place(plan, process: process)
        #expect(placed.roots == plan.roots)
        #expect(try placed.cgroup.allProcesses() == [process])
        for directory in plan.directories { #expect(try Cgroup.processes(in: directory) == [process]) }
        let full = #expect(throws: EngineError.self) { try Cgroup.check(plan) }
        #expect(full?.message == "container's cgroup is not empty: 1 process(es) found")
        if hierarchy.mode == .unified {
            let folder = try FileDescriptor.open(try #require(placed.cgroup.unifiedDirectory), O_RDONLY | O_DIRECTORY)
            #expect(try DeviceProgram.attached(to: folder.raw).count == 1, "ours alone")
        }
        if resources.pidsLimit != nil {
            try placed.cgroup.update(changed { $0.pidsLimit = 44 }, known: resources, unit: unit)
            #expect(try show(unit, "TasksMax") == ["TasksMax=44"])
            let directory = try #require(placed.cgroup.directory(of: .pids) ?? placed.cgroup.unifiedDirectory)
            #expect(try Files.readText("\(directory)/pids.max") == "44\n")
        }
        if hierarchy.unified?.controllers?.contains("cpu") == true {
            // Both have what systemd makes of it.
            try placed.cgroup.update(changed { $0.cpu.quota = 15_050 }, known: resources, unit: unit)
            #expect(try show(unit, "CPUQuotaPerSecUSec") == ["CPUQuotaPerSecUSec=160ms"])
            let directory = try #require(placed.cgroup.unifiedDirectory)
            #expect(try Files.readText("\(directory)/cpu.max") == "16000 100000\n")
        }
        try placed.cgroup.kill()
        #expect(try Subprocess.wait(for: process) == .signalled(SIGKILL))
        try unit.stop()
        try placed.cgroup.remove(in: placed.roots)
        #expect(placed.cgroup.directories == [])
    }

    @Test func nestedSlices() throws {
        let scope = try placement("nested", slice: "minirun-test-deep.slice")
        let process = try sleep()
        try #require(scope.unit).start(pid: process, resources: LinuxResources(), description: "in a slice of a slice")
        #expect(
            try cgroups(of: process)
                .contains("/minirun.slice/minirun-test.slice/minirun-test-deep.slice/\(try #require(scope.unit).name)")
        )
        try scope.unit?.stop()
        _ = try Subprocess.wait(for: process)
        let slice = SystemdUnit(
            name: "minirun-test-made.slice",
            slice: "minirun-test.slice",
            isUserManager: false,
            isUnified: hierarchy.mode == .unified
        )
        try slice.start(pid: nil, resources: changed { $0.pidsLimit = 9 }, description: "a slice")
        #expect(try show(slice, "ActiveState", "TasksMax") == ["ActiveState=active", "TasksMax=9"])
        try slice.start(pid: nil, resources: LinuxResources(), description: "it may exist")
        for name in ["minirun-test-made.slice", "minirun-test-deep.slice", "minirun-test.slice", "minirun.slice"] {
            try SystemdUnit(name: name, slice: "-.slice", isUserManager: false, isUnified: true).stop()
        }
    }

    @Test func refusals() throws {
        let unit = try #require(try placement("refused").unit)
        let process = try sleep()
        defer { kill(process, SIGKILL) }
        let unknown = #expect(throws: EngineError.self) {
            try unit.start(
                pid: process,
                resources: LinuxResources(),
                description: "x",
                annotations: ["org.systemd.property.NoSuchThing": "1"]
            )
        }
        #expect(unknown?.message.contains("NoSuchThing") == true)
        let none = #expect(throws: EngineError.self) {
            try unit.start(pid: 4_194_303, resources: LinuxResources(), description: "nobody has this number")
        }
        #expect(none?.message.hasPrefix("unable to start unit ") == true)
        let missing = #expect(throws: EngineError.self) { try unit.set(changed { $0.pidsLimit = 1 }) }
        #expect(missing?.message.hasPrefix("unable to set unit properties: ") == true)
        #expect(try cgroups(of: process).contains { $0.contains("refused") } == false)
    }

    /// Through the message bus as well as through systemd's own socket.
    @Test func bothWays() throws {
        for address in DBusAddress.systemManager(environment: { _ in nil }) where FileStatus.exists(address.path) {
            var manager = try SystemdManager([address])
            #expect(try manager.version() >= 252)
            let process = try sleep()
            let name = "minirun-test-\(getpid())-way.scope"
            let unit = SystemdUnit(name: name, slice: "system.slice", isUserManager: false, isUnified: true)
            try manager.start(
                name,
                SystemdProperties(starting: unit, pid: UInt32(process), description: "x"),
                mayExist: false
            )
            #expect(try cgroups(of: process).contains("/system.slice/\(name)"))
            try manager.stop(name)
            #expect(try Subprocess.wait(for: process) == .signalled(SIGTERM))
        }
    }

    /// A manager for the user nobody, and as that user the tests of one.
    @Test(.timeLimit(.minutes(20)))
    func userManager() throws {
        guard hierarchy.mode == .unified else {
            let error = #expect(throws: EngineError.self) {
                try CgroupPlacement(cgroupsPath: nil, id: "x", systemd: true, hierarchy: hierarchy, isRootless: true)
            }
            #expect(error?.message == "cannot use rootless systemd cgroups manager on cgroup v1")
            return
        }
        let name = "minirun-test-user-\(getpid())"
        let runtime = "XDG_RUNTIME_DIR=/run/\(name)"
        let common = ["systemd-run", "--quiet", "--uid=nobody", "--setenv=\(runtime)", "--setenv=HOME=/run/\(name)"]
        let manager = try Subprocess.run(
            common + ["--unit=\(name)", "--property=Delegate=yes", "--property=RuntimeDirectory=\(name)"]
                + ["--property=Type=notify", "--property=NotifyAccess=all", "--property=DefaultDependencies=no"]
                + ["/lib/systemd/systemd", "--user", "--unit=init.scope"],
            timeout: 30_000
        )
        #expect(manager.status == .exited(0), "\(manager.errorText)")
        defer { _ = try? Subprocess.run(["systemctl", "stop", "\(name).service"], timeout: 30_000) }
        let libraries = Process.environment("LD_LIBRARY_PATH").map { ["--setenv=LD_LIBRARY_PATH=\($0)"] } ?? []
        let tests = String(decoding: try Files.linkTarget("/proc/self/exe"), as: UTF8.self)
        let result = try Subprocess.run(
            common + libraries + ["--pipe", "--wait", "--property=DefaultDependencies=no"]
                + ["--setenv=MINIRUN_SYSTEMD=user", tests]
                + ["--testing-library", "swift-testing", "--filter", "UserSystemdTests"],
            timeout: 60_000
        )
        #expect(result.status == .exited(0), "\(result.outputText)\(result.errorText)")
        #expect((result.outputText + result.errorText).contains("Test run with 1 test"))
    }

    private func changed(_ change: (inout LinuxResources) -> Void) -> LinuxResources {
        var resources = LinuxResources()
        change(&resources)
        return resources
    }
}

/// What `SystemdTests.userManager` runs as a user, with a manager of that user's.
@Suite("systemd of a user")
struct UserSystemdTests {
    @Test func scope() throws {
        // Started by anybody else this has nothing to test.
        guard Process.environment("MINIRUN_SYSTEMD") == "user" else { return }
        let placement = try CgroupPlacement(
            cgroupsPath: nil,
            id: "test-\(getpid())",
            systemd: true,
            hierarchy: .current()
        )
        let unit = try #require(placement.unit)
        #expect(unit.isUserManager)
        let manager = try SystemdUnit.userManagerCgroup()
        #expect(placement.name.path == "\(manager.dropFirst())/user.slice/\(unit.name)")
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        let process = try Subprocess.start(["sleep", "600"], descriptors: [null.raw, null.raw, null.raw])
        try unit.start(pid: process, resources: LinuxResources(), description: "a user's container")
        #expect(try Files.readText("/proc/\(process)/cgroup").contains("0::/\(placement.name.path)\n"))
        let plan = try CgroupPlan(placement, in: .current(), resources: LinuxResources())
        let placed = try Cgroup.place(plan, process: process)
        #expect(try placed.cgroup.allProcesses() == [process])
        try unit.stop()
        #expect(try Subprocess.wait(for: process) == .signalled(SIGTERM))
        #expect(placed.cgroup.directories == [])
    }
}
