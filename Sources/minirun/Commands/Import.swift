import Build
import Images
import LinuxSystem
import OCI
import Registry
import Runner

/// `minirun import`
enum ImportCommand {
    static let verb = Verb(
        ["image import", "import"],
        "Import the contents from a tarball to create a filesystem image",
        usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
        arguments: .between(1, 2),
        completes: .file,
        options: ImageOptions.importing,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let file = parsed.positional[0]
        let reference = try parsed.positional.dropFirst().first.map { text throws(EngineError) in
            try ImageReference(text)
        }
        var configuration = ImageConfiguration(platform: try parsed.platform() ?? .host)
        guard configuration.platform.os == "linux" else {
            throw EngineError(.unsupported, "operating system is not supported: \(configuration.platform.os)")
        }
        configuration.config = try changed(parsed.values("change"), configuration.platform)
        let message = parsed.value("message") ?? ""
        func add(_ source: any ByteSource, display: TransferDisplay? = nil) throws {
            try Installation.adding(parsed) { engine in
                let image = try engine.images.importRootfs(
                    source,
                    configuration: configuration,
                    message: message.isEmpty ? "Imported from \(file)" : message,
                    reference: reference
                )
                display?.endCount()
                Console.print("\(image.id)\n")
            }
        }
        if isURL(file) {
            return try DaemonWords.reporting {
                try RegistryAccess.client().downloading(file) { download in
                    let (display, size) = (TransferDisplay(1), download.size ?? 0)
                    display.say("Downloading from \(file)\n")
                    download.progress = { display.count("Importing", $0, size) }
                    try add(download, display: display)
                }
            }
        }
        try add(source(file))
        return 0
    }

    /// As docker tells a URL from a file.
    private static func isURL(_ text: String) -> Bool { text.hasPrefix("http://") || text.hasPrefix("https://") }

    private static func source(_ file: String) throws -> any ByteSource {
        if file == "-" {
            guard !Terminal.isTerminal(StandardStream.input.rawValue) else {
                throw EngineError(.invalid, "requested import from stdin, but stdin is a terminal")
            }
            return Images.FileSource(owning: try StandardStream.input.duplicate(), offset: nil)
        }
        return Images.FileSource(owning: try FileDescriptor.open(file), offset: nil)
    }

    /// `--change`: a Dockerfile of these instructions on top of nothing. Those that would make a layer are refused.
    static func changed(_ instructions: [String], _ platform: Platform) throws -> ContainerConfiguration {
        if instructions.isEmpty { return ContainerConfiguration() }
        for text in instructions {
            let keyword = text.trimmed.prefix { !$0.isWhitespace }.uppercased()
            guard allowed.contains(keyword) else {
                throw EngineError(
                    .invalid,
                    "\(keyword.isEmpty ? "an empty text" : keyword.lowercased()) is not a valid change command"
                )
            }
        }
        var configuration: ContainerConfiguration
        do { configuration = try planned(instructions, platform) } catch {
            throw EngineError(.invalid, "--change: \(error.message)")
        }
        // What a build sets for every image; a container gets it anyway.
        configuration.env.removeAll { $0 == "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" }
        return configuration
    }

    private static func planned(_ instructions: [String], _ platform: Platform) throws(DockerfileError)
        -> ContainerConfiguration
    {
        let text = (["FROM nothing"] + instructions).joined(separator: "\n")
        var planner = try BuildPlanner(try Dockerfile(text.rawBytes))
        while let request = planner.neededImages.first {
            try planner.provide(ImageConfiguration(platform: platform), for: request)
        }
        return try planner.plan().targetStage?.configuration ?? ContainerConfiguration()
    }

    private static let allowed: Set<String> = [
        "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME",
        "WORKDIR",
    ]
}
