import CLinux
import LinuxSystem
import OCI

/// Carries out a plan's steps. The last file stays open, because the device rules are a dozen writes into one.
struct CgroupWriter: ~Copyable {
    private var path = ""
    private var file: FileDescriptor?

    mutating func carryOut(_ step: CgroupPlan.Step, hierarchy: CgroupHierarchy) throws {
        switch step {
        case .write(let write): try carryOut(write)
        case .inheritCPUSet(let directory, let parent): try inherit(directory, from: parent)
        case .enable(let controllers, let directory):
            try CgroupEnabling(directory: directory, hierarchy: hierarchy).enable(controllers)
        case .filterDevices(let program, let directory):
            let folder = try FileDescriptor.open(directory, O_RDONLY | O_DIRECTORY)
            try program.attach(to: folder.raw)
        }
    }

    private mutating func carryOut(_ write: CgroupPlan.Write) throws {
        for candidate in write.candidates {
            do throws(SystemError) {
                return try put(candidate)
            } catch {
                // ENOENT from the write itself would be about the value; a missing file fails in the open.
                if error.code == ENOENT, path != candidate.file { continue }
                throw CgroupWriter.explain(error, write.limit, candidate)
            }
        }
        switch write.ifMissing {
        case .isFine: return
        case .isFineWithoutSwap where !FileStatus.exists("/proc/swaps"): return
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
        let kind: EngineError.Kind =
            error.code == EINVAL || error.code == ERANGE || error.code == ENODEV ? .invalid : .failed
        return limit.error(kind, "writing \(candidate.value) into \(name(candidate.file)): \(error.reason)")
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

/// cgroup v2: makes controllers available below a folder.
struct CgroupEnabling {
    let directory: String
    let hierarchy: CgroupHierarchy

    private var file: String { "\(directory)/cgroup.subtree_control" }

    func enable(_ controllers: [CgroupPlan.EnabledController]) throws {
        do throws(SystemError) {
            return try Files.overwrite(file, controllers.map { "+\($0.name)" }.joined(separator: " "))
        } catch {
            if error.code == EBUSY { try evacuate() }
        }
        // One by one: the kernel takes all of a write or nothing, and does not say which one it refused.
        for controller in controllers {
            do throws(SystemError) {
                try Files.overwrite(file, "+\(controller.name)")
            } catch {
                guard let limit = controller.limit else { continue }
                switch error.code {
                // EINVAL: no such controller in this kernel. ENOENT: not handed down to this folder.
                case EINVAL where limit.controller != .cpu, ENOENT: throw limit.unavailable
                case EBUSY:
                    throw limit.error(
                        .unsupported,
                        "processes in \(directory) keep the \(controller.name) controller from being enabled"
                    )
                default: throw limit.error(.failed, "enabling the \(controller.name) controller: \(error.reason)")
                }
            }
        }
    }

    /// A cgroup with processes of its own cannot hand controllers down ("no internal processes", cgroups(7)). Where
    /// minirun runs in a container, at the root of its cgroup namespace, the processes are that container's: they move
    /// to its leaf `init`, as docker's in-docker script has it. Elsewhere they are somebody else's and stay.
    private func evacuate() throws(SystemError) {
        guard directory == hierarchy.unified?.directory, hierarchy.ownPath == "/" else { return }
        let leaf = "\(directory)/init"
        if mkdir(leaf, 0o755) != 0, errno != EEXIST { throw SystemError("creating the cgroup", leaf) }
        // More than once: processes may be born while others move.
        for _ in 0..<10 {
            let processes = try Cgroup.processes(in: directory)
            if processes.isEmpty { return }
            for process in processes {
                do throws(SystemError) {
                    try Files.overwrite("\(leaf)/cgroup.procs", "\(process)")
                } catch {
                    if error.code != ESRCH { throw error }
                }
            }
        }
    }
}
