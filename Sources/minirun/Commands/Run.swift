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
        var request = RunRequest(image: parsed.positional[0], options: try ContainerRequest.options(parsed))
        request.platform = try parsed.platform()
        try ContentTrust.check(parsed)
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
        request.pull = try PullPolicy(parsing: parsed.value("pull") ?? "missing")
        var engine = try Installation.pullingEngine(parsed)
        let isQuiet = parsed.flag("quiet")
        engine.source = RegistryAccess.source(showing: isQuiet ? nil : 2)
        let cidfile = parsed.value("cidfile")
        if let cidfile, FileStatus.exists(cidfile) {
            throw EngineError(
                .conflict,
                "container ID file found, make sure the other container isn't running or delete \(cidfile)"
            )
        }
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
                if let cidfile { try Files.create(cidfile, Array(id.utf8), mode: FileModes.forCaller(0o644)) }
            },
            started: {
                if !pulls { return }
                do { try Installation.keepLimits(engine, since: began) } catch { engine.warn("\(error)") }
            }
        )
        if let destination = parsed.value("report") { try write(outcome.report, to: destination) }
        return outcome.exitCode
    }

    /// `--explain`: the plan, and nothing done.
    private static func explain(_ request: RunRequest, _ format: String, _ globals: GlobalOptions) throws -> Int32 {
        let prepared: PreparedRun
        guard !FolderImage.isPath(request.image) else {
            throw EngineError(.invalid, "--explain needs an image: build \(request.image) first")
        }
        if let location = ImageLocation.parse(request.image) {
            prepared = try Engine.explain(
                request,
                image: .outside(location.open(platform: request.platform)),
                store: nil
            )
        } else {
            let store = try ImageStore(
                root: Installation.root(globals),
                mounts: "\(Installation.state(globals))/layers"
            )
            let image = try store.resolve(request.image, platform: request.platform)
            prepared = try Engine.explain(request, image: .stored(image), store: store)
        }
        if format == "json" {
            Console.print(prepared.json.text(pretty: true) + "\n")
        } else {
            Console.print(prepared.text)
        }
        return 0
    }

    private static func write(_ report: RunReport, to destination: String) throws {
        switch destination {
        case "text": Console.complain(report.text)
        case "json": Console.complain(report.json.text() + "\n")
        default:
            try Files.writeUnlinked(
                destination,
                report.json.bytes(pretty: true) + [0x0A],
                mode: FileModes.forCaller(0o644)
            )
        }
    }
}
