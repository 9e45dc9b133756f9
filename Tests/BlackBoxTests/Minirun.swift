import CLinux
import LinuxSystem
import OCI
import Testing

/// A throw-away engine: the real program with a store and a state folder of its own, which go with this value.
final class Minirun: Sendable {
    /// The suite needs root and the built program; `Scripts/test` sets the variable. Without it plain `swift test` runs the
    /// pure tests only.
    static let isEnabled = Process.isRoot && Process.environment("MINIRUN_BLACKBOX") != nil
    static let program = Process.environment("MINIRUN") ?? "\(buildFolder)/minirun"
    static let shim = Process.environment("MINIRUN_SHIM") ?? "\(buildFolder)/minirun-shim"
    static let isLong = Process.environment("MINIRUN_LONG") != nil

    private static let buildFolder = Files.parent(of: (try? Link.target("/proc/self/exe")) ?? "/")

    /// Everything of this engine, and room for a test's own files.
    let folder: String
    var root: String { "\(folder)/root" }
    var state: String { "\(folder)/state" }

    init() throws {
        folder = try TemporaryFolder.make()
    }

    deinit {
        // A test that killed an engine leaves its cleaning up to the next command: this is one.
        if !active.isEmpty { _ = try? invoke(["rm", "-f", "nothing"], timeout: 30) }
        // Never through a mount: what a failed test left mounted is not ours to empty.
        try? Files.removeTree(folder)
    }

    /// The words that start this engine.
    func command(_ arguments: [String]) -> [String] { [Minirun.program, "--root", root, "--state", state] + arguments }

    /// Runs a command line to its end, at most `timeout` seconds.
    func callAsFunction(
        _ arguments: String...,
        input: String = "",
        environment: [String: String] = [:],
        timeout: Int = 60
    ) throws -> Outcome {
        try invoke(arguments, input: input, environment: environment, timeout: timeout)
    }

    func invoke(_ arguments: [String], input: String = "", environment: [String: String] = [:], timeout: Int = 60)
        throws
        -> Outcome
    {
        Outcome(
            try Subprocess.run(
                command(arguments),
                environment: Minirun.environment(environment),
                input: Array(input.utf8),
                timeout: timeout * 1000
            )
        )
    }

    /// `run --rm OPTIONS busybox sh -c SCRIPT`.
    func shell(_ script: String, _ options: String..., input: String = "", timeout: Int = 60) throws -> Outcome {
        try invoke(["run", "--rm"] + options + [Fixtures.busybox, "sh", "-c", script], input: input, timeout: timeout)
    }

    /// `run --rm OPTIONS guest report`, as data.
    func report(_ options: String...) throws -> GuestReport {
        try GuestReport(invoke(["run", "--rm"] + options + [Fixtures.guest, "report"]))
    }

    /// `run --rm OPTIONS guest SUBCOMMAND…`, its output without the last line feed.
    func guest(_ subcommand: String..., options: [String] = []) throws -> String {
        let outcome = try invoke(["run", "--rm"] + options + [Fixtures.guest] + subcommand)
        #expect(outcome.err == "")
        return outcome.line
    }

    /// A file or folder of the test's own, on the host.
    func path(_ name: String) -> String { "\(folder)/\(name)" }

    @discardableResult func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws -> String {
        let path = path(name)
        try Files.makeDirectories(Files.parent(of: path))
        try Files.write(path, Array(text.utf8), mode: mode)
        try retrying("chmod", path) { chmod(path, mode) }
        return path
    }

    @discardableResult func makeFolder(_ name: String) throws -> String {
        try Files.makeDirectories(path(name))
        return path(name)
    }

    /// The ids of the containers that are on the disk.
    var containers: [String] { ((try? Files.list("\(root)/containers")) ?? []).filter { $0 != "names" } }
    /// Those that an engine is at work on, or was when it was killed.
    var active: [String] { (try? Files.list("\(state)/active")) ?? [] }
    var names: [String] { (try? Files.list("\(root)/containers/names")) ?? [] }

    /// What a caller's environment is: ours, with the shim and with what a test adds.
    static func environment(_ added: [String: String] = [:]) -> [String] {
        let all = ["PATH": Process.environment("PATH") ?? "/usr/bin:/bin", "MINIRUN_SHIM": shim, "TERM": "xterm"]
        return all.merging(added) { $1 }.map { "\($0.key)=\($0.value)" }
    }
}

/// Swift Testing has one, too.
typealias ExitStatus = LinuxSystem.ExitStatus

/// How a command ended and what it said.
struct Outcome: CustomStringConvertible {
    let status: ExitStatus
    let out: String
    let err: String

    init(_ result: Subprocess.Result) {
        status = result.status
        out = result.outputText
        err = result.errorText
    }

    var code: Int32 { status.code }
    /// The output without its last line feed.
    var line: String { out.hasSuffix("\n") ? String(out.dropLast()) : out }
    var lines: [String] { out.split(separator: "\n").map(String.init) }

    var description: String { "code \(code)\nstdout: \(out)\nstderr: \(err)" }
}

/// Folders of the suite's own, each with a name that `Scripts/leftovers` knows.
enum TemporaryFolder {
    static func make() throws -> String {
        var template = Array("\(Process.environment("TMPDIR") ?? "/tmp")/minirun-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("making a temporary folder") }
        return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// Runs a tool of the host's and insists on its success.
@discardableResult
func tool(_ arguments: String..., input: String = "", directory: String? = nil) throws -> String {
    let result = try Subprocess.run(arguments, directory: directory, input: Array(input.utf8), timeout: 120_000)
    guard result.status == .exited(0) else {
        throw EngineError(.failed, "\(arguments.joined(separator: " ")): \(result.errorText)")
    }
    return result.outputText
}
