/// The options of the verbs on the engine and of those on objects of any kind.
enum SystemOptions {
    static func version() -> [Option] { [.value("format", short: "f", .text, FormatOptions.object)] }

    static func info() -> [Option] { [.value("format", short: "f", .text, FormatOptions.object)] }

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
