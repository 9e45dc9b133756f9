import OCI
import Testing

@testable import Runtime

/// Compiled filters are judged by running them. Numbers of calls are x86_64's unless a test says otherwise.
@Suite("Seccomp filters") struct SeccompFilterTests {
    static let kernel = KernelVersion(6, 1)

    static func docker(_ capabilities: CapabilitySet, _ kernel: KernelVersion = kernel) throws -> SeccompInterpreter {
        SeccompInterpreter(
            try SeccompFilter.compile(DockerProfile.configuration(capabilities: capabilities, kernel: kernel))
        )
    }

    /// One call and what must become of it.
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let number: UInt32
        var arguments: [UInt64] = []
        var machine = SeccompInterpreter.Machine.x86_64
        let answer: SeccompInterpreter.Answer

        init(
            _ name: String,
            _ number: UInt32,
            _ arguments: [UInt64] = [],
            on machine: SeccompInterpreter.Machine = .x86_64,
            gives answer: SeccompInterpreter.Answer
        ) {
            self.name = name
            self.number = number
            self.arguments = arguments
            self.machine = machine
            self.answer = answer
        }

        var testDescription: String { "\(name) → \(answer)" }
    }

    static let x32: UInt32 = 0x4000_0000

    static let dockerCases = [
        Case("read", 0, gives: .allow),
        Case("execve", 59, gives: .allow),
        Case("openat2", 437, gives: .allow),
        Case("seccomp", 317, gives: .allow),
        Case("ptrace on a kernel from 4.8 on", 101, gives: .allow),
        Case("chroot, whose capability is a default one", 161, gives: .allow),
        Case("arch_prctl, which is x86's own", 158, gives: .allow),

        // Each would let a container touch the host or escape its namespaces.
        Case("mount", 165, gives: .eperm),
        Case("umount2", 166, gives: .eperm),
        Case("unshare", 272, [0x1000_0000], gives: .eperm),
        Case("setns", 308, gives: .eperm),
        Case("open_by_handle_at", 304, gives: .eperm),
        Case("bpf", 321, gives: .eperm),
        Case("init_module", 175, gives: .eperm),
        Case("kexec_load", 246, gives: .eperm),
        Case("io_uring_setup", 425, gives: .eperm),
        Case("keyctl", 250, gives: .eperm),
        Case("userfaultfd", 323, gives: .eperm),
        Case("settimeofday", 164, gives: .eperm),
        Case("syslog", 103, gives: .eperm),

        Case("clone for a thread", 56, [0x3D0F00], gives: .allow),
        Case("clone for a process", 56, [0x11], gives: .allow),
        Case("clone CLONE_NEWUSER", 56, [0x1000_0011], gives: .eperm),
        Case("clone CLONE_NEWNS", 56, [0x0002_0011], gives: .eperm),
        Case("clone CLONE_NEWCGROUP", 56, [0x0200_0011], gives: .eperm),
        Case("clone3, so that libc falls back", 435, gives: .enosys),

        Case("socket AF_INET", 41, [2], gives: .allow),
        Case("socket AF_NETLINK", 41, [16], gives: .allow),
        Case("socket AF_ALG", 41, [38], gives: .eperm),
        Case("socket AF_NFC", 41, [39], gives: .errno(97)),
        Case("socket AF_VSOCK", 41, [40], gives: .eperm),
        Case("socket AF_XDP", 41, [44], gives: .errno(97)),

        Case("personality PER_LINUX", 135, [0], gives: .allow),
        Case("personality PER_LINUX32", 135, [8], gives: .allow),
        Case("personality UNAME26", 135, [0x20000], gives: .allow),
        Case("personality as a question", 135, [0xFFFF_FFFF], gives: .allow),
        Case("personality 1", 135, [1], gives: .eperm),
        Case("personality ADDR_NO_RANDOMIZE", 135, [0x40000], gives: .eperm),

        // Newer than Debian 12's libseccomp, so the prelude's.
        Case("uretprobe", 335, gives: .allow),
        Case("cachestat", 451, gives: .allow),
        Case("fchmodat2", 452, gives: .allow),
        Case("statmount", 457, gives: .allow),
        Case("lsm_get_self_attr, for administrators", 459, gives: .eperm),
        Case("mseal", 462, gives: .allow),
        Case("removexattrat, the newest that docker allows", 466, gives: .allow),
        Case("open_tree_attr, newer than the profile", 467, gives: .enosys),
        Case("a call of the future", 999, gives: .enosys),

        Case("i386 read", 3, on: .i386, gives: .allow),
        Case("i386 mount", 21, on: .i386, gives: .eperm),
        Case("i386 unshare", 310, on: .i386, gives: .eperm),
        Case("i386 clone CLONE_NEWUSER", 120, [0x1000_0011], on: .i386, gives: .eperm),
        Case("i386 socket AF_VSOCK", 359, [40], on: .i386, gives: .eperm),
        Case("i386 clock_gettime64", 403, on: .i386, gives: .allow),
        Case("i386 fchmodat2", 452, on: .i386, gives: .allow),
        Case("i386 call of the future", 999, on: .i386, gives: .enosys),

        Case("x32 read", x32 | 0, gives: .allow),
        Case("x32 mount", x32 | 165, gives: .eperm),
        Case("x32 readv, which has a number of its own", x32 | 515, gives: .allow),
        Case("x32 call of the future", x32 | 999, gives: .enosys),

        Case("a call of another architecture", 63, on: .aarch64, gives: .killThread),
    ]

    #if arch(x86_64)
        @Test("docker's default, with docker's default capabilities", arguments: SeccompFilterTests.dockerCases)
        func dockerDefault(_ call: Case) throws {
            let filter = try Self.docker(.dockerDefault)
            #expect(filter.answer(call.number, call.arguments, on: call.machine) == call.answer)
        }

        @Test(
            "docker's default as CAP_SYS_ADMIN",
            arguments: [
                Case("mount", 165, gives: .allow), Case("unshare", 272, [0x1000_0000], gives: .allow),
                Case("setns", 308, gives: .allow),
                Case("clone CLONE_NEWUSER", 56, [0x1000_0011], gives: .allow), Case("clone3", 435, gives: .allow),
                Case("bpf", 321, gives: .allow), Case("lsm_get_self_attr", 459, gives: .allow),
                Case("i386 mount", 21, on: .i386, gives: .allow),
                // Another capability's.
                Case("init_module", 175, gives: .eperm), Case("socket AF_KEY", 41, [15], gives: .errno(97)),
                Case("socket AF_VSOCK", 41, [40], gives: .eperm),
                Case("a call of the future", 999, gives: .enosys),
            ]
        )
        func administrator(_ call: Case) throws {
            let filter = try Self.docker(CapabilitySet.dockerDefault.union(CapabilitySet(name: "SYS_ADMIN")))
            #expect(filter.answer(call.number, call.arguments, on: call.machine) == call.answer)
        }

        @Test(
            "docker's default for 64-bit ARM, compiled here",
            arguments: [
                Case("read", 63, on: .aarch64, gives: .allow), Case("mount", 40, on: .aarch64, gives: .eperm),
                Case("unshare", 97, on: .aarch64, gives: .eperm), Case("clone3", 435, on: .aarch64, gives: .enosys),
                Case("clone CLONE_NEWUSER", 220, [0x1000_0011], on: .aarch64, gives: .eperm),
                Case("clone for a process", 220, [0x11], on: .aarch64, gives: .allow),
                Case("fchmodat2", 452, on: .aarch64, gives: .allow),
                Case("a call of the future", 999, on: .aarch64, gives: .enosys),
                Case("32-bit read", 3, on: .arm, gives: .allow), Case("32-bit mount", 21, on: .arm, gives: .eperm),
                Case("32-bit call of the future", 999, on: .arm, gives: .enosys),
                Case("32-bit cacheflush, whose number is far above all others", 0xF0002, on: .arm, gives: .allow),
                Case("32-bit usr26, which docker does not allow", 0xF0003, on: .arm, gives: .eperm),
                Case("32-bit x86", 3, on: .i386, gives: .killThread),
            ]
        )
        func arm(_ call: Case) throws {
            let configuration = DockerProfile.configuration(
                capabilities: .dockerDefault,
                kernel: Self.kernel,
                architecture: .aarch64
            )
            let filter = SeccompInterpreter(try SeccompFilter.compile(configuration))
            #expect(filter.answer(call.number, call.arguments, on: call.machine) == call.answer)
        }

        @Test("ptrace could escape the filter before Linux 4.8") func oldKernel() throws {
            #expect(try Self.docker(.dockerDefault, KernelVersion(4, 7)).answer(101) == .eperm)
            #expect(try Self.docker(.dockerDefault, KernelVersion(4, 8)).answer(101) == .allow)
            #expect(
                try Self.docker(CapabilitySet(name: "SYS_PTRACE"), KernelVersion(4, 7)).answer(101) == .allow,
                "its capability allows it everywhere"
            )
        }

        @Test("dropping every capability also takes chroot away") func noCapabilities() throws {
            let filter = try Self.docker([])
            #expect(filter.answer(161) == .eperm)
            #expect(filter.answer(0) == .allow)
        }

        @Test("no call crashes the program, and only numbers past the profile's are unknown") func total() throws {
            let filter = try Self.docker(.dockerDefault)
            for number in UInt32(0)...1023 {
                let isUnknown = filter.answer(number) == .enosys
                #expect(isUnknown == (number > 466 || number == 435), "call \(number)")
                for machine in [SeccompInterpreter.Machine.i386, .aarch64] {
                    #expect(filter.answer(number, on: machine) != nil)
                }
                #expect(filter.answer(Self.x32 | number) != nil)
            }
        }

        @Test("a list of what is forbidden forbids calls that libseccomp does not know, and nothing else")
        func denyList() throws {
            let filter = SeccompInterpreter(
                try SeccompFilter.compile(
                    SeccompConfiguration(
                        defaultAction: .allow,
                        architectures: [.x86],
                        syscalls: [
                            .init(names: ["mkdir", "mseal", "no_such_call"], action: .errno, errnoRet: 13),
                            .init(names: ["getcwd"], action: .allow),
                            .init(names: ["rmdir"], action: .killProcess),
                        ]
                    )
                )
            )
            #expect(filter.answer(83) == .errno(13))
            #expect(filter.answer(462) == .errno(13))
            #expect(filter.answer(462, on: .i386) == .errno(13))
            #expect(filter.answer(39, on: .i386) == .errno(13))
            #expect(filter.answer(84) == .killProcess)
            #expect(filter.answer(463) == .allow)
            #expect(filter.answer(999) == .allow)
            #expect(filter.answer(79) == .allow)
        }

        /// CVE-2026-123876: the kernel takes the family as an `int`.
        @Test(
            "the families of sockets, whatever stands in the upper half of the register",
            arguments: ["", "NET_ADMIN", "SYS_ADMIN"]
        )
        func families(_ added: String) throws {
            var capabilities = CapabilitySet.dockerDefault
            if !added.isEmpty { capabilities.formUnion(try CapabilitySet(name: added)) }
            let filter = try Self.docker(capabilities)
            let withoutRaw = try Self.docker(capabilities.subtracting(CapabilitySet(name: "NET_RAW")))
            let managed: Set<UInt64> = added == "NET_ADMIN" ? [15, 29, 31, 44] : []
            for family in UInt64(0)...64 {
                let isUsual = managed.union([1, 2, 10, 16, 17]).contains(family)
                let answer: SeccompInterpreter.Answer =
                    isUsual ? .allow : [38, 40].contains(family) ? .eperm : .errno(97)
                for upper in [0, 1, 2, 0x8000_0000, 0xFFFF_FFFF] as [UInt64] {
                    for call in [41, 53, Self.x32 | 41, Self.x32 | 53] {
                        let given = filter.answer(call, [upper << 32 | family])
                        #expect(given == answer, "call \(call), family \(family), upper half \(upper)")
                    }
                    let raw = withoutRaw.answer(41, [upper << 32 | family])
                    #expect(raw == (family == 17 ? .eperm : answer), "family \(family), upper half \(upper)")
                }
                #expect(filter.answer(359, [family], on: .i386) == answer)
            }
            for family in [1 << 31, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 16 | 1, 1 << 8 | 2] as [UInt64] {
                #expect(filter.answer(41, [family]) == .errno(97))
            }
        }

        @Test("personality and clone with bits that the kernel does not read") func otherUpperBits() throws {
            let filter = try Self.docker(.dockerDefault)
            #expect(filter.answer(135, [0xFFFF_FFFF_0004_0000]) == .eperm)
            #expect(filter.answer(135, [0x1_0000_0008]) == .allow)
            #expect(filter.answer(135, [.max]) == .allow, "the question, as a number below zero")
            #expect(filter.answer(56, [0x1_1000_0011]) == .eperm)
            #expect(filter.answer(56, [0x1_0000_0011]) == .allow)
        }

        /// What a condition says of the bits that the kernel reads, written as the manual page has it.
        static func holds(_ condition: SeccompConfiguration.Argument, of argument: UInt64, bits: UInt64) -> Bool {
            let all = bits == 64 ? .max : UInt64(1) << bits - 1
            let argument = argument & all
            func number(_ value: UInt64) -> UInt64? {
                value <= all ? value : value >= ~(all >> 1) ? value & all : nil
            }
            if condition.op == .maskedEqual {
                guard let value = number(condition.valueTwo) else { return false }
                let mask = condition.value & all
                return argument & mask == (mask == 0 ? value : value & mask)
            }
            guard let value = number(condition.value) else {
                return [.notEqual, .less, .lessOrEqual].contains(condition.op)
            }
            switch condition.op {
            case .notEqual: return argument != value
            case .less: return argument < value
            case .lessOrEqual: return argument <= value
            case .equal, .maskedEqual: return argument == value
            case .greaterOrEqual: return argument >= value
            case .greater: return argument > value
            }
        }

        static let numbers: [UInt64] = [
            0, 1, 5, 38, 40, 0x7FFF, 0x8000, 0xFFFF, 0x1_0000, 0x1_0028, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF,
            0x1_0000_0000,
            0x1_0000_0028, 0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, .max - 5, .max,
        ]

        /// The kernel reads 32 bits of socket's argument, 16 of creat's, 64 of mprotect's; in one profile all three are compared.
        @Test(
            "every comparison is about the bits that the kernel reads",
            arguments: SeccompConfiguration.Operator.allCases,
            [["socket"], ["socket", "unshare", "creat"]]
        )
        func widths(_ op: SeccompConfiguration.Operator, _ names: [String]) throws {
            for value in Self.numbers {
                for action in [SeccompConfiguration.Action.allow, .errno] {
                    // `creat` has its mode in the second place, unshare its flags in the first and in all their bits.
                    let rules = names.map { name in
                        SeccompConfiguration.Rule(
                            names: [name],
                            action: action,
                            args: [
                                .init(
                                    index: name == "creat" ? 1 : 0,
                                    value: op == .maskedEqual ? 0xFFFF_FFFF_FFFF : value,
                                    valueTwo: op == .maskedEqual ? value & 0xFFFF_FFFF_FFFF : 0,
                                    op: op
                                )
                            ]
                        )
                    }
                    let filter = SeccompInterpreter(
                        try SeccompFilter.compile(
                            SeccompConfiguration(defaultAction: action == .allow ? .errno : .allow, syscalls: rules)
                        )
                    )
                    for argument in Self.numbers {
                        for (name, number, index, bits) in [
                            ("socket", UInt32(41), 0, UInt64(32)), ("unshare", 272, 0, 64), ("creat", 85, 1, 16),
                        ] where names.contains(name) {
                            let condition = try #require(rules.first { $0.names == [name] }).args[0]
                            let isHeld = Self.holds(condition, of: argument, bits: bits)
                            let given = filter.answer(number, index == 0 ? [argument] : [0, argument])
                            #expect(
                                given == (isHeld == (action == .allow) ? .allow : .eperm),
                                "\(name) with \(argument), \(op) \(value), \(action)"
                            )
                        }
                    }
                }
            }
        }

        @Test("several narrow conditions of one rule, beside a wide one in the same place") func combined() throws {
            let filter = SeccompInterpreter(
                try SeccompFilter.compile(
                    SeccompConfiguration(
                        defaultAction: .errno,
                        syscalls: [
                            .init(
                                names: ["socket"],
                                action: .allow,
                                args: [
                                    .init(index: 0, value: 16, op: .notEqual), .init(index: 2, value: 9, op: .less),
                                ]
                            ),
                            .init(names: ["unshare"], action: .allow, args: [.init(index: 0, value: 7, op: .less)]),
                        ]
                    )
                )
            )
            for (family, argument) in [
                (2, 8), (2, 9), (16, 8), (16, 9), (0x1_0000_0010, 0), (0x1_0000_0002, 0x1_0000_0008),
            ]
                as [(UInt64, UInt64)]
            {
                let isAllowed = family & 0xFFFF_FFFF != 16 && argument & 0xFFFF_FFFF < 9
                #expect(
                    filter.answer(41, [family, 0, argument]) == (isAllowed ? .allow : .eperm),
                    "\(family) \(argument)"
                )
            }
            #expect(filter.answer(272, [6]) == .allow)
            #expect(filter.answer(272, [0x1_0000_0006]) == .eperm)
        }

        @Test("conditions on one argument are alternatives, on several all must hold") func conditions() throws {
            func filter(_ args: [SeccompConfiguration.Argument]) throws -> SeccompInterpreter {
                let rule = SeccompConfiguration.Rule(names: ["ioctl"], action: .allow, args: args)
                return SeccompInterpreter(
                    try SeccompFilter.compile(SeccompConfiguration(defaultAction: .errno, syscalls: [rule]))
                )
            }
            let alternatives = try filter([
                .init(index: 1, value: 5, op: .equal), .init(index: 1, value: 9, op: .greaterOrEqual),
            ])
            #expect(alternatives.answer(16, [0, 5]) == .allow)
            #expect(alternatives.answer(16, [0, 1 << 40]) == .eperm, "ioctl's number has 32 bits")
            #expect(alternatives.answer(16, [0, 1 << 40 | 9]) == .allow)
            #expect(alternatives.answer(16, [0, 6]) == .eperm)
            let together = try filter([.init(index: 0, value: 1, op: .equal), .init(index: 1, value: 5, op: .notEqual)])
            #expect(together.answer(16, [1, 6]) == .allow)
            #expect(together.answer(16, [1, 5]) == .eperm)
            #expect(together.answer(16, [2, 6]) == .eperm)
        }

        @Test(
            "every action",
            arguments: zip(
                SeccompConfiguration.Action.allCases,
                [.killThread, .killProcess, .killThread, .trap, .errno(7), .trace(7), .allow, .log, .notify]
                    as [SeccompInterpreter.Answer]
            )
        )
        func actions(_ action: SeccompConfiguration.Action, _ answer: SeccompInterpreter.Answer) throws {
            let rule = SeccompConfiguration.Rule(
                names: ["getcwd"],
                action: action,
                errnoRet: action.takesErrno ? 7 : nil
            )
            let filter = try SeccompFilter.compile(
                SeccompConfiguration(defaultAction: .errno, listenerPath: "/run/agent", syscalls: [rule])
            )
            #expect(SeccompInterpreter(filter).answer(79) == answer)
            #expect(filter.hasListener == (action == .notify))
        }
    #endif

    @Test("flags: a mitigation is left to the program unless the profile says otherwise") func flags() throws {
        func flags(_ flags: [SeccompConfiguration.Flag]?) throws -> UInt32 {
            try SeccompFilter.compile(SeccompConfiguration(defaultAction: .allow, flags: flags)).flags
        }
        #expect(try flags(nil) == SeccompFilter.Flag.specAllow)
        #expect(try flags([]) == 0)
        #expect(try flags([.log, .tsync]) == SeccompFilter.Flag.log)
    }

    @Test("what the kernel or the agent could not work with is refused by name") func refusals() {
        func message(_ configuration: SeccompConfiguration) -> String? {
            do {
                _ = try SeccompFilter.compile(configuration)
                return nil
            } catch { return "\(error)" }
        }
        let tooMany = (0..<1500).map {
            SeccompConfiguration.Rule(
                names: ["ioctl"],
                action: .allow,
                args: [.init(index: 2, value: UInt64($0) << 32 | 1, op: .equal)]
            )
        }
        #expect(
            message(SeccompConfiguration(defaultAction: .errno, syscalls: tooMany))?.hasPrefix(
                "seccomp profile too large"
            ) == true
        )
        #expect(
            message(SeccompConfiguration(defaultAction: .notify))
                == "invalid seccomp profile: SCMP_ACT_NOTIFY as the default action"
        )
        let notified = SeccompConfiguration.Rule(names: ["write"], action: .notify)
        #expect(
            message(SeccompConfiguration(defaultAction: .allow, listenerPath: "/x", syscalls: [notified]))
                == "invalid seccomp profile: SCMP_ACT_NOTIFY cannot be used for the write syscall"
        )
        #expect(
            message(SeccompConfiguration(defaultAction: .allow, flags: [.waitKillableRecv]))
                == "invalid seccomp profile: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV without a rule for SCMP_ACT_NOTIFY"
        )
    }

    @Test("the default filter fits the kernel with room to spare") func size() throws {
        let filter = try SeccompFilter.compile(DockerProfile.configuration(capabilities: .all, kernel: Self.kernel))
        #expect(filter.instructionCount < SeccompFilter.maximumInstructions / 2)
        #expect(filter.program.count == filter.instructionCount * 8)
    }
}
