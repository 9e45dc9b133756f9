import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// The one suite: its engines start before the first test and end after the last.
@Suite(.enabled(if: BlackBox.isEnabled), .targets, .timeLimit(.minutes(10))) struct Attacks {}

struct TargetsTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing tests: @Sendable () async throws -> Void
    ) async throws {
        guard Disposable.isHere else {
            throw EngineError(.invalid, "attacks run on a disposable copy of the machine only: Scripts/attacks")
        }
        var engines: [String: Engine] = [:]
        for target in Target.engines { engines[target.name] = try Engine(target) }
        for target in Target.all {
            let version = engines[target.name]?.version() ?? target.runtime.version
            AttackTable.add("target", target.name, version)
        }
        let result: Result<Void, any Error>
        do {
            result = .success(
                try await Engine.$running.withValue(engines) {
                    for target in Target.all { try runsAtAll(target) }
                    try await tests()
                }
            )
        } catch {
            result = .failure(error)
        }
        for engine in engines.values { try engine.stop() }
        try result.get()
    }

    /// Whoever refuses everything would pass nearly every row.
    private func runsAtAll(_ target: Target) throws {
        let attack = Attack(
            program: ["/bin/echo", "it-runs"],
            seconds: 60,
            mustWork: true,
            proof: { $0.out.contains("it-runs") ? nil : "it says nothing" }
        )
        let verdict = try Stage(target).verdict(of: attack)
        guard verdict == .contained else {
            throw EngineError(.failed, "\(target) runs no plain container: \(verdict.why)")
        }
    }
}

extension SuiteTrait where Self == TargetsTrait {
    static var targets: Self { TargetsTrait() }
}

/// The row of the references that a test is about, what must hold, and why a peer does not pass.
struct Row: TestTrait {
    let id: String
    let words: String
    let known: [String: String]
    /// Peers that pass at times: a race, or a version's luck.
    let sometimes: Bool
}

extension Trait where Self == Row {
    static func row(
        _ id: String,
        _ words: String,
        docker: String? = nil,
        podman: String? = nil,
        runc: String? = nil,
        crun: String? = nil,
        minirun: String? = nil,
        oci: String? = nil,
        sometimes: Bool = false
    ) -> Row {
        let all = [
            "docker": docker, "podman": podman, "runc": runc, "crun": crun, "minirun": minirun, "minirun-oci": oci,
        ]
        return Row(id: id, words: words, known: all.compactMapValues { $0 }, sometimes: sometimes)
    }
}

/// Lines of fields with tabs between them, in the file that ATTACK_TABLE names.
enum AttackTable {
    private static let path = Process.environment("ATTACK_TABLE")

    static func add(_ fields: String...) {
        guard let path else { return }
        let file = try? FileDescriptor.open(path, O_WRONLY | O_APPEND | O_CREAT, mode: 0o644)
        try? file?.write(fields.joined(separator: "\t") + "\n")
    }
}

/// One variant of an attack, with a bundle, a victim and a folder that go with it.
final class Stage {
    let target: Target
    let bundle: Bundle
    let victim: Victim
    private let before: [String: String]
    private var archive: ImageArchive?
    private var isPrepared = false
    /// The image is there already.
    private var isRepeated = false

    init(_ target: Target) throws {
        self.target = target
        bundle = try Bundle(target.runtime)
        // A peer's habits are no flaws.
        bundle.reportsLeftovers = target.isOurs
        victim = try Victim(in: bundle.folder)
        before = victim.snapshot()
    }

    func engine() throws -> Engine { try #require(Engine.running[target.name]) }

    /// Carries it out and judges it.
    func verdict(of attack: Attack) throws -> Verdict {
        try prepare(attack)
        let result = target.form == .engine ? try runImage(attack) : try runBundle(attack)
        return judged(Verdict(result, mustWork: attack.mustWork, proof: attack.proof))
    }

    /// With what has become of the victim.
    func judged(_ verdict: Verdict) -> Verdict {
        guard let difference = victim.difference(from: before) else { return verdict }
        return verdict.worse(.escaped(difference))
    }

    /// Puts everything in its place.
    func prepare(_ attack: Attack) throws {
        isPrepared = true
        for entry in attack.root { try make(entry) }
        guard target.form == .runtime else { return }
        bundle.config.set("process.args", .strings(attack.program))
        for edit in attack.edits {
            switch edit {
            case .set(let path, let value): bundle.config.set(path, value)
            case .append(let path, let value): bundle.config.append(path, value)
            case .remove(let path): bundle.config.remove(path)
            case .uncover(let place): bundle.config.removeAll("mounts") { $0["destination"]?.string == place }
            case .unmount(let place):
                bundle.config.removeAll("mounts") {
                    let destination = $0["destination"]?.string ?? ""
                    return destination == place || destination.hasPrefix("\(place)/")
                }
            }
        }
        if attack.terminal { bundle.config.set("process.terminal", true) }
    }

    private func make(_ entry: Entry) throws {
        let path = bundle.path("rootfs/\(entry.path)")
        if FileStatus.exists(path) { try Files.removeTree(path) }
        try Files.makeDirectories(Files.parent(of: path))
        switch entry {
        case .file(_, let text, let mode): try bundle.write("rootfs/\(entry.path)", text, mode: mode_t(mode))
        case .link(_, let target): try Link.create(path, to: target)
        case .folder: try Files.makeDirectories(path)
        case .fifo: try tool("mkfifo", path)
        case .socket:
            try tool("python3", "-c", "import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])", path)
        case .device(_, let major, let minor): try tool("mknod", path, "c", "\(major)", "\(minor)")
        case .holes(_, let bytes): try tool("truncate", "-s", "\(bytes)", path)
        case .hardLink(_, let target): try tool("ln", bundle.path("rootfs/\(target)"), path)
        }
    }

    /// Once more, with all in its place.
    func again(_ attack: Attack) throws -> Verdict {
        if !isPrepared { try prepare(attack) }
        defer { isRepeated = true }
        let result = target.form == .engine ? try runImage(attack) : try runBundle(attack)
        return Verdict(result, mustWork: attack.mustWork, proof: attack.proof)
    }

    private func runBundle(_ attack: Attack) throws -> Subprocess.Result {
        try bundle.writeConfiguration()
        let words = bundle.command(["run", "--bundle", bundle.folder, bundle.id])
        return try Subprocess.run(
            dressed(words, for: attack),
            environment: BlackBox.environment(attack.environment),
            timeout: attack.seconds * 1000
        )
    }

    private func runImage(_ attack: Attack) throws -> Subprocess.Result {
        let engine = try engine()
        if archive == nil || !isRepeated {
            let new = try ImageArchive(of: bundle, attack)
            archive = new
            let loaded = try engine(["load", "-i", new.path], seconds: attack.seconds)
            guard loaded.status == .exited(0), !loaded.timedOut else { return loaded }
        }
        let name = archive?.name ?? ""
        let terminal = attack.terminal ? ["-t"] : []
        let words = ["run", "--rm"] + terminal + attack.options + [name] + attack.program
        return try Subprocess.run(
            dressed(engine.words(words, seconds: attack.seconds), for: attack),
            environment: BlackBox.environment(attack.environment),
            timeout: attack.seconds * 1000 + 5000
        )
    }

    /// The words behind those that give a command its terminal or its /dev/null.
    private func dressed(_ words: [String], for attack: Attack) -> [String] {
        if attack.terminal {
            return ["script", "-qefc", words.map(\.quotedForShell).joined(separator: " "), "/dev/null"]
        }
        if attack.silent { return ["sh", "-c", "exec \"$@\" < /dev/null", "sh"] + words }
        return words
    }
}

extension String {
    var quotedForShell: String { "'" + replacing("'", with: "'\\''") + "'" }
}

/// Every variant on a stage of its own; the worst verdict is the row's.
func expectHarmless<Variant>(
    _ target: Target,
    _ variants: [Variant],
    _ location: SourceLocation = #_sourceLocation,
    _ attack: (Variant, Stage) throws -> Attack
) throws {
    try expectSafe(target, variants, location) { variant, stage in
        try stage.verdict(of: attack(variant, stage))
    }
}

/// The same for what is more than one command, and judges itself.
func expectSafe<Variant>(
    _ target: Target,
    _ variants: [Variant],
    _ location: SourceLocation = #_sourceLocation,
    _ verdict: (Variant, Stage) throws -> Verdict
) throws {
    var worst = Verdict.refused
    for variant in variants {
        let stage = try Stage(target)
        let this = stage.judged(try verdict(variant, stage))
        if !this.isSafe { print("\(target): \(variant): \(this.word): \(this.why.prefix(600))") }
        worst = worst.worse(this.isSafe ? this : this.of(variant))
    }
    let test = try #require(Test.current)
    let row = try #require(test.traits.lazy.compactMap { $0 as? Row }.first)
    let names = "\(test.id)".split(separator: "/").map(String.init)
    let name = "AttackTests.\(names[1]).\(names[2].prefix { $0 != "(" })"
    AttackTable.add("row", name, row.id, row.words)
    AttackTable.add("outcome", name, target.name, worst.word)
    guard let reason = row.known[target.name] else {
        #expect(worst.isSafe, "\(target): \(worst.word): \(worst.why)", sourceLocation: location)
        return
    }
    AttackTable.add("reason", name, target.name, reason)
    withKnownIssue("\(target): \(reason)", isIntermittent: row.sometimes, sourceLocation: location) {
        #expect(worst.isSafe, "\(worst.word)", sourceLocation: location)
    }
}

extension Verdict {
    fileprivate func of(_ variant: Any) -> Verdict {
        let why = "\(variant): \(why)"
        return switch self {
        case .refused, .contained: self
        case .broken: .broken(why)
        case .hung: .hung(why)
        case .crashed: .crashed(why)
        case .escaped: .escaped(why)
        }
    }
}
