import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// config-linux.md, Seccomp.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct SeccompTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    private func rule(_ names: [String], _ action: String, _ more: JSON = [:]) -> JSON {
        let own: JSON = ["names": .strings(names), "action": .string(action)]
        return .object((own.object ?? []) + (more.object ?? []))
    }

    private func call(_ words: String..., filter: JSON) throws -> String {
        bundle.config.set("linux.seccomp", filter)
        bundle.config.set("process.args", .strings(["/guest", "syscall"] + words))
        let outcome = try bundle.run()
        #expect(outcome.err == "")
        return outcome.line
    }

    @Test(
        .must("config-linux.md#seccomp", "A rule's action is what its system calls get."),
        arguments: [
            ("SCMP_ACT_ERRNO", "EPERM"), ("SCMP_ACT_KILL", "SIGSYS"), ("SCMP_ACT_KILL_PROCESS", "SIGSYS"),
            ("SCMP_ACT_KILL_THREAD", "SIGSYS"), ("SCMP_ACT_TRAP", "SIGSYS"), ("SCMP_ACT_ALLOW", "ok"),
            ("SCMP_ACT_LOG", "ok"),
            ("SCMP_ACT_TRACE", "ENOSYS"),
        ]
    )
    func actions(action: String, result: String) throws {
        #expect(
            try call("getppid", filter: ["defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule(["getppid"], action)]])
                == result
        )
    }

    @Test(.must("config-linux.md#seccomp", "errnoRet is the error of a rule, defaultErrnoRet that of the default."))
    func errorNumbers() throws {
        let filter: JSON = [
            "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule(["getppid"], "SCMP_ACT_ERRNO", ["errnoRet": 22])],
        ]
        #expect(try call("getppid", filter: filter) == "EINVAL")
        // All that the guest needs, and no getppid.
        let names = try Self.needed()
        let other: JSON = [
            "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [rule(names, "SCMP_ACT_ALLOW")],
        ]
        #expect(try call("getppid", filter: other) == "ENOSYS")
    }

    /// What a static program and a runtime's last steps call.
    private static func needed() throws -> [String] {
        [
            "read", "write", "open", "openat", "close", "close_range", "stat", "fstat", "newfstatat", "lstat", "poll",
            "lseek",
            "mmap", "mprotect", "munmap", "brk", "rt_sigaction", "rt_sigprocmask", "ioctl", "readv", "writev", "access",
            "dup",
            "dup2", "dup3", "getpid", "clone", "clone3", "fork", "execve", "exit", "exit_group", "wait4", "uname",
            "fcntl",
            "getcwd", "chdir", "readlink", "readlinkat", "getuid", "getgid", "geteuid", "getegid", "setuid", "setgid",
            "setgroups", "capget", "capset", "prctl", "arch_prctl", "gettid", "futex", "sched_yield",
            "sched_getaffinity",
            "set_tid_address", "set_robust_list", "rseq", "prlimit64", "getrandom", "nanosleep", "clock_nanosleep",
            "epoll_pwait", "epoll_ctl", "epoll_create1", "getdents64", "statfs", "fstatfs", "sigaltstack", "tgkill",
            "kill",
            "rt_sigreturn", "madvise", "faccessat", "faccessat2", "execveat", "sendto", "recvfrom", "sendmsg",
            "recvmsg",
            "socket", "getsockopt", "setsockopt", "pipe2", "eventfd2", "setsid", "unlink", "mount", "umount2", "fchdir",
        ]
    }

    /// personality with one argument: an operator, its values, an argument that meets it and one that does not.
    static let operators: [(String, UInt64, UInt64, meets: String, other: String)] = [
        ("SCMP_CMP_NE", 7, 0, "8", "7"), ("SCMP_CMP_LT", 7, 0, "6", "7"), ("SCMP_CMP_LE", 7, 0, "7", "8"),
        ("SCMP_CMP_EQ", 7, 0, "7", "8"), ("SCMP_CMP_GE", 7, 0, "7", "6"), ("SCMP_CMP_GT", 7, 0, "8", "7"),
        ("SCMP_CMP_MASKED_EQ", 0xF0, 0x30, "0x3f", "0x4f"),
    ]

    @Test(.must("config-linux.md#seccomp", "Each operator compares an argument."), arguments: operators)
    func comparisons(op: String, value: UInt64, second: UInt64, meets: String, other: String) throws {
        let condition: JSON = [
            "index": 0, "value": .number(value), "valueTwo": .number(second), "op": .string(op),
        ]
        let filter: JSON = [
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [rule(["getppid"], "SCMP_ACT_ERRNO", ["errnoRet": 33, "args": [condition]])],
        ]
        #expect(try call("getppid", meets, filter: filter) == "EDOM")
        #expect(try call("getppid", other, filter: filter) == "ok")
    }

    @Test(.must("config-linux.md#seccomp", "Several args of a rule must all hold; several rules each count."))
    func conditionsTogether() throws {
        let both: JSON = [
            ["index": 0, "value": 1, "op": "SCMP_CMP_EQ"], ["index": 1, "value": 2, "op": "SCMP_CMP_EQ"],
        ]
        let filter: JSON = [
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [rule(["getppid"], "SCMP_ACT_ERRNO", ["errnoRet": 33, "args": both])],
        ]
        #expect(try call("getppid", "1", "2", filter: filter) == "EDOM")
        #expect(try call("getppid", "1", "3", filter: filter) == "ok")
    }

    @Test(
        .must(
            "config-linux.md#seccomp",
            "Names that the machine does not know are ignored, and the rest of the rule holds."
        )
    )
    func unknownNames() throws {
        let filter: JSON = [
            "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule(["no_such_call", "getppid"], "SCMP_ACT_ERRNO")],
        ]
        #expect(try call("getppid", filter: filter) == "EPERM")
    }

    @Test(
        .must("config-linux.md#seccomp", "A filter is on the process, with no_new_privs and without."),
        arguments: [true, false]
    )
    func theFilterIsOn(noNewPrivileges: Bool) throws {
        bundle.config.set("process.noNewPrivileges", .bool(noNewPrivileges))
        bundle.config.set(
            "linux.seccomp",
            ["defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule(["acct"], "SCMP_ACT_ERRNO")]]
        )
        let report = try bundle.report()
        #expect(report["seccomp"].int == 2 && report["seccomp_filters"].int == 1)
        #expect(report["no_new_privs"].int == (noNewPrivileges ? 1 : 0))
    }

    @Test(
        .must("config-linux.md#seccomp", "The flags of seccomp(2) are known."),
        arguments: [
            "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
        ]
    )
    func flags(flag: String) throws {
        let filter: JSON = [
            "defaultAction": "SCMP_ACT_ALLOW", "flags": [.string(flag)],
            "syscalls": [rule(["getppid"], "SCMP_ACT_ERRNO")],
        ]
        // A runtime may choose what it supports; what it does not it refuses.
        if flag.hasSuffix("RECV") {
            bundle.config.set("linux.seccomp", filter)
            bundle.config.set("process.args", ["/guest", "syscall", "getppid"])
            let outcome = try bundle.run()
            #expect(outcome.code == 0 ? outcome.line == "EPERM" : !outcome.err.isEmpty)
            return
        }
        try known(.runc, because: "does not support them yet") {
            let result = try call("getppid", filter: filter)
            #expect(result == "EPERM")
        }
    }

    @Test(
        .must("config-linux.md#seccomp", "What is no action, operator, flag or architecture is an error."),
        arguments: [
            ["defaultAction": "SCMP_ACT_MAYBE"], ["syscalls": []],
            ["defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_PDP11"]],
            ["defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NOTHING"]],
            ["defaultAction": "SCMP_ACT_ALLOW", "syscalls": [["names": ["getppid"], "action": "SCMP_ACT_MAYBE"]]],
            [
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [
                    [
                        "names": ["getppid"], "action": "SCMP_ACT_ERRNO",
                        "args": [["index": 0, "value": 1, "op": "SCMP_CMP_ALMOST"]],
                    ]
                ],
            ],
        ] as [JSON]
    )
    func invalidFiltersAreRefused(filter: JSON) throws {
        bundle.config.set("linux.seccomp", filter)
        try known(.runc, because: "takes no defaultAction for no filter", if: filter["defaultAction"] == nil) {
            expectError(try bundle.run())
        }
    }

    @Test(.must("config-linux.md#seccomp", "names has at least one entry.", both: "take a rule for nothing as none"))
    func aRuleWithoutNamesIsRefused() throws {
        bundle.config.set(
            "linux.seccomp",
            ["defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule([], "SCMP_ACT_ERRNO")]]
        )
        expectError(try bundle.create())
    }

    @Test(
        .must("config-linux.md#seccomp", "An errnoRet for an action that has no error is an error."),
        arguments: ["SCMP_ACT_ALLOW", "SCMP_ACT_KILL", "SCMP_ACT_LOG"]
    )
    func anErrorNumberWithoutUseIsRefused(action: String) throws {
        bundle.config.set(
            "linux.seccomp",
            ["defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule(["getppid"], action, ["errnoRet": 5])]]
        )
        try known(.runc, because: "does not look") { expectError(try bundle.create()) }
    }

    // MARK: SCMP_ACT_NOTIFY

    private func notifying(_ more: JSON = [:]) -> JSON {
        let own: JSON = ["defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule(["getppid"], "SCMP_ACT_NOTIFY")]]
        return .object((own.object ?? []) + (more.object ?? []))
    }

    @Test(
        .must(
            "config-linux.md#the-container-process-state",
            "The listener gets one state with the filter's descriptor, and the connection is closed."
        )
    )
    func theListenerGetsTheState() throws {
        let socket = FileDescriptor(
            owning: try retrying("listening") { linux_listen(bundle.path("agent"), Int32(SOCK_STREAM.rawValue)) }
        )
        bundle.config.set(
            "linux.seccomp",
            notifying(["listenerPath": .string(bundle.path("agent")), "listenerMetadata": "opaque"])
        )
        bundle.config.set("annotations", ["com.example": "yes"])
        bundle.config.set("process.args", ["/guest", "exit", "0"])
        expectSuccess(try bundle.create())
        let started = try Launched(bundle.command(["start", bundle.id]))
        let connection = FileDescriptor(owning: try retrying("accepting") { accept(socket.raw, __SOCKADDR_ARG(), nil) })
        var message = [UInt8](repeating: 0, count: 65536)
        var received: CInt = -1
        let count = try retrying("receiving") { linux_receive(connection.raw, &message, message.count, &received) }
        #expect(received >= 0)
        let filter = FileDescriptor(owning: received)
        #expect(try Link.target("/proc/self/fd/\(filter.raw)").contains("seccomp"))
        var text = Array(message[..<count])
        // The rest, to the end: the connection is closed.
        var waiting = pollfd(fd: connection.raw, events: Int16(POLLIN), revents: 0)
        while poll(&waiting, 1, 5000) > 0 {
            var none: CInt = -1
            let more = try retrying("receiving") { linux_receive(connection.raw, &message, message.count, &none) }
            if more == 0 { break }
            text += message[..<more]
        }
        let state = try JSON.parse(text)
        #expect(state["ociVersion"]?.string != nil && state["fds"]?.strings == ["seccompFd"])
        #expect(state["metadata"]?.string == "opaque" && state["pid"]?.int ?? 0 > 1)
        #expect(state["state"]?["id"]?.string == bundle.id)
        #expect(state["state"]?["bundle"]?.string == bundle.folder)
        try started.wait()
    }

    @Test(.must("config-linux.md#seccomp", "A listener that cannot be reached is an error."))
    func aMissingListenerIsAnError() throws {
        bundle.config.set("linux.seccomp", notifying(["listenerPath": .string(bundle.path("nobody"))]))
        expectError(try bundle.run())
    }

    @Test(.must("config-linux.md#seccomp", "listenerMetadata without listenerPath is an error.", both: "do not look"))
    func metadataWithoutAListenerIsRefused() throws {
        bundle.config.set("linux.seccomp", ["defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"])
        expectError(try bundle.create())
    }

    @Test(.must("config-linux.md#seccomp", "Without SCMP_ACT_NOTIFY listenerPath is ignored."))
    func anUnusedListenerIsIgnored() throws {
        bundle.config.set("linux.seccomp", ["defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/nowhere"])
        try known(.crun, because: "connects to it all the same") { expectSuccess(try bundle.run()) }
    }
}
