extension RuntimeSpec {
    /// What `spec` writes for a person to begin with: a shell in a read-only `rootfs`, with few rights. It has what runc's
    /// example has, in its order, so that tools that edit that one can edit this.
    ///
    /// - Parameters:
    ///   - rootless: For a person who is not root: a user namespace in which they are root, the host's network and /sys, and
    ///     no limits.
    ///   - uid: Who that is on the host; only for `rootless`.
    ///   - cgroupNamespace: runc asks for one where the host has cgroup v2 alone.
    package static func example(
        rootless: Bool,
        uid: UInt32 = 0,
        gid: UInt32 = 0,
        cgroupNamespace: Bool = true
    ) -> RuntimeSpec {
        var spec = RuntimeSpec(process: exampleProcess, root: Root(path: "rootfs", readonly: true))
        spec.hostname = "minirun"
        spec.mounts = exampleMounts
        spec.linux.resources.devices = [LinuxResources.DeviceRule(allow: false)]
        var namespaces: [Namespace] = [.pid, .network, .ipc, .uts, .mount]
        if cgroupNamespace { namespaces.append(.cgroup) }
        spec.linux.maskedPaths = [
            "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
            "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
        ]
        spec.linux.readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
        if rootless {
            namespaces.removeAll { $0 == .network }
            namespaces.append(.user)
            spec.linux.uidMappings = [IDMapping(containerID: 0, hostID: uid, size: 1)]
            spec.linux.gidMappings = [IDMapping(containerID: 0, hostID: gid, size: 1)]
            spec.mounts = exampleMounts.map(unprivileged)
            spec.linux.resources = LinuxResources()
        }
        spec.linux.namespaces = namespaces.map { ($0, nil) }
        return spec
    }

    private static var exampleProcess: Process {
        var process = Process(args: ["sh"])
        process.terminal = true
        process.env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"]
        let kept = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
        process.capabilities.bounding = kept
        process.capabilities.effective = kept
        process.capabilities.permitted = kept
        process.rlimits = [ResourceLimit(type: "RLIMIT_NOFILE", soft: 1024, hard: 1024)]
        process.noNewPrivileges = true
        return process
    }

    private static var exampleMounts: [Mount] {
        [
            Mount("/proc", type: "proc", source: "proc"),
            Mount(
                "/dev",
                type: "tmpfs",
                source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]
            ),
            Mount(
                "/dev/pts",
                type: "devpts",
                source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
            ),
            Mount(
                "/dev/shm",
                type: "tmpfs",
                source: "shm",
                options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]
            ),
            Mount("/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]),
            Mount("/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]),
            Mount(
                "/sys/fs/cgroup",
                type: "cgroup",
                source: "cgroup",
                options: ["nosuid", "noexec", "nodev", "relatime", "ro"]
            ),
        ]
    }

    /// sysfs may only be mounted by who owns the network namespace, and ids other than 0 are not mapped.
    private static func unprivileged(_ mount: Mount) -> Mount {
        if mount.destination == "/sys" {
            return Mount("/sys", type: "none", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"])
        }
        var mount = mount
        mount.options.removeAll { $0.hasPrefix("uid=") || $0.hasPrefix("gid=") }
        return mount
    }
}
