import Images
import LinuxSystem
import OCI
import Runner

/// `minirun history`
enum HistoryCommand {
    static let verb = Verb(
        ["image history", "history"],
        "Show the history of an image",
        usage: "[OPTIONS] IMAGE",
        arguments: .exactly(1),
        completes: .image,
        options: ImageOptions.history,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let human = parsed.flag("human")
        let style = HistoryListing.Style(human: human, truncating: !parsed.flag("no-trunc"), now: Clock.realtime)
        let platform = try parsed.platform()
        let rows = try Installation.withEngine(parsed.globals) { engine in
            let image = try engine.images.resolve(parsed.positional[0], platform: platform)
            return HistoryListing.rows(
                image.id,
                image.configuration,
                layerSizes: try engine.images.layerSizes(of: image),
                style
            )
        }
        let format = parsed.flag("quiet") ? "{{.ID}}" : parsed.value("format")
        Console.print(try HistoryListing.format(human: human).text(format, rows: rows))
        return 0
    }
}
