/// The options of the verbs on the engine and of those on objects of any kind.
enum SystemOptions {
    static func version() -> [Option] { [.value("format", short: "f", .text, FormatOptions.object)] }

    static func info() -> [Option] { [.value("format", short: "f", .text, FormatOptions.object)] }

    static func diskUsage() -> [Option] {
        [
            .value("format", .text, FormatOptions.table),
            .flag("verbose", short: "v", "Show detailed information on space usage"),
        ]
    }

    static func prune() -> [Option] {
        [
            .flag("all", short: "a", "Remove all unused images not just dangling ones"),
            .list("filter", .filter, "Provide filter values (e.g. \"label=<key>=<value>\")"),
            .flag("force", short: "f", "Do not prompt for confirmation"),
            .flag("volumes", "Prune anonymous volumes"),
        ]
    }

    static func check() -> [Option] {
        [
            .flag("quick", "Do not read the blobs"),
            .flag("repair", "Mend what can be mended"),
        ]
    }

    static func limits() -> [Option] {
        [
            .value("free", .text, "How much of the disk stays free, as a share or a size (\"10%\", \"5GB\", \"none\")"),
            .value("images", .text, "How much images and the build cache may take (\"20GB\", \"none\")"),
        ]
    }

    /// `inspect`.
    static func inspect() -> [Option] {
        [
            .value("format", short: "f", .text, FormatOptions.object),
            .flag("size", short: "s", "Display total file sizes if the type is container"),
            .value(
                "type",
                .choice(["container", "image"]),
                "Only inspect objects of the given type"
            ),
        ]
    }
}
