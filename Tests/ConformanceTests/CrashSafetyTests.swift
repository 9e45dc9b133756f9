import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Runtimes that are killed, callers at the same time, state that is wrong.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct CrashSafetyTests {
    static let seed = Process.environment("MINIRUN_SEED").flatMap(UInt64.init) ?? 20_250
    static var rounds: Int { BlackBox.isLong ? 60 : 8 }

    @Test(
        .must(
            "kill -9",
            "A runtime that is killed at any moment leaves what delete --force takes away. (Debian's two leave some.)"
        ),
        arguments: ["create", "start", "run", "delete"]
    )
    func killedAtAnyMoment(verb: String) throws {
        var random = SeededRandom(Self.seed &+ UInt64(verb.utf8.reduce(0) { $0 + Int($1) }))
        for round in 0..<Self.rounds {
            let delay = useconds_t.random(in: 0...(round % 4 == 0 ? 100_000 : 30_000), using: &random)
            try known(.crun, .runc, because: "writes its state after the first that it makes", sometimes: true) {
                try crash(verb, after: delay, "seed \(Self.seed), round \(round): \(verb) after \(delay) µs")
            }
        }
    }

    private func crash(_ verb: String, after delay: useconds_t, _ comment: String) throws {
        let bundle = try Bundle()
        bundle.config.set("process.args", ["/guest", "sleep", "forever"])
        try bundle.writeConfiguration()
        var words = [verb, bundle.id]
        switch verb {
        case "create", "run": words = [verb, "--bundle", bundle.folder, bundle.id]
        case "start": expectSuccess(try bundle.create())
        default:
            expectSuccess(try bundle.create())
            expectSuccess(try bundle.start())
            words = ["delete", "--force", bundle.id]
        }
        let victim = try Launched(bundle.command(words))
        usleep(delay)
        kill(victim.pid, SIGKILL)
        try victim.wait()
        // Whatever state it is in, these two work, and afterwards nothing is left; the bundle's end looks.
        let deleted = try bundle.invoke(["delete", "--force", bundle.id])
        #expect(deleted.code == 0 || bundle.status() == "absent", "\(comment): \(deleted)")
        let left = Leftovers(of: [bundle.id], in: bundle.folder)
        #expect(left.found.isEmpty, "\(comment): \(left.found)")
        left.remove()
        bundle.config.set("process.args", ["/guest", "echo", "again"])
        let again = try bundle.run()
        #expect(again.out == "again\n", "\(comment): \(again)")
    }

    // MARK: a pid that is somebody else's

    @Test(
        .must("reused pid", "A process that has come to a container's pid is never signalled."),
        arguments: ["kill", "delete --force"]
    )
    func anotherProcessIsNotSignalled(verb: String) throws {
        let bundle = try Bundle()
        try bundle.launch()
        let own = try bundle.pid()
        let stranger = try Launched([GuestProgram.path, "sleep", "forever"])
        let files = try Self.files(below: bundle.root).filter { (try? FileStatus.of($0))?.kind == .file }
        var saved: [(String, [UInt8])] = []
        for file in files {
            let bytes = try Files.read(file)
            let text = String(decoding: bytes, as: UTF8.self)
            guard text.contains("\(own)") else { continue }
            saved.append((file, bytes))
            try Files.write(file, Array(Self.replaceNumber(own, by: stranger.pid, in: text).utf8))
        }
        try #require(!saved.isEmpty, "no state file holds the pid \(own)")
        // Deleting by force may take the state away, but not kill the stranger.
        _ = try bundle.invoke(verb == "kill" ? ["kill", bundle.id, "KILL"] : ["delete", "--force", bundle.id])
        var status: Int32 = 0
        #expect(waitpid(stranger.pid, &status, WNOHANG) == 0, "the stranger was killed")
        if verb == "kill" { for (file, bytes) in saved { try Files.write(file, bytes) } }
        kill(own, SIGKILL)
        // With its state gone the container's own things are nobody's.
        if verb != "kill" { Leftovers(of: [bundle.id], in: bundle.folder, waiting: 0).remove() }
    }

    private static func files(below folder: String) throws -> [String] {
        try Files.list(folder).map { "\(folder)/\($0)" }.flatMap { path in
            (try? FileStatus.of(path))?.kind == .directory ? try files(below: path) : [path]
        }
    }

    /// The number as a word of its own.
    private static func replaceNumber(_ old: pid_t, by new: pid_t, in text: String) -> String {
        var result = ""
        var digits = ""
        for character in text + "\u{0}" {
            if character.isASCII && character.isNumber {
                digits.append(character)
            } else {
                result += digits == "\(old)" ? "\(new)" : digits
                digits = ""
                if character != "\u{0}" { result.append(character) }
            }
        }
        return result
    }

    // MARK: at the same time

    @Test(.must("concurrency", "Of ten creates of one ID at the same time exactly one wins."))
    func oneOfTenCreatesWins() throws {
        let bundle = try Bundle()
        bundle.config.set("process.args", ["/guest", "echo", "won"])
        try bundle.writeConfiguration()
        let all = try (0..<10).map { _ in
            try Launched(bundle.command(["create", "--bundle", bundle.folder, bundle.id]))
        }
        let codes = try all.map { try $0.wait().code }
        known(.runc, because: "those that lose take the winner's control group away", sometimes: true) {
            #expect(codes.filter { $0 == 0 }.count == 1, "\(codes)")
        }
        if OCIRuntime.underTest.kind == .runc && !codes.contains(0) { return }
        #expect(bundle.status() == "created")
        expectSuccess(try bundle.start())
        let winner = try #require(zip(all, codes).first { $0.1 == 0 }).0
        winner.closeInput()
        try winner.readToEnd()
        #expect(winner.outText == "won\n")
    }

    @Test(.must("concurrency", "Of several starts at the same time one wins, and the program runs once."))
    func oneOfFiveStartsWins() throws {
        let bundle = try Bundle()
        bundle.config.set("process.args", ["/bin/sh", "-c", "echo run >> /runs; exec /guest trap"])
        expectSuccess(try bundle.create())
        let all = try (0..<5).map { _ in try Launched(bundle.command(["start", bundle.id])) }
        for one in all { one.closeInput() }
        try bundle.created?.expect("ready")
        let codes = all.map { try? $0.wait(seconds: 5).code }
        #expect(bundle.read("rootfs/runs") == "run\n")
        known(.crun, .runc, because: "starts that lose a race wait or succeed", sometimes: true) {
            #expect(codes.filter { $0 == 0 }.count == 1, "\(codes)")
        }
    }

    @Test(.must("concurrency", "Execs, kills and deletes at the same time do not disturb one another."))
    func execsAndDeletesTogether() throws {
        let bundle = try Bundle()
        try bundle.launch()
        let execs = try (0..<8).map { try Launched(bundle.command(["exec", bundle.id, "/guest", "echo", "\($0)"])) }
        for (number, exec) in execs.enumerated() {
            exec.closeInput()
            #expect(try exec.wait() == .exited(0), "\(exec.errText)")
            #expect(exec.outText == "\(number)\n")
        }
        let kills = try (0..<3).map { _ in try Launched(bundle.command(["kill", bundle.id, "KILL"])) }
        let deletes = try (0..<5).map { _ in try Launched(bundle.command(["delete", "--force", bundle.id])) }
        for one in kills + deletes { try one.wait() }
        #expect(bundle.status() == "absent")
        #expect(Leftovers(of: [bundle.id], in: bundle.folder).found.isEmpty)
    }

    // MARK: what is said

    @Test(
        .must(
            "errors",
            "A step that fails is one line on standard error and, with --log-format json, one JSON object in the log."
        ),
        arguments: ["root", "mount", "program", "hook"]
    )
    func anErrorIsOneLine(what: String) throws {
        let bundle = try Bundle()
        switch what {
        case "root": bundle.config.set("root.path", "nothing")
        case "mount": bundle.config.append("mounts", .mount("/x", "no-such-filesystem", "x", []))
        case "hook": bundle.config.append("hooks.createRuntime", .shellHook("exit 3"))
        default: bundle.config.set("process.args", ["/nothing"])
        }
        try bundle.writeConfiguration()
        let words = ["run", "--bundle", bundle.folder, bundle.id]
        let plain = try bundle.invoke(words)
        known(.crun, .runc, because: "one for each step that it goes back", sometimes: true) {
            #expect(plain.code != 0 && plain.err.split(separator: "\n").count == 1, "\(plain)")
        }
        let log = bundle.path("log.json")
        let logged = try bundle.invoke(words, global: ["--log", log, "--log-format", "json"])
        #expect(logged.code != 0)
        let lines = try bundle.logged(log)
        let last = try #require(lines.last)
        #expect(last["level"]?.string == "error" && last["msg"]?.string?.isEmpty == false, "\(last.text())")
        // containerd decodes the time, podman the whole file as one object.
        #expect(last["time"]?.string?.contains("T") == true)
        known(.runc, .crun, because: "several", sometimes: true) { #expect(lines.count == 1) }
    }
}
