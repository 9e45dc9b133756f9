import CLinux
import LinuxSystem

/// The host's view of processes.
package enum HostProcesses {
    package static var all: [pid_t] { ((try? Files.list("/proc")) ?? []).compactMap { pid_t($0) } }

    /// Those that have a variable in their environment: a test marks its container with one.
    package static func marked(_ mark: String) -> [pid_t] {
        all.filter { pid in
            guard let bytes = try? Files.read("/proc/\(pid)/environ") else { return false }
            return bytes.split(separator: 0).contains { String(decoding: $0, as: UTF8.self) == mark }
        }
    }

    package static func children(of parent: pid_t) -> [pid_t] { all.filter { status($0, "PPid") == "\(parent)" } }

    package static func name(_ pid: pid_t) -> String { status(pid, "Name") ?? "" }

    /// Gone, or dead and waiting for a parent that is in no hurry: the machine's init, for one whose engine was killed.
    package static func hasEnded(_ pid: pid_t) -> Bool {
        status(pid, "State").map { $0.hasPrefix("Z") || $0.hasPrefix("X") } ?? true
    }

    /// Whether a process has a file of a folder open.
    package static func hasOpen(_ pid: pid_t, below folder: String) -> Bool {
        let descriptors = "/proc/\(pid)/fd"
        return ((try? Files.list(descriptors)) ?? []).contains {
            (try? Link.target("\(descriptors)/\($0)"))?.hasPrefix(folder + "/") ?? false
        }
    }

    /// A field of /proc/PID/status; nil where the process is gone.
    package static func status(_ pid: pid_t, _ field: String) -> String? {
        guard let text = try? Files.readText("/proc/\(pid)/status") else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(field):") }
        return line.map { $0.dropFirst(field.count + 1).drop { $0 == "\t" || $0 == " " } }.map(String.init)
    }

    /// The folders of a container in the cgroup hierarchies.
    package static func cgroups(of id: String) -> [String] {
        let mounts = ((try? Files.readText("/proc/self/mountinfo")) ?? "").split(separator: "\n")
        let roots = mounts.filter { $0.contains(" - cgroup") }.compactMap {
            $0.split(separator: " ").dropFirst(4).first
        }
        return Set(roots.map { "\($0)/minirun/\(id)" }).filter(FileStatus.exists).sorted()
    }

    /// Mounts below a folder, in this process's mount namespace, without the layers that an engine keeps mounted.
    package static func mounts(below folder: String) -> [String] {
        let mounts = ((try? Files.readText("/proc/self/mountinfo")) ?? "").split(separator: "\n")
        return mounts.compactMap { $0.split(separator: " ").dropFirst(4).first.map(String.init) }.filter {
            $0.hasPrefix(folder) && !$0.contains("/state/layers/")
        }
    }
}
