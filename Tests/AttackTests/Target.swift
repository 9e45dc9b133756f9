import LinuxSystem
import OCI
import TestSupport

/// What is attacked.
struct Target: Sendable, Hashable, CustomStringConvertible {
    enum Form: Sendable { case engine, runtime }

    /// minirun, minirun-oci, docker, podman, runc, crun, or the name of a template.
    let name: String
    let form: Form
    /// Of a template: the words before an engine's verbs, or a runtime's path.
    let words: [String]

    var description: String { name }
    /// Ours is held to every row.
    var isOurs: Bool { name == "minirun" || name == "minirun-oci" }

    /// `ATTACK_TARGETS`: names, or `NAME=engine:WORDS` and `NAME=runtime:PATH`, with `;` between them.
    static let all: [Target] = (Process.environment("ATTACK_TARGETS") ?? "minirun;minirun-oci").split(separator: ";")
        .map {
            let parts = $0.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                return Target(name: parts[0], form: known[parts[0]] ?? .engine, words: [parts[0]])
            }
            let template = parts[1].split(separator: ":", maxSplits: 1).map(String.init)
            let words = template.last?.split(separator: " ").map(String.init) ?? []
            return Target(name: parts[0], form: template.first == "runtime" ? .runtime : .engine, words: words)
        }
    static let engines = all.filter { $0.form == .engine }
    static let runtimes = all.filter { $0.form == .runtime }

    private static let known: [String: Form] = [
        "minirun": .engine, "docker": .engine, "podman": .engine, "minirun-oci": .runtime, "runc": .runtime,
        "crun": .runtime,
    ]

    /// The program that a bundle is given to. An engine's bundles are never run; their roots become images.
    var runtime: OCIRuntime {
        // Of it the suite is a child subreaper, for every runtime.
        let ours = OCIRuntime.underTest
        guard form == .runtime else { return ours }
        switch name {
        case "minirun-oci": return ours
        case "crun": return .crun
        case "runc": return .runc
        default: return OCIRuntime(words.first ?? name)
        }
    }
}

/// The copy of the machine that `Scripts/disposable` makes. Whoever is attacked may do to the machine whatever a row asks for, and
/// more: a runtime that was asked to delete the container "/" deleted a machine's /etc and /boot.
enum Disposable {
    /// What the script says, and what the kernel says: the root is the script's overlay, and none of the machine's disks is mounted.
    static let isHere: Bool = {
        guard Process.environment("DISPOSABLE") == "1", let mounts = try? Files.readText("/proc/self/mountinfo") else {
            return false
        }
        // Behind the "-": type, source, options.
        let entries = mounts.split(separator: "\n").map { line in
            let halves = line.split(separator: " - ", maxSplits: 1).map { $0.split(separator: " ").map(String.init) }
            return (
                place: halves.first?.dropFirst(4).first ?? "", type: halves.last?.first ?? "",
                source: halves.last?.dropFirst().first ?? ""
            )
        }
        guard let root = entries.last(where: { $0.place == "/" }), root.type == "overlay", root.source == "disposable"
        else {
            return false
        }
        return !entries.contains { $0.source.hasPrefix("/") }
    }()
}

/// An engine that runs: its words, and where it keeps what it has.
final class Engine: Sendable {
    let target: Target
    /// The store's folder, as the engine sees it.
    let store: String
    private let folder: String?
    private let peer: PeerEngine?

    /// Those of the suite, by name.
    @TaskLocal static var running: [String: Engine] = [:]

    init(_ target: Target) throws {
        self.target = target
        switch target.name {
        case "docker":
            (peer, folder, store) = (try PeerEngine(.docker, runtime: OCIRuntime.runc.program), nil, "/run/engine/data")
        case "podman":
            (peer, folder, store) = (try PeerEngine(.podman, runtime: OCIRuntime.crun.program), nil, "/run/engine/data")
        case "minirun":
            let made = try TemporaryFolder.make()
            (peer, folder, store) = (nil, made, "\(made)/root")
        default:
            (peer, folder, store) = (nil, nil, "/nonexistent")
        }
    }

    func stop() throws {
        try peer?.stop()
        guard let folder else { return }
        // What a reboot does to layers that are images.
        let layers = "\(folder)/state/layers"
        for name in (try? Files.list(layers)) ?? [] { _ = try? ImageMount.unmount("\(layers)/\(name)") }
        try Files.removeTree(folder)
    }

    /// The words that become a command line with docker's.
    func words(_ arguments: [String], seconds: Int) -> [String] {
        if peer != nil { return inside([target.name] + arguments, seconds: seconds) }
        if let folder {
            return [BlackBox.program, "--root", "\(folder)/root", "--state", "\(folder)/state"] + arguments
        }
        return target.words + arguments
    }

    /// A program where the engine is.
    func inside(_ arguments: [String], seconds: Int) -> [String] {
        guard let peer else { return arguments }
        return ["\(peer.folder)/enter", "timeout", "-s", "KILL", "\(seconds)"] + arguments
    }

    func callAsFunction(
        _ arguments: [String],
        environment: [String: String] = [:],
        seconds: Int = 60
    ) throws -> Subprocess.Result {
        try Subprocess.run(
            words(arguments, seconds: seconds),
            environment: BlackBox.environment(environment),
            // The peer's own bound comes first: its end is the container's.
            timeout: seconds * 1000 + (peer == nil ? 0 : 5000)
        )
    }

    /// What `--version` says in its first line.
    func version() -> String {
        let text = (try? self(["--version"]))?.outputText ?? ""
        return text.split(separator: "\n").first.map(String.init) ?? "?"
    }
}
