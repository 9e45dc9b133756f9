import Build
import Images
import OCI
import Runner

/// `minirun tag`
enum TagCommand {
    static let verb = Verb(
        ["image tag", "tag"],
        "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
        usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
        arguments: .exactly(2),
        completes: .image,
        interspersed: false,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let name = parsed.positional[1]
        let target: ImageReference
        do { target = try ImageReference(name) } catch { throw refusal(name, error) }
        try Installation.withEngine(parsed.globals) { engine in
            defer { try? engine.settle() }
            let image: StoredImage
            do { image = try engine.images.resolve(parsed.positional[0]) } catch let error as EngineError {
                guard error.kind == .invalid else { throw error }
                throw refusal(parsed.positional[0], error)
            }
            try engine.images.tag(image, as: target)
        }
        return 0
    }

    private static func refusal(_ name: String, _ error: EngineError) -> EngineError {
        EngineError(
            .invalid,
            "Error parsing reference: \(name.goQuoted) is not a valid repository/tag: \(error.message)"
        )
    }
}
