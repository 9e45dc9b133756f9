import CLinux
import LinuxSystem
import OCI

/// The maps of a container's user namespace (user_namespaces(7)).
enum UserNamespace {
    /// Writes a new user namespace's maps, before its process goes on. A caller who is not root may map only itself; for more it
    /// asks newuidmap(1) and newgidmap(1), which know what /etc/subuid and /etc/subgid allow.
    static func map(_ spec: RuntimeSpec, of pid: pid_t) throws {
        let (users, groups) = (spec.linux.uidMappings, spec.linux.gidMappings)
        guard Rootless.isCaller else {
            try write("uid_map", users.text, of: pid)
            try write("gid_map", groups.text, of: pid)
            return
        }
        if isOwnOnly(spec.linux.gidMappings, getegid()) { try write("setgroups", "deny", of: pid) }
        try map(users, of: pid, file: "uid_map", program: "newuidmap", own: geteuid())
        try map(groups, of: pid, file: "gid_map", program: "newgidmap", own: getegid())
    }

    /// Whether setgroups(2) is to work in it: the kernel forbids it where an unprivileged caller maps only its own group, as
    /// leaving a group could open what the group's members may not have (CVE-2014-8989).
    ///
    /// Nor where the configuration keeps the caller's groups, crun's `run.oci.keep_original_groups`.
    static func setsGroups(_ spec: RuntimeSpec) -> Bool {
        if keepsGroups(spec) { return false }
        guard Rootless.isCaller, spec.linux.isNew(.user) else { return true }
        return !isOwnOnly(spec.linux.gidMappings, getegid())
    }

    /// As crun: whatever its value, except "0".
    static func keepsGroups(_ spec: RuntimeSpec) -> Bool {
        guard let value = spec.annotations["run.oci.keep_original_groups"] else { return false }
        return value != "0"
    }

    /// The root of a user namespace has no CAP_SYS_RESOURCE over us: what it may not raise itself is raised for it, before it sets
    /// its limits.
    static func raiseLimits(_ process: RuntimeSpec.Process, of pid: pid_t) throws(SystemError) {
        for limit in process.rlimits {
            guard let type = LaunchPlan.limits[limit.type] else { continue }
            try retrying("raising \(limit.type)") { linux_raise_hard_limit(pid, CInt(type), limit.hard) }
        }
    }

    private static func map(
        _ mappings: [RuntimeSpec.IDMapping],
        of pid: pid_t,
        file: String,
        program: String,
        own: UInt32
    ) throws {
        if isOwnOnly(mappings, own) { return try write(file, mappings.text, of: pid) }
        let words = mappings.flatMap { ["\($0.containerID)", "\($0.hostID)", "\($0.size)"] }
        let result = try Subprocess.run([program, "\(pid)"] + words)
        guard result.status == .exited(0) else {
            throw EngineError(
                .failed,
                "\(program) failed: \(result.errorText.split(separator: "\n").first ?? "")",
                hint: "it must be installed, and /etc/subuid and /etc/subgid must list the ids"
            )
        }
    }

    private static func isOwnOnly(_ mappings: [RuntimeSpec.IDMapping], _ own: UInt32) -> Bool {
        mappings.count == 1 && mappings[0].size == 1 && mappings[0].hostID == own
    }

    private static func write(_ file: String, _ text: String, of pid: pid_t) throws(SystemError) {
        // In one write(2), as the kernel wants it.
        try Files.overwrite("/proc/\(pid)/\(file)", text)
    }

    /// The host's id of one in the container, by the mappings of the configuration or of the namespace that is joined.
    static func host(_ id: UInt32, _ mappings: [RuntimeSpec.IDMapping]) -> UInt32? {
        for mapping in mappings where id >= mapping.containerID && id - mapping.containerID < mapping.size {
            return mapping.hostID + (id - mapping.containerID)
        }
        return nil
    }

    /// The mappings that a namespace has: what /proc/PID/uid_map of a process in it says.
    static func mappings(_ text: String) -> [RuntimeSpec.IDMapping] {
        text.split(separator: "\n").compactMap { line in
            let numbers = line.split(whereSeparator: \.isWhitespace).compactMap { UInt32($0) }
            guard numbers.count == 3 else { return nil }
            return RuntimeSpec.IDMapping(containerID: numbers[0], hostID: numbers[1], size: numbers[2])
        }
    }
}
