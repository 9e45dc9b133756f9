/// The options of `build`.
enum BuildOptions {
    static func all() -> [Option] { own() + deferred() }

    private static func own() -> [Option] {
        [
            .list("add-host", .extraHost, "Add a custom host-to-IP mapping (\"host:ip\")"),
            .list("build-arg", .text, "Set build-time variables"),
            ContentTrust.option("Skip image verification"),
            .value("file", short: "f", .file, "Name of the Dockerfile (Default is \"PATH/Dockerfile\")"),
            .value("iidfile", .file, "Write the image ID to the file"),
            .list("label", .label, "Set metadata for an image"),
            .value("metadata-file", .file, "Write build result metadata to a file"),
            ImageOptions.layerDepth, ImageOptions.layerEntries, ImageOptions.layerSize,
            .value(
                "network",
                .choice(["default", "host", "none"]),
                "Set the networking mode for the RUN instructions during build",
                default: "default"
            ),
            .flag("no-cache", "Do not use cache when building the image"),
            FormatOptions.platform("Set target platform for build"),
            .value(
                "progress",
                .choice(["auto", "none", "plain", "quiet", "rawjson", "tty"]),
                "Set type of progress output (\"auto\", \"none\", \"plain\", \"quiet\", \"tty\")",
                default: "auto"
            ),
            .flag("pull", "Always attempt to pull all referenced images"),
            .flag("quiet", short: "q", "Suppress the build output and print image ID on success"),
            .value("shm-size", .bytes, "Size of \"/dev/shm\""),
            .list("tag", short: "t", .text, "Name and optionally a tag in the \"name:tag\" format"),
            .value("target", .text, "Set the target build stage to build"),
            .list("ulimit", .ulimit, "Ulimit options"),
        ]
    }

    /// `builder prune`.
    static func prune() -> [Option] {
        [
            .flag("all", short: "a", "Remove all unused build cache, not just dangling ones"),
            builder,
            .list("filter", .filter, "Provide filter values (e.g. \"until=24h\")"),
            .flag("force", short: "f", "Do not prompt for confirmation"),
            .value("keep-storage", .bytes, "Amount of disk space to keep for cache"),
            .value("max-used-space", .bytes, "Maximum amount of disk space allowed to keep for cache"),
            .value("min-free-space", .bytes, "Target amount of free disk space after pruning").notYet(passing: "0"),
            .value("reserved-space", .bytes, "Amount of disk space always allowed to keep for cache"),
            // The table says all that there is.
            .flag("verbose", "Provide a more verbose output").passes(),
        ]
    }

    /// There is one builder.
    private static let builder = Option.value("builder", .text, "Override the configured builder instance")
        .notYet("there is only the default builder", passing: "default", "minirun")

    /// Options of docker's two builders that are known and not carried out. Those that ask for what is the case anyway pass.
    private static func deferred() -> [Option] { [builder] + what() + whereTo() + limits() }

    private static func what() -> [Option] {
        [
            // Steps may use the host's network: nothing has to be allowed for that.
            .list("allow", .text, "Allow extra privileged entitlement").notYet(passing: "network.host"),
            .list("annotation", .text, "Add annotation to the image").notYet(),
            .list("attest", .text, "Attestation parameters").notYet(
                passing: "type=provenance,disabled=true",
                "type=sbom,disabled=true"
            ),
            .list("build-context", .text, "Additional build contexts (e.g., name=path)").notYet(),
            .list("cache-from", .text, "External cache sources").notYet(),
            .value("call", .text, "Set method for evaluating build").notYet(passing: "build"),
            .flag("check", "Shorthand for \"--call=check\"").notYet(),
            // The context is read where it lies.
            .flag("compress", "Compress the build context using gzip").passes(),
            .flag("debug", short: "D", "Enable debug logging").passes(),
            // No step leaves a container behind, whatever becomes of it.
            .flag("force-rm", "Always remove intermediate containers").passes(),
            .value("invoke", .text, "Launch a command after the build").notYet(),
            .list("no-cache-filter", .text, "Do not cache specified stages").notYet(),
            .list("policy", .text, "Policy configuration").notYet(),
            .alias("print", of: "call"),
            .value("provenance", .text, "Shorthand for \"--attest=type=provenance\"").notYet(
                passing: "false",
                "0",
                "disabled=true"
            ),
            .flag("rm", "Remove intermediate containers after a successful build", default: true).passes(),
            .value("sbom", .text, "Shorthand for \"--attest=type=sbom\"").notYet(
                passing: "false",
                "0",
                "disabled=true"
            ),
            .list("secret", .text, "Secret to expose to the build").notYet(),
            .list("ssh", .text, "SSH agent socket or keys to expose to the build").notYet(),
        ]
    }

    private static func whereTo() -> [Option] {
        [
            .list("cache-to", .text, "Cache export destinations").notYet(),
            // Images are built into the store.
            .flag("load", "Shorthand for \"--output=type=docker\"").passes(),
            .list("output", short: "o", .text, "Output destination").notYet(passing: "type=docker", "type=image"),
            .flag("push", "Shorthand for \"--output=type=registry\"").notYet(),
            .flag("squash", "Squash newly built layers into a single new layer").notYet(),
        ]
    }

    private static func limits() -> [Option] {
        [
            .value("cgroup-parent", .text, "Set the parent cgroup for the \"RUN\" instructions during build").notYet(),
            .value("cpu-period", .integer, "Limit the CPU CFS (Completely Fair Scheduler) period").notYet(passing: "0"),
            .value("cpu-quota", .integer, "Limit the CPU CFS (Completely Fair Scheduler) quota").notYet(passing: "0"),
            .value("cpu-shares", short: "c", .integer, "CPU shares (relative weight)").notYet(passing: "0"),
            .value("cpuset-cpus", .text, "CPUs in which to allow execution (0-3, 0,1)").notYet(),
            .value("cpuset-mems", .text, "MEMs in which to allow execution (0-3, 0,1)").notYet(),
            .value("isolation", .text, "Container isolation technology").notYet(
                "only for Windows containers",
                passing: "default"
            ),
            .value("memory", short: "m", .bytes, "Memory limit").notYet(passing: "0"),
            .value("memory-swap", .bytesOrUnlimited, "Swap limit equal to memory plus swap").notYet(passing: "0"),
            .list("resource", .text, "Limits of the build").notYet(),
            .list("security-opt", .text, "Security options").notYet(),
        ]
    }
}
