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
        hierarchy.directories.filter { FileStatus.exists(name.directory(in: $0)) }
            .map { hierarchy.entry(to: name, in: $0) }
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

    /// The container's first process: the one that is pid 1 in the innermost of its pid namespaces. Nil where none
    /// runs.
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
