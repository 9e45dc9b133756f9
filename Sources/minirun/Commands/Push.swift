import Images
import OCI
import Registry
import Runner

/// `minirun push`
enum PushCommand {
    static let verb = Verb(
        ["image push", "push"],
        "Upload an image to a registry",
        usage: "[OPTIONS] NAME[:TAG]",
        arguments: .exactly(1),
        completes: .image,
        common: true,
        options: TransferCommandOptions.push,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let text = parsed.positional[0]
        let reference = try ImageReference(text)
        guard reference.digest == nil else { throw EngineError(.invalid, "cannot push a digest reference") }
        let isQuiet = parsed.flag("quiet")
        let takesAll = parsed.flag("all-tags")
        if takesAll, ImageName.hasTag(text) { throw EngineError(.invalid, "tag can't be used with --all-tags/-a") }
        if !takesAll, !isQuiet, !ImageName.hasTag(text) {
            Console.print("Using default tag: latest\n")
        }
        let platform = try parsed.platform()
        try ContentTrust.check(parsed)
        return try DaemonWords.reporting {
            let client = try RegistryAccess.client()
            try Installation.withEngine(parsed.globals) { engine in
                if !isQuiet { Console.print("The push refers to repository [\(reference.repository)]\n") }
                for name in try names(of: reference, all: takesAll, engine.images) {
                    let display = isQuiet ? nil : TransferDisplay(1, headings: false)
                    try client.push(name, from: engine.images, platform: platform) { display?.handle($0) }
                }
            }
            if isQuiet { Console.print("\(takesAll ? reference.repository : reference.description)\n") }
        }
    }

    /// What is pushed, in docker's words where there is nothing (moby, distribution/push.go).
    private static func names(of reference: ImageReference, all: Bool, _ store: ImageStore) throws -> [ImageReference] {
        if !all, (try? store.resolve(reference.description)) != nil { return [reference] }
        let names = try store.images().flatMap(\.tags).filter { $0.repository == reference.repository }.sorted()
        guard names.isEmpty else {
            if all { return names }
            throw EngineError(.notFound, "tag does not exist: \(reference.familiar)")
        }
        throw EngineError(.notFound, "An image does not exist locally with the tag: \(reference.familiarRepository)")
    }
}
