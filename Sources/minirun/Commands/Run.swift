import Build
import Images
import LinuxSystem
import OCI
import Runner

/// `minirun run`
enum RunCommand {
    static let verb = Verb(
        ["container run", "run"],
        "Create and run a new container from an image",
        usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
        arguments: .atLeast(1),
        completes: .image,
        interspersed: false,
        common: true,
        options: RunOptions.all,
        run: run
    )

    private static func run(_ parsed: ParsedArguments) throws -> Int32 {
        var request = try ContainerRequest.request(parsed)
        request.reports = parsed.isSet("report")
        request.forwardsSignals = request.options.terminal || parsed.flag("sig-proxy")
        if let format = parsed.value("explain") { return try explain(request, format, parsed.globals) }

        if request.options.terminal, request.options.interactive, !Terminal.isTerminal(0) {
            Console.complain("the input device is not a TTY\n")
            return 1
        }
        guard Process.isRoot else {
            throw EngineError(.failed, "run needs root", hint: "try again with sudo")
        }
        var engine = try Installation.pullingEngine(parsed)
        let isQuiet = parsed.flag("quiet")
        engine.source = RegistryAccess.source(showing: isQuiet ? nil : 2)
        // What cannot be written at the end is refused before the program has done its work.
        let identification = try OutputFile.identification(parsed)
        let report = try parsed.value("report").map(ReportOutput.init)
        request.image = try FolderImage.built(request.image, engine, parsed) ?? request.image
        // Whoever removed an image while this run held its lease left the rest to it.
        defer { try? engine.settle() }
        let began = Clock.realtime
        var pulls = request.pull == .always
        let outcome = try engine.run(
            request,
            missing: { name in
                pulls = true
                if !isQuiet { Console.complain("Unable to find image '\(name.familiar)' locally\n") }
            },
            created: { id in
                try identification?.write(id)
                try identification?.commit()
            },
            started: {
                if !pulls { return }
                do { try Installation.keepLimits(engine, since: began) } catch { engine.warn("\(error)") }
            }
        )
        try report?.write(outcome.report)
        return outcome.exitCode
    }

    /// `--explain`: the plan, and nothing done.
    private static func explain(_ request: RunRequest, _ format: String, _ globals: GlobalOptions) throws -> Int32 {
        guard ["text", "json"].contains(format) else {
            throw EngineError(
                .invalid,
                "invalid argument \(format.goQuoted) for \"--explain\" flag: it is text or json"
            )
        }
        let explanation: Explanation
        let state = Installation.state(globals)
        guard !FolderImage.isPath(request.image) else {
            throw EngineError(.invalid, "--explain needs an image: build \(request.image) first")
        }
        if let location = ImageLocation.parse(request.image) {
            explanation = try Engine.explain(
                request,
                image: .outside(location.open(platform: request.platform)),
                root: Installation.root(globals),
                state: state
            )
        } else {
            let store = try ImageStore(root: Installation.root(globals), mounts: "\(state)/layers")
            let image = try store.resolve(request.image, platform: request.platform)
            explanation = try Engine.explain(
                request,
                image: .stored(image),
                root: store.root,
                state: state,
                store: store
            )
        }
        if format == "json" {
            Console.print(explanation.json.text(pretty: true) + "\n")
        } else {
            Console.print(explanation.text)
        }
        return 0
    }
}

/// `--report`: to standard error in words or as JSON, or into a file, which is opened before the run.
private enum ReportOutput {
    case words
    case json
    case file(OutputFile)

    init(_ destination: String) throws {
        switch destination {
        case "text": self = .words
        case "json": self = .json
        case "": throw EngineError(.invalid, "--report: json, or a file's path, is to follow the =")
        case let path:
            let mode = FileModes.forCaller(0o644)
            self = .file(try OutputFile(path, .whole, mode: mode, purpose: "failed to write the report"))
        }
    }

    func write(_ report: RunReport) throws {
        switch self {
        case .words: Console.complain(report.text)
        case .json: Console.complain(report.json.text() + "\n")
        case .file(let file):
            try file.write(report.json.bytes(pretty: true) + [0x0A])
            try file.commit()
        }
    }
}
