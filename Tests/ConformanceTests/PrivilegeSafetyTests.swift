import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// What a process of a container may do, also one that joined later.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct PrivilegeSafetyTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    @Test(
        .must("CVE-2022-29162", "exec leaves no inheritable or ambient capability behind, also with --cap."),
        arguments: [[], ["--cap", "CAP_KILL"]]
    )
    func nothingIsInheritable(options: [String]) throws {
        try bundle.launch()
        let report = try GuestReport(bundle.exec(["/guest", "report"], options: options))
        #expect(report.capabilities("inheritable").isEmpty && report.capabilities("ambient").isEmpty)
    }

    @Test(.must("CVE-2022-24769", "The caller's inheritable capabilities do not come along."))
    func theCallersInheritableCapabilitiesStay() throws {
        bundle.config.set("process.args", ["/guest", "report"])
        try bundle.writeConfiguration()
        let words = bundle.command(["run", "--bundle", bundle.folder, bundle.id])
        let launched = try Launched(["setpriv", "--inh-caps", "+chown,+kill,+net_admin"] + words)
        launched.closeInput()
        let status = try launched.wait()
        let report = try GuestReport(Outcome(status: status, out: launched.outText, err: launched.errText))
        #expect(report.capabilities("inheritable").isEmpty && report.capabilities("ambient").isEmpty)
    }

    @Test(.must("CVE-2022-36109", "The caller's supplementary groups do not come along."), arguments: [0, 1000])
    func theCallersGroupsStay(user: Int) throws {
        bundle.config.set("process.args", ["/guest", "report"])
        bundle.config.set("process.user", ["uid": .number(user), "gid": .number(user), "additionalGids": [77]])
        try bundle.writeConfiguration()
        let words = bundle.command(["run", "--bundle", bundle.folder, bundle.id])
        let launched = try Launched(["setpriv", "--groups", "4,27,1234"] + words)
        launched.closeInput()
        let status = try launched.wait()
        let report = try GuestReport(Outcome(status: status, out: launched.outText, err: launched.errText))
        #expect(Set(report.groups).subtracting([user]) == [77], "\(report.groups)")
    }

    @Test(.must("setgroups", "A supplementary group that is not mapped is an error, and no unmapped group is left."))
    func unmappedGroupsAreRefused() throws {
        bundle.config.append("linux.namespaces", ["type": "user"])
        bundle.config.set("linux.uidMappings", [.mapping(0, 100_000, 10)])
        bundle.config.set("linux.gidMappings", [.mapping(0, 100_000, 10)])
        try tool("chown", "-R", "100000:100000", bundle.path("rootfs"))
        #expect(try bundle.report().groups.allSatisfy { $0 < 10 })
        bundle.config.set("process.user.additionalGids", [500])
        expectError(try bundle.run())
    }

    @Test(.must("setgroups", "In a user namespace a process without CAP_SETGID cannot drop its groups."))
    func groupsCannotBeDropped() throws {
        bundle.config.append("linux.namespaces", ["type": "user"])
        bundle.config.set("linux.uidMappings", [.mapping(0, 100_000, 1000)])
        bundle.config.set("linux.gidMappings", [.mapping(0, 100_000, 1000)])
        try tool("chown", "-R", "100000:100000", bundle.path("rootfs"))
        bundle.config.set("process.user", ["uid": 5, "gid": 5, "additionalGids": [7]])
        bundle.config.set("process.args", ["/guest", "syscall", "setgroups"])
        #expect(try bundle.run().line == "EPERM")
    }

    /// The keys of a report that an exec'd process must share with the container's first.
    static let shared = [
        "capabilities", "seccomp", "seccomp_filters", "no_new_privs", "namespaces", "cgroup", "rlimits", "ids",
        "uid_map",
        "oom_score_adj", "umask", "securebits", "setgroups",
    ]

    @Test(
        .must(
            "exec",
            "A process that joins has the restrictions of the first: all sets, filter, limits, groups, namespaces."
        ),
        arguments: ["plain", "user namespace", "user", "nothing allowed"]
    )
    func execHasTheSameRestrictions(what: String) throws {
        bundle.config.set(
            "linux.seccomp",
            [
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [["names": ["acct", "keyctl"], "action": "SCMP_ACT_ERRNO"]],
            ]
        )
        bundle.config.set("process.oomScoreAdj", 444)
        bundle.config.set("process.user.umask", 0o027)
        switch what {
        case "user namespace":
            bundle.config.append("linux.namespaces", ["type": "user"])
            bundle.config.set("linux.uidMappings", [.mapping(0, 100_000, 1000)])
            bundle.config.set("linux.gidMappings", [.mapping(0, 100_000, 1000)])
            try tool("chown", "-R", "100000:100000", bundle.path("rootfs"))
        case "user": bundle.config.set("process.user", ["uid": 1000, "gid": 1000, "additionalGids": [5]])
        case "nothing allowed": bundle.config.remove("process.capabilities")
        default: break
        }
        chmod(bundle.path("rootfs/tmp"), 0o1777)
        try bundle.launch(["/bin/sh", "-c", "/guest report > /tmp/report; exec /guest trap"])
        let first = try JSON.parse(Array(bundle.read("rootfs/tmp/report").utf8))
        // Debian's runc 1.1 leaves these two to its caller, crun 1.8 the first.
        let shared = Self.shared.filter {
            OCIRuntime.underTest.kind == .minirun || OCIRuntime.underTest.kind == .other
                || !["oom_score_adj", "umask"].contains($0)
        }
        // The caller hands the same process over, as a file.
        var process = bundle.config["process"] ?? .null
        process.set("args", ["/guest", "report"])
        try Files.write(bundle.path("process.json"), process.bytes())
        let joined = try GuestReport(bundle.invoke(["exec", "--process", bundle.path("process.json"), bundle.id]))
        for key in shared {
            #expect(
                joined[key] == first[key] ?? .null,
                "\(key): \(joined[key].text()) is not \(first[key]?.text() ?? "")"
            )
        }
        // By words only: what is not said comes from the container.
        let words = try bundle.execReport()
        known(.crun, because: "an exec by words has its own user, limits and rights") {
            for key in shared { #expect(words[key] == first[key] ?? .null, "\(key)") }
        }
    }

    @Test(.must("exec", "A stopped container, or none, cannot be joined."))
    func execNeedsARunningContainer() throws {
        expectError(try bundle.exec(["/guest"]))
        bundle.config.set("process.args", ["/guest", "exit", "0"])
        expectSuccess(try bundle.create())
        expectSuccess(try bundle.start())
        #expect(bundle.hasStopped())
        expectError(try bundle.exec(["/guest"]))
    }

    @Test(.must("exec", "The exit code of exec is the program's; a program that is not there is an error."))
    func execEndsAsItsProgramDoes() throws {
        try bundle.launch()
        #expect(try bundle.exec(["/guest", "exit", "7"]).code == 7)
        expectError(try bundle.exec(["/nothing"]))
        #expect(bundle.status() == "running")
        #expect(try bundle.exec(["/guest", "cat"], input: "through").out == "through")
    }
}
