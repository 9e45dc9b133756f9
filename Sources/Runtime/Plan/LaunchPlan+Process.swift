import CLinux
import OCI

extension LaunchPlan {
    /// The last steps, inside: limits, working folder, ids, capabilities, filter, exec.
    mutating func appendProcess(_ spec: RuntimeSpec, _ context: LaunchContext) throws(EngineError) {
        let process = spec.process
        for (file, value) in context.labels { steps.append(.attribute(file: file, value: value)) }
        if let personality = spec.linux.personality { steps.append(.personality(try personality.number)) }
        if let policy = spec.linux.memoryPolicy { steps.append(try .memoryPolicy(policy)) }
        if let scheduler = process.scheduler { steps.append(.scheduler(scheduler)) }
        if let priority = process.ioPriority { steps.append(try .ioPriority(priority)) }
        for limit in process.rlimits {
            guard let type = LaunchPlan.limits[limit.type] else {
                throw EngineError(.invalid, "unknown resource limit \"\(limit.type)\"")
            }
            steps.append(.resourceLimit(type: type, name: limit.type, soft: limit.soft, hard: limit.hard))
        }
        let user = process.user
        // Official images log to /dev/stdout, which a user other than root may open only if the pipe is theirs.
        if user.uid != 0, !process.terminal { steps.append(.ownPipes(uid: user.uid, gid: user.gid)) }
        // As root: docker creates a missing working folder for root, whoever the user is.
        steps.append(.workingFolder(path: process.cwd))

        // CAP_SETPCAP is needed to drop from the bounding set, and the capabilities to come may lack it.
        steps.append(.boundingSet(CapabilitySet(known: process.capabilities.bounding)))
        steps.append(
            .ids(
                uid: user.uid,
                gid: user.gid,
                groups: user.additionalGids,
                umask: user.umask,
                setsGroups: context.setsGroups
            )
        )
        guard let program = process.args.first else { throw EngineError(.invalid, "args must not be empty") }
        guard !program.isEmpty else {
            throw EngineError(.commandNotFound, "exec: \"\": executable file not found in $PATH")
        }
        let environment = process.environment
        if context.findsHome, !environment.contains(where: { $0.variableName == "HOME" && $0.utf8.count > 5 }) {
            steps.append(.home)
        }
        let effective = CapabilitySet(known: process.capabilities.effective)
        if context.findsProgram {
            // `create` fails for what `start` could not execute.
            steps.append(
                .findProgram(arguments: process.args, environment: environment, capabilities: effective)
            )
        }
        if let descriptor = context.startDescriptor { steps.append(.start(descriptor: descriptor)) }
        // Without no_new_privs a filter may only be loaded with CAP_SYS_ADMIN, so before that is dropped. With no_new_privs it
        // is loaded last, so that the filter need not allow what comes before.
        if let filter = context.seccomp, !process.noNewPrivileges { steps.append(.seccomp(filter)) }
        steps.append(
            .capabilities(
                effective: effective,
                permitted: CapabilitySet(known: process.capabilities.permitted),
                inheritable: CapabilitySet(known: process.capabilities.inheritable),
                ambient: CapabilitySet(known: process.capabilities.ambient)
            )
        )
        if process.noNewPrivileges {
            steps.append(.noNewPrivileges)
            if let filter = context.seccomp { steps.append(.seccomp(filter)) }
        }
        for (index, hook) in spec.hooks.startContainer.enumerated() where context.startDescriptor != nil {
            // With its own environment and no other: what an image says in its own (LD_PRELOAD) is not for a hook
            // (CVE-2025-23266).
            steps.append(
                .hook(ContainerHook(hook, kind: "startContainer", index: index, state: context.hookStates.created))
            )
        }
        if context.initProcess { steps.append(.initProcess) }
        steps.append(
            .execute(arguments: process.args, environment: environment, keeps: context.preservedDescriptors)
        )
    }

    /// RLIMIT_* by name (getrlimit(2)); the numbers are the kernel's for x86 and arm64.
    package static let limits: [String: UInt32] = [
        "RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3, "RLIMIT_CORE": 4, "RLIMIT_RSS": 5,
        "RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7, "RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9, "RLIMIT_LOCKS": 10,
        "RLIMIT_SIGPENDING": 11, "RLIMIT_MSGQUEUE": 12, "RLIMIT_NICE": 13, "RLIMIT_RTPRIO": 14, "RLIMIT_RTTIME": 15,
    ]
}

extension RuntimeSpec.Process {
    /// The environment without doubles: the last of equal names counts, at the place of the first.
    var environment: [String] {
        var places: [Substring: Int] = [:]
        var result: [String] = []
        for entry in env {
            let name = entry.variableName
            if let place = places[name] {
                result[place] = entry
            } else {
                places[name] = result.count
                result.append(entry)
            }
        }
        return result
    }
}

extension LaunchStep {
    /// `struct sched_attr` of sched_setattr(2), in its first size (48 bytes).
    static func scheduler(_ scheduler: RuntimeSpec.Scheduler) -> LaunchStep {
        var bytes: [UInt8] = []
        func add(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) } }
        add(UInt32(48))
        add(scheduler.policy.number)
        add(scheduler.flags.reduce(UInt64(0)) { $0 | $1.bit })
        add(scheduler.nice)
        add(UInt32(bitPattern: scheduler.priority))
        add(scheduler.runtime)
        add(scheduler.deadline)
        add(scheduler.period)
        return .scheduler(bytes, name: scheduler.policy.rawValue)
    }

    /// The class is in the top three of sixteen bits (ioprio_set(2)); a level that reached into them would make it another class.
    static func ioPriority(_ priority: RuntimeSpec.IOPriority) throws(EngineError) -> LaunchStep {
        guard (0..<1 << 13).contains(priority.priority) else {
            throw EngineError(.invalid, "ioPriority: \(priority.priority) is no priority: 0 to 7 are")
        }
        let value = priority.class.number << 13 | Int32(priority.priority)
        return .ioPriority(value, name: "\(priority.class.rawValue) \(priority.priority)")
    }

    /// A list of numbers such as "0-3,7" as a mask of bits.
    static let allProcessors = LaunchStep.affinity([UInt8](repeating: 0xFF, count: 128), list: "all")

    static func affinity(list: String) throws(EngineError) -> LaunchStep {
        .affinity(try mask(of: list, "execCPUAffinity"), list: list)
    }

    static func memoryPolicy(_ policy: RuntimeSpec.MemoryPolicy) throws(EngineError) -> LaunchStep {
        guard let mode = RuntimeSpec.MemoryPolicy.modes[policy.mode] else {
            throw EngineError(.invalid, "invalid memory policy mode \"\(policy.mode)\"")
        }
        var bits = mode
        for flag in policy.flags {
            guard let bit = RuntimeSpec.MemoryPolicy.flagBits[flag] else {
                throw EngineError(.invalid, "invalid memory policy flag \"\(flag)\"")
            }
            bits |= bit
        }
        let nodes = policy.nodes.isEmpty ? [] : try mask(of: policy.nodes, "invalid memory policy node")
        return .memoryPolicy(UInt64(UInt32(bitPattern: bits)), nodes: nodes, name: policy.mode)
    }

    /// Eight bytes at a time, as the kernel reads it.
    private static func mask(of list: String, _ place: String) throws(EngineError) -> [UInt8] {
        var mask = [UInt8](repeating: 0, count: 8)
        for part in list.split(separator: ",") {
            let ends = part.split(separator: "-", maxSplits: 1).map { Int($0.drop(while: \.isWhitespace)) }
            guard let first = ends.first.flatMap({ $0 }), let last = ends.last.flatMap({ $0 }), first <= last,
                last < 8192
            else { throw EngineError(.invalid, "\(place): \"\(list)\" is no list such as 0-3,6") }
            while mask.count * 8 <= last { mask += [UInt8](repeating: 0, count: 8) }
            for number in first...last { mask[number / 8] |= 1 << UInt8(number % 8) }
        }
        return mask
    }
}

extension RuntimeSpec.Personality {
    /// As personality(2) has it.
    fileprivate var number: UInt64 {
        get throws(EngineError) {
            switch domain {
            case "LINUX": return 0
            case "LINUX32": return 0x0008
            default: throw EngineError(.invalid, "unknown personality domain \"\(domain)\"")
            }
        }
    }
}
