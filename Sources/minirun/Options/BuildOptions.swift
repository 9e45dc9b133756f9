/// The options of `build`.
enum BuildOptions {
    static func all() -> [Option] {
        [
            .list("add-host", .extraHost, "Add a custom host-to-IP mapping (\"host:ip\")"),
            .list("build-arg", .text, "Set build-time variables"),
            ContentTrust.option("Skip image verification"),
            .value("file", short: "f", .file, "Name of the Dockerfile (Default is \"PATH/Dockerfile\")"),
            .value("iidfile", .file, "Write the image ID to the file"),
            .list("label", .label, "Set metadata for an image"),
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
                .choice(["auto", "plain", "quiet", "tty"]),
                "Set type of progress output (\"auto\", \"plain\", \"quiet\", \"tty\")",
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
}
