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
    /// - Parameter roots: the hierarchies in which there is something, where the caller knows; else all are asked.
    package func remove(in roots: [String]? = nil, timeout: Int = 10_000) throws {
        let roots = roots ?? hierarchy.directories
        var left: [String] = []
        for root in roots {
            let directory = name.directory(in: root)
            if try !Cgroup.removeDirectory(directory) { left.append(directory) }
        }
        if !left.isEmpty { try removeKilling(&left, deadline: Clock.monotonic + UInt64(max(timeout, 0)) * 1_000_000) }
        guard name.removesParents else { return }
        for root in roots {
            for parent in name.parentDirectories(in: root).reversed() { _ = try Cgroup.removeDirectory(parent) }
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
        let names = Set(processes).sorted().prefix(5).map { String($0) }.joined(separator: ", ")
        let reason = names.isEmpty ? "it stays busy" : "these processes do not end: \(names)"
        throw EngineError(.failed, "cannot remove the cgroup \(name.path): \(reason)")
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

extension Cgroup {
    /// Sends SIGKILL to every process in the cgroup and below it. Does not wait for their ends.
    package func kill() throws {
        var directories = directories
        if let unified = unifiedDirectory {
            // One write that no fork escapes.
            try Cgroup.ignoringGone { () throws(SystemError) in try Files.overwrite("\(unified)/cgroup.kill", "1") }
            directories.removeAll { $0 == unified }
        }
        guard !directories.isEmpty else { return }
        // Frozen processes cannot fork away; without the freezer, `remove` kills again until nothing is left.
        let isFrozen = try freezeV1("FROZEN", in: hierarchy.mounts[.freezer])
        for directory in directories {
            for cgroup in try Cgroup.tree(directory) { try Cgroup.kill(in: cgroup) }
        }
        if isFrozen { _ = try freezeV1("THAWED", in: hierarchy.mounts[.freezer]) }
    }

    /// By pidfd. A number that is listed before and after its pidfd was opened was a process of this cgroup's when the
    /// pidfd was opened, or the pidfd is of a process that ended: no stranger with a used-again number is hit.
    private static func kill(in directory: String) throws {
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
            if linux_pidfd_send_signal(descriptor, SIGKILL) != 0, errno != ESRCH {
                throw SystemError("killing process \(process)")
            }
        }
    }

    /// Stops every process in the cgroup where it stands, or lets them go on. Returns when all of them are stopped.
    package func setFrozen(_ frozen: Bool, timeout: Int = 10_000) throws {
        let deadline = Clock.monotonic + UInt64(max(timeout, 0)) * 1_000_000
        if let unified = unifiedDirectory {
            try Files.overwrite("\(unified)/cgroup.freeze", frozen ? "1" : "0")
            try waitUntil(deadline) {
                try Files.readText("\(unified)/cgroup.events").contains("frozen \(frozen ? 1 : 0)")
            }
        } else if try freezeV1(frozen ? "FROZEN" : "THAWED", in: hierarchy.mounts[.freezer]) {
            guard let directory = directory(of: .freezer) else { return }
            try waitUntil(deadline) {
                // Writing again helps a freeze that a fork has overtaken.
                if frozen { _ = try freezeV1("FROZEN", in: hierarchy.mounts[.freezer]) }
                return try Files.readText("\(directory)/freezer.state").hasPrefix(frozen ? "FROZEN" : "THAWED")
            }
        } else {
            throw EngineError(.unsupported, "cannot pause \(name.leaf): it is in no cgroup that can be frozen")
        }
    }

    /// False where the container is not in the v1 freezer.
    private func freezeV1(_ state: String, in root: String?) throws -> Bool {
        guard let root else { return false }
        let file = "\(name.directory(in: root))/freezer.state"
        guard FileStatus.exists(file) else { return false }
        try Cgroup.ignoringGone { () throws(SystemError) in try Files.overwrite(file, state) }
        return true
    }

    private func waitUntil(_ deadline: UInt64, _ isDone: () throws -> Bool) throws {
        var pause: useconds_t = 50
        while try !isDone() {
            if Clock.monotonic > deadline { throw EngineError(.failed, "the processes of \(name.leaf) do not stop") }
            usleep(pause)
            pause = min(pause * 2, 10_000)
        }
    }

    private static func ignoringGone(_ body: () throws(SystemError) -> Void) throws(SystemError) {
        do throws(SystemError) { try body() } catch {
            if error.code != ENOENT && error.code != ENODEV { throw error }
        }
    }
}
