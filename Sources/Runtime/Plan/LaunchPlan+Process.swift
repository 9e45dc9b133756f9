import CLinux
import OCI

extension LaunchPlan {
    /// The last steps, inside: limits, working folder, filter, ids, capabilities, exec.
    mutating func appendProcess(_ process: RuntimeSpec.Process, _ context: LaunchContext) throws(EngineError) {
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
        steps.append(.workingFolder(path: process.cwd, uid: 0, gid: 0))

        // Without no_new_privs a filter may only be loaded with CAP_SYS_ADMIN, so before it is dropped. With no_new_privs it
        // is loaded last, so that the filter need not allow what comes before.
        if let filter = context.seccomp, !process.noNewPrivileges { steps.append(.seccomp(filter)) }
        // CAP_SETPCAP is needed to drop from the bounding set, and the ids take it away.
        steps.append(.boundingSet(try CapabilitySet(names: process.capabilities.bounding)))
        steps.append(.ids(uid: user.uid, gid: user.gid, groups: user.additionalGids, umask: user.umask))
        steps.append(
            .capabilities(
                effective: try CapabilitySet(names: process.capabilities.effective),
                permitted: try CapabilitySet(names: process.capabilities.permitted),
                inheritable: try CapabilitySet(names: process.capabilities.inheritable),
                ambient: try CapabilitySet(names: process.capabilities.ambient)
            )
        )
        if process.noNewPrivileges {
            steps.append(.noNewPrivileges)
            if let filter = context.seccomp { steps.append(.seccomp(filter)) }
        }
        if context.initProcess { steps.append(.initProcess) }
        guard let program = process.args.first else { throw EngineError(.invalid, "no command specified") }
        guard !program.isEmpty else {
            throw EngineError(.commandNotFound, "exec: \"\": executable file not found in $PATH")
        }
        steps.append(.execute(arguments: process.args, environment: process.env))
    }

    /// RLIMIT_* by name (getrlimit(2)); the numbers are the kernel's for x86 and arm64.
    package static let limits: [String: UInt32] = [
        "RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3, "RLIMIT_CORE": 4, "RLIMIT_RSS": 5,
        "RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7, "RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9, "RLIMIT_LOCKS": 10,
        "RLIMIT_SIGPENDING": 11, "RLIMIT_MSGQUEUE": 12, "RLIMIT_NICE": 13, "RLIMIT_RTPRIO": 14, "RLIMIT_RTTIME": 15,
    ]
}
