import CLinux
import LinuxSystem
import OCI

/// cgroup v2: makes controllers available below a folder.
struct CgroupEnabling {
    let directory: String
    let hierarchy: CgroupHierarchy
    /// Whether processes in the way are moved even if no limit asks for it.
    let evacuatesAlways: Bool

    private var file: String { "\(directory)/cgroup.subtree_control" }

    /// Where all of them are available already, as above a delegated cgroup that the caller may not write to, nothing
    /// is written: a write waits for the kernel's cgroup lock.
    func enable(_ wanted: [CgroupPlan.EnabledController]) throws {
        let enabled = Set(try Files.readText(file).split(whereSeparator: \.isWhitespace).map(String.init))
        let controllers = wanted.filter { !enabled.contains($0.name) }
        guard !controllers.isEmpty else { return }
        do throws(SystemError) {
            return try Files.overwrite(file, controllers.map { "+\($0.name)" }.joined(separator: " "))
        } catch {
            if error.code == EBUSY, evacuatesAlways || controllers.contains(where: { $0.limit != nil }) {
                try evacuate()
            }
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
