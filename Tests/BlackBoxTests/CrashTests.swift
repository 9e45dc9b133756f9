import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Whoever is killed, whenever: nothing of the container runs on, and the next command works and cleans up.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct CrashTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    enum Victim: CaseIterable { case engine, shim }

    /// What runs in the container, and how its pid 1 came to be who it is.
    static let programs: [[String]] = [
        ["--rm", Fixtures.guest, "sleep", "forever"], ["--rm", Fixtures.guest, "drop", "1000"],
        ["--rm", "-u", "1000", Fixtures.guest, "sleep", "forever"], ["--rm", "--init", Fixtures.guest, "drop", "1000"],
        ["--rm", "-m", "64m", "--pids-limit", "10", Fixtures.guest, "drop", "33"],
        ["--rm", "--privileged", Fixtures.busybox, "sh", "-c", "setsid sleep 1000 & exec sleep 1000"],
        ["--rm", "--network", "host", Fixtures.guest, "trap"], [Fixtures.guest, "sleep", "forever"],
    ]

    static var rounds: Int { Minirun.isLong ? 200 : 40 }
    static let seed = Process.environment("MINIRUN_SEED").flatMap(UInt64.init) ?? 20_250

    @Test(arguments: Victim.allCases) func killedAtAnyMoment(victim: Victim) throws {
        var random = SeededRandom(Self.seed &+ (victim == .shim ? 1 : 0))
        // The store is filled before, so that the moments lie within a run and not within the first unpacking.
        #expect(try minirun("run", "--rm", Fixtures.busybox, "true").code == 0)
        #expect(try minirun("run", "--rm", Fixtures.guest, "exit", "0").code == 0)
        for round in 0..<Self.rounds / 2 {
            let program = Self.programs.randomElement(using: &random) ?? []
            // From before the first file to well into the program's life.
            let delay = useconds_t.random(in: 0...(round % 4 == 0 ? 150_000 : 25_000), using: &random)
            try crash(victim, program, after: delay, "seed \(Self.seed), round \(round): \(program) after \(delay) µs")
        }
    }

    /// Also where the first run of an image is unpacking it.
    @Test func killedWhileUnpacking() throws {
        var random = SeededRandom(Self.seed &+ 2)
        for round in 0..<(Minirun.isLong ? 40 : 8) {
            let fresh = try Minirun()
            let pid = try start(fresh, ["--rm", Fixtures.busybox, "true"])
            usleep(useconds_t.random(in: 0...60_000, using: &random))
            kill(pid, SIGKILL)
            _ = try Subprocess.wait(for: pid)
            let next = try fresh("run", "--rm", Fixtures.busybox, "cat", "/etc/group")
            #expect(next.code == 0 && next.out.contains("extra:x:2000:app"), "round \(round): \(next)")
            #expect(fresh.containers.isEmpty && fresh.active.isEmpty && fresh.names.isEmpty)
        }
    }

    /// The terminal's program goes with the engine, too.
    @Test func killedOnATerminal() throws {
        let mark = "MARK=\(minirun.folder)"
        let session = try Session(minirun, onTerminal: ["run", "--rm", "-it", "-e", mark, Fixtures.guest, "trap"])
        session.expect("ready")
        #expect(!HostProcesses.marked(mark).isEmpty)
        session.signal(SIGKILL)
        #expect(eventually { HostProcesses.marked(mark).isEmpty })
    }

    private func start(_ engine: Minirun, _ words: [String]) throws -> pid_t {
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        return try Subprocess.start(
            engine.command(["run"] + words),
            environment: Minirun.environment(),
            descriptors: [null.raw, null.raw, null.raw]
        )
    }

    private func crash(_ victim: Victim, _ program: [String], after delay: useconds_t, _ comment: String) throws {
        let mark = "MARK=\(minirun.folder)"
        let pid = try start(minirun, ["-e", mark] + program)
        usleep(delay)
        // The container's folder tells its id while there is one.
        let ids = minirun.active.filter { $0.utf8.count == 64 }
        let monitors = HostProcesses.children(of: pid)
        switch victim {
        case .engine: kill(pid, SIGKILL)
        case .shim:
            for monitor in monitors { kill(monitor, SIGKILL) }
            // No shim yet: there is nothing to kill but the engine.
            if monitors.isEmpty { kill(pid, SIGKILL) }
        }
        let status = try Subprocess.wait(for: pid)
        if victim == .shim, !monitors.isEmpty {
            #expect(status.code == 137 || status.code == 125, "\(comment): \(status)")
        }

        let isGone = eventually(1000) {
            HostProcesses.marked(mark).isEmpty && monitors.allSatisfy(HostProcesses.hasEnded)
        }
        #expect(isGone, "\(comment): still running: \(HostProcesses.marked(mark))")
        // Anything that was born too late to be seen above.
        #expect(HostProcesses.mounts(below: minirun.folder).isEmpty, "\(comment)")

        let next = try minirun("run", "--rm", Fixtures.guest, "echo", "works")
        #expect(next.out == "works\n" && next.err == "", "\(comment): \(next)")
        // A child that the engine had cloned a moment before holds its lock until it is executed: then the command after this
        // one cleans up.
        if !minirun.active.isEmpty { _ = try minirun("run", "--rm", Fixtures.guest, "exit", "0") }
        for id in ids { #expect(HostProcesses.cgroups(of: id).isEmpty, "\(comment): a control group is left") }
        #expect(minirun.active.isEmpty, "\(comment): \(minirun.active)")
        if program.first == "--rm" {
            #expect(minirun.containers.isEmpty && minirun.names.isEmpty, "\(comment): \(minirun.containers)")
        } else {
            try settled(comment)
        }
    }

    /// A container that was to stay has ended, in the eyes of the next command.
    private func settled(_ comment: String) throws {
        for id in minirun.containers {
            let state = try JSON.parse(try Files.read("\(minirun.root)/containers/\(id)/state.json"))
            #expect(state["status"]?.string == "exited" && state["exitCode"]?.int == 137, "\(comment): \(state.text())")
            try Files.removeTree("\(minirun.root)/containers/\(id)")
        }
        for name in minirun.names { try Files.remove("\(minirun.root)/containers/names/\(name)") }
    }
}

/// Many runs: all right, and nothing left.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct ManyRunsTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private func nothingIsLeft() {
        #expect(minirun.containers.isEmpty && minirun.active.isEmpty && minirun.names.isEmpty)
        #expect(HostProcesses.mounts(below: minirun.folder).isEmpty)
        #expect(HostProcesses.marked("MARK=\(minirun.folder)").isEmpty)
    }

    @Test func aHundredAtOnce() throws {
        var running: [(pid: pid_t, output: String)] = []
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        for number in 0..<100 {
            let path = minirun.path("out-\(number)")
            let output = try FileDescriptor.open(path, O_WRONLY | O_CREAT, mode: 0o600)
            let options =
                number % 3 == 0 ? ["-m", "64m"] : number % 3 == 1 ? ["--init", "-u", "app"] : ["--pids-limit", "9"]
            let command =
                ["run", "--rm", "-e", "MARK=\(minirun.folder)"] + options + [
                    Fixtures.busybox, "sh", "-c", "echo \(number); exit \(number)",
                ]
            running.append(
                (
                    try Subprocess.start(
                        minirun.command(command),
                        environment: Minirun.environment(),
                        descriptors: [null.raw, output.raw, output.raw]
                    ), path
                )
            )
        }
        for (number, run) in running.enumerated() {
            #expect(try Subprocess.wait(for: run.pid) == .exited(Int32(number)), "run \(number)")
            #expect(try Files.readText(run.output) == "\(number)\n")
        }
        nothingIsLeft()
    }

    @Test func manyInARow() throws {
        for number in 0..<(Minirun.isLong ? 1000 : 100) {
            let outcome = try minirun("run", "--rm", Fixtures.busybox, "echo", "\(number)")
            #expect(outcome.code == 0 && outcome.out == "\(number)\n" && outcome.err == "", "\(outcome)")
        }
        nothingIsLeft()
    }

    @Test func namesUnderContention() throws {
        var pids: [pid_t] = []
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        for _ in 0..<20 {
            pids.append(
                try Subprocess.start(
                    minirun.command(["run", "--rm", "--name", "one", Fixtures.busybox, "sleep", "3"]),
                    environment: Minirun.environment(),
                    descriptors: [null.raw, null.raw, null.raw]
                )
            )
        }
        let codes = try pids.map { try Subprocess.wait(for: $0).code }
        #expect(codes.filter { $0 == 0 }.count == 1 && codes.filter { $0 == 125 }.count == 19, "\(codes)")
        nothingIsLeft()
    }
}
