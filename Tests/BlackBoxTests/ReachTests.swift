import LinuxSystem
import TestSupport
import Testing

/// What a container leaves open of the kernel, as `rootfs-fixtures/reach` finds it: whoever changes the default changes these
/// lists, which are read by people. The program can be put to other engines as well.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct ReachTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private static func lines(_ text: String) -> [String] { text.split(separator: "\n").map(String.init) }

    /// A list for each family: what the kernel is asked for, what it would not have (as for a kernel without it), what is
    /// refused. The same whatever stands in the upper half of the register (CVE-2026-123876).
    private static let sockets = lines(
        ["socket", "socket, bit 32 set", "socket, upper half set", "socketpair", "socketpair, bit 32 set"].map {
            """
            \($0): EAFNOSUPPORT: 0 3-9 11-15 18-37 39 41-64
            \($0): reached: 1-2 10 16-17
            \($0): EPERM: 38 40
            """
        }.joined(separator: "\n")
    )

    private static let namespaces = lines(
        ["unshare", "clone", "clone, bit 32 set", "clone3"].flatMap { way in
            ["user", "mount", "pid", "network", "ipc", "uts", "cgroup", "time"].compactMap { kind in
                kind == "time" && way.hasPrefix("clone") && way != "clone3"
                    ? nil : "\(way) \(kind): \(way == "clone3" ? "ENOSYS" : "EPERM")"
            }
        }.joined(separator: "\n")
    )

    private static let calls = """
        setns: EPERM
        io_uring_setup: EPERM
        io_uring_enter: EPERM
        io_uring_register: EPERM
        bpf: EPERM
        perf_event_open: EPERM
        userfaultfd: EPERM
        keyctl: EPERM
        add_key: EPERM
        request_key: EPERM
        mount: EPERM
        umount2: EPERM
        pivot_root: EPERM
        fsopen: EPERM
        open_tree: EPERM
        move_mount: EPERM
        mount_setattr: EPERM
        open_by_handle_at: EPERM
        name_to_handle_at: reached
        init_module: EPERM
        finit_module: EPERM
        delete_module: EPERM
        kexec_load: EPERM
        swapon: EPERM
        acct: EPERM
        quotactl: EPERM
        settimeofday: EPERM
        clock_settime: EPERM
        sethostname: EPERM
        syslog: EPERM
        lookup_dcookie: EPERM
        fanotify_init: EPERM
        kcmp: EPERM
        ptrace: reached
        process_vm_readv: reached
        pidfd_getfd: EPERM
        process_madvise: EPERM
        mbind: EPERM
        move_pages: EPERM
        personality ADDR_NO_RANDOMIZE: EPERM
        personality ADDR_NO_RANDOMIZE, bit 32 set: EPERM
        reboot: EPERM
        vhangup: EPERM
        memfd_secret: reached
        a call of the future: ENOSYS
        """
    #if arch(x86_64)
        private static let ownCalls = "\niopl: EPERM\nioperm: EPERM\nmodify_ldt: reached"
    #else
        private static let ownCalls = ""
    #endif

    private func reached(_ options: [String]) throws -> [String] {
        let outcome = try minirun.invoke(
            ["run", "--rm", "-v", "\(Fixtures.folder)/reach:/reach:ro", "--entrypoint", "/reach"] + options + [
                Fixtures.busybox
            ]
        )
        #expect(outcome.status == .exited(0), "\(outcome)")
        return Self.lines(outcome.out)
    }

    @Test(arguments: [[], ["-u", "1000"], ["--security-opt", "no-new-privileges"]])
    func whatIsOpenByDefault(_ options: [String]) throws {
        #expect(try reached(options) == Self.sockets + Self.namespaces + Self.lines(Self.calls + Self.ownCalls))
    }

    @Test func whoManagesNetworksHasFamiliesMore() throws {
        let lines = try reached(["--cap-add", "NET_ADMIN"])
        #expect(lines.contains("socket, bit 32 set: reached: 1-2 10 15-17 29 31 44"))
        #expect(lines.contains("socket, bit 32 set: EPERM: 38 40"))
        #expect(try reached(["--cap-drop", "NET_RAW"]).contains("socket, bit 32 set: EPERM: 17 38 40"))
    }

    /// docker's profile as it was when it compared 64 bits, given by the user.
    @Test func aUsersProfileComparesWhatTheKernelReads() throws {
        let profile = try minirun.write(
            "profile.json",
            """
            {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
              {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_EQ"}]},
              {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 44, "op": "SCMP_CMP_GT"}]}
            ]}
            """
        )
        let lines = try reached(["--security-opt", "seccomp=\(profile)"])
        for title in ["socket", "socket, bit 32 set", "socket, upper half set"] {
            #expect(lines.contains("\(title): EPERM: 38 45-64"), "\(lines.prefix(10))")
        }
    }
}
