import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// A throw-away engine: the real program with a store and a state folder of its own, which go with this value.
final class Minirun: Sendable {
    static let isEnabled = BlackBox.isEnabled
    static let program = BlackBox.program
    static let shim = BlackBox.shim
    static let isLong = BlackBox.isLong

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
        unmountLayers()
        // Never through a mount: what a failed test left mounted is not ours to empty.
        try? Files.removeTree(folder)
    }

    /// What a reboot does to layers that are images.
    func unmountLayers() {
        let layers = "\(state)/layers"
        for name in (try? Files.list(layers)) ?? [] { _ = try? ImageMount.unmount("\(layers)/\(name)") }
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
    /// The names of containers that stay, and of those that an engine is at work on.
    var names: [String] { ["\(root)/containers/names", "\(state)/names"].flatMap { (try? Files.list($0)) ?? [] } }

    static func environment(_ added: [String: String] = [:]) -> [String] { BlackBox.environment(added) }
}

/// Swift Testing has one, too.
typealias ExitStatus = LinuxSystem.ExitStatus
