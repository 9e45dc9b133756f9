import LinuxSystem
import OCI
import Runner
import Runtime

/// A verb of an OCI runtime's command line, as data (runtime-tools' and runc's syntax; runc's texts).
struct OCIVerb: Sendable {
    /// How a failure of the verb's work is told.
    enum Failure: Sendable {
        /// As it is.
        case plain
        /// `minirun-oci create failed: …`
        case named
        /// `exec failed: …`, with the exit code 255: the code of the program itself may be any other.
        case exec
    }

    /// "create"
    let name: String
    /// One line.
    let summary: String
    /// What follows the options in the usage line: "<container-id>".
    let usage: String
    let arguments: ArgumentCount
    /// Whether options end at the first argument.
    let stopsAtArgument: Bool
    let failure: Failure
    let options: @Sendable () -> [Option]
    /// Does it; the result is the exit code.
    let run: @Sendable (OCICall) throws -> Int32

    init(
        _ name: String,
        _ summary: String,
        usage: String = "<container-id>",
        arguments: ArgumentCount = .exactly(1),
        stopsAtArgument: Bool = false,
        failure: Failure = .plain,
        options: @escaping @Sendable () -> [Option] = { [] },
        run: @escaping @Sendable (OCICall) throws -> Int32
    ) {
        self.name = name
        self.summary = summary
        self.usage = usage
        self.arguments = arguments
        self.stopsAtArgument = stopsAtArgument
        self.failure = failure
        self.options = options
        self.run = run
    }
}

/// One call of a verb.
struct OCICall {
    let program: OCIProgram
    let globals: OCIGlobals
    let log: OCILog
    let arguments: ParsedArguments
    /// Where the caller stood.
    let directory: String
    /// How many descriptors, from 3 on and without a gap, the caller left open.
    let inherited: Int

    /// The container that the verb is for.
    func id() throws(EngineError) -> String {
        guard let id = arguments.positional.first, !id.isEmpty else {
            throw EngineError(.invalid, "container id cannot be empty")
        }
        return id
    }

    /// A path that the caller gave, from where the caller stood; nil where the option was not given or is empty.
    func path(_ option: String) -> String? {
        guard let path = arguments.value(option), !path.isEmpty else { return nil }
        return Files.absolute(path, from: directory)
    }

    /// The runtime at `--root`. Verbs that start nothing do not look for the shim.
    func runtime(starts: Bool = false) throws -> ContainerRuntime {
        var runtime = ContainerRuntime(root: globals.root, shim: starts ? try Installation.shim() : "")
        runtime.usesSystemd = globals.usesSystemd
        runtime.filterCache = Rootless.isCaller ? nil : "\(Engine.standardState)/seccomp"
        let log = log
        runtime.warn = { log.warn($0) }
        runtime.debug = { log.debug($0) }
        return runtime
    }
}
