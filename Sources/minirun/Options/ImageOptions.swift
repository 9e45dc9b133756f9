/// The options of the verbs on images.
enum ImageOptions {
    static func list() -> [Option] {
        [
            .flag("all", short: "a", "Show all images (default hides intermediate images)"),
            .flag("digests", "Show digests"),
            .list("filter", short: "f", .filter, "Filter output based on conditions provided"),
            .value("format", .text, FormatOptions.table),
            .flag("no-trunc", "Don't truncate output"),
            .flag("quiet", short: "q", "Only show image IDs"),
            .value("remote", .text, "List the tags of a repository at its registry"),
            .flag("tree", "List multi-platform images as a tree (EXPERIMENTAL)"),
        ]
    }

    static func inspect() -> [Option] {
        [
            .value("format", short: "f", .text, FormatOptions.object),
            .value(
                "platform",
                .platform,
                "Inspect a specific platform of the multi-platform image. Formatted as \"os[/arch[/variant]]\" "
                    + "(e.g., \"linux/amd64\")"
            ),
        ]
    }

    static func history() -> [Option] {
        [
            .value("format", .text, FormatOptions.table),
            .flag("human", short: "H", "Print sizes and dates in human readable format", default: true),
            .flag("no-trunc", "Don't truncate output"),
            .value(
                "platform",
                .platform,
                "Show history for the given platform. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")"
            ),
            .flag("quiet", short: "q", "Only show image IDs"),
        ]
    }

    static func remove() -> [Option] {
        [
            .flag("force", short: "f", "Force removal of the image"),
            .flag("no-prune", "Do not delete untagged parents"),
        ]
    }

    /// For verbs that bring layers in.
    static var layerSize: Option {
        .value("max-layer-size", .text, "How large an unpacked layer may be (default 128GiB)")
    }
    static var layerDepth: Option {
        .value("max-layer-depth", .integer, "How many folders deep a layer may be (default 512, at most 2000)")
    }
    static var layerEntries: Option {
        .value("max-layer-entries", .integer, "How many entries a layer may have (default 5000000)")
    }

    static func load() -> [Option] {
        [
            .value("input", short: "i", .file, "Read from tar archive file, instead of STDIN"),
            layerDepth, layerEntries, layerSize,
            .value(
                "platform",
                .platform,
                "Load only the given platform. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")"
            ),
            .flag("quiet", short: "q", "Suppress the load output"),
        ]
    }

    static func save() -> [Option] {
        [
            .value("output", short: "o", .file, "Write to a file, instead of STDOUT"),
            .value(
                "platform",
                .platform,
                "Save only the given platform. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")"
            ),
        ]
    }

    static func prune() -> [Option] {
        [
            .flag("all", short: "a", "Remove all unused images, not just dangling ones"),
            .list("filter", .filter, "Provide filter values (e.g. \"until=<timestamp>\")"),
            .flag("force", short: "f", "Do not prompt for confirmation"),
        ]
    }

    static func verify() -> [Option] {
        [.flag("all", short: "a", "Verify every image, blob and unpacked layer of the store")]
    }

    static func diff() -> [Option] { [.value("format", .text, FormatOptions.object)] }

    /// `import`.
    static func importing() -> [Option] {
        [
            .list("change", short: "c", .text, "Apply Dockerfile instruction to the created image"),
            layerDepth, layerEntries, layerSize,
            .value("message", short: "m", .text, "Set commit message for imported image"),
            FormatOptions.platform(),
        ]
    }
}
