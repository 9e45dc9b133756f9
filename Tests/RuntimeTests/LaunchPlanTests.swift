import LaunchPlan
import OCI
import Testing

@testable import Runtime

@Suite struct LaunchPlanTests {
    static func spec(_ change: (inout RuntimeSpec) -> Void = { _ in }) -> RuntimeSpec {
        var process = RuntimeSpec.Process(args: ["prog", "a b"])
        process.env = ["PATH=/bin"]
        process.capabilities.bounding = ["CAP_KILL"]
        var spec = RuntimeSpec(process: process, root: .init(path: "/root"))
        spec.linux.namespaces = [(.mount, nil), (.pid, nil), (.network, nil), (.cgroup, nil)]
        spec.hostname = "h"
        spec.mounts = [
            .init("/proc", type: "proc", source: "proc", options: ["nosuid"]),
            .init("/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro", "nosuid"]),
            .init("/data", type: "bind", source: "/host", options: ["rbind", "ro"]),
        ]
        spec.linux.maskedPaths = ["/proc/kcore"]
        spec.linux.readonlyPaths = ["/proc/sys"]
        spec.linux.sysctl = ["net.ipv4.ping_group_range": "0 1"]
        change(&spec)
        return spec
    }

    static func plan(
        _ change: (inout RuntimeSpec) -> Void = { _ in },
        _ context: (inout LaunchContext) -> Void = { _ in }
    ) throws
        -> LaunchPlan
    {
        var surroundings = LaunchContext(
            root: .overlay(layers: ["/l2", "/l1"], upper: "/u", work: "/w", mountPoint: "/m", options: "")
        )
        surroundings.cgroupEntries = [.ownTask(file: "/cg/tasks")]
        surroundings.cgroupMounts = [
            CgroupFileSystem(type: "cgroup", name: "cpu,cpuacct", options: "cpu,cpuacct", links: ["cpu"])
        ]
        context(&surroundings)
        return try LaunchPlan(spec(change), in: surroundings)
    }

    /// The order of the steps is the safety: this list is meant to hurt whoever moves one.
    @Test func theStepsStandInTheirOrder() throws {
        let names = try Self.plan().steps.map(\.name).filter { !["device", "link"].contains($0) }
        #expect(
            names == [
                "clone", "newSession", "keyring", "propagation", "layer", "layer", "overlay", "loopback", "fileSystem",
                "bind",
                "ownStreams", "sysctl", "readOnly", "mask", "barrier", "enterCgroup", "unshare", "fileSystem",
                "fileSystem", "remount", "pivotRoot", "hostname", "workingFolder", "boundingSet", "ids",
                "capabilities", "execute",
            ]
        )
    }

    @Test func theTopLayerComesFirst() throws {
        #expect(
            try Self.plan().steps.compactMap { if case .layer(let path) = $0 { path } else { nil } } == ["/l2", "/l1"]
        )
    }

    /// The cgroup namespace is made after the process is in its cgroup, which becomes the namespace's root.
    @Test func theCgroupNamespaceIsNotPartOfTheClone() throws {
        let steps = try Self.plan().steps
        guard case .clone(let flags, _) = steps[0] else { return #expect(Bool(false), "a plan begins with a clone") }
        #expect(!flags.contains(.cgroup) && flags.contains([.mount, .pid, .network]))
    }

    @Test func onV2TheProcessIsBornIntoItsCgroup() throws {
        let plan = try Self.plan({ _ in }) { $0.cgroupEntries = [.cloneInto(directory: "/cg")] }
        #expect(plan.steps[0] == .clone([.mount, .pid, .network], cgroup: "/cg"))
        #expect(!plan.steps.contains { $0.name == "enterCgroup" })
    }

    /// Without no_new_privs a filter needs CAP_SYS_ADMIN to be loaded, with it nothing: so it stands before the capabilities
    /// go, or after everything.
    @Test func theFilterStandsWhereItMayBeLoaded() throws {
        let filter = SeccompFilter(program: [UInt8](repeating: 0, count: 8), flags: 0)
        let before = try Self.plan({ _ in }) { $0.seccomp = filter }.steps.map(\.name).suffix(6)
        #expect(Array(before) == ["workingFolder", "boundingSet", "ids", "seccomp", "capabilities", "execute"])
        let after = try Self.plan {
            $0.process.noNewPrivileges = true
        } _: {
            $0.seccomp = filter
        }.steps.map(\.name).suffix(4)
        #expect(Array(after) == ["capabilities", "noNewPrivileges", "seccomp", "execute"])
    }

    @Test(arguments: [[], [""]])
    func argumentsThatAreNone(words: [String]) {
        #expect(throws: EngineError.self) { try Self.plan { $0.process.args = words } }
    }

    /// A path that the shim would cut short: "/tmp\0/etc" is not /tmp.
    @Test func aTextWithANULIsRefused() throws {
        let plan = try Self.plan { $0.process.cwd = "/tmp\0/etc" }
        #expect(throws: EngineError.self) { try plan.encoded() }
    }

    @Test func theBinaryFormHoldsEverything() throws {
        let plan = try Self.plan()
        let bytes = try plan.encoded()
        let header = bytes.withUnsafeBytes { $0.loadUnaligned(as: lp_header.self) }
        #expect(header.magic == UInt32(LP_MAGIC) && header.version == LaunchPlan.version)
        #expect(Int(header.size) == bytes.count && Int(header.step_count) == plan.steps.count)
        #expect(bytes.last == 0)
        let last = bytes.withUnsafeBytes {
            $0.loadUnaligned(
                fromByteOffset: Int(header.steps) + (plan.steps.count - 1) * MemoryLayout<lp_step>.stride,
                as: lp_step.self
            )
        }
        #expect(last.operation == LP_EXEC.rawValue)
        let list = Int(last.text.0)
        #expect(bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: list, as: UInt32.self) } == 2)
        #expect(Array(bytes[(list + 4)..<(list + 13)]) == Array("prog\0a b\0".utf8))
    }

    @Test func explainingNamesEveryStepOnce() throws {
        let plan = try Self.plan()
        #expect(plan.text.split(separator: "\n").count == plan.steps.count)
        #expect(plan.json["steps"]?.array?.count == plan.steps.count)
    }
}

@Suite struct MountOptionsTests {
    @Test func wordsBecomeAttributes() throws {
        let options = try MountOptions([
            "ro", "nosuid", "nodev", "noexec", "relatime", "size=1m", "mode=755", "rbind", "rslave",
        ])
        #expect(options.set == [.readOnly, .noSetuid, .noDevices, .noExecute])
        #expect(options.data == ["size=1m", "mode=755"])
        #expect(options.bind && options.recursiveBind && options.propagation == .slave)
    }

    @Test func theLastWordCounts() throws {
        #expect(try MountOptions(["ro", "rw"]).set.isEmpty)
        #expect(try MountOptions(["ro", "rw"]).clear == .readOnly)
        #expect(try MountOptions(["strictatime", "noatime"]).set == .noAccessTime)
    }

    @Test func recursiveAttributesAreKeptApart() throws {
        let options = try MountOptions(["rro", "rnoexec"])
        #expect(options.recursiveSet == [.readOnly, .noExecute] && options.set.isEmpty)
    }
}
