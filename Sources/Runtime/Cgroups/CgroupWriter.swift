import CLinux
import LinuxSystem
import OCI

/// Carries out a plan's steps. The last file stays open, because the device rules are a dozen writes into one.
struct CgroupWriter: ~Copyable {
    let hierarchy: CgroupHierarchy
    let purpose: CgroupPlanBuilder.Purpose
    private var path = ""
    private var file: FileDescriptor?

    init(hierarchy: CgroupHierarchy, purpose: CgroupPlanBuilder.Purpose) {
        self.hierarchy = hierarchy
        self.purpose = purpose
    }

    mutating func carryOut(_ step: CgroupPlan.Step) throws {
        switch step {
        case .write(let write): if let refusal = try attempt(write) { throw refusal.error }
        case .settle(let writes): try settle(writes)
        case .inheritCPUSet(let directory, let parent): try inherit(directory, from: parent)
        case .enable(let controllers, let directory):
            try CgroupEnabling(directory: directory, hierarchy: hierarchy, evacuatesAlways: purpose == .run)
                .enable(controllers)
        case .filterDevices(let program, let directory):
            let folder = try FileDescriptor.open(directory, O_RDONLY | O_DIRECTORY)
            try program.attach(to: folder.raw)
        }
    }

    /// A write that the kernel refused.
    private struct Refusal {
        let limit: CgroupPlan.Limit
        let candidate: CgroupPlan.Candidate
        let reason: SystemError

        var error: EngineError { CgroupWriter.explain(reason, limit, candidate) }
    }

    private mutating func settle(_ writes: [CgroupPlan.Write]) throws {
        var rest = writes
        while !rest.isEmpty {
            var refused: [CgroupPlan.Write] = []
            var first: EngineError?
            for write in rest {
                guard let refusal = try attempt(write) else { continue }
                guard refusal.reason.code == EINVAL else { throw refusal.error }
                first = first ?? refusal.error
                refused.append(write)
            }
            if let first, refused.count == rest.count { throw first }
            rest = refused
        }
    }

    private mutating func attempt(_ write: CgroupPlan.Write) throws -> Refusal? {
        for candidate in write.candidates {
            do throws(SystemError) {
                try put(candidate)
                return nil
            } catch {
                // ENOENT from the write itself would be about the value; a missing file fails in the open.
                if error.code == ENOENT, path != candidate.file { continue }
                return Refusal(limit: write.limit, candidate: candidate, reason: error)
            }
        }
        switch write.ifMissing {
        case .isFine: return nil
        case .isFineWithoutSwap where !FileStatus.exists("/proc/swaps"): return nil
        case .isAnError, .isFineWithoutSwap:
            let files = write.candidates.map { CgroupWriter.name($0.file) }.joined(separator: " or ")
            throw write.limit.error(.unsupported, "this kernel has no \(files)")
        }
    }

    private mutating func put(_ candidate: CgroupPlan.Candidate) throws(SystemError) {
        if path != candidate.file {
            path = ""
            file = try FileDescriptor.open(candidate.file, O_WRONLY)
            path = candidate.file
        }
        switch file {
        case .some(let file): try file.write(candidate.value)
        case .none: throw SystemError("writing", candidate.file, code: EBADF)
        }
    }

    private static func explain(
        _ error: SystemError,
        _ limit: CgroupPlan.Limit,
        _ candidate: CgroupPlan.Candidate
    ) -> EngineError {
        if limit.controller == .devices, error.code == EPERM {
            return limit.error(.unsupported, "the cgroup above does not allow \(candidate.value)")
        }
        if error.code == EBUSY, name(candidate.file) == "memory.limit_in_bytes" {
            return memoryInUse(candidate)
        }
        let kind: EngineError.Kind =
            error.code == EINVAL || error.code == ERANGE || error.code == ENODEV ? .invalid : .failed
        return limit.error(kind, "writing \(candidate.value) into \(name(candidate.file)): \(error.reason)")
    }

    /// cgroup v1 cannot reclaim enough for a limit below what is used.
    private static func memoryInUse(_ candidate: CgroupPlan.Candidate) -> EngineError {
        func value(_ file: String) -> Substring {
            let text = try? Files.readText("\(Files.parent(of: candidate.file))/memory.\(file)_in_bytes")
            return text?.trimmed ?? "unknown"
        }
        return EngineError(
            .conflict,
            "unable to set memory limit to \(candidate.value) "
                + "(current usage: \(value("usage")), peak usage: \(value("max_usage")))"
        )
    }

    private static func name(_ path: String) -> Substring { path.split(separator: "/").last ?? "" }

    /// Copies what is empty. The names have the prefix "cpuset." except where the mount has `noprefix`, which is
    /// Android's.
    private func inherit(_ directory: String, from parent: String) throws(SystemError) {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let own = try Files.readText("\(directory)/\(file)")
            guard own.allSatisfy(\.isWhitespace) else { continue }
            try Files.overwrite("\(directory)/\(file)", try Files.readText("\(parent)/\(file)"))
        }
    }
}
