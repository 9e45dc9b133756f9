import Images
import OCI
import Runner

/// `minirun image inspect`
enum ImageInspectCommand {
    static let verb = Verb(
        ["image inspect"],
        "Display detailed information on one or more images",
        usage: "[OPTIONS] IMAGE [IMAGE...]",
        arguments: .atLeast(1),
        completes: .image,
        options: ImageOptions.inspect,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let platform = try parsed.platform()
        return try Installation.withEngine(parsed.globals) { engine in
            try Inspection.run(parsed.positional, format: parsed.value("format")) { name in
                try object(name, platform, engine.images)
            }
        }
    }

    static func object(_ name: String, _ platform: Platform?, _ store: ImageStore) throws -> JSON {
        let image = try store.resolve(name, platform: platform)
        return ImageInspection.object(image, try .init(image, in: store))
    }
}
