import OCI

/// Docker's default seccomp profile: what a container may do unless its user says otherwise.
///
/// The facts are those of github.com/moby/profiles, seccomp/default_linux.go, at `version`, but for the families of sockets,
/// of which fewer are open (see `sockets`); the table is our own. A call that nothing here allows fails with EPERM, or with
/// ENOSYS if it is newer than all of them (see `SeccompFilter`).
package enum DockerProfile {
    /// The release of moby/profiles that the table follows, and which of our own changes to it this is. Filters are cached
    /// under it: a test fails where the table changes and this does not.
    package static let version = "0.2.3+1"

    /// The configuration for a container with these capabilities in its bounding set.
    package static func configuration(
        capabilities: CapabilitySet,
        kernel: KernelVersion,
        architecture: SeccompConfiguration.Architecture = .native
    ) -> SeccompConfiguration {
        profile.configuration(for: .init(capabilities: capabilities, kernel: kernel, architecture: architecture))
    }

    package static let profile = SeccompProfile(
        base: SeccompConfiguration(defaultAction: .errno, defaultErrnoRet: operationNotPermitted),
        architectureMap: architectures.map { .init(architecture: $0.0, subArchitectures: $0.1) },
        rules: always + byArgument + byKernel + byArchitecture + byCapability
    )

    private static let operationNotPermitted: UInt32 = 1
    private static let functionNotImplemented: UInt32 = 38
    private static let addressFamilyNotSupported: UInt32 = 97

    private static let architectures: [(SeccompConfiguration.Architecture, [SeccompConfiguration.Architecture])] = [
        (.x86_64, [.x86, .x32]),
        (.aarch64, [.arm]),
        (.mips64, [.mips, .mips64n32]),
        (.mips64n32, [.mips, .mips64]),
        (.mipsel64, [.mipsel, .mipsel64n32]),
        (.mipsel64n32, [.mipsel, .mipsel64]),
        (.s390x, [.s390]),
        (.riscv64, []),
        (.loongarch64, []),
    ]

    // MARK: The table

    private static let always: [SeccompProfile.ConditionalRule] = [
        // Open files and descriptors.
        """
        close close_range creat dup dup2 dup3 fcntl fcntl64 flock ioctl memfd_create memfd_secret
        name_to_handle_at open openat openat2 pipe pipe2
        """,
        // Reading, writing, copying.
        """
        cachestat copy_file_range fadvise64 fadvise64_64 fallocate fdatasync fsync ftruncate ftruncate64
        io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit _llseek
        lseek pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64
        splice sync sync_file_range syncfs tee truncate truncate64 vmsplice write writev
        """,
        // Metadata.
        """
        access chmod chown chown32 faccessat faccessat2 fchmod fchmodat fchmodat2 fchown fchown32 fchownat
        fgetxattr flistxattr fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 futimesat
        getxattr getxattrat lchown lchown32 lgetxattr listmount listxattr listxattrat llistxattr
        lremovexattr lsetxattr lstat lstat64 newfstatat removexattr removexattrat setxattr setxattrat stat
        stat64 statfs statfs64 statmount statx umask utime utimensat utimensat_time64 utimes
        """,
        // Names and folders.
        """
        chdir fanotify_mark fchdir getcwd getdents getdents64 inotify_add_watch inotify_init inotify_init1
        inotify_rm_watch link linkat mkdir mkdirat mknod mknodat readlink readlinkat rename renameat
        renameat2 rmdir symlink symlinkat unlink unlinkat
        """,
        // Waiting for events.
        """
        epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
        epoll_wait_old eventfd eventfd2 _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 select
        signalfd signalfd4 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
        timerfd_settime64
        """,
        // Memory.
        """
        brk madvise map_shadow_stack membarrier mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap
        mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease
        remap_file_pages
        """,
        // Processes and threads.
        """
        execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv
        futex_wake getcpu getpgid getpgrp getpid getppid getpriority getrlimit get_robust_list getrusage
        getsid get_thread_area gettid ioprio_get ioprio_set landlock_add_rule landlock_create_ruleset
        landlock_restrict_self pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall riscv_hwprobe
        rseq sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min
        sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity
        sched_setattr sched_setparam sched_setscheduler sched_yield seccomp setpgid setpriority setrlimit
        set_robust_list setsid set_thread_area set_tid_address times ugetrlimit uretprobe vfork wait4 waitid
        waitpid
        """,
        // Identity.
        """
        capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid
        getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid
        setgid32 setgroups setgroups32 setregid setregid32 setresgid setresgid32 setresuid setresuid32
        setreuid setreuid32 setuid setuid32
        """,
        // Signals.
        """
        alarm kill pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
        rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask
        sigreturn tgkill tkill
        """,
        // Clocks and timers.
        """
        adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
        clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer
        time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime
        timer_settime64
        """,
        // Sockets.
        """
        accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg
        recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall
        """,
        // System V and POSIX IPC.
        """
        ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
        mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop
        semtimedop_time64 shmat shmctl shmdt shmget
        """,
        // The system.
        """
        getrandom sysinfo uname
        """,
    ].map { rule($0) }

    private static let byArgument: [SeccompProfile.ConditionalRule] =
        sockets
        // PER_LINUX, PER_LINUX32, UNAME26, both, and the question. Others, such as ADDR_NO_RANDOMIZE, weaken a program.
        + [0, 0x0008, 0x20000, 0x20008, 0xFFFF_FFFF].map { rule("personality", where: argument(0, .equal, $0)) }
        + [
            // No new namespaces by clone(2). s390 has its arguments in another order.
            rule("clone", where: noNewNamespaces(0), excludes: .init(capabilities: [admin], architectures: s390)),
            rule(
                "clone",
                where: noNewNamespaces(1),
                includes: .init(architectures: s390),
                excludes: .init(capabilities: [admin])
            ),
            // clone3(2) has its flags in memory. ENOSYS makes the C library fall back to clone(2).
            SeccompProfile.ConditionalRule(
                rule: .init(names: ["clone3"], action: .errno, errnoRet: functionNotImplemented),
                excludes: .init(capabilities: [admin])
            ),
        ]

    /// The address families: a list of those that programs use, where docker has one of two that are refused. The others are
    /// modules that the kernel loads for whoever asks, and that few people read: AF_RXRPC was one half of CVE-2026-43500,
    /// AF_ALG all of CVE-2026-31431. The kernel reads 32 bits of the number, and so does the filter (`NarrowConditions`).
    ///
    /// 32-bit x86 programs can still reach all of them through socketcall(2), whose arguments are in memory where a filter
    /// cannot see them, and which they cannot do without.
    private static let sockets: [SeccompProfile.ConditionalRule] = {
        let names = "socket socketpair"
        func allow(_ families: [UInt64], with capability: [String] = []) -> [SeccompProfile.ConditionalRule] {
            families.map {
                rule(names, where: argument(0, .equal, $0), includes: .init(capabilities: capability))
            }
        }
        // What a kernel without the family says, so that programs go on: libpcap asks for Bluetooth before it lists devices,
        // and takes only this for an answer.
        func unsupported(_ argument: SeccompConfiguration.Argument, unless capability: [String] = [])
            -> SeccompProfile.ConditionalRule
        {
            let names = names.split(separator: " ").map(String.init)
            return .init(
                rule: .init(names: names, action: .errno, errnoRet: addressFamilyNotSupported, args: [argument]),
                excludes: .init(capabilities: capability)
            )
        }
        let usual: [UInt64] = [1, 2, 10, 16]  // AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
        let packet: [UInt64] = [17]
        // AF_KEY, AF_CAN, AF_BLUETOOTH and AF_XDP belong to who manages networks.
        let managers: [UInt64] = [15, 29, 31, 44]
        // AF_ALG, and AF_VSOCK, which reaches the hypervisor's host and no network namespace confines: EPERM, as with docker.
        let forbidden: [UInt64] = [38, 40]
        let last: UInt64 = 45
        let others = (0...last).filter { !(usual + packet + managers + forbidden).contains($0) }
        return allow(usual) + allow(packet, with: ["CAP_NET_RAW"]) + allow(managers, with: ["CAP_NET_ADMIN"])
            + managers.map { unsupported(argument(0, .equal, $0), unless: ["CAP_NET_ADMIN"]) }
            + others.map { unsupported(argument(0, .equal, $0)) } + [unsupported(argument(0, .greater, last))]
    }()

    private static let byKernel: [SeccompProfile.ConditionalRule] = [
        // Older kernels let ptrace(2) change a call after the filter had seen it.
        rule("process_vm_readv process_vm_writev ptrace", includes: .init(minimumKernel: KernelVersion(4, 8)))
    ]

    private static let byArchitecture: [SeccompProfile.ConditionalRule] = [
        ("sync_file_range2 swapcontext", ["ppc64le"]),
        (
            "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls", ["arm", "arm64"]
        ),
        ("arch_prctl", ["amd64", "x32"]),
        ("modify_ldt", ["amd64", "x32", "x86"]),
        ("s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr", s390),
        ("riscv_flush_icache", ["riscv64"]),
    ].map { rule($0.0, includes: .init(architectures: $0.1)) }

    private static let byCapability: [SeccompProfile.ConditionalRule] = [
        (
            admin,
            """
            bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
            lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl
            quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare
            """
        ),
        ("CAP_BPF", "bpf"),
        ("CAP_DAC_READ_SEARCH", "open_by_handle_at"),
        ("CAP_PERFMON", "perf_event_open"),
        ("CAP_SYSLOG", "syslog"),
        ("CAP_SYS_BOOT", "reboot"),
        ("CAP_SYS_CHROOT", "chroot"),
        ("CAP_SYS_MODULE", "delete_module finit_module init_module"),
        ("CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"),
        ("CAP_SYS_PACCT", "acct"),
        ("CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"),
        ("CAP_SYS_RAWIO", "ioperm iopl"),
        ("CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"),
        ("CAP_SYS_TTY_CONFIG", "vhangup"),
    ].map { rule($0.1, includes: .init(capabilities: [$0.0])) }

    // MARK: Its words

    private static let admin = "CAP_SYS_ADMIN"
    private static let s390 = ["s390", "s390x"]

    /// Allows the calls of a list of names.
    private static func rule(
        _ names: String,
        where argument: SeccompConfiguration.Argument? = nil,
        includes: SeccompProfile.Condition = .init(),
        excludes: SeccompProfile.Condition = .init()
    ) -> SeccompProfile.ConditionalRule {
        let names = names.split { $0 == " " || $0 == "\n" }.map(String.init)
        let rule = SeccompConfiguration.Rule(names: names, action: .allow, args: argument.map { [$0] } ?? [])
        return .init(rule: rule, includes: includes, excludes: excludes)
    }

    private static func argument(_ index: UInt32, _ op: SeccompConfiguration.Operator, _ value: UInt64)
        -> SeccompConfiguration.Argument
    {
        .init(index: index, value: value, op: op)
    }

    /// Clone flags with none of CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. (CLONE_NEWTIME is no
    /// flag of clone(2): its bit belongs to the signal there.)
    private static func noNewNamespaces(_ index: UInt32) -> SeccompConfiguration.Argument {
        .init(index: index, value: 0x7E02_0000, valueTwo: 0, op: .maskedEqual)
    }
}
