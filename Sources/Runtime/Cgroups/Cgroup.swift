import CLinux
import LinuxSystem
import OCI

/// A container's cgroup: its folders in the hierarchies of this machine.
package struct Cgroup: Sendable {
    package let name: CgroupName
    package let hierarchy: CgroupHierarchy

    /// A cgroup that may exist, in whichever hierarchies.
    package init(_ name: CgroupName, in hierarchy: CgroupHierarchy) {
        self.name = name
        self.hierarchy = hierarchy
    }

    /// Carries a plan out. If it throws, nothing of it is left behind.
    ///
    /// A folder that exists already is an error if a process is in it. Else it is made anew, as an engine that was
    /// killed may leave one; below a folder of the caller's it is taken as it is.
    package static func create(_ plan: CgroupPlan) throws -> Cgroup {
        var made: [String] = []
        do {
            for root in plan.roots { try makeDirectories(plan.name, in: root, made: &made) }
            var writer = CgroupWriter()
            for step in plan.steps { try writer.carryOut(step, hierarchy: plan.hierarchy) }
        } catch {
            // Those that another container uses meanwhile stay, as the kernel refuses.
            for directory in made.reversed() { rmdir(directory) }
            throw error
        }
        return Cgroup(plan.name, in: plan.hierarchy)
    }

    /// The folder in each hierarchy in which there is one.
    package var directories: [String] { hierarchy.directories.map(name.directory(in:)).filter(FileStatus.exists) }

    /// The folder on v2, if there is one.
    package var unifiedDirectory: String? {
        hierarchy.unified.map { name.directory(in: $0.directory) }.flatMap { FileStatus.exists($0) ? $0 : nil }
    }

    /// The folder of a v1 controller, if there is one.
    package func directory(of controller: CgroupController) -> String? {
        hierarchy.mounts[controller].map(name.directory(in:)).flatMap { FileStatus.exists($0) ? $0 : nil }
    }

    /// Moves a running process, with all its threads, into the cgroup. In each hierarchy this waits for an RCU grace
    /// period (10 ms and more): a process that minirun itself starts enters by `CgroupPlan.entries` instead.
    package func attach(_ process: pid_t) throws {
        for directory in directories { try Files.overwrite("\(directory)/cgroup.procs", "\(process)") }
    }

    /// How one more process gets in (`exec`); like `CgroupPlan.entries`, for what exists.
    package var entries: [CgroupPlan.Entry] {
        hierarchy.directories.compactMap { root in
            let directory = name.directory(in: root)
            guard FileStatus.exists(directory) else { return nil }
            return root == hierarchy.unified?.directory
                ? .cloneInto(directory: directory) : .ownTask(file: "\(directory)/tasks")
        }
    }

    /// The names of the cgroups in a folder below the roots, in any hierarchy: what engines that were killed left
    /// behind is among them.
    package static func names(in parent: String, of hierarchy: CgroupHierarchy) throws(SystemError) -> Set<String> {
        var names: Set<String> = []
        for root in hierarchy.directories {
            do throws(SystemError) {
                let folder = try FileDescriptor.open("\(root)/\(parent)", O_RDONLY | O_DIRECTORY)
                for entry in try Directory.entries(folder.raw) where entry.type == UInt8(DT_DIR) {
                    names.insert(entry.text)
                }
            } catch {
                if error.code != ENOENT { throw error }
            }
        }
        return names
    }

    private static func makeDirectories(_ name: CgroupName, in root: String, made: inout [String]) throws {
        let directory = name.directory(in: root)
        // Another container's end may remove the empty folder above between our mkdir of it and that of our own.
        for _ in 0..<100 {
            if mkdir(directory, 0o755) == 0 { return made.append(directory) }
            switch errno {
            case EEXIST:
                try checkUnused(directory)
                // Of minirun's own it is a leftover, with the limits of then; elsewhere its owner prepared it.
                guard name.removesParents, try removeTree(directory) else { return }
            case ENOENT:
                for parent in name.parentDirectories(in: root) {
                    if mkdir(parent, 0o755) == 0 {
                        made.append(parent)
                    } else if errno == ENOENT {
                        break
                    } else if errno != EEXIST {
                        throw creationError(parent)
                    }
                }
            default: throw creationError(directory)
            }
        }
        throw creationError(directory)
    }

    private static func creationError(_ directory: String) -> EngineError {
        let code = errno
        let isForbidden = code == EACCES || code == EPERM || code == EROFS
        return EngineError(
            isForbidden ? .unsupported : .failed,
            "cannot create the cgroup \(directory): \(SystemError.text(code))",
            hint: isForbidden ? "the caller needs a cgroup file system that it may write to" : nil
        )
    }

    private static func checkUnused(_ directory: String) throws {
        if let process = try processes(in: directory).first {
            throw EngineError(.conflict, "the cgroup \(directory) is in use by process \(process)")
        }
    }

    /// The container's first process: the one that is pid 1 in the innermost of its pid namespaces. Nil where none runs.
    package func firstProcess() throws -> pid_t? {
        for directory in directories {
            for process in try Cgroup.processes(in: directory) {
                guard let status = try? Files.readText("/proc/\(process)/status") else { continue }
                let line = status.split(separator: "\n").first { $0.hasPrefix("NSpid:") }
                if line?.split(separator: "\t").last == "1" { return process }
            }
        }
        return nil
    }

    /// The processes in one folder, without those below it and those outside of our process namespace.
    static func processes(in directory: String) throws(SystemError) -> [pid_t] {
        let text: String
        do {
            text = try Files.readText("\(directory)/cgroup.procs")
        } catch {
            // ENODEV: the cgroup went between the open and the read.
            if error.code == ENOENT || error.code == ENODEV { return [] }
            throw error
        }
        return text.split(separator: "\n").compactMap { pid_t($0) }.filter { $0 != 0 }
    }
}

extension Files {
    /// Writes into a file of the kernel's, which exists or not, in one write(2).
    static func overwrite(_ path: String, _ value: String) throws(SystemError) {
        do {
            try FileDescriptor.open(path, O_WRONLY).write(value)
        } catch {
            throw SystemError(error.operation, path, code: error.code)
        }
    }
}
