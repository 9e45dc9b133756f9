import LinuxSystem
import OCI
import Runtime

/// `minirun oci exec`
enum OCIExec {
    static let verb = OCIVerb(
        "exec",
        "execute new process inside the container",
        usage: "<container-id> <command> [command options]  || -p process.json <container-id>",
        arguments: .atLeast(1),
        stopsAtArgument: true,
        failure: .exec,
        options: {
            [
                .value(
                    "console-socket",
                    .file,
                    "path to an AF_UNIX socket which will receive the master of the console"
                ),
                .value(
                    "pidfd-socket",
                    .file,
                    "path to an AF_UNIX socket which will receive a descriptor of the process"
                ),
                .value("cwd", .text, "current working directory in the container"),
                .list("env", short: "e", .text, "set environment variables"),
                .flag("tty", short: "t", "allocate a pseudo-TTY"),
                .value("user", short: "u", .text, "UID (format: <uid>[:<gid>])"),
                .list("additional-gids", short: "g", .integer, "additional gids"),
                .value("process", short: "p", .file, "path to the process.json"),
                .flag("detach", short: "d", "detach from the container's process"),
                .value("pid-file", .file, "specify the file to write the process id to"),
                .value("process-label", .text, "set the SELinux label of the process"),
                .value("apparmor", .text, "set the apparmor profile for the process"),
                .flag("no-new-privs", "set the no new privileges value for the process"),
                .list("cap", short: "c", .text, "add a capability to the bounding set for the process"),
                .value("preserve-fds", .integer, "pass N additional file descriptors to the container", default: "0"),
                .list("cgroup", .text, "run the process in (existing) sub-cgroups: [<controller>:]<cgroup>"),
                .flag("ignore-paused", "allow exec in a paused container"),
                .flag("no-subreaper", "accepted and ignored"),
            ]
        },
        run: run
    )

    private static func run(_ call: OCICall) throws -> Int32 {
        let arguments = call.arguments
        let id = try call.id()
        let descriptors = try InheritedDescriptors(call, listening: false)
        let runtime = try call.runtime(starts: true)
        let folder = try runtime.folder(id)
        guard FileStatus.exists(folder.statePath) else { throw ContainerFolder.missing }
        let container = try runtime.specification(of: folder).process
        var request = ExecRequest(id: id, process: try process(call, container))
        request.cgroups = try subCgroups(arguments.values("cgroup"))
        request.detached = arguments.flag("detach")
        request.pidFile = call.path("pid-file")
        request.consoleSocket = call.path("console-socket")
        request.pidfdSocket = call.path("pidfd-socket")
        request.preserved = descriptors.count
        request.ignoresPause = arguments.flag("ignore-paused")
        return try runtime.exec(request)
    }

    private static func process(_ call: OCICall, _ container: RuntimeSpec.Process) throws -> RuntimeSpec.Process {
        guard let file = call.path("process") else { return try process(call.arguments, container) }
        let json: JSON
        do { json = try JSON.parse(try Files.read(file, waiting: true)) } catch {
            throw EngineError(.invalid, "\(file): \(error)")
        }
        let process = try RuntimeSpec.Process(json, joining: container)
        guard !process.args.isEmpty else { throw EngineError(.invalid, "args must not be empty") }
        try process.validate()
        return process
    }

    /// The container's own process, changed by the options.
    static func process(_ arguments: ParsedArguments, _ container: RuntimeSpec.Process) throws -> RuntimeSpec.Process {
        var process = container
        process.args = Array(arguments.positional.dropFirst())
        guard !process.args.isEmpty else { throw EngineError(.invalid, "exec args cannot be empty") }
        if let cwd = arguments.value("cwd"), !cwd.isEmpty { process.cwd = cwd }
        guard process.cwd.isAbsolutePath else { throw EngineError(.invalid, "Cwd must be an absolute path") }
        if let profile = arguments.value("apparmor"), !profile.isEmpty { process.apparmorProfile = profile }
        if let label = arguments.value("process-label"), !label.isEmpty { process.selinuxLabel = label }
        process.capabilities.add(arguments.values("cap"))
        process.env += arguments.values("env")
        process.terminal = arguments.flag("tty")
        if arguments.isSet("no-new-privs") { process.noNewPrivileges = arguments.flag("no-new-privs") }
        if let user = arguments.value("user"), !user.isEmpty {
            let (uid, gid) = user.cut(":")
            if let gid { process.user.gid = try number(gid, "bad gid") }
            process.user.uid = try number(uid, "bad uid")
        }
        for text in arguments.values("additional-gids") {
            guard let gid = UInt32(text) else {
                throw EngineError(.invalid, "additional-gids must be a positive number \(text)")
            }
            process.user.additionalGids.append(gid)
        }
        return process
    }

    private static func number(_ text: String, _ what: String) throws(EngineError) -> UInt32 {
        guard let number = UInt32(text) else {
            throw EngineError(.invalid, "\(what): strconv.Atoi: parsing \(text.goQuoted): invalid syntax")
        }
        return number
    }

    /// `--cgroup PATH` once, or `--cgroup CONTROLLER[,CONTROLLER]:PATH` as often as there are controllers.
    static func subCgroups(_ texts: [String]) throws(EngineError) -> [(controllers: [String], path: String)] {
        var result: [(controllers: [String], path: String)] = []
        var seen: Set<String> = []
        for text in texts {
            let (before, path) = text.cut(":")
            guard let path else {
                guard texts.count == 1 else {
                    throw EngineError(.invalid, "invalid --cgroup argument: \(text) (missing <controller>: prefix)")
                }
                return [([], text)]
            }
            let controllers = before.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            for controller in controllers {
                guard !controller.isEmpty else {
                    throw EngineError(.invalid, "invalid --cgroup argument: \(text) (empty <controller> prefix)")
                }
                guard seen.insert(controller).inserted else {
                    throw EngineError(
                        .invalid,
                        "invalid --cgroup argument(s): controller \(controller) specified multiple times"
                    )
                }
            }
            result.append((controllers, path))
        }
        return result
    }
}

extension RuntimeSpec.Capabilities {
    /// `--cap`: as runc does it, ambient only where something is inheritable.
    fileprivate mutating func add(_ names: [String]) {
        bounding += names
        effective += names
        permitted += names
        if !inheritable.isEmpty { ambient += names }
    }
}
