/// The options of `run` and `create`.
enum RunOptions {
    static func all() -> [Option] {
        // Not by `+`, which would copy the first ones again and again.
        [life, process, files, network, security, limits, own, deferred].flatMap { $0() }
    }

    /// The options of `create`: those of `run` that are about the container, not about following it.
    static func create() -> [Option] {
        let following: Set = ["detach", "detach-keys", "explain", "report", "sig-proxy"]
        return all().filter { !following.contains($0.name) }
    }

    private static func life() -> [Option] {
        [
            .value("cidfile", .file, "Write the container ID to the file"),
            ContentTrust.option("Skip image verification"),
            .flag("init", "Run an init inside the container that forwards signals and reaps processes"),
            .value("name", .text, "Assign a name to the container"),
            FormatOptions.platform(),
            .value(
                "pull",
                .choice(["always", "missing", "never"]),
                "Pull image before running (\"always\", \"missing\", \"never\")",
                default: "missing"
            ),
            .flag("quiet", short: "q", "Suppress the pull output"),
            .flag(
                "rm",
                "Automatically remove the container and its associated anonymous volumes when it exits"
            ),
            .flag("sig-proxy", "Proxy received signals to the process", default: true),
            .value("stop-signal", .text, "Signal to stop the container"),
            .value("stop-timeout", .integer, "Timeout (in seconds) to stop a container"),
        ]
    }

    private static func process() -> [Option] {
        [
            .list("annotation", .annotation, "Add an annotation to the container (passed through to the OCI runtime)"),
            .value("entrypoint", .text, "Overwrite the default ENTRYPOINT of the image"),
            .list("env", short: "e", .environment, "Set environment variables"),
            .list("env-file", .file, "Read in a file of environment variables"),
            .list("group-add", .text, "Add additional groups to join"),
            .flag("interactive", short: "i", "Keep STDIN open even if not attached"),
            .list("label", short: "l", .label, "Set meta data on a container"),
            .list("label-file", .file, "Read in a line delimited file of labels"),
            .flag("tty", short: "t", "Allocate a pseudo-TTY"),
            .value("user", short: "u", .text, "Username or UID (format: <name|uid>[:<group|gid>])"),
            .value("workdir", short: "w", .text, "Working directory inside the container"),
        ]
    }

    private static func files() -> [Option] {
        [
            .list("device", .file, "Add a host device to the container"),
            .list("mount", .mount, "Attach a filesystem mount to the container"),
            .flag("read-only", "Mount the container's root filesystem as read only"),
            .value("shm-size", .bytes, "Size of /dev/shm"),
            .list("tmpfs", .text, "Mount a tmpfs directory"),
            .list("volume", short: "v", .volume, "Bind mount a volume"),
        ]
    }

    private static func network() -> [Option] {
        [
            .list("add-host", .extraHost, "Add a custom host-to-IP mapping (host:ip)"),
            .list("dns", .address, "Set custom DNS servers"),
            .alias("dns-opt", of: "dns-option"),
            .list("dns-option", .text, "Set DNS options"),
            .list("dns-search", .domain, "Set custom DNS search domains"),
            // What an image or a caller exposes shows in `inspect`; there is nothing that ports would be published on.
            .list("expose", .text, "Expose a port or a range of ports"),
            .value("domainname", .text, "Container NIS domain name"),
            .value("hostname", short: "h", .text, "Container host name"),
            .alias("net", of: "network"),
            .value("network", .network, "Connect a container to a network"),
        ]
    }

    private static func security() -> [Option] {
        [
            .list("cap-add", .text, "Add Linux capabilities"),
            .list("cap-drop", .text, "Drop Linux capabilities"),
            .flag("privileged", "Give extended privileges to this container"),
            .list("security-opt", .text, "Security Options"),
            .list("sysctl", .sysctl, "Sysctl options"),
        ]
    }

    private static func limits() -> [Option] {
        [
            .value("cpu-period", .integer, "Limit CPU CFS (Completely Fair Scheduler) period"),
            .value("cpu-quota", .integer, "Limit CPU CFS (Completely Fair Scheduler) quota"),
            .value("cpu-shares", short: "c", .integer, "CPU shares (relative weight)"),
            .value("cpus", .cpus, "Number of CPUs"),
            .value("cpuset-cpus", .text, "CPUs in which to allow execution (0-3, 0,1)"),
            .value("cpuset-mems", .text, "MEMs in which to allow execution (0-3, 0,1)"),
            .value("memory", short: "m", .bytes, "Memory limit"),
            .value("memory-reservation", .bytes, "Memory soft limit"),
            .value(
                "memory-swap",
                .bytesOrUnlimited,
                "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"
            ),
            .value("oom-score-adj", .integer, "Tune host's OOM preferences (-1000 to 1000)"),
            .value("pids-limit", .integer, "Tune container pids limit (set -1 for unlimited)"),
            .list("ulimit", .ulimit, "Ulimit options"),
        ]
    }

    /// What docker does not have.
    private static func own() -> [Option] {
        [
            .optional(
                "explain",
                .choice(["json"]),
                bare: "text",
                shown: "[=json]",
                "Print what would be done, step by step, and do nothing"
            ),
            ImageOptions.layerDepth, ImageOptions.layerEntries, ImageOptions.layerSize,
            .optional(
                "report",
                .file,
                bare: "text",
                shown: "[=json|FILE]",
                "Print how long each step took and what it used; to stderr, or to a file"
            ),
        ]
    }
}
