import OCI

/// How many bits of an argument the kernel reads.
///
/// A filter sees six registers of 64 bits. The kernel takes most of them as an `int`, an id or a mode, and what stands in
/// the upper half then means nothing: `socket(0x1_0000_0026, …)` opens AF_ALG, although the register is neither 38 nor
/// below 40 (CVE-2026-123876). So a condition is about the bits that the kernel reads.
enum ArgumentWidth {
    /// 16, 32 or 64; 64 also for calls that the table does not have.
    static func bits(of call: String, argument: UInt32) -> Int {
        let bit = UInt8(1) << UInt8(min(argument, 7))
        if narrow[call, default: 0] & bit != 0 { return 32 }
        if modes[call, default: 0] & bit != 0 { return 16 }
        return 64
    }

    /// The arguments of 32 bits, as a set of bits: those that include/linux/syscalls.h of Linux 6.12 (and the tables of the
    /// architectures, and of later releases) declares as `int`, `unsigned int`, `pid_t`, `uid_t` and the like; and those
    /// declared longer whose upper half is thrown away: the flags of clone(2), ptrace(2)'s process, the descriptors of
    /// readv(2) and mmap(2). What a call that is many calls in one (ioctl, prctl, keyctl) makes of its further arguments
    /// depends on the first, and is not known here.
    private static let narrow = table([
        "0": """
        accept alarm arch_prctl clock_adjtime clock_getres clock_gettime clock_settime clone
        close dup epoll_create epoll_create1 eventfd exit exit_group fchdir fchmod fchmodat
        fdatasync fgetxattr flistxattr fremovexattr fstat fstatfs fstatfs64 fsync ftruncate
        ftruncate64 futimesat get_robust_list getgroups getitimer getpeername getpgid getrlimit
        getrusage getsid getsockname inotify_init1 io_setup io_uring_setup iopl keyctl
        memfd_secret migrate_pages mkdirat mlockall modify_ldt mq_getsetattr mq_notify
        mq_timedreceive nice openat2 personality pkey_free prctl pread64 preadv process_vm_readv
        process_vm_writev pselect6 pwrite64 pwritev read readahead readv rt_sigaction
        rt_sigprocmask sched_get_priority_max sched_get_priority_min sched_getparam
        sched_getscheduler sched_rr_get_interval sched_setparam select set_mempolicy setfsgid
        setfsuid setgid setgroups setitimer setrlimit setuid signal signalfd sigprocmask
        socketcall ssetmask syncfs sysfs timer_create timer_delete timer_getoverrun
        timer_gettime timerfd_gettime ugetrlimit umask userfaultfd ustat write writev
        """,
        "01": """
        clock_nanosleep dup2 eventfd2 fallocate fanotify_init fcntl fcntl64 flock getpriority
        inotify_rm_watch ioctl ioprio_get ipc kexec_file_load kill landlock_restrict_self listen
        msgctl msgget pidfd_open prlimit64 process_mrelease rt_sigqueueinfo sched_getaffinity
        sched_setaffinity sched_setscheduler seccomp sendfile sendfile64 setns setpgid setregid
        setreuid shmctl shutdown sync_file_range2 timer_settime timerfd_create timerfd_settime
        tkill
        """,
        "012": """
        close_range dup3 epoll_ctl fchown fsmount getsockopt ioprio_set kcmp membarrier
        pidfd_getfd quotactl_fd reboot rt_tgsigqueueinfo semctl semget setpriority setresgid
        setresuid socket socketpair tgkill
        """,
        "0123": "io_uring_enter", "0124": "setsockopt",
        "013": "fanotify_mark io_uring_register landlock_add_rule mknodat fchmodat2 pidfd_send_signal tee waitid",
        "014": "fsconfig",
        "02": """
        bind bpf connect epoll_pwait2 faccessat finit_module fspick getdents getdents64
        getxattrat inotify_add_watch listxattrat lseek mount_setattr open_by_handle_at open_tree
        open_tree_attr openat quotactl recvmsg removexattrat renameat sched_setattr semop
        semtimedop sendmsg setxattrat shmat shmget syslog unlinkat wait4 waitpid
        """,
        "023": """
        epoll_pwait epoll_wait faccessat2 lsm_set_self_attr recvmmsg sched_getattr sendmmsg
        statx
        """,
        "0234": "fchownat", "024": "linkat move_mount renameat2", "025": "copy_file_range splice",
        "03": """
        accept4 cachestat fadvise64 fadvise64_64 fstatat64 lsm_get_self_attr mq_timedsend msgsnd
        newfstatat readlinkat recv recvfrom send signalfd4 sync_file_range utimensat vmsplice
        """,
        "034": "process_madvise", "035": "sendto",
        "04": "execveat file_getattr file_setattr fsetxattr name_to_handle_at _llseek",
        "05": "move_pages preadv2 pwritev2",
        "1": """
        access delete_module fsopen memfd_create mq_open open pipe2 poll ppoll ptrace
        setdomainname sethostname swapon symlinkat umount2
        """,
        "12": "chown lchown", "123": "futex_requeue perf_event_open rseq", "124": "futex_waitv", "125": "futex",
        "2": """
        getrandom ioperm landlock_create_ruleset lsm_list_modules madvise map_shadow_stack mknod
        mlock2 msync readlink
        """,
        "23": "futex_wake", "3": "listmount listns pkey_mprotect request_key statmount", "35": "futex_wait",
        "4": "add_key lsetxattr mmap msgrcv riscv_hwprobe setxattr", "5": "mbind",
    ])

    /// The arguments of 16 bits, which are modes of files.
    private static let modes = table([
        "1": "chmod creat fchmod mkdir mknod", "2": "fchmodat fchmodat2 mkdirat mknodat mq_open open", "3": "openat",
    ])

    private static func table(_ lines: KeyValuePairs<String, String>) -> [String: UInt8] {
        var table: [String: UInt8] = [:]
        for (arguments, names) in lines {
            let bits = arguments.utf8.reduce(UInt8(0)) { $0 | 1 << ($1 - UInt8(ascii: "0")) }
            for name in names.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
                table[String(name), default: 0] |= bits
            }
        }
        return table
    }
}

/// A rule's conditions, as they are about the bits that the kernel reads.
///
/// libseccomp compares 64 bits with everything but SCMP_CMP_MASKED_EQ. Where every condition on the argument with a number
/// is about 32 bits, as in the profiles that are in use, the compiled program reads a zero in the place of that argument's
/// upper half (`SeccompFilter.readingZero`): that costs nothing. Where another call has a condition on 64 bits in the same
/// place, orderings are written as masks, one for each bit of the number.
struct NarrowConditions {
    /// The arguments whose upper half the program must not read.
    let zeroHalves: Set<UInt32>

    init(_ rules: [SeccompConfiguration.Rule]) {
        var narrow: Set<UInt32> = []
        var wide: Set<UInt32> = []
        for rule in rules {
            for (name, argument) in rule.names.flatMap({ name in rule.args.map { (name, $0) } }) {
                if ArgumentWidth.bits(of: name, argument: argument.index) == 32 {
                    narrow.insert(argument.index)
                } else {
                    wide.insert(argument.index)
                }
            }
        }
        zeroHalves = narrow.subtracting(wide)
    }

    /// The sets of conditions of which one must hold, each of at most one condition for each argument. Empty where the rule
    /// can never hold; a set without conditions always holds.
    ///
    /// - Throws: `EngineError(.invalid)` where there would be more than the kernel's longest program could ask.
    func alternatives(for call: String, _ arguments: [SeccompConfiguration.Argument]) throws(EngineError)
        -> [[SeccompConfiguration.Argument]]
    {
        // Where an argument has several conditions, runc makes each a rule of its own: any of them is then enough, as in
        // the first versions of docker's format.
        let isSplit = Set(arguments.map(\.index)).count < arguments.count
        var result: [[SeccompConfiguration.Argument]] = []
        for rule in isSplit ? arguments.map({ [$0] }) : [arguments] {
            var sets: [[SeccompConfiguration.Argument]] = [[]]
            for argument in rule {
                let choices = choices(for: argument, bits: ArgumentWidth.bits(of: call, argument: argument.index))
                guard sets.count * choices.count <= SeccompFilter.maximumInstructions else {
                    throw EngineError(.invalid, "seccomp profile too large: too many comparisons in a rule for \(call)")
                }
                sets = sets.flatMap { set in choices.map { set + $0 } }
            }
            result += sets
        }
        return result.contains([]) ? [[]] : result
    }

    /// One of these must hold; an empty one is no condition.
    private func choices(for argument: SeccompConfiguration.Argument, bits: Int) -> [[SeccompConfiguration.Argument]] {
        if bits == 64 { return [[argument]] }
        let all = UInt64(1) << UInt64(bits) - 1
        func mask(_ mask: UInt64, _ value: UInt64) -> SeccompConfiguration.Argument {
            .init(index: argument.index, value: mask, valueTwo: value & mask, op: .maskedEqual)
        }
        if argument.op == .maskedEqual {
            guard let value = Self.number(argument.valueTwo, bits: bits) else { return [] }
            return argument.value & all == 0 ? (value == 0 ? [[]] : []) : [[mask(argument.value & all, value)]]
        }
        guard let value = Self.number(argument.value, bits: bits) else {
            return [.notEqual, .less, .lessOrEqual].contains(argument.op) ? [[]] : []
        }
        if bits == 32, zeroHalves.contains(argument.index) {
            return [[.init(index: argument.index, value: value, op: argument.op)]]
        }
        let places = (0..<UInt64(bits)).map { UInt64(1) << $0 }
        // Equal down to a bit, and there 1 instead of 0 (or 0 instead of 1).
        let above = places.filter { value & $0 == 0 }.map { [mask(all & ~($0 - 1), value | $0)] }
        let below = places.filter { value & $0 != 0 }.map { [mask(all & ~($0 - 1), value & ~$0)] }
        let same = [[mask(all, value)]]
        switch argument.op {
        case .equal, .maskedEqual: return same
        case .notEqual: return places.map { [mask($0, ~value)] }
        case .less: return below
        case .lessOrEqual: return below + same
        case .greater: return above
        case .greaterOrEqual: return above + same
        }
    }

    /// A profile's number as one of `bits` bits: -1 may be written as 0xFFFF_FFFF or with ones up to the top. Nil where no
    /// argument can be that number.
    private static func number(_ value: UInt64, bits: Int) -> UInt64? {
        let all = UInt64(1) << UInt64(bits) - 1
        if value <= all { return value }
        return value >= ~(all >> 1) ? value & all : nil
    }
}
