import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// config-linux.md, Control groups. On a machine with v1 hierarchies their files are looked at, else those of v2.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct CgroupTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    /// A v1 file or the v2 file of the same meaning, of the container's group.
    private func value(_ v1: String, _ v2: String) -> String? {
        for group in Leftovers.groups(named: bundle.id) where group.hasSuffix("/\(bundle.id)") {
            for name in [v1, v2] where FileStatus.exists("\(group)/\(name)") {
                return (try? Files.readText("\(group)/\(name)"))?.split(separator: "\n").joined(separator: " ")
            }
        }
        return nil
    }

    @Test(.must("config-linux.md#cgroups-path", "An absolute path is taken from the hierarchies' mount points."))
    func anAbsolutePath() throws {
        bundle.config.set("linux.cgroupsPath", "/\(bundle.id)/deeper/down")
        bundle.config.set("process.args", ["/guest", "trap"])
        expectSuccess(try bundle.create())
        let groups = try Files.readText("/proc/\(bundle.pid())/cgroup")
        #expect(groups.contains(":/\(bundle.id)/deeper/down\n"), "\(groups)")
        expectSuccess(try bundle.delete("--force"))
        for hierarchy in Leftovers.hierarchies {
            #expect(!FileStatus.exists("\(hierarchy)/\(bundle.id)/deeper/down"))
            // The folders above are not its own: runc and crun leave them, and so may we.
            rmdir("\(hierarchy)/\(bundle.id)/deeper")
            rmdir("\(hierarchy)/\(bundle.id)")
        }
    }

    @Test(.must("config-linux.md#cgroups-path", "The same path is the same place each time; a relative path too."))
    func aRelativePathIsConsistent() throws {
        bundle.config.set("linux.cgroupsPath", .string(bundle.id))
        bundle.config.removeAll("linux.namespaces") { $0["type"]?.string == "cgroup" }
        let first = try bundle.report()["cgroup"].strings
        let second = try bundle.report()["cgroup"].strings
        #expect(first != nil && first == second)
        #expect(first?.contains { $0.contains(bundle.id) } == true, "\(first ?? [])")
    }

    @Test(.must("config-linux.md#cgroups-path", "Without a path the container has a group all the same."))
    func noPath() throws {
        bundle.config.remove("linux.cgroupsPath")
        bundle.config.set("linux.resources.pids", ["limit": 50])
        expectSuccess(try bundle.create())
        let own = try Files.readText("/proc/self/cgroup").split(separator: "\n").first {
            $0.contains(":pids:") || $0.hasPrefix("0:")
        }
        let its = try Files.readText("/proc/\(bundle.pid())/cgroup").split(separator: "\n").first {
            $0.contains(":pids:") || $0.hasPrefix("0:")
        }
        #expect(own != its)
        expectSuccess(try bundle.delete("--force"))
    }

    @Test(
        .must(
            "config-linux.md#cgroups-path",
            "In a cgroup namespace of its own the container sees its group as the root."
        )
    )
    func theNamespacesRoot() throws {
        let lines = try bundle.report()["cgroup"].strings ?? []
        #expect(lines.contains { $0.hasSuffix(":/") })
        #expect(!lines.contains { $0.contains(bundle.id) }, "\(lines)")
    }

    /// A limit, and the file that holds it: v1, v2, and its content there.
    static let limits: [(String, JSON, v1: String, v2: String, [String])] = [
        ("pids", ["limit": 77], "pids.max", "pids.max", ["77"]),
        ("pids", ["limit": -1], "pids.max", "pids.max", ["max"]),
        ("memory", ["limit": 67_108_864], "memory.limit_in_bytes", "memory.max", ["67108864"]),
        (
            "memory", ["limit": 67_108_864, "reservation": 33_554_432], "memory.soft_limit_in_bytes", "memory.low",
            ["33554432"]
        ),
        ("cpu", ["shares": 512], "cpu.shares", "cpu.weight", ["512", "20", "59"]),
        ("cpu", ["quota": 20000, "period": 50000], "cpu.cfs_quota_us", "cpu.max", ["20000", "20000 50000"]),
        ("cpu", ["quota": 20000, "period": 50000], "cpu.cfs_period_us", "cpu.max", ["50000", "20000 50000"]),
        ("cpu", ["cpus": "0", "mems": "0"], "cpuset.cpus", "cpuset.cpus", ["0"]),
        ("cpu", ["cpus": "0", "mems": "0"], "cpuset.mems", "cpuset.mems", ["0"]),
    ]

    @Test(.must("runtime.md#create", "Each limit in resources is that of the container's group."), arguments: limits)
    func limitsAreSet(kind: String, value: JSON, v1: String, v2: String, expected: [String]) throws {
        bundle.config.set("linux.resources.\(kind)", value)
        try known(.crun, because: "writes -1 to pids.max", if: value == ["limit": -1]) {
            expectSuccess(try bundle.create())
            let seen = self.value(v1, v2)
            #expect(seen.map(expected.contains) == true, "\(seen ?? "no file")")
        }
    }

    @Test(.must("config-linux.md#pids", "A pids limit is kept."))
    func thePidsLimitIsKept() throws {
        bundle.config.set("linux.resources.pids", ["limit": 5])
        bundle.config.set("process.args", ["/guest", "fork", "50"])
        let words = try bundle.run().line.split(separator: " ")
        #expect(words.last == "EAGAIN" && (words.first.flatMap { Int($0) } ?? 99) <= 4, "\(words)")
    }

    @Test(.must("config-linux.md#control-groups", "A frozen group is an error.", crun: "does not look"))
    func aFrozenGroupIsRefused() throws {
        guard let freezer = Leftovers.hierarchies.first(where: { $0.hasSuffix("/freezer") }) else { return }
        let group = "\(freezer)/\(bundle.id)"
        try Files.makeDirectories(group)
        try Files.write("\(group)/freezer.state", Array("FROZEN".utf8))
        defer {
            try? Files.write("\(group)/freezer.state", Array("THAWED".utf8))
            rmdir(group)
        }
        try bundle.writeConfiguration()
        let launched = try Launched(bundle.command(["create", "--bundle", bundle.folder, bundle.id]))
        let status = try? launched.wait(seconds: 5)
        #expect(status != nil && status?.code != 0, "\(launched.errText)")
    }

    @Test(.must("config-linux.md#unified", "unified names a controller that is not there: an error."))
    func anUnknownControllerIsRefused() throws {
        bundle.config.set("linux.resources.unified", .object([("nothing.max", "1")]))
        expectError(try bundle.create())
    }

    @Test(
        .must("runtime.md#create", "A limit that cannot be set is an error and leaves nothing."),
        arguments: ["cpus", "blkio"]
    )
    func aLimitThatCannotBeSetIsRefused(what: String) throws {
        if what == "cpus" {
            bundle.config.set("linux.resources.cpu", ["cpus": "4000-4001"])
        } else {
            bundle.config.set(
                "linux.resources.blockIO",
                ["throttleReadBpsDevice": [["major": 4000, "minor": 4000, "rate": 1]]]
            )
        }
        try known(.crun, because: "leaves the control group") {
            expectError(try bundle.create())
            #expect(Leftovers.groups(named: bundle.id).isEmpty)
        }
    }

    @Test(.must("config-linux.md#cgroup-ownership", "On v1 the owner of the group does not change."))
    func theOwnerStays() throws {
        bundle.config.set("process.user", ["uid": 1000, "gid": 1000])
        expectSuccess(try bundle.create())
        for group in Leftovers.groups(named: bundle.id) where !group.hasPrefix("/sys/fs/cgroup/unified") {
            #expect(try FileStatus.of(group).owner == 0, "\(group)")
        }
    }
}
