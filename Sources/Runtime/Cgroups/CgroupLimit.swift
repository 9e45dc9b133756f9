import OCI

extension CgroupPlan {
    /// A limit as its requester calls it.
    package struct Limit: Equatable, Sendable {
        /// The command line's option, or the specification's key for an OCI container and where docker has no option.
        package let option: String
        package let controller: CgroupController?

        package init(_ option: String, _ controller: CgroupController?) {
            self.option = option
            self.controller = controller
        }

        /// docker's options in the specification's words (config-linux.md).
        static let specificationKeys = [
            "--memory": "memory.limit", "--memory-swap": "memory.swap", "--memory-reservation": "memory.reservation",
            "--memory-swappiness": "memory.swappiness", "--oom-kill-disable": "memory.disableOOMKiller",
            "kernelTCP": "memory.kernelTCP", "--cpu-shares": "cpu.shares", "--cpus": "cpu.quota",
            "--cpu-period": "cpu.period", "--cpu-rt-period": "cpu.realtimePeriod",
            "--cpu-rt-runtime": "cpu.realtimeRuntime", "--cpuset-cpus": "cpu.cpus", "--cpuset-mems": "cpu.mems",
            "--pids-limit": "pids.limit", "--blkio-weight": "blockIO.weight",
            "--blkio-weight-device": "blockIO.weightDevice", "--device-read-bps": "blockIO.throttleReadBpsDevice",
            "--device-write-bps": "blockIO.throttleWriteBpsDevice",
            "--device-read-iops": "blockIO.throttleReadIOPSDevice",
            "--device-write-iops": "blockIO.throttleWriteIOPSDevice",
        ]

        package var unavailable: EngineError {
            let reason =
                controller.map { "the \($0.rawValue) controller is not available" } ?? "cgroup v2 is not in use"
            return EngineError(.unsupported, "cannot apply \(option): \(reason)")
        }

        package func error(_ kind: EngineError.Kind = .invalid, _ reason: String) -> EngineError {
            EngineError(kind, "cannot apply \(option): \(reason)")
        }
    }
}
