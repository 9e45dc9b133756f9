import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Runtime

/// Where tests may make cgroups: folders `minirun-test-<pid>/…`, which they remove.
struct CgroupSandbox: Sendable {
    let hierarchy: CgroupHierarchy

    /// This machine's own hierarchies, for root only.
    static let machine: CgroupSandbox? = {
        guard geteuid() == 0, let hierarchy = try? CgroupHierarchy.current() else { return nil }
        let writable = hierarchy.directories.allSatisfy { access($0, W_OK) == 0 }
        return writable ? CgroupSandbox(hierarchy: hierarchy) : nil
    }()

    /// The same if it has cgroup v1's controllers.
    static let v1: CgroupSandbox? = {
        let needed: [CgroupController] = [.memory, .pids, .devices, .cpu, .cpuset, .freezer]
        guard let machine, needed.allSatisfy({ machine.hierarchy.mounts[$0] != nil }) else { return nil }
        return machine
    }()

    /// The cgroup2 mount alone, as if the machine had no other.
    static let unified: CgroupSandbox? = {
        guard let machine, let directory = machine.hierarchy.unified?.directory,
            let text = try? Files.readText("\(directory)/cgroup.controllers")
        else { return nil }
        let controllers = Set(text.split(whereSeparator: \.isWhitespace).map(String.init))
        let unified = CgroupHierarchy.Unified(directory: directory, controllers: controllers)
        return CgroupSandbox(hierarchy: CgroupHierarchy(unified: unified, ownPath: machine.hierarchy.ownPath))
    }()

    func name(_ id: String) throws -> CgroupName {
        try CgroupName("minirun-test-\(getpid())-\(id)/\(id)", removesParents: true)
    }

    /// The path of an OCI container's cgroup. Suites run at the same time, so no two of them may share a name: whoever removes
    /// a cgroup removes empty folders above it as well.
    func cgroupsPath(_ id: String) -> String {
        "/minirun-test-\(getpid())-oci-\(hierarchy.mounts.isEmpty ? "v2" : "v1")-\(id)"
    }

    func plan(
        _ id: String,
        controllers: Set<CgroupController> = [],
        _ change: (inout LinuxResources) -> Void
    ) throws -> CgroupPlan {
        var resources = LinuxResources()
        resources.devices = LinuxResources.DeviceRule.everything
        change(&resources)
        return try CgroupPlan(try name(id), in: hierarchy, resources: resources, controllers: controllers)
    }

    /// Runs a shell's script in a cgroup.
    static func run(in cgroup: Cgroup, _ script: String) throws -> Subprocess.Result {
        try Subprocess.run(["sh", "-c", "\(enter(cgroup)) \(script)"], timeout: 20_000)
    }

    /// A shell's words that put the shell into a cgroup.
    static func enter(_ cgroup: Cgroup) -> String {
        cgroup.entries.map { entry in
            switch entry {
            case .ownTask(let file): "echo 0 > '\(file)' || exit 99;"
            case .cloneInto(let directory): "echo 0 > '\(directory)/cgroup.procs' || exit 99;"
            }
        }.joined(separator: " ")
    }

    /// Starts a script in a cgroup and returns when it has said that it is there.
    static func start(in cgroup: Cgroup, _ script: String) throws -> pid_t {
        let output = try Pipe()
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        let process = try Subprocess.start(
            ["sh", "-c", "\(enter(cgroup)) echo ready; exec >/dev/null; \(script)"],
            descriptors: [null.raw, output.writing.raw, 2]
        )
        let reading = output.keepReading()
        #expect(String(decoding: try reading.readAll(), as: UTF8.self) == "ready\n")
        return process
    }
}
