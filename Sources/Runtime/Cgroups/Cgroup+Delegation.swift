import CLinux
import LinuxSystem
import OCI

extension Cgroup {
    /// Gives the cgroup to a user, who may then make cgroups below it and move processes between them: its folder and
    /// the files that the kernel names for this, not those that hold limits (config-linux.md#cgroup-ownership,
    /// cgroups(7)). Nothing happens on cgroup v1, where delegation is not safe.
    ///
    /// - Parameters:
    ///   - uid: on the host, as the container's root (or `process.user`) is mapped.
    ///   - list: the kernel's list of files; for tests.
    package func giveTo(uid: uid_t, list: String = "/sys/kernel/cgroup/delegate") throws(SystemError) {
        guard hierarchy.mode == .unified, let directory = unifiedDirectory else { return }
        let files =
            (try? Files.readText(list).split(separator: "\n").map(String.init))
            ?? ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"]
        // The group stays.
        try retrying("changing the owner of", directory) { chown(directory, uid, gid_t.max) }
        for file in files where !file.contains("/") {
            let path = "\(directory)/\(file)"
            // A list may name files that this cgroup does not have.
            if chown(path, uid, gid_t.max) != 0, errno != ENOENT { throw SystemError("changing the owner of", path) }
        }
    }
}

extension RuntimeSpec {
    /// Whether the container is to own its cgroup: it has a cgroup namespace and a user namespace of its own, and sees
    /// its cgroups writable.
    package var ownsCgroup: Bool {
        func isNew(_ type: Namespace) -> Bool { linux.namespaces.contains { $0.type == type && $0.path == nil } }
        return isNew(.cgroup) && isNew(.user)
            && mounts.contains { mount in
                (mount.type == "cgroup" || mount.type == "cgroup2") && mount.destination == "/sys/fs/cgroup"
                    && !mount.options.contains("ro")
            }
    }
}
