import Images
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
        do { target = try ImageReference(name) } catch {
            throw EngineError(
                .invalid,
                "Error parsing reference: \(name.goQuoted) is not a valid repository/tag: \(error.message)"
            )
        }
        try Installation.withEngine(parsed.globals) { engine in
            defer { try? engine.settle() }
            try engine.images.tag(engine.images.resolve(parsed.positional[0]), as: target)
        }
        return 0
    }
}
