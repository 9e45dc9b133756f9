import Build
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun build`
enum BuildCommand {
    static let verb = Verb(
        ["image build", "build", "builder build"],
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
        var engine = try Installation.pullingEngine(parsed)
        engine.source = RegistryAccess.source(showing: nil)
        let isQuiet = parsed.flag("quiet")
        let mode = isQuiet ? ProgressMode.quiet : try ProgressMode(parsing: parsed.value("progress") ?? "auto")
        let began = Clock.realtime
        let result: BuildResult
        do {
            result = try build(request, engine, mode)
            try Installation.keepLimits(engine, since: began)
        } catch {
            // What the step that failed had stored.
            _ = try? engine.collect(keeping: BuildCache(engine.images).roots)
            return fail(error, isQuiet: mode == .quiet)
        }
        if let file = parsed.value("iidfile") { try Files.writeUnlinked(file, Array(result.id.description.utf8)) }
        if isQuiet { Console.print("\(result.id)\n") }
        return 0
    }

    /// Builds with a display on stderr.
    static func build(_ request: BuildRequest, _ engine: Engine, _ mode: ProgressMode) throws -> BuildResult {
        try engine.recover()
        try engine.images.sweep()
        let display = try BuildDisplay(mode)
        defer { display.finish() }
        return try Builder(engine: engine, events: display.handle).build(request)
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
        case let error as BuildInterrupted:
            Console.complain("ERROR: failed to solve: Canceled: context canceled\n")
            return 128 + error.signal
        default: Console.complain(ErrorReport(error).text + "\n")
        }
        return 1
    }

    private static func request(_ parsed: ParsedArguments) throws -> BuildRequest {
        var request = try place(parsed)
        for text in parsed.values("tag") { request.tags.append(try tag(text)) }
        for text in parsed.values("build-arg") {
            let argument = KeyValue.plain(text)
            if text.contains("=") {
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
        request.sourceDateEpoch = Process.environment("SOURCE_DATE_EPOCH").flatMap(Int64.init)
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

/// A build's display on stderr, kept moving by a ticker while a step is silent.
private final class BuildDisplay: @unchecked Sendable {
    private let lock = Lock()
    private var progress: BuildProgress
    private var ticker: Ticker?

    init(_ mode: ProgressMode) throws {
        let size: @Sendable () -> (columns: Int, rows: Int) = { Terminal.size(2) ?? (80, 24) }
        // The drawing in place answers for what its lines show; the plain one passes on what steps write.
        let draws = Terminal.isTerminal(2) && (mode == .auto || mode == .tty)
        progress = try BuildProgress(
            mode,
            write: { text in if draws { Console.draw(text, on: .error) } else { Console.complain(text) } },
            terminalSize: Terminal.isTerminal(2) ? size : nil,
            colors: Process.environment("NO_COLOR") == nil
        )
        if progress.wantsTicks {
            ticker = try Ticker(every: 150) { [weak self] in
                self?.lock.locked { self?.progress.tick(now: Clock.monotonic) }
            }
        }
    }

    func handle(_ event: BuildEvent) { lock.locked { progress.handle(event) } }

    func finish() {
        ticker?.stop()
        lock.locked { progress.finish(now: Clock.monotonic) }
    }
}
