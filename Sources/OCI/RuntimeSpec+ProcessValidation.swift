extension RuntimeSpec.Process {
    /// `RuntimeSpec.validate` for a process alone.
    package func validate() throws(EngineError) {
        for limit in rlimits where limit.soft > limit.hard {
            throw EngineError(
                .invalid,
                "\(limit.type): the soft limit \(limit.soft) is above the hard limit \(limit.hard)"
            )
        }
        if let oomScoreAdj, !(-1000...1000).contains(oomScoreAdj) {
            throw EngineError(.invalid, "oomScoreAdj is \(oomScoreAdj), not within -1000 and 1000")
        }
        for (id, name) in [(user.uid, "uid"), (user.gid, "gid")] + user.additionalGids.map({ ($0, "additionalGids") })
        where id > RuntimeSpec.User.largestID {
            throw EngineError(.invalid, "user.\(name) is \(id), not within 0 and \(RuntimeSpec.User.largestID)")
        }
        try scheduler?.validate()
        if let priority = ioPriority?.priority, !(0...7).contains(priority) {
            throw EngineError(.invalid, "invalid ioPriority.priority: \(priority)")
        }
        try RuntimeSpec.CPUAffinity.validate(execCPUAffinity?.initial, "execCPUAffinity.initial")
        try RuntimeSpec.CPUAffinity.validate(execCPUAffinity?.final, "execCPUAffinity.final")
    }
}

extension RuntimeSpec.Scheduler {
    /// As sched_setattr(2) and sched(7) have it.
    func validate() throws(EngineError) {
        if policy == .other || policy == .batch, !(-20...19).contains(nice) {
            throw EngineError(.invalid, "invalid scheduler.nice: \(nice) when scheduler.policy is \(policy.rawValue)")
        }
        if policy == .fifo || policy == .roundRobin {
            guard (1...99).contains(priority) else {
                throw EngineError(
                    .invalid,
                    "invalid scheduler.priority: \(priority) when scheduler.policy is \(policy.rawValue); it has 1 to 99"
                )
            }
        } else if priority != 0 {
            throw EngineError(
                .invalid,
                "scheduler.priority can only be specified for the policies SCHED_FIFO and SCHED_RR"
            )
        }
        if policy != .deadline, runtime != 0 || deadline != 0 || period != 0 {
            throw EngineError(
                .invalid,
                "scheduler runtime/deadline/period can only be specified for the policy SCHED_DEADLINE"
            )
        }
    }
}

extension RuntimeSpec.CPUAffinity {
    fileprivate static func validate(_ text: String?, _ name: String) throws(EngineError) {
        guard let text else { return }
        let ranges: NumberRanges
        do {
            ranges = try NumberRanges(text)
        } catch {
            throw EngineError(.invalid, "invalid \(name): \(error.message)")
        }
        guard !ranges.isEmpty else { throw EngineError(.invalid, "invalid \(name): \"\(text)\" has no processors") }
    }
}
