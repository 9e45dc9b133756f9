import Build
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun image diff`: in which files, settings and layers two images differ.
enum ImageDiffCommand {
    static let verb = Verb(
        ["image diff"],
        "Show in which files, settings and layers two images differ",
        usage: "[OPTIONS] IMAGE IMAGE",
        arguments: .exactly(2),
        completes: .image,
        options: ImageOptions.diff,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let report = try Installation.withEngine(parsed.globals) { engine in
            defer { try? engine.settle() }
            let images = try parsed.positional.map { try engine.images.resolve($0) }
            return try engine.images.lease().during {
                let stacks = try images.map { try engine.images.unpackedLayers(of: $0) }
                return ImageDiffReport(
                    before: images[0],
                    after: images[1],
                    changes: try ImageDiff.compare(stacks[0], stacks[1]),
                    sizes: try images.map { try engine.images.layerSizes(of: $0) }
                )
            }
        }
        switch parsed.value("format") ?? "" {
        case "": Console.print(report.text)
        case "json": Console.print(report.json.text() + "\n")
        case let format: Console.print(try GoTemplate(format).render(report.json) + "\n")
        }
        return 0
    }
}
