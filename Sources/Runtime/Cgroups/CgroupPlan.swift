import OCI

/// What is to be done to give a container its cgroup: folders, then steps, then how its first process gets in.
///
/// A pure value: `Cgroup.create` and `Cgroup.place` carry it out, and `text` shows it. A container of `run` is put only
/// into the hierarchies that it needs, because each one costs time at its start and at its end; an OCI container is put
/// into every one, because its callers read what they count.
package struct CgroupPlan: Equatable, Sendable {
    package let name: CgroupName
    package let hierarchy: CgroupHierarchy
    package let purpose: Purpose
    /// The hierarchies' roots in which the container gets a folder.
    package private(set) var roots: [String] = []
    package private(set) var steps: [Step] = []
    /// What was asked for and has no meaning here, though nothing is less limited for it: for the user to read.
    package private(set) var warnings: [String] = []

    /// For whom a cgroup is made.
    package enum Purpose: Equatable, Sendable {
        /// `run` and its kin: a new cgroup of minirun's own.
        case run
        /// An OCI container: a cgroup that may exist and is then taken if nothing runs in it, in every hierarchy.
        ///
        /// - `isRootless`: the caller has no power over devices, which the file system then keeps from it.
        /// - `mayBeLeftOut`: hierarchies in which the caller may not make a cgroup are left out, if no limit needs
        ///   them.
        case oci(isRootless: Bool, mayBeLeftOut: Bool)
    }

    package enum Step: Equatable, Sendable {
        case write(Write)
        /// Writes that bound one another, such as memory with and without swap: those that the kernel refuses as
        /// invalid (EINVAL) are tried again after the others, as raising and lowering need them in opposite orders.
        case settle([Write])
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

    /// The hierarchies of cgroup v1 that a program which looks for its limits asks for together: the JVM takes none of them for a
    /// container's where one is missing (HotSpot, CgroupSubsystemFactory::determine_type).
    private static let askedTogether: [CgroupController] = [.cpu, .cpuacct, .cpuset, .memory]

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
        purpose = .run
        var builder = CgroupPlanBuilder(name: name, hierarchy: hierarchy)
        for controller in controllers.sorted() { builder.use(controller) }
        try builder.add(resources)
        if hierarchy.mode != .unified, resources.memory.limit != nil || resources.cpu != .init() {
            for controller in CgroupPlan.askedTogether { builder.use(controller) }
        }
        roots = builder.roots
        steps = builder.allSteps
        warnings = builder.warnings
    }

    /// The plan for an OCI container: a folder in every hierarchy, on v2 with every controller that there is.
    package init(
        _ placement: CgroupPlacement,
        in hierarchy: CgroupHierarchy,
        resources: LinuxResources,
        isRootless: Bool = Rootless.isCaller
    ) throws(EngineError) {
        name = placement.name
        self.hierarchy = hierarchy
        purpose = .oci(isRootless: isRootless, mayBeLeftOut: isRootless && !placement.isChosen)
        var builder = CgroupPlanBuilder(name: name, hierarchy: hierarchy, purpose: .create)
        builder.useEverything()
        try builder.add(placement.unit?.rounding(resources) ?? resources)
        roots = builder.roots
        steps = builder.allSteps
        warnings = builder.warnings
    }

    /// The container's folders, one in each of `roots`.
    package var directories: [String] { roots.map { name.directory(in: $0) } }

    package var entries: [Entry] { roots.map { hierarchy.entry(to: name, in: $0) } }
}

extension CgroupHierarchy {
    /// How a process gets into a cgroup in one hierarchy.
    func entry(to name: CgroupName, in root: String) -> CgroupPlan.Entry {
        let directory = name.directory(in: root)
        return root == unified?.directory ? .cloneInto(directory: directory) : .ownTask(file: "\(directory)/tasks")
    }
}

extension CgroupPlan {
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
        case .write(let write): return write.text
        case .settle(let writes): return "in the order that is taken: " + writes.map(\.text).joined(separator: "; ")
        case .inheritCPUSet(let directory, let parent): return "inherit cpuset \(directory) from \(parent)"
        case .enable(let controllers, let directory):
            let names = controllers.map { $0.limit == nil ? "\($0.name) (if available)" : $0.name }
            return "enable \(names.joined(separator: ", ")) in \(directory)"
        case .filterDevices(let program, let directory):
            return "filter devices of \(directory) with \(program.instructions.count) instructions"
        }
    }
}

extension CgroupPlan.Write {
    package var text: String {
        let files = candidates.map { "\($0.file) = \($0.value)" }.joined(separator: ", or ")
        switch ifMissing {
        case .isAnError: return "write \(files)"
        case .isFine: return "write \(files), if it exists"
        case .isFineWithoutSwap: return "write \(files), if there is swap"
        }
    }
}
