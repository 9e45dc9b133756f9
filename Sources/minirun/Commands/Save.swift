import CLinux
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun save`
enum SaveCommand {
    static let verb = Verb(
        ["image save", "save"],
        "Save one or more images to a tar archive (streamed to STDOUT by default)",
        usage: "[OPTIONS] IMAGE [IMAGE...]",
        arguments: .atLeast(1),
        completes: .image,
        options: ImageOptions.save,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let platform = try parsed.platform()
        let output = parsed.value("output") ?? ""
        if output.isEmpty, Terminal.isTerminal(StandardStream.output.rawValue) {
            throw EngineError(.invalid, "cowardly refusing to save to a terminal. Use the -o flag or redirect")
        }
        try Installation.withEngine(parsed.globals) { engine in
            if output.isEmpty {
                let sink = FileSink(owning: try StandardStream.output.duplicate())
                return try engine.images.save(parsed.positional, to: sink, platform: platform)
            }
            let file = try OutputFile(output, .whole, mode: 0o600, purpose: "failed to save image")
            try engine.images.save(parsed.positional, to: file.sink, platform: platform)
            try file.commit()
        }
        return 0
    }
}
