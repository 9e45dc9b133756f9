import Images
import OCI
import Runner

/// `minirun image exists`, podman's: the exit code is the answer.
enum ImageExistsCommand {
    static let verb = Verb(
        ["image exists"],
        "Check whether an image is in the store (exit code 0 or 1)",
        usage: "IMAGE",
        arguments: .exactly(1),
        completes: .image,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        try Installation.withEngine(parsed.globals) { engine in
            do { _ = try engine.images.resolve(parsed.positional[0]) } catch let error as EngineError {
                guard error.kind == .notFound else { throw error }
                return 1
            }
            return 0
        }
    }
}
