import CLinux
import LinuxSystem
import OCI
import Testing

/// One of Debian's engines with the runtime under test in it, from its start by `Scripts/peers` to its end. It has a
/// `/run`, a store, a network and cgroups of its own.
package final class PeerEngine: Sendable {
    package enum Kind: String, Sendable { case podman, docker, containerd }

    package static let areEnabled = BlackBox.isEnabled
    /// The engine of the suite that is running.
    @TaskLocal package static var running: PeerEngine?

    package let kind: Kind
    /// For the files of tests: the same path here, in the engine's namespaces, and nowhere else.
    package let folder: String
    private let script: pid_t
    private let input: CInt

    /// Returns when the engine answers. Throws with what it said where it does not, and leaves nothing then.
    package init(_ kind: Kind, runtime program: String? = Process.environment("MINIRUN_OCI")) throws {
        self.kind = kind
        let folder = try TemporaryFolder.make()
        self.folder = folder
        // Root of a user namespace has to get through.
        try retrying("chmod", folder) { chmod(folder, 0o711) }
        let stdin = try Pipe()
        let stdout = try Pipe()
        let log = try FileDescriptor.open("\(folder)/script.log", O_WRONLY | O_CREAT | O_APPEND, mode: 0o644)
        runtime = program?.split(separator: "/").last.map(String.init) ?? "minirun-oci"
        let chosen = program.map { ["--runtime", $0] } ?? []
        script = try Subprocess.start(
            ["\(PeerEngine.repository)/Scripts/peers"] + chosen + ["--folder", folder, kind.rawValue]
                // Stays until our end of the pipe is closed: until `stop`, or our own end.
                + ["sh", "-c", "echo ready; exec cat"],
            descriptors: [stdin.reading.raw, stdout.writing.raw, log.raw],
            newSession: true
        )
        input = stdin.keepWriting().release()
        let answer = stdout.keepReading()
        var byte: UInt8 = 0
        let count = try retrying("reading") { read(answer.raw, &byte, 1) }
        if count != 1 {
            close(input)
            _ = try Subprocess.wait(for: script)
            let said = tail("script.log", lines: 60)
            try Files.removeTree(folder)
            throw EngineError(.failed, "\(kind) does not start: \(said)")
        }
    }

    /// Ends the engine and everything that it started, and says what of it stays.
    package func stop() throws {
        close(input)
        let status = try Subprocess.wait(for: script)
        let said = tail("script.log", lines: 20)
        try Files.removeTree(folder)
        guard status == .exited(0), said.isEmpty else {
            throw EngineError(.failed, "ending \(kind): \(status) \(said)")
        }
    }

    private static let repository = Files.parent(of: Files.parent(of: Files.parent(of: #filePath)))

    // MARK: Commands

    /// The name of the engine's client.
    private var client: String { kind == .containerd ? "ctr" : kind.rawValue }

    /// The words that start a shell where the engine is.
    private func words(_ line: String) -> [String] { ["\(folder)/enter", "sh", "-c", line] }

    /// Runs a command line of the engine's client, `run --rm busybox sh -c 'exit 7'`, to its end.
    @discardableResult
    package func callAsFunction(_ line: String, input: String = "", timeout: Int = 60) throws -> Outcome {
        try inside("\(client) \(line)", input: input, timeout: timeout)
    }

    /// The same, and insists on its success; what it prints, without the last line feed.
    @discardableResult
    package func must(
        _ line: String,
        input: String = "",
        timeout: Int = 60,
        location: SourceLocation = #_sourceLocation
    )
        throws -> String
    {
        let outcome = try self(line, input: input, timeout: timeout)
        try #require(outcome.code == 0, "\(client) \(line): \(outcome)", sourceLocation: location)
        return outcome.line
    }

    /// What a command prints as JSON; where it is a list, of one thing, that.
    package func json(_ line: String, location: SourceLocation = #_sourceLocation) throws -> JSON {
        let json = try JSON.parse(try must(line, location: location))
        return json.array?.first ?? json
    }

    /// Runs a shell's command line where the engine is.
    @discardableResult
    package func inside(_ line: String, input: String = "", timeout: Int = 60) throws -> Outcome {
        // Our own time-out would only end the program that enters the namespaces.
        let words = ["\(folder)/enter", "timeout", "-s", "KILL", "\(timeout)", "sh", "-c", line]
        return Outcome(try Subprocess.run(words, input: Array(input.utf8), timeout: timeout * 1000 + 5000))
    }

    /// A command of the engine's client that is running, on a terminal.
    package func onTerminal(_ line: String, columns: Int = 80, rows: Int = 24) throws -> Session {
        try Session(
            onTerminal: words("\(client) \(line)"),
            environment: BlackBox.environment(),
            columns: columns,
            rows: rows
        )
    }

    /// A command of the engine's client that is running, through pipes.
    package func start(_ line: String) throws -> Session {
        try Session(words("\(client) \(line)"), environment: BlackBox.environment())
    }

    // MARK: Files

    package func path(_ name: String) -> String { "\(folder)/files/\(name)" }

    @discardableResult package func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws -> String {
        let path = path(name)
        try Files.makeDirectories(Files.parent(of: path))
        try Files.write(path, Array(text.utf8), mode: mode)
        return path
    }

    @discardableResult package func makeFolder(_ name: String) throws -> String {
        try Files.makeDirectories(path(name))
        return path(name)
    }

    /// A folder that busybox runs in, all of it a user's.
    package func rootFolder(_ name: String, owner: Int = 0) throws -> String {
        let root = try makeFolder(name)
        for folder in ["bin", "dev", "etc", "proc", "run", "sys", "tmp"] {
            try Files.makeDirectories("\(root)/\(folder)")
        }
        try tool("cp", "/bin/busybox", "\(root)/bin/busybox")
        for applet in try tool("/bin/busybox", "--list").split(separator: "\n") where applet != "busybox" {
            try Link.create("\(root)/bin/\(applet)", to: "busybox")
        }
        try tool("chown", "-Rh", "\(owner):\(owner)", root)
        return root
    }

    // MARK: What there is

    /// Runtimes differ in a few things where both are right.
    package let runtime: String

    /// A file of a container's cgroup: `version1` is the v1 controller and file ("memory/memory.limit_in_bytes"),
    /// `version2` the file where the machine has v2 only.
    package func limit(of container: String, _ version1: String, _ version2: String) throws -> String {
        let pid = try pid(of: container)
        let controller = String(version1.prefix { $0 != "/" })
        let outcome = try inside(
            """
            if [ -d /sys/fs/cgroup/memory ]
            then cat "/sys/fs/cgroup/\(controller)$(sed -n 's/^[0-9]*:\(controller)://p' /proc/\(pid)/cgroup)\(version1.dropFirst(controller.count))"
            else cat "/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/\(pid)/cgroup)/\(version2)"
            fi
            """
        )
        #expect(outcome.code == 0, "\(outcome)")
        return outcome.line
    }

    /// The pid of a container's first process, in the engine's pid namespace.
    package func pid(of container: String) throws -> Int {
        let text =
            kind == .containerd
            ? try must("tasks ls | awk '$1 == \"\(container)\" { print $2 }'")
            : try must("inspect --format '{{.State.Pid}}' \(container)")
        return try #require(Int(text))
    }

    /// The last lines of the engine's log, and how it called the runtime last.
    package var logs: String {
        """
        -- \(kind)'s log:
        \(tail("log/engine.log", lines: 12))
        -- calls of \(runtime):
        \(tail("log/runtime.log", lines: 8))
        """
    }

    private func tail(_ name: String, lines: Int) -> String {
        let text = (try? Files.readText("\(folder)/\(name)")) ?? ""
        let noise = ["loading plugin", "starting signal loop", "shim disconnected", "cleaning up"]
        return text.split(separator: "\n").filter { line in !noise.contains { line.contains($0) } }.suffix(lines)
            .joined(separator: "\n")
    }
}

/// The engine that the suite has started.
package func engine() throws -> PeerEngine { try #require(PeerEngine.running) }
