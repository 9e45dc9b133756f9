extension RuntimeSpec {
    /// A process: the container's first one, or one that joins it (config.md#process).
    package struct Process: Sendable {
        package var terminal = false
        /// Columns and rows, where the caller has a terminal.
        package var consoleSize: (width: UInt16, height: UInt16)?
        package var user = User()
        /// The program and its arguments; empty only where the configuration has none.
        package var args: [String]
        package var env: [String] = []
        /// Absolute, in the container.
        package var cwd = "/"
        package var capabilities = Capabilities()
        package var rlimits: [ResourceLimit] = []
        package var noNewPrivileges = false
        package var apparmorProfile: String?
        /// -1000 to 1000 (proc(5), oom_score_adj); nil leaves it as it is.
        package var oomScoreAdj: Int?
        package var scheduler: Scheduler?
        package var selinuxLabel: String?
        package var ioPriority: IOPriority?
        /// Of a process that joins the container; the first one ignores it.
        package var execCPUAffinity: CPUAffinity?

        package init(args: [String]) { self.args = args }
    }

    package struct User: Sendable, Equatable {
        package var uid: UInt32 = 0
        package var gid: UInt32 = 0
        package var additionalGids: [UInt32] = []
        /// Nil leaves it as it is.
        package var umask: UInt32?

        /// setresuid(2) takes -1 for "as it is", and some of the kernel's interfaces take the numbers from 2^31 on for
        /// negative.
        package static let largestID = UInt32(Int32.max)

        package init(uid: UInt32 = 0, gid: UInt32 = 0, additionalGids: [UInt32] = []) {
            self.uid = uid
            self.gid = gid
            self.additionalGids = additionalGids
        }
    }

    /// The five sets of capabilities(7), by names with CAP_. Names that nobody knows stay: whoever applies the sets warns.
    package struct Capabilities: Sendable, Equatable {
        package var bounding: [String] = []
        package var effective: [String] = []
        package var permitted: [String] = []
        package var inheritable: [String] = []
        package var ambient: [String] = []

        package init() {}
    }

    /// setrlimit(2), by the name with RLIMIT_.
    package struct ResourceLimit: Sendable, Equatable {
        package var type: String
        package var soft: UInt64
        package var hard: UInt64

        package init(type: String, soft: UInt64, hard: UInt64) {
            self.type = type
            self.soft = soft
            self.hard = hard
        }
    }

    /// sched_setattr(2), as config.md#linux-process has it.
    package struct Scheduler: Sendable, Equatable {
        package var policy: Policy
        /// -20 to 19, for `other` and `batch`.
        package var nice: Int32 = 0
        /// 1 to 99, for `fifo` and `roundRobin`.
        package var priority: Int32 = 0
        package var flags: [Flag] = []
        /// In nanoseconds, for `deadline`: how long it may run in each period, until when, and how long a period is.
        package var runtime: UInt64 = 0
        package var deadline: UInt64 = 0
        package var period: UInt64 = 0

        package init(policy: Policy) { self.policy = policy }

        package enum Policy: String, CaseIterable, Sendable {
            case other = "SCHED_OTHER"
            case fifo = "SCHED_FIFO"
            case roundRobin = "SCHED_RR"
            case batch = "SCHED_BATCH"
            case iso = "SCHED_ISO"
            case idle = "SCHED_IDLE"
            case deadline = "SCHED_DEADLINE"

            /// The kernel's number (linux/sched.h).
            package var number: UInt32 {
                switch self {
                case .other: 0
                case .fifo: 1
                case .roundRobin: 2
                case .batch: 3
                case .iso: 4
                case .idle: 5
                case .deadline: 6
                }
            }
        }

        package enum Flag: String, CaseIterable, Sendable {
            case resetOnFork = "SCHED_FLAG_RESET_ON_FORK"
            case reclaim = "SCHED_FLAG_RECLAIM"
            case deadlineOverrun = "SCHED_FLAG_DL_OVERRUN"
            case keepPolicy = "SCHED_FLAG_KEEP_POLICY"
            case keepParameters = "SCHED_FLAG_KEEP_PARAMS"
            case utilizationClampMin = "SCHED_FLAG_UTIL_CLAMP_MIN"
            case utilizationClampMax = "SCHED_FLAG_UTIL_CLAMP_MAX"

            /// The kernel's bit (linux/sched.h).
            package var bit: UInt64 {
                switch self {
                case .resetOnFork: 0x01
                case .reclaim: 0x02
                case .deadlineOverrun: 0x04
                case .keepPolicy: 0x08
                case .keepParameters: 0x10
                case .utilizationClampMin: 0x20
                case .utilizationClampMax: 0x40
                }
            }
        }
    }

    /// ioprio_set(2).
    package struct IOPriority: Sendable, Equatable {
        package var `class`: Class
        /// 0, the highest, to 7.
        package var priority: Int

        package init(class: Class, priority: Int) {
            self.class = `class`
            self.priority = priority
        }

        package enum Class: String, CaseIterable, Sendable {
            case realTime = "IOPRIO_CLASS_RT"
            case bestEffort = "IOPRIO_CLASS_BE"
            case idle = "IOPRIO_CLASS_IDLE"

            /// The kernel's number (linux/ioprio.h).
            package var number: Int32 {
                switch self {
                case .realTime: 1
                case .bestEffort: 2
                case .idle: 3
                }
            }
        }
    }

    /// Lists of processors such as "0-3,7", before and after the process enters the container's cgroup.
    package struct CPUAffinity: Sendable, Equatable {
        package var initial: String?
        package var final: String?

        package init(initial: String? = nil, final: String? = nil) {
            self.initial = initial
            self.final = final
        }
    }
}
