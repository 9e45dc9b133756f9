import CLinux
import LinuxSystem

/// What a runtime has forgotten of some containers, on the host.
package struct Leftovers {
    package private(set) var processes: [pid_t] = []
    package private(set) var groups: [String] = []
    package private(set) var mounts: [String] = []

    /// The kernel takes down a process that was killed in its own time: what is there only for a moment is none.
    package init(of ids: [String], in folder: String, waiting milliseconds: Int = 2000) {
        _ = eventually(milliseconds) {
            groups = ids.flatMap { Self.groups(named: $0) }
            processes = Self.processes(ids, in: groups)
            mounts = HostProcesses.mounts(below: folder)
            return processes.isEmpty && groups.isEmpty && mounts.isEmpty
        }
    }

    package var found: [String] {
        processes.map { "process \($0) \(HostProcesses.name($0))" } + groups.map { "control group \($0)" }
            + mounts.map { "mount \($0)" }
    }

    package func remove() {
        for pid in processes { kill(pid, SIGKILL) }
        for mount in mounts.reversed() { umount2(mount, Int32(MNT_DETACH)) }
        _ = eventually(2000) { groups.allSatisfy { rmdir($0) == 0 || errno == ENOENT } }
    }

    /// By the mark in their environment, or by their group: what was created and never started has no environment yet.
    private static func processes(_ ids: [String], in groups: [String]) -> [pid_t] {
        let members = groups.flatMap { group in
            ((try? Files.readText("\(group)/cgroup.procs")) ?? "").split(separator: "\n").compactMap { pid_t($0) }
        }
        let marked = ids.flatMap { HostProcesses.marked("MARK=\($0)") }
        return Set(members + marked).filter { !HostProcesses.hasEnded($0) }.sorted()
    }

    /// The control groups of a name in every hierarchy, and those below them, deepest first. Only of a name that a bundle
    /// of ours has: what this finds is taken away.
    package static func groups(named name: String) -> [String] {
        guard name.hasPrefix("minirun-"), !name.contains("/") else { return [] }
        return hierarchies.flatMap { below("\($0)/\(name)") }
    }

    package static func below(_ group: String) -> [String] {
        guard FileStatus.exists(group) else { return [] }
        let children = ((try? Files.list(group)) ?? []).map { "\(group)/\($0)" }
        let folders = children.filter { (try? FileStatus.of($0))?.kind == .directory }
        return folders.flatMap { below($0) } + [group]
    }

    package static let hierarchies: [String] = ((try? Files.readText("/proc/self/mountinfo")) ?? "").split(
        separator: "\n"
    )
    .filter { $0.contains(" - cgroup") }
    .compactMap { $0.split(separator: " ").dropFirst(4).first.map(String.init) }
}
