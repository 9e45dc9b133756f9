import CLinux
import LinuxSystem
import OCI

extension Cgroup {
    /// Kills what is left in the cgroup and removes it from every hierarchy, and the folder above it if that is empty
    /// and minirun's. One that does not exist is removed already.
    ///
    /// With no process left this is one rmdir(2) for each hierarchy. Processes die in their own time after SIGKILL, so
    /// this waits for them, at most `timeout` milliseconds: one in an uninterruptible sleep outlives it.
    ///
    /// - Parameter roots: the hierarchies in which there is something to be removed, where the caller knows; else all
    ///   are asked. Folders of an OCI container's in others are somebody else's: they stay, and its processes in them
    ///   do not.
    package func remove(in roots: [String]? = nil, timeout: Int = 10_000) throws {
        let deadline = Clock.monotonic + UInt64(max(timeout, 0)) * 1_000_000
        let roots = roots ?? hierarchy.directories
        var left: [String] = []
        for root in roots {
            let directory = name.directory(in: root)
            if try !Cgroup.removeDirectory(directory) { left.append(directory) }
        }
        if !left.isEmpty { try removeKilling(&left, deadline: deadline) }
        guard name.removesParents else { return try empty(beside: roots, deadline: deadline) }
        for root in roots {
            for parent in name.parentDirectories(in: root).reversed() { _ = try Cgroup.removeDirectory(parent) }
        }
    }

    /// Kills what is in folders that stay, and waits until it has ended.
    private func empty(beside roots: [String], deadline: UInt64) throws {
        let others = hierarchy.directories.filter { !roots.contains($0) }.map(name.directory(in:))
            .filter(FileStatus.exists)
        var pause: useconds_t = 50
        while true {
            let processes = try others.flatMap { try Cgroup.tree($0).flatMap(Cgroup.processes(in:)) }
            if processes.isEmpty { return }
            if Clock.monotonic > deadline { throw remaining(processes) }
            try kill()
            usleep(pause)
            pause = min(pause * 2, 10_000)
        }
    }

    private func removeKilling(_ left: inout [String], deadline: UInt64) throws {
        var pause: useconds_t = 50
        while true {
            try kill()
            left = try left.filter { try !Cgroup.removeTree($0) }
            if left.isEmpty { return }
            if Clock.monotonic > deadline { break }
            usleep(pause)
            pause = min(pause * 2, 10_000)
        }
        let processes = try left.flatMap { try Cgroup.tree($0).flatMap(Cgroup.processes(in:)) }
        throw remaining(processes)
    }

    private func remaining(_ processes: [pid_t]) -> EngineError {
        let names = Set(processes).sorted().prefix(5).map { String($0) }.joined(separator: ", ")
        let reason = names.isEmpty ? "it stays busy" : "these processes do not end: \(names)"
        return EngineError(.failed, "cannot remove the cgroup \(name.path): \(reason)")
    }

    /// rmdir(2). False where the kernel still counts processes or folders in it.
    private static func removeDirectory(_ directory: String) throws(SystemError) -> Bool {
        if rmdir(directory) == 0 { return true }
        switch errno {
        case ENOENT: return true
        case EBUSY, ENOTEMPTY: return false
        case let code:
            // On a read-only mount rmdir fails before it looks whether there is anything.
            guard FileStatus.exists(directory) else { return true }
            throw SystemError("removing the cgroup", directory, code: code)
        }
    }

    /// Removes a cgroup and those that its processes made in it.
    static func removeTree(_ directory: String) throws -> Bool {
        try tree(directory).reduce(true) { try removeDirectory($1) && $0 }
    }

    /// A cgroup and all below it, the deepest first.
    static func tree(_ directory: String) throws(SystemError) -> [String] {
        var result: [String] = []
        do throws(SystemError) {
            let folder = try FileDescriptor.open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            for entry in try Directory.entries(folder.raw) where entry.type == UInt8(DT_DIR) {
                result += try tree("\(directory)/\(entry.text)")
            }
        } catch {
            if error.code == ENOENT { return [] }
            throw error
        }
        return result + [directory]
    }
}
