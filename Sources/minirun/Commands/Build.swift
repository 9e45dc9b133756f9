import Build
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun build`
enum BuildCommand {
    static let verb = Verb(
        ["image build", "build", "builder build", "buildx build"],
        "Build an image from a Dockerfile",
        usage: "[OPTIONS] PATH",
        arguments: .exactly(1),
        completes: .directory,
        common: true,
        options: BuildOptions.all,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        let request = try request(parsed)
        let files = try BuildResultFiles(parsed)
        var engine = try Installation.pullingEngine(parsed)
        engine.source = RegistryAccess.source(showing: nil)
        let isQuiet = parsed.flag("quiet")
        if parsed.value("progress") == "rawjson" {
            throw CommandLineError(text: "minirun: --progress rawjson: not supported yet", exitCode: 125)
        }
        let mode = isQuiet ? ProgressMode.quiet : try ProgressMode(parsing: parsed.value("progress") ?? "auto")
        let began = Clock.realtime
        let result: BuildResult
        do {
            result = try build(request, engine, mode)
            try files.write(result, tags: request.tags)
            try Installation.keepLimits(engine, since: began)
            try files.commit()
        } catch {
            // What the step that failed had stored.
            _ = try? engine.collect(keeping: BuildCache(engine.images).roots)
            return fail(error, isQuiet: mode == .quiet)
        }
        if isQuiet { Console.print("\(result.id)\n") }
        return 0
    }

    /// Builds with a display on stderr, which tells of an interruption, too.
    static func build(_ request: BuildRequest, _ engine: Engine, _ mode: ProgressMode) throws -> BuildResult {
        try engine.recover()
        try engine.images.sweep()
        let display = try BuildDisplay(mode)
        let result: BuildResult
        do { result = try Builder(engine: engine, events: display.handle).build(request) } catch {
            let isInterrupted = error is BuildInterrupted
            try display.finish(
                interruption: isInterrupted ? "ERROR: failed to solve: Canceled: context canceled\n" : nil
            )
            throw error
        }
        try display.finish()
        return result
    }

    /// The last lines of a build that failed, and the exit code.
    private static func fail(_ error: any Error, isQuiet: Bool) -> Int32 {
        switch error {
        case let error as BuildError:
            // The display shows the excerpt of a step that failed; of everything else this is the only place.
            var excerpt = isQuiet || !error.isShown ? error.excerpt : ""
            if isQuiet { excerpt = error.output.map { $0 + "\n" }.joined() + excerpt }
            Console.complain(
                excerpt + "ERROR: failed to solve: \(error.message)\n" + (error.hint.map { "hint: \($0)\n" } ?? "")
            )
        // The display has said so.
        case let error as BuildInterrupted: return 128 + error.signal
        default: Console.complain(ErrorReport(error).text + "\n")
        }
        return 1
    }

    private static func request(_ parsed: ParsedArguments) throws -> BuildRequest {
        var request = try place(parsed)
        for text in parsed.values("tag") { request.tags.append(try tag(text)) }
        for text in parsed.values("build-arg") {
            let argument = KeyValue.plain(text)
            if text.isAssignment {
                request.arguments[argument.key] = argument.value
            } else if let value = Process.environment(text) {
                request.arguments[text] = value
            }
        }
        for text in parsed.values("label") {
            let label = try KeyValue.label(text)
            request.labels[label.key] = label.value
        }
        request.target = parsed.value("target")
        request.noCache = parsed.flag("no-cache")
        request.pull = parsed.flag("pull")
        request.network = try network(parsed.value("network") ?? "default")
        request.platform = try parsed.platform()
        try ContentTrust.check(parsed)
        request.addedHosts = try parsed.values("add-host").map { text throws(ValueError) in
            let host = try ExtraHost(parsing: text)
            return "\(host.name):\(host.address)"
        }
        if let size = try parsed.bytes("shm-size") { request.sharedMemorySize = UInt64(clamping: size) }
        request.limits = try ContainerRequest.limits(parsed)
        request.sourceDateEpoch = Process.environment("SOURCE_DATE_EPOCH")
        return request
    }

    private static func network(_ text: String) throws(EngineError) -> ContainerOptions.Network {
        switch text {
        case "default", "host": return .host
        case "none": return .none
        default: throw EngineError(.unsupported, "--network \(text): only none and host are supported yet")
        }
    }

    /// Context and Dockerfile. `-` as the context is a Dockerfile on stdin with nothing around it.
    private static func place(_ parsed: ParsedArguments) throws -> BuildRequest {
        let context = parsed.positional[0]
        let file = parsed.value("file")
        guard context != "-" else {
            throw EngineError(.unsupported, "a build context on stdin is not supported yet", hint: "give a folder")
        }
        let folder = Files.absolute(context)
        guard let status = try? FileStatus.following(folder), status.kind == .directory else {
            throw EngineError(.notFound, "unable to prepare context: path \"\(context)\" not found")
        }
        var request = BuildRequest(context: folder)
        switch file {
        case "-": request.definition = .text(try StandardStream.input.readAll())
        case .some(let path): request.definition = .file(Files.absolute(path))
        case nil: break
        }
        return request
    }

    private static func tag(_ text: String) throws -> ImageReference {
        do {
            let reference = try ImageReference(text)
            guard reference.digest == nil else {
                throw EngineError(.invalid, "refusing to create a tag with a digest reference")
            }
            return reference
        } catch {
            throw EngineError(.invalid, "invalid tag \"\(text)\": \(error)")
        }
    }
}

/// What a build tells in files: the image's id, and more about it as JSON.
private struct BuildResultFiles {
    private let id: OutputFile?
    private let metadata: OutputFile?

    init(_ parsed: ParsedArguments) throws {
        func open(_ option: String) throws -> OutputFile? {
            guard let path = parsed.value(option), !path.isEmpty else { return nil }
            return try OutputFile(path, .emptied, mode: FileModes.forCaller(0o644), purpose: "--\(option)")
        }
        id = try open("iidfile")
        metadata = try open("metadata-file")
    }

    func write(_ result: BuildResult, tags: [ImageReference]) throws {
        try id?.write(result.id.description)
        try metadata?.write(BuildResultFiles.json(result, tags).text(pretty: true) + "\n")
    }

    /// In buildx's words.
    private static func json(_ result: BuildResult, _ tags: [ImageReference]) -> JSON {
        let target = result.image.target
        var all: [(String, JSON)] = [
            ("containerimage.config.digest", .string(result.id.description)),
            ("containerimage.descriptor", target.json), ("containerimage.digest", .string(target.digest.description)),
        ]
        if !tags.isEmpty { all.append(("image.name", .string(tags.map(\.description).joined(separator: ",")))) }
        return .object(all)
    }

    /// Without this neither stays.
    func commit() throws {
        try id?.commit()
        try metadata?.commit()
    }
}
