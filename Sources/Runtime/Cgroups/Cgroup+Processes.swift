import CLinux
import LinuxSystem
import OCI

extension Cgroup {
    /// Every process in the cgroup and in those below it, in any of its hierarchies, in ascending order. Those outside
    /// of our process namespace have no number here and are left out.
    package func allProcesses() throws(SystemError) -> [pid_t] {
        var processes: Set<pid_t> = []
        for directory in directories {
            for cgroup in try Cgroup.tree(directory) { processes.formUnion(try Cgroup.processes(in: cgroup)) }
        }
        return processes.sorted()
    }

    /// Sends a signal to every process in the cgroup and below it. Does not wait for what they make of it.
    ///
    /// SIGKILL reaches all of them, and those that they fork meanwhile; from another signal a process may escape by
    /// forking where the cgroup is in no freezer. A frozen cgroup goes on after SIGKILL, so that its processes end, and
    /// stays frozen after another signal, which its processes then get when they go on.
    package func kill(_ signal: CInt = SIGKILL) throws {
        var directories = directories
        if signal == SIGKILL, let unified = unifiedDirectory {
            // One write that no fork escapes.
            try Cgroup.ignoringGone { () throws(SystemError) in try Files.overwrite("\(unified)/cgroup.kill", "1") }
            directories.removeAll { $0 == unified }
        }
        guard !directories.isEmpty else { return }
        // Frozen processes cannot fork away; without the freezer, `remove` kills again until nothing is left.
        let staysFrozen = try signal != SIGKILL && freezerState() ?? .thawed != .thawed
        let isMounted = try !staysFrozen && freezeV1("FROZEN")
        let isUnified = try !staysFrozen && !isMounted && signal != SIGKILL && freezeUnified(true)
        defer {
            if isMounted { _ = try? freezeV1("THAWED") }
            if isUnified { _ = try? freezeUnified(false) }
        }
        for directory in directories {
            for cgroup in try Cgroup.tree(directory) { try Cgroup.kill(signal, in: cgroup) }
            // They are the same in each: once is enough for a signal that does not end them.
            if signal != SIGKILL { return }
        }
    }

    /// By pidfd. A number that is listed before and after its pidfd was opened was a process of this cgroup's when the
    /// pidfd was opened, or the pidfd is of a process that ended: no stranger with a used-again number is hit.
    private static func kill(_ signal: CInt, in directory: String) throws {
        var opened: [pid_t: CInt] = [:]
        defer { for descriptor in opened.values { close(descriptor) } }
        for process in try processes(in: directory) where process != getpid() {
            let descriptor = linux_pidfd_open(process)
            if descriptor >= 0 { opened[process] = descriptor }
            // ESRCH: gone. EINVAL: on its way out, without its first thread.
            if descriptor < 0, errno == EMFILE || errno == ENFILE { break }
        }
        for process in try processes(in: directory) {
            guard let descriptor = opened[process] else { continue }
            if linux_pidfd_send_signal(descriptor, signal) != 0, errno != ESRCH {
                throw SystemError("killing process \(process)")
            }
        }
    }

    /// The processes in one folder, without those below it and those outside of our process namespace.
    static func processes(in directory: String) throws(SystemError) -> [pid_t] {
        var text = ""
        do throws(SystemError) {
            text = try Files.readText("\(directory)/cgroup.procs")
        } catch {
            switch error.code {
            // ENODEV: the cgroup went between the open and the read.
            case ENOENT, ENODEV: return []
            // A threaded cgroup (cgroups(7)) lists its threads only; each process has one with its own number.
            case EOPNOTSUPP: text = try Files.readText("\(directory)/cgroup.threads")
            default: throw error
            }
        }
        return text.split(separator: "\n").compactMap { pid_t($0) }.filter { $0 != 0 }
    }

    static func ignoringGone(_ body: () throws(SystemError) -> Void) throws(SystemError) {
        do throws(SystemError) { try body() } catch {
            if error.code != ENOENT && error.code != ENODEV { throw error }
        }
    }
}
