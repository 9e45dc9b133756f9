import CLinux
import LinuxSystem
import OCI
import Testing

/// A bundle in a folder of the test's own, and the container that a runtime makes of it. With this value goes all that the
/// runtime made; what it did not take away itself is reported as a failure of the test.
package final class Bundle {
    package let runtime: OCIRuntime
    package let folder: String
    /// Also the name of the container's control group: `Scripts/leftovers` knows it by its beginning.
    package let id: String
    /// The runtime's state, `--root`.
    package let root: String
    package var config: JSON
    /// Other containers that a test makes with the same root.
    package var others: [String] = []
    /// What the test itself has mounted in its folder.
    private var mounts: [String] = []
    /// Whether what the runtime has forgotten is a failure of the test.
    package var reportsLeftovers = true
    /// What holds the container's streams since `create`.
    package private(set) var created: Launched?

    private static let applets = [
        "sh", "cat", "ls", "id", "echo", "stat", "sleep", "mount", "umount", "readlink", "touch", "true", "false",
        "grep",
        "mkdir", "ln", "rm", "mv", "env", "dd", "kill", "chmod", "cut", "head", "test", "mknod", "sysctl", "hostname",
    ]
    private static let programs: [(name: String, bytes: [UInt8])] = {
        [("guest", GuestProgram.path), ("bin/busybox", "/bin/busybox")].map { name, path in
            (name, (try? Files.read(path)) ?? [])
        }
    }()

    package init(_ runtime: OCIRuntime = .underTest, root: String? = nil) throws {
        self.runtime = runtime
        folder = try TemporaryFolder.make()
        id = "minirun-\(folder.split(separator: ".").last ?? "")"
        self.root = root ?? "\(folder)/state"
        config = Configuration.plain(id: id)
        chmod(folder, 0o755)
        for name in ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr"] {
            try Files.makeDirectories("\(folder)/rootfs/\(name)")
        }
        for program in Bundle.programs { try Files.write(path("rootfs/\(program.name)"), program.bytes, mode: 0o755) }
        for applet in Bundle.applets { try Link.create(path("rootfs/bin/\(applet)"), to: "busybox") }
    }

    deinit {
        for id in [id] + others { _ = try? invoke(["delete", "--force", id]) }
        created?.closeInput()
        for mount in mounts.reversed() { umount2(mount, Int32(MNT_DETACH)) }
        let left = Leftovers(of: [id] + others, in: folder)
        // crun forgets the control groups of a container that it could not make.
        let found = left.found.filter { runtime.kind != .crun || !$0.hasPrefix("control group") }
        if !found.isEmpty && reportsLeftovers {
            Issue.record("\(runtime.version) left behind: \(found.joined(separator: ", "))")
        }
        left.remove()
        // Never through a mount: what could not be unmounted is not ours to empty.
        try? Files.removeTree(folder)
    }

    /// A file or folder of the test's own, on the host.
    package func path(_ name: String) -> String { "\(folder)/\(name)" }

    @discardableResult package func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws -> String {
        try Files.makeDirectories(Files.parent(of: path(name)))
        try Files.write(path(name), Array(text.utf8), mode: mode)
        try retrying("chmod", path(name)) { chmod(path(name), mode) }
        return path(name)
    }

    @discardableResult package func makeFolder(_ name: String) throws -> String {
        try Files.makeDirectories(path(name))
        return path(name)
    }

    /// mount(8) on a path of the test's own, until the end of the test.
    package func mount(_ arguments: String..., on name: String) throws {
        let result = try Subprocess.run(["mount"] + arguments + [path(name)], timeout: 10_000)
        guard result.status == .exited(0) else { throw EngineError(.failed, "mount: \(result.errorText)") }
        mounts.append(path(name))
    }

    package func read(_ name: String) -> String { (try? Files.readText(path(name))) ?? "" }

    /// The container runs a line of shell.
    package func run(script: String) throws -> Outcome {
        config.set("process.args", ["/bin/sh", "-c", .string(script)])
        return try run()
    }

    package func writeConfiguration() throws { try Files.write(path("config.json"), config.bytes()) }
}

// MARK: - the runtime's verbs

extension Bundle {
    package func command(_ words: [String]) -> [String] { runtime.words + ["--root", root] + words }

    /// Any command line of the runtime, to its end and that of its streams.
    @discardableResult
    package func invoke(
        _ words: [String],
        global: [String] = [],
        input: String = "",
        directory: String? = nil,
        more: [CInt] = [],
        seconds: Int = 30
    ) throws -> Outcome {
        let launched = try Launched(
            runtime.words + ["--root", root] + global + words,
            directory: directory,
            more: more
        )
        if !input.isEmpty { try launched.type(input) }
        launched.closeInput()
        let status = try launched.wait(seconds: seconds)
        try launched.readToEnd(seconds: 10)
        return Outcome(status: status, out: launched.outText, err: launched.errText)
    }

    /// `run`: to the end of the container.
    @discardableResult
    package func run(_ options: [String] = [], input: String = "", more: [CInt] = [], seconds: Int = 30) throws
        -> Outcome
    {
        try writeConfiguration()
        return try invoke(["run", "--bundle", folder] + options + [id], input: input, more: more, seconds: seconds)
    }

    /// `run` of the guest's report, as data.
    package func report(_ paths: String..., options: [String] = []) throws -> GuestReport {
        config.set("process.args", .strings(["/guest", "report"] + paths))
        return try GuestReport(run(options))
    }

    /// `create`, which leaves its streams to the container.
    @discardableResult
    package func create(_ options: [String] = [], id: String? = nil, global: [String] = [], more: [CInt] = []) throws
        -> Outcome
    {
        try writeConfiguration()
        let words =
            runtime.words + ["--root", root] + global + ["create", "--bundle", folder] + options + [id ?? self.id]
        let launched = try Launched(words, more: more)
        let status = try launched.wait()
        let outcome = Outcome(status: status, out: launched.outText, err: launched.errText)
        launched.forgetOutput()
        if id == nil { created = launched }
        return outcome
    }

    @discardableResult package func start() throws -> Outcome { try invoke(["start", id]) }
    @discardableResult package func kill(_ signal: String = "KILL") throws -> Outcome {
        try invoke(["kill", id, signal])
    }
    @discardableResult package func delete(_ options: String...) throws -> Outcome {
        try invoke(["delete"] + options + [id])
    }

    @discardableResult
    package func exec(_ words: [String], options: [String] = [], input: String = "") throws -> Outcome {
        try invoke(["exec"] + options + [id] + words, input: input)
    }

    /// `exec` of the guest's report.
    package func execReport(_ options: String...) throws -> GuestReport {
        try GuestReport(exec(["/guest", "report"], options: options))
    }

    /// Creates a container, starts it and waits until it says "ready": for a guest that goes on running.
    package func launch(_ arguments: [String] = ["/guest", "trap"], _ location: SourceLocation = #_sourceLocation)
        throws
    {
        config.set("process.args", .strings(arguments))
        expectSuccess(try create(), "create", location)
        expectSuccess(try start(), "start", location)
        try created?.expect("ready")
    }

    package func state(_ id: String? = nil) throws -> JSON {
        let outcome = try invoke(["state", id ?? self.id])
        guard outcome.code == 0 else { throw EngineError(.failed, "no state: \(outcome)") }
        return try JSON.parse(Array(outcome.out.utf8))
    }

    /// "absent" where there is no container.
    package func status(_ id: String? = nil) -> String { (try? state(id))?["status"]?.string ?? "absent" }

    package func pid() throws -> pid_t { pid_t(try #require(state()["pid"]?.int)) }

    /// Whether the container's process has ended, as the runtime sees it.
    package func hasStopped() -> Bool { eventually(5000) { status() == "stopped" } }

    /// What the container has printed, once it and all that holds its streams has ended.
    package func output() throws -> String {
        created?.closeInput()
        try created?.readToEnd()
        return created?.outText ?? ""
    }

    /// The last error of a log that was written with --log-format json; nil where it is none.
    package func logged(_ path: String) throws -> [JSON] {
        try Files.readText(path).split(separator: "\n").map { try JSON.parse(Array($0.utf8)) }
    }
}
