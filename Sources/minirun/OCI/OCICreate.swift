import CLinux
import LinuxSystem
import OCI
import Runtime

/// `minirun oci create`
enum OCICreate {
    static let verb = OCIVerb(
        "create",
        "create a container",
        failure: .named,
        options: { options + [.flag("detach", short: "d", "accepted and ignored: a created container is detached")] },
        run: { call in
            _ = try call.runtime(starts: true).create(try request(call))
            return 0
        }
    )

    /// Those of `create`, which `run` has too.
    static let options: [Option] = [
        .value(
            "bundle",
            short: "b",
            .directory,
            "path to the root of the bundle directory, defaults to the current directory"
        ),
        .value("console-socket", .file, "path to an AF_UNIX socket which will receive the master of the console"),
        .value("pidfd-socket", .file, "path to an AF_UNIX socket which will receive a descriptor of the init process"),
        .value("pid-file", .file, "specify the file to write the process id to"),
        .value("config", short: "f", .file, "the configuration, instead of the bundle's config.json (crun's option)"),
        .flag("no-pivot", "do not use pivot root to jail process inside rootfs"),
        .flag("no-new-keyring", "do not create a new session keyring for the container"),
        .value("preserve-fds", .integer, "pass N additional file descriptors to the container", default: "0"),
    ]

    /// What the command line asks for. The process stands in the bundle afterwards, where relative paths of sockets begin.
    static func request(_ call: OCICall) throws -> CreateRequest {
        let arguments = call.arguments
        let descriptors = try InheritedDescriptors(call)
        if call.globals.wantsNoCgroup {
            call.log.warn("--cgroup-manager disabled: the container gets a cgroup all the same")
        }
        let pidFile = call.path("pid-file")
        let bundle = call.path("bundle") ?? call.directory
        try Files.enter(bundle)
        var request = CreateRequest(id: try call.id(), bundle: bundle)
        request.pidFile = pidFile
        request.consoleSocket = file("console-socket", arguments, bundle)
        request.pidfdSocket = file("pidfd-socket", arguments, bundle)
        request.noPivot = arguments.flag("no-pivot")
        request.newKeyring = !arguments.flag("no-new-keyring")
        request.preserved = descriptors.count
        request.environment = descriptors.environment
        request.notifySocket = Process.environment("NOTIFY_SOCKET").flatMap { $0.isEmpty ? nil : $0 }
        request.configuration = file("config", arguments, bundle)
        return request
    }

    private static func file(_ option: String, _ arguments: ParsedArguments, _ bundle: String) -> String? {
        guard let path = arguments.value(option), !path.isEmpty else { return nil }
        return Files.absolute(path, from: bundle)
    }
}

/// The caller's descriptors from 3 on that the program gets: systemd's sockets (sd_listen_fds(3)), then those of
/// `--preserve-fds`.
struct InheritedDescriptors {
    let count: Int
    /// What tells the program of systemd's.
    let environment: [String]

    /// - Throws: where one of them is not open.
    init(_ call: OCICall, listening: Bool = true) throws(EngineError) {
        let preserved = try InheritedDescriptors.preserved(call.arguments)
        let sockets = listening ? InheritedDescriptors.sockets(Process.environment, process: getpid()) : 0
        let missing = call.inherited - sockets
        guard missing >= preserved else {
            throw EngineError(
                .invalid,
                "unable to stat preserved-fd \(max(0, missing)) (of \(preserved)): no such file or directory"
            )
        }
        count = sockets + preserved
        environment = sockets > 0 ? ["LISTEN_FDS=\(sockets)", "LISTEN_PID=1"] : []
    }

    private static func preserved(_ arguments: ParsedArguments) throws(EngineError) -> Int {
        let text = arguments.value("preserve-fds") ?? "0"
        guard let count = Int(text), (0...1024).contains(count) else {
            throw EngineError(.invalid, "invalid value for --preserve-fds: \(text)")
        }
        return count
    }

    /// How many sockets the environment says are for this process.
    static func sockets(_ environment: (String) -> String?, process: Int32) -> Int {
        guard environment("LISTEN_PID").flatMap({ Int32($0) }) == process,
            let count = environment("LISTEN_FDS").flatMap({ Int($0) }), (1...1024).contains(count)
        else { return 0 }
        return count
    }
}
