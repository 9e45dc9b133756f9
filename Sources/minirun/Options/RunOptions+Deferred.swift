/// docker's options of `run` that are known and not carried out. Those that ask for what is the case anyway pass.
extension RunOptions {
    static func deferred() -> [Option] {
        [life, places, network, namespaces, limits, health, windows].flatMap { $0() }
    }

    private static func life() -> [Option] {
        [
            .list("attach", short: "a", .choice(["stdin", "stdout", "stderr"]), "Attach to STDIN, STDOUT or STDERR")
                .deferred("not supported yet") { streams, parsed in
                    // In the foreground with every stream: what a run without the option does.
                    let wanted = Set(streams.map { $0.lowercased() })
                    return wanted
                        == (parsed.flag("interactive") ? ["stdin", "stdout", "stderr"] : ["stdout", "stderr"])
                },
            .flag("detach", short: "d", "Run container in background and print container ID").notYet(),
            // There is nothing to detach from.
            .value("detach-keys", .text, "Override the key sequence for detaching a container").passes(),
            // Nothing keeps what a foreground container writes.
            .value("log-driver", .text, "Logging driver for the container").notYet(passing: "none"),
            .list("log-opt", .text, "Log driver options").notYet(),
            .value("restart", .text, "Restart policy to apply when a container exits").notYet(passing: "no"),
            .value("runtime", .text, "Runtime to use for this container").notYet(passing: "minirun"),
            .flag("use-api-socket", "Bind mount Docker API socket and required auth").notYet(),
        ]
    }

    private static func places() -> [Option] {
        [
            .list("storage-opt", .text, "Storage driver options for the container").notYet(),
            .value("volume-driver", .text, "Optional volume driver for the container").notYet(passing: "local"),
            .list("volumes-from", .container, "Mount volumes from the specified container(s)").notYet(),
        ]
    }

    private static func network() -> [Option] {
        [
            .value("ip", .text, "IPv4 address (e.g., 172.30.100.104)").notYet(),
            .value("ip6", .text, "IPv6 address (e.g., 2001:db8::33)").notYet(),
            .list("link", .text, "Add link to another container").notYet(),
            .list("link-local-ip", .text, "Container IPv4/IPv6 link-local addresses").notYet(),
            .value("mac-address", .text, "Container MAC address (e.g., 92:d0:c6:0a:29:33)").notYet(),
            .alias("net-alias", of: "network-alias"),
            .list("network-alias", .text, "Add network-scoped alias for the container").notYet(),
            .list("publish", short: "p", .text, "Publish a container's port(s) to the host").notYet(),
            .flag("publish-all", short: "P", "Publish all exposed ports to random ports").notYet(),
        ]
    }

    private static func namespaces() -> [Option] {
        [
            .value("cgroup-parent", .text, "Optional parent cgroup for the container").notYet(),
            .value("cgroupns", .choice(["host", "private"]), "Cgroup namespace to use").notYet(passing: "private"),
            .value("ipc", .text, "IPC mode to use").notYet(passing: "private"),
            .value("pid", .text, "PID namespace to use").notYet(passing: "private"),
            .value("userns", .text, "User namespace to use").notYet(passing: "host"),
            .value("uts", .text, "UTS namespace to use").notYet(passing: "private"),
        ]
    }

    private static func limits() -> [Option] {
        [
            .value("blkio-weight", .integer, "Block IO (relative weight)").notYet(passing: "0"),
            .list("blkio-weight-device", .text, "Block IO weight (relative device weight)").notYet(),
            .value("cpu-rt-period", .integer, "Limit CPU real-time period in microseconds").notYet(passing: "0"),
            .value("cpu-rt-runtime", .integer, "Limit CPU real-time runtime in microseconds").notYet(passing: "0"),
            .list("device-cgroup-rule", .text, "Add a rule to the cgroup allowed devices list").notYet(),
            .list("device-read-bps", .text, "Limit read rate (bytes per second) from a device").notYet(),
            .list("device-read-iops", .text, "Limit read rate (IO per second) from a device").notYet(),
            .list("device-write-bps", .text, "Limit write rate (bytes per second) to a device").notYet(),
            .list("device-write-iops", .text, "Limit write rate (IO per second) to a device").notYet(),
            .list("gpus", .text, "GPU devices to add to the container ('all' to pass all GPUs)").notYet(),
            .value("kernel-memory", .bytes, "Kernel memory limit").notYet(
                "no kernel has such a limit any more",
                passing: "0"
            ),
            .value("memory-swappiness", .integer, "Tune container memory swappiness (0 to 100)").notYet(passing: "-1"),
            .flag("oom-kill-disable", "Disable OOM Killer").notYet(),
        ]
    }

    /// Nothing checks a foreground container's health, whatever its image says.
    private static func health() -> [Option] {
        [
            .value("health-cmd", .text, "Command to run to check health").notYet(),
            .value("health-interval", .duration, "Time between running the check").notYet(passing: "0", "0s"),
            .value("health-retries", .integer, "Consecutive failures needed to report unhealthy").notYet(passing: "0"),
            .value("health-start-interval", .duration, "Time between running the check during the start period")
                .notYet(passing: "0", "0s"),
            .value("health-start-period", .duration, "Start period for the container to initialize")
                .notYet(passing: "0", "0s"),
            .value("health-timeout", .duration, "Maximum time to allow one check to run").notYet(passing: "0", "0s"),
            .flag("no-healthcheck", "Disable any container-specified HEALTHCHECK").passes(),
        ]
    }

    private static func windows() -> [Option] {
        let reason = "only for Windows containers"
        return [
            .value("cpu-count", .integer, "CPU count (Windows only)").notYet(reason, passing: "0"),
            .value("cpu-percent", .integer, "CPU percent (Windows only)").notYet(reason, passing: "0"),
            .value("io-maxbandwidth", .bytes, "Maximum IO bandwidth limit for the system drive (Windows only)")
                .notYet(reason, passing: "0"),
            .value("io-maxiops", .integer, "Maximum IOps limit for the system drive (Windows only)")
                .notYet(reason, passing: "0"),
            .value("isolation", .text, "Container isolation technology").notYet(reason, passing: "default"),
        ]
    }
}
