import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Capabilities, filters, privileges: what the options give and take.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct SecurityTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    static let defaults: Set<String> = [
        "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
        "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
    ]

    private static func number(x86: Int, arm: Int) -> Int { Platform.host.architecture == "amd64" ? x86 : arm }

    @Test(
        arguments: [
            ([], defaults), (["--cap-drop", "ALL"], []), (["--cap-drop", "all", "--cap-add", "CHOWN"], ["CHOWN"]),
            (["--cap-add", "net_admin"], defaults.union(["NET_ADMIN"])),
            (["--cap-add", "CAP_SYS_TIME"], defaults.union(["SYS_TIME"])),
            (["--cap-drop", "MKNOD", "--cap-drop", "cap_kill"], defaults.subtracting(["MKNOD", "KILL"])),
        ] as [([String], Set<String>)]
    )
    func capabilities(options: [String], expected: Set<String>) throws {
        let report = try GuestReport(minirun.invoke(["run", "--rm"] + options + [Fixtures.guest]))
        let names = Set(expected.map { "CAP_" + $0 })
        for set in ["effective", "permitted", "bounding"] { #expect(Set(report.capabilities(set)) == names, "\(set)") }
        #expect(report.capabilities("inheritable").isEmpty && report.capabilities("ambient").isEmpty)
    }

    @Test func addingAllAndDroppingSome() throws {
        let report = try minirun.report("--cap-add", "ALL", "--cap-drop", "SYS_ADMIN")
        #expect(report.capabilities("effective").contains("CAP_NET_ADMIN"))
        #expect(!report.capabilities("bounding").contains("CAP_SYS_ADMIN"))
    }

    @Test func anotherUserHasNoneButTheBound() throws {
        let report = try minirun.report("-u", "1000")
        for set in ["effective", "permitted", "inheritable", "ambient"] {
            #expect(report.capabilities(set).isEmpty, "\(set)")
        }
        #expect(report.capabilities("bounding").count == Self.defaults.count)
        #expect(report.id("uid") == 1000 && report.id("euid") == 1000 && report.id("suid") == 1000)
    }

    @Test func noNewPrivilegesMakesSetuidPlain() throws {
        let tree = try Fixtures.tree(minirun)
        try retrying("chmod") { chmod("\(tree)/guest", 0o4755) }
        let image = try Fixtures.image(from: tree, at: minirun.path("image"))
        let with = try GuestReport(minirun("run", "--rm", "-u", "1000", image, "/guest"))
        #expect(with.id("euid") == 0 && Set(with.capabilities("effective")).count == Self.defaults.count)
        let without = try GuestReport(
            minirun("run", "--rm", "-u", "1000", "--security-opt", "no-new-privileges", image, "/guest")
        )
        #expect(without.id("euid") == 1000 && without.capabilities("effective").isEmpty)
        #expect(without["no_new_privs"].int == 1 && without["seccomp"].int == 2 && without["seccomp_filters"].int == 1)
    }

    // MARK: Filter

    @Test func theDefaultFilter() throws {
        #expect(try minirun.report()["seccomp"].int == 2)
        for call in [
            "keyctl", "add_key", "request_key", "bpf", "perf_event_open", "init_module", "kexec_load", "userfaultfd",
        ] {
            #expect(try minirun.guest("syscall", call) == "EPERM", "\(call)")
        }
        // Unknown to the profile: the program may fall back to an older call.
        #expect(try minirun.guest("syscall", "1000") == "ENOSYS")
        #expect(try minirun.guest("syscall", "getpid") == "ok")
    }

    @Test func noFilter() throws {
        for options in [["--security-opt", "seccomp=unconfined"], ["--privileged"]] {
            let report = try GuestReport(minirun.invoke(["run", "--rm"] + options + [Fixtures.guest]))
            #expect(report["seccomp"].int == 0 && report["seccomp_filters"].int == 0, "\(options)")
        }
    }

    @Test func aFilterOfTheCallers() throws {
        let profile = try minirun.write(
            "profile.json",
            """
            {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
             "syscalls": [{"names": ["getppid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 17},
                          {"names": ["sync"], "action": "SCMP_ACT_KILL"}]}
            """
        )
        let options = ["--security-opt", "seccomp=\(profile)"]
        #expect(try minirun.guest("syscall", "\(Self.number(x86: 110, arm: 173))", options: options) == "EEXIST")
        #expect(try minirun.guest("syscall", "\(Self.number(x86: 162, arm: 81))", options: options) == "SIGSYS")
        let broken = try minirun.write("broken.json", "{")
        #expect(try minirun("run", "--rm", "--security-opt", "seccomp=\(broken)", Fixtures.guest).code == 125)
    }

    @Test func capabilitiesOpenTheFilter() throws {
        #expect(try minirun.guest("syscall", "bpf", options: ["--cap-add", "BPF"]) != "EPERM")
        #expect(try minirun.guest("syscall", "sethostname") == "EPERM")
        #expect(try minirun.shell("hostname other && hostname", "--cap-add", "SYS_ADMIN").line == "other")
    }

    // MARK: Attempts

    @Test func mountingIsRefused() throws {
        for line in try minirun.guest("mount-try").split(separator: "\n") {
            #expect(line.hasSuffix(": EPERM"), "\(line)")
        }
    }

    @Test func namespacesAreRefused() throws {
        let lines = try minirun.guest("unshare-try").split(separator: "\n")
        #expect(lines.count >= 8)
        for line in lines { #expect(line.hasSuffix(": EPERM"), "\(line)") }
        for line in try minirun.guest("unshare-try", options: ["-u", "1000"]).split(separator: "\n") {
            #expect(line.hasSuffix(": EPERM"), "\(line)")
        }
    }

    @Test func releaseAgentsAreOutOfReach() throws {
        // CVE-2022-0492.
        let outcome = try minirun.shell(
            """
            mkdir /c; mount -t cgroup -o memory none /c; mount -t cgroup2 none /c
            for i in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/release_agent; do echo x > $i; done
            mkdir /sys/fs/cgroup/new /sys/fs/cgroup/*/new; echo end
            """
        )
        #expect(outcome.out == "end\n")
        #expect(!outcome.err.contains("bad substitution"))
        let report = try minirun.report()
        for mount in report["mounts"].array ?? [] where mount["type"]?.string?.hasPrefix("cgroup") == true {
            #expect(mount["options"]?.string?.split(separator: ",").contains("ro") == true, "\(mount.text())")
            #expect(mount["root"]?.string == "/", "a cgroup above the container's shows: \(mount.text())")
        }
    }

    // MARK: Privileged

    @Test func privilegedGivesAll() throws {
        let report = try minirun.report("--privileged")
        #expect(
            report.capabilities("effective").contains("CAP_SYS_ADMIN")
                && report.capabilities("effective").contains("CAP_SYS_MODULE")
        )
        #expect(!report.options("/sys").contains("ro"))
        #expect(report["masked"]["/proc/keys"]?.string == "readable", "\(report["masked"].text())")
        #expect(report["writable"]["/proc/sys/kernel/hostname"]?["result"]?.string == "ok")
        let names = report["devices"].array?.compactMap { $0["name"]?.string } ?? []
        #expect(names.contains("kmsg") || names.count > 8, "\(names)")
        #expect(try minirun.guest("mount-try", options: ["--privileged"]).contains("tmpfs on /.guest-mount: ok"))
        #expect(report["namespaces"]["pid"]?.string != (try Link.target("/proc/self/ns/pid")))
    }

    @Test func systemPathsUnconfined() throws {
        let report = try minirun.report("--security-opt", "systempaths=unconfined")
        #expect(
            report["masked"]["/proc/keys"]?.string == "readable"
                && report["masked"]["/sys/firmware"]?.string == "readable"
        )
        #expect(report.capabilities("effective").count == Self.defaults.count)
    }
}
