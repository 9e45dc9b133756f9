import OCI

/// What is to be done to give a container its cgroup: folders, then steps, then how its first process gets in.
///
/// A pure value: `Cgroup.create` carries it out, and `text` shows it. A container is put only into the hierarchies that
/// it needs, because each one costs time at its start and at its end.
package struct CgroupPlan: Equatable, Sendable {
    package let name: CgroupName
    package let hierarchy: CgroupHierarchy
    /// The hierarchies' roots in which the container gets a folder.
    package private(set) var roots: [String] = []
    package private(set) var steps: [Step] = []
    /// What was asked for and has no meaning here, though nothing is less limited for it: for the user to read.
    package private(set) var warnings: [String] = []

    package enum Step: Equatable, Sendable {
        case write(Write)
        /// cgroup v1: gives a cpuset that is still empty its parent's processors and memory nodes; before that no
        /// process can enter it.
        case inheritCPUSet(directory: String, from: String)
        /// cgroup v2: makes controllers available below a folder (cgroup.subtree_control).
        case enable([EnabledController], in: String)
        /// cgroup v2: the device filter.
        case filterDevices(DeviceProgram, in: String)
    }

    package struct EnabledController: Equatable, Sendable {
        package let name: String
        /// The limit that needs it; nil where only statistics do, which are left out where it is missing.
        package let limit: Limit?
    }

    /// A write into one file.
    package struct Write: Equatable, Sendable {
        package let limit: Limit
        /// The first file that exists is written.
        package let candidates: [Candidate]
        package let ifMissing: Missing
    }

    package struct Candidate: Equatable, Sendable {
        package let file: String
        package let value: String

        package init(_ file: String, _ value: String) {
            self.file = file
            self.value = value
        }
    }

    /// What it means that a kernel has none of a write's files.
    package enum Missing: Equatable, Sendable {
        case isAnError
        case isFine
        /// A kernel without /proc/swaps has no swap: a limit on it holds by itself.
        case isFineWithoutSwap
    }

    /// How the container's first process gets into the cgroup.
    package enum Entry: Equatable, Sendable {
        /// cgroup v1: the process, while it has one thread, writes "0" into this `tasks` file itself.
        ///
        /// Only this form spares the kernel's wait for an RCU grace period, which every write of a pid and every write
        /// to cgroup.procs pays (cgroup_procs_write_start): 0.04 instead of 12 ms.
        case ownTask(file: String)
        /// cgroup v2: clone3(2) with CLONE_INTO_CGROUP and a descriptor of this folder, which moves nothing (0.02 ms
        /// more than a plain clone).
        case cloneInto(directory: String)
    }

    /// - Parameters:
    ///   - controllers: what the container is put under without a limit: for statistics, or `freezer` to be paused.
    ///     Those this machine does not have are left out.
    package init(
        _ name: CgroupName,
        in hierarchy: CgroupHierarchy,
        resources: LinuxResources,
        controllers: Set<CgroupController> = []
    ) throws(EngineError) {
        self.name = name
        self.hierarchy = hierarchy
        var builder = CgroupPlanBuilder(name: name, hierarchy: hierarchy)
        for controller in controllers.sorted() { builder.use(controller) }
        try builder.add(resources)
        roots = builder.roots
        steps = builder.allSteps
        warnings = builder.warnings
    }

    /// The container's folders, one in each of `roots`.
    package var directories: [String] { roots.map { name.directory(in: $0) } }

    package var entries: [Entry] {
        roots.map { root in
            let directory = name.directory(in: root)
            return root == hierarchy.unified?.directory
                ? .cloneInto(directory: directory) : .ownTask(file: "\(directory)/tasks")
        }
    }
}

extension CgroupPlan {
    /// A limit as its requester calls it.
    package struct Limit: Equatable, Sendable {
        /// The command line's option, or the specification's key where docker has no option for it.
        package let option: String
        package let controller: CgroupController?

        package init(_ option: String, _ controller: CgroupController?) {
            self.option = option
            self.controller = controller
        }

        package var unavailable: EngineError {
            let reason =
                controller.map { "the \($0.rawValue) controller is not available" } ?? "cgroup v2 is not in use"
            return EngineError(.unsupported, "cannot apply \(option): \(reason)")
        }

        package func error(_ kind: EngineError.Kind = .invalid, _ reason: String) -> EngineError {
            EngineError(kind, "cannot apply \(option): \(reason)")
        }
    }

    /// The plan as a person reads it, one line for each step.
    package var text: String {
        var lines = directories.map { "mkdir \($0)" }
        lines += steps.map(\.text)
        lines += entries.map { entry in
            switch entry {
            case .ownTask(let file): "enter \(file)"
            case .cloneInto(let directory): "clone into \(directory)"
            }
        }
        return (lines + warnings.map { "warning: \($0)" }).joined(separator: "\n")
    }
}

extension CgroupPlan.Step {
    package var text: String {
        switch self {
        case .write(let write):
            let files = write.candidates.map { "\($0.file) = \($0.value)" }.joined(separator: ", or ")
            switch write.ifMissing {
            case .isAnError: return "write \(files)"
            case .isFine: return "write \(files), if it exists"
            case .isFineWithoutSwap: return "write \(files), if there is swap"
            }
        case .inheritCPUSet(let directory, let parent): return "inherit cpuset \(directory) from \(parent)"
        case .enable(let controllers, let directory):
            let names = controllers.map { $0.limit == nil ? "\($0.name) (if available)" : $0.name }
            return "enable \(names.joined(separator: ", ")) in \(directory)"
        case .filterDevices(let program, let directory):
            return "filter devices of \(directory) with \(program.instructions.count) instructions"
        }
    }
}
