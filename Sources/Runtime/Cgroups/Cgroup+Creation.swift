import CLinux
import LinuxSystem
import OCI

extension Cgroup {
    /// Carries a plan out. If it throws, nothing of it is left behind.
    ///
    /// A folder that exists already is an error if a process is in it. Else it is made anew, as an engine that was
    /// killed may leave one; below a folder of the caller's it is taken as it is.
    package static func create(_ plan: CgroupPlan) throws -> Cgroup {
        guard plan.purpose == .run else { return try place(plan).cgroup }
        var made: [String] = []
        do {
            for root in plan.roots {
                try makeDirectory(plan.name, in: root, made: &made) { directory in
                    if let process = try processes(in: directory).first {
                        throw EngineError(.conflict, "the cgroup \(directory) is in use by process \(process)")
                    }
                    // Of minirun's own it is a leftover, with the limits of then; elsewhere its owner prepared it.
                    return plan.name.removesParents ? try !removeTree(directory) : true
                }
            }
            var writer = CgroupWriter(hierarchy: plan.hierarchy, purpose: .run)
            for step in plan.steps { try writer.carryOut(step) }
        } catch {
            // Those that another container uses meanwhile stay, as the kernel refuses.
            for directory in made.reversed() { rmdir(directory) }
            throw (error as? CreationFailure)?.error ?? error
        }
        return Cgroup(plan.name, in: plan.hierarchy)
    }

    /// Makes a folder, and those of the name's parents that are missing.
    ///
    /// - Parameter takes: whether a folder that exists is taken; if not it was removed and is made anew.
    fileprivate static func makeDirectory(
        _ name: CgroupName,
        in root: String,
        made: inout [String],
        takes: (String) throws -> Bool
    ) throws {
        let directory = name.directory(in: root)
        // Another container's end may remove the empty folder above between our mkdir of it and that of our own.
        for _ in 0..<100 {
            if mkdir(directory, 0o755) == 0 { return made.append(directory) }
            switch errno {
            case EEXIST: if try takes(directory) { return }
            case ENOENT:
                for parent in name.parentDirectories(in: root) {
                    if mkdir(parent, 0o755) == 0 {
                        made.append(parent)
                    } else if errno == ENOENT, parent != name.parentDirectories(in: root).first {
                        break
                    } else if errno != EEXIST {
                        throw CreationFailure(parent)
                    }
                }
            // On a read-only mount mkdir fails before it looks whether there is anything.
            case EROFS where FileStatus.exists(directory): if try takes(directory) { return }
            default: throw CreationFailure(directory)
            }
        }
        throw CreationFailure(directory)
    }

    fileprivate struct CreationFailure: Error {
        let directory: String
        let code = errno

        init(_ directory: String) { self.directory = directory }

        var isForbidden: Bool { code == EACCES || code == EPERM || code == EROFS }

        var error: EngineError {
            EngineError(
                isForbidden ? .unsupported : .failed,
                "cannot create the cgroup \(directory): \(SystemError.text(code))",
                hint: isForbidden ? "the caller needs a cgroup file system that it may write to" : nil
            )
        }
    }
}

extension Cgroup {
    /// What `place` did.
    package struct Placed: Sendable {
        package let cgroup: Cgroup
        /// The hierarchies in which the container has a folder.
        package let roots: [String]
        /// Those of them in which the folder is new: `remove(in:)` takes these, and what somebody else made stays.
        package let made: [String]

        /// How the container's first process gets in, where it is not in already.
        package var entries: [CgroupPlan.Entry] { roots.map { cgroup.hierarchy.entry(to: cgroup.name, in: $0) } }
    }

    /// Refuses a place that is not fit for a new container: one in which processes are, or one that is frozen
    /// (config-linux.md#control-groups). The messages are runc's.
    ///
    /// - Parameter process: one that may be there.
    package static func check(_ plan: CgroupPlan, process: pid_t? = nil) throws {
        let cgroup = Cgroup(plan.name, in: plan.hierarchy)
        let count = try cgroup.allProcesses().count { $0 != process }
        if count > 0 {
            throw EngineError(.conflict, "container's cgroup is not empty: \(count) process(es) found")
        }
        if try cgroup.isFrozen(timeout: 0) {
            throw EngineError(.conflict, "container's cgroup unexpectedly frozen")
        }
    }

    /// Carries out the plan for an OCI container, after `check`. If it throws, what it made is gone again, and what was
    /// there before stays.
    ///
    /// A caller without the power to make cgroups who neither chose the place nor asked for limits goes without: the
    /// hierarchies concerned are not among `roots`.
    ///
    /// - Parameter process: one that systemd has put into the cgroup already (`SystemdUnit.start`), which only knows
    ///   some of the hierarchies: it is moved into the others here, and has no need of `entries`.
    package static func place(_ plan: CgroupPlan, process: pid_t? = nil) throws -> Placed {
        try check(plan, process: process)
        var folders: [String] = []
        do {
            var roots: [String] = []
            var refusals: [CgroupRefusal] = []
            for root in plan.roots {
                do {
                    try makeDirectory(plan.name, in: root, made: &folders) { _ in true }
                    roots.append(root)
                } catch let failure as CreationFailure {
                    guard case .oci(_, mayBeLeftOut: true) = plan.purpose, failure.isForbidden else { throw failure }
                    refusals.append(CgroupRefusal(directory: plan.name.directory(in: root), reason: failure.error))
                }
            }
            if let unified = plan.hierarchy.unified?.directory, roots.contains(unified) {
                try CgroupType.check(plan, in: unified)
            }
            try carryOut(plan, without: refusals)
            let made = roots.filter { folders.contains(plan.name.directory(in: $0)) }
            let placed = Placed(cgroup: Cgroup(plan.name, in: plan.hierarchy), roots: roots, made: made)
            if let process { try placed.add(process) }
            return placed
        } catch {
            for directory in folders.reversed() { rmdir(directory) }
            throw (error as? CreationFailure)?.error ?? error
        }
    }

    private static func carryOut(_ plan: CgroupPlan, without refusals: [CgroupRefusal]) throws {
        var isRootless = false
        if case .oci(let value, _) = plan.purpose { isRootless = value }
        var writer = CgroupWriter(hierarchy: plan.hierarchy, purpose: .create)
        for step in plan.steps {
            if let refusal = refusals.first(where: { step.isIn($0.directory) }) {
                try refusal.check(step, plan)
                continue
            }
            do {
                try writer.carryOut(step)
            } catch {
                // Who has no power over devices outside gets none of them inside (as runc).
                guard isRootless, step.isAboutDevices else { throw error }
            }
        }
    }
}

extension Cgroup.Placed {
    /// Moves a process into those folders in which it is not.
    fileprivate func add(_ process: pid_t) throws {
        for root in roots {
            let directory = cgroup.name.directory(in: root)
            if try Cgroup.processes(in: directory).contains(process) { continue }
            try Files.overwrite("\(directory)/cgroup.procs", "\(process)")
        }
    }
}

/// A hierarchy in which the caller may not make the container's cgroup.
private struct CgroupRefusal {
    let directory: String
    let reason: EngineError

    /// Throws for a limit, which nothing would keep. The messages are runc's.
    func check(_ step: CgroupPlan.Step, _ plan: CgroupPlan) throws(EngineError) {
        guard let limit = step.limit, !step.isAboutDevices else { return }
        if plan.hierarchy.mode == .unified {
            throw EngineError(
                .unsupported,
                "rootless needs no limits + no cgrouppath when no permission is granted for cgroups: \(reason.message)"
            )
        }
        let name = limit.controller?.rawValue ?? limit.option
        throw EngineError(
            .unsupported,
            "cannot set \(name) limit: container could not join or create cgroup"
        )
    }
}

extension CgroupPlan.Step {
    /// The limit that the step sets; nil where it only prepares.
    var limit: CgroupPlan.Limit? {
        switch self {
        case .write(let write): write.limit
        case .settle(let writes): writes.first?.limit
        case .filterDevices: CgroupPlan.Limit("the device rules", .devices)
        case .enable, .inheritCPUSet: nil
        }
    }

    fileprivate var isAboutDevices: Bool { limit?.controller == .devices }

    /// Whether it concerns a cgroup's folder.
    fileprivate func isIn(_ directory: String) -> Bool {
        func isHere(_ write: CgroupPlan.Write) -> Bool {
            write.candidates.contains { $0.file.hasPrefix("\(directory)/") }
        }
        return switch self {
        case .write(let write): isHere(write)
        case .settle(let writes): writes.contains(where: isHere)
        case .filterDevices(_, let folder): folder == directory
        case .inheritCPUSet(let folder, _), .enable(_, let folder):
            // It prepares the way to the cgroup.
            directory == folder || directory.hasPrefix("\(folder)/")
        }
    }
}
