/// The options of `pull`, `push` and `manifest inspect`.
enum TransferCommandOptions {
    static func pull() -> [Option] {
        [
            .flag("all-tags", short: "a", "Download all tagged images in the repository"),
            ContentTrust.option("Skip image verification"),
            ImageOptions.layerDepth, ImageOptions.layerEntries, ImageOptions.layerSize,
            FormatOptions.platform(),
            .flag("quiet", short: "q", "Suppress verbose output"),
            .flag("unpack", "Unpack the layers while they are downloaded", default: true),
        ]
    }

    static func push() -> [Option] {
        [
            .flag("all-tags", short: "a", "Push all tags of an image to the repository"),
            ContentTrust.option("Skip image signing"),
            .value(
                "platform",
                .platform,
                "Push a platform-specific manifest as a single-platform image to the registry. Formatted as "
                    + "\"os[/arch[/variant]]\" (e.g., \"linux/amd64\")"
            ),
            .flag("quiet", short: "q", "Suppress verbose output"),
        ]
    }

    static func manifestInspect() -> [Option] {
        [
            .flag("insecure", "Allow communication with an insecure registry"),
            .flag("verbose", short: "v", "Output additional info including layers and platform"),
        ]
    }
}
