import OCI

/// What docker gives every Linux container that asks for nothing (moby, daemon/pkg/oci/defaults.go).
package enum DockerDefaults {
    package static let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    package static func mounts(sharedMemorySize: UInt64) -> [RuntimeSpec.Mount] {
        let closed = ["nosuid", "noexec", "nodev"]
        return [
            .init("/proc", type: "proc", source: "proc", options: closed),
            .init(
                "/dev",
                type: "tmpfs",
                source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]
            ),
            .init(
                "/dev/pts",
                type: "devpts",
                source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
            ),
            .init("/sys", type: "sysfs", source: "sysfs", options: closed + ["ro"]),
            .init("/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"] + closed),
            .init("/dev/mqueue", type: "mqueue", source: "mqueue", options: closed),
            .init(
                "/dev/shm",
                type: "tmpfs",
                source: "shm",
                options: closed + ["mode=1777", "size=\(sharedMemorySize)"]
            ),
        ]
    }

    /// Files that tell about, or reach, the host beyond what a container needs. `processors` is how many there are.
    package static func maskedPaths(processors: Int) -> [String] {
        [
            "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
            "/sys/devices/virtual/powercap",
        ] + (0..<processors).map { "/sys/devices/system/cpu/cpu\($0)/thermal_throttle" }
    }

    package static let readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

    /// A private network namespace belongs to the container alone, so its user may open any port and ping.
    package static let networkSysctls = [
        "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647",
    ]

    /// The settings that are the namespace's own and so may be changed.
    package static func isNamespaced(_ sysctl: String) -> Bool {
        [
            "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
            "kernel.shmmni", "kernel.shm_rmid_forced",
        ].contains(sysctl) || sysctl.hasPrefix("fs.mqueue.") || sysctl.hasPrefix("net.")
    }
}
