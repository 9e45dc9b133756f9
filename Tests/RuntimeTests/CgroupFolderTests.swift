import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Runtime

/// Folders of a temporary one stand for hierarchies: what is read of their files, and which folders come and go.
@Suite("cgroup folders")
final class CgroupFolderTests {
    private let root = "/tmp/minirun-cgroup-\(getpid())-\(UInt32.random(in: 0 ... .max))"

    deinit { try? Files.removeTree(root) }

    private func write(_ files: [String: String]) throws {
        for (file, text) in files {
            try Files.makeDirectories(Files.parent(of: "\(root)/\(file)"))
            try Files.write("\(root)/\(file)", Array(text.utf8))
        }
    }

    private var v1: CgroupHierarchy {
        var mounts: [CgroupController: String] = [:]
        for controller in [CgroupController.cpu, .cpuacct, .cpuset, .memory, .freezer, .blkio, .pids, .hugetlb] {
            mounts[controller] = "\(root)/\(controller.rawValue)"
        }
        return CgroupHierarchy(mounts: mounts)
    }

    private var v2: CgroupHierarchy {
        CgroupHierarchy(unified: CgroupHierarchy.Unified(directory: root, controllers: []), ownPath: "/")
    }

    private func cgroup(_ hierarchy: CgroupHierarchy) throws -> Cgroup { Cgroup(try CgroupName("c/x"), in: hierarchy) }

    /// A plan for `/c/x` or the caller's choice in these hierarchies, and in one of devices, where the folder exists.
    private func plan(
        _ roots: [String],
        path: String? = "/c/x",
        isRootless: Bool = false,
        _ change: (inout LinuxResources) -> Void = { _ in }
    ) throws -> CgroupPlan {
        let devices = "\(root)/devices"
        var hierarchy = CgroupHierarchy(mounts: [.pids: roots[0], .devices: devices])
        for root in roots.dropFirst() { hierarchy.named[root] = root }
        for root in hierarchy.directories { hierarchy.ownPaths[root] = "/" }
        let placement = try CgroupPlacement(
            cgroupsPath: path,
            id: "x",
            systemd: false,
            hierarchy: hierarchy,
            isRootless: isRootless
        )
        try write(["devices/\(placement.name.path)/devices.allow": ""])
        var resources = LinuxResources()
        resources.devices = LinuxResources.DeviceRule.everything
        change(&resources)
        return try CgroupPlan(placement, in: hierarchy, resources: resources, isRootless: isRootless)
    }

    // MARK: - folders

    @Test func newAndTaken() throws {
        try write(["a/c/there": "", "b/c/x/there": ""])
        let placed = try Cgroup.place(try plan(["\(root)/a", "\(root)/b"]))
        #expect(Set(placed.roots) == ["\(root)/a", "\(root)/b", "\(root)/devices"])
        #expect(placed.made == ["\(root)/a"])
        #expect(placed.entries.contains(.ownTask(file: "\(root)/a/c/x/tasks")))
        #expect(try Files.readText("\(root)/devices/c/x/devices.allow") == "a")
        // What was there stays.
        try placed.cgroup.remove(in: placed.made)
        #expect(!FileStatus.exists("\(root)/a/c/x"))
        #expect(FileStatus.exists("\(root)/a/c"), "it may be somebody else's")
        #expect(FileStatus.exists("\(root)/b/c/x/there"))
    }

    @Test func failureLeavesWhatWasThere() throws {
        try write(["a/c/x/there": "", "b/there": ""])
        let refused = try plan(["\(root)/a", "\(root)/b"]) { $0.pidsLimit = 5 }
        let error = #expect(throws: EngineError.self) { try Cgroup.place(refused) }
        #expect(error?.message == "cannot apply pids.limit: this kernel has no pids.max")
        #expect(FileStatus.exists("\(root)/a/c/x"))
        #expect(!FileStatus.exists("\(root)/b/c"))
    }

    @Test func unfitPlaces() throws {
        try write(["a/c/x/cgroup.procs": "7\n8\n", "a/c/x/inner/cgroup.procs": "9\n", "b/c/x/cgroup.procs": "7\n"])
        let full = #expect(throws: EngineError.self) { try Cgroup.place(try plan(["\(root)/a", "\(root)/b"])) }
        #expect(full?.message == "container's cgroup is not empty: 3 process(es) found")
        try write(["a/c/x/cgroup.procs": "7\n", "a/c/x/inner/cgroup.procs": ""])
        try Cgroup.check(try plan(["\(root)/a", "\(root)/b"]), process: 7)
        try write(["d/c/x/freezer.state": "FROZEN\n", "d/c/x/freezer.self_freezing": "1\n"])
        let hierarchy = CgroupHierarchy(mounts: [.freezer: "\(root)/d", .devices: "\(root)/d"])
        let placement = try CgroupPlacement(cgroupsPath: "/c/x", id: "x", systemd: false, hierarchy: hierarchy)
        let frozen = #expect(throws: EngineError.self) {
            try Cgroup.check(try CgroupPlan(placement, in: hierarchy, resources: LinuxResources()))
        }
        #expect(frozen?.message == "container's cgroup unexpectedly frozen")
    }

    /// /sys/kernel lets nobody make a folder.
    @Test func leftOut() throws {
        try write(["a/there": ""])
        let roots = ["/sys/kernel", "\(root)/a"]
        let rootless = try plan(roots, path: nil, isRootless: true)
        let placed = try Cgroup.place(rootless)
        #expect(placed.roots.contains("\(root)/a") && !placed.roots.contains("/sys/kernel"))
        #expect(FileStatus.exists("\(root)/a/x"))
        let limited = #expect(throws: EngineError.self) {
            try Cgroup.place(try plan(roots, path: nil, isRootless: true) { $0.pidsLimit = 5 })
        }
        #expect(limited?.message == "cannot set pids limit: container could not join or create cgroup")
        for (path, isRootless) in [("/c/x", true), (nil, false)] {
            let error = #expect(throws: EngineError.self) {
                try Cgroup.place(try plan(roots, path: path, isRootless: isRootless))
            }
            #expect(error?.message.hasPrefix("cannot create the cgroup /sys/kernel/") == true)
        }
        // The same on v2.
        let unified = CgroupHierarchy(
            unified: CgroupHierarchy.Unified(directory: "/sys/kernel", controllers: ["pids"]),
            ownPath: "/a"
        )
        let place = try CgroupPlacement(cgroupsPath: nil, id: "x", systemd: false, hierarchy: unified, isRootless: true)
        var resources = LinuxResources()
        let none = try Cgroup.place(try CgroupPlan(place, in: unified, resources: resources, isRootless: true))
        #expect(none.roots == [] && none.entries == [] && none.cgroup.directories == [])
        resources.pidsLimit = 3
        let error = #expect(throws: EngineError.self) {
            try Cgroup.place(try CgroupPlan(place, in: unified, resources: resources, isRootless: true))
        }
        #expect(
            error?.message.hasPrefix(
                "rootless needs no limits + no cgrouppath when no permission is granted for cgroups: cannot create"
            ) == true
        )
    }

    @Test(.enabled(if: geteuid() == 0, "needs root"))
    func ownership() throws {
        try write([
            "c/x/cgroup.procs": "", "c/x/cgroup.threads": "", "c/x/memory.max": "", "c/x/memory.oom.group": "",
            "list": "cgroup.procs\nmemory.oom.group\nmissing\n../escape\n", "c/escape": "",
        ])
        func owners() throws -> [uid_t] {
            try ["", "/cgroup.procs", "/cgroup.threads", "/memory.oom.group", "/memory.max", "/../escape"]
                .map { try FileStatus.of("\(root)/c/x\($0)").owner }
        }
        try cgroup(v2).giveTo(uid: 1234, list: "\(root)/list")
        #expect(try owners() == [1234, 1234, 0, 1234, 0, 0])
        try cgroup(v2).giveTo(uid: 77, list: "\(root)/no-such-list")
        #expect(try owners() == [77, 77, 77, 1234, 0, 0])
        #expect(try FileStatus.of("\(root)/c/x").group == getegid())
        // Not on v1.
        try cgroup(CgroupHierarchy(mounts: [.pids: root])).giveTo(uid: 1)
        #expect(try owners()[0] == 77)
    }

    @Test func whoOwnsItsCgroup() throws {
        var spec = RuntimeSpec(process: RuntimeSpec.Process(args: []), root: RuntimeSpec.Root(path: "/"))
        #expect(!spec.ownsCgroup)
        spec.linux.namespaces = [(type: .cgroup, path: nil), (type: .user, path: nil)]
        #expect(!spec.ownsCgroup)
        spec.mounts = [RuntimeSpec.Mount("/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid"])]
        #expect(spec.ownsCgroup)
        spec.mounts[0].options.append("ro")
        #expect(!spec.ownsCgroup)
        spec.mounts[0].options = []
        spec.linux.namespaces[0].path = "/proc/1/ns/cgroup"
        #expect(!spec.ownsCgroup)
    }

    // MARK: - state

    @Test(arguments: [
        ["freezer.state": "THAWED\n"]: FreezerState.thawed,
        ["freezer.state": "FROZEN\n", "freezer.self_freezing": "1\n"]: .frozen,
        ["freezer.state": "FROZEN\n"]: .frozen,
        ["freezer.state": "FROZEN\n", "freezer.self_freezing": "0\n"]: .thawed,
        ["freezer.state": "FREEZING\n", "freezer.self_freezing": "1\n"]: .freezing,
    ])
    func freezer(_ files: [String: String], _ state: FreezerState) throws {
        for (file, text) in files { try write(["freezer/c/x/\(file)": text]) }
        #expect(try cgroup(v1).freezerState() == state)
        #expect(try cgroup(v1).isFrozen(timeout: 1) == (state != .thawed))
    }

    @Test func freezerOnV2() throws {
        #expect(try cgroup(v2).freezerState() == nil)
        #expect(try cgroup(v2).isFrozen() == false)
        try write(["c/x/cgroup.freeze": "0\n"])
        #expect(try cgroup(v2).freezerState() == .thawed)
        try write(["c/x/cgroup.freeze": "1\n", "c/x/cgroup.events": "populated 1\nfrozen 0\n"])
        #expect(try cgroup(v2).freezerState() == .freezing)
        try write(["c/x/cgroup.events": "populated 1\nfrozen 1\n"])
        #expect(try cgroup(v2).freezerState() == .frozen)
        try cgroup(v2).setFrozen(true)
        try cgroup(v2).setFrozen(false)
        #expect(try cgroup(v2).freezerState() == .thawed)
        try write(["c/x/cgroup.events": "populated 1\nfrozen 0\n"])
        let stuck = #expect(throws: EngineError.self) { try cgroup(v2).setFrozen(true, timeout: 20) }
        #expect(stuck?.message == "the processes of x do not stop")
        #expect(try cgroup(v2).freezerState() == .thawed, "they go on")
    }

    @Test func processes() throws {
        try write([
            "pids/c/x/cgroup.procs": "30\n4\n", "pids/c/x/in/ner/cgroup.procs": "5\n",
            "memory/c/x/cgroup.procs": "4\n6\n",
        ])
        #expect(try cgroup(v1).allProcesses() == [4, 5, 6, 30])
        #expect(try cgroup(v2).allProcesses() == [])
    }

    // MARK: - changes

    @Test func updateWrites() throws {
        try write(["c/x/memory.max": "max\n", "c/x/memory.swap.max": "max\n", "c/x/cpu.max": "5000 20000\n"])
        try write(["cgroup.subtree_control": "memory cpu\n", "c/cgroup.subtree_control": "cpu memory\n"])
        var hierarchy = v2
        hierarchy.unified?.controllers = ["memory", "cpu"]
        var changes = LinuxResources()
        changes.memory.limit = 50
        changes.memory.swap = 80
        changes.cpu.quota = 6000
        changes.memory.swappiness = 5
        let warnings = try cgroup(hierarchy).update(changes)
        #expect(warnings == ["memory.swappiness has no meaning on cgroup v2 and is discarded"])
        // Unlike the kernel's, these files keep what stood behind.
        #expect(try Files.readText("\(root)/c/x/memory.max").hasPrefix("50"))
        #expect(try Files.readText("\(root)/c/x/memory.swap.max").hasPrefix("30"))
        #expect(try Files.readText("\(root)/c/x/cpu.max").hasPrefix("6000 20000"))
        #expect(try Files.readText("\(root)/cgroup.subtree_control") == "memory cpu\n", "they were there already")
    }
}
