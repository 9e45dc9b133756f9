import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// A signal ends a build, whatever its steps write and whoever reads that.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct BuildInterruptionTests {
    let minirun: Minirun
    /// In the environment of every step.
    let mark: String

    init() throws {
        minirun = try Minirun()
        mark = "MARK=\(minirun.folder)"
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
    }

    /// What becomes of what a build shows.
    enum Reader: String, CaseIterable, Sendable {
        case pipe, pipeThatNobodyReads, terminal, terminalThatIsStopped
    }

    static let programs = [
        "yes", "cat /dev/zero", "yes >&2", "yes & cat /dev/zero >&2", "sleep 1000",
        "while :; do echo line; usleep 1000; done", "trap '' TERM INT; while :; do yes; done",
    ]

    @Test(arguments: programs, Reader.allCases)
    func endsWhateverAStepWrites(program: String, reader: Reader) throws {
        try minirun.write("context/Dockerfile", "FROM busybox\nENV \(mark)\nRUN \(program)\n")
        let words = ["build", "--progress=\(reader == .pipe || reader == .pipeThatNobodyReads ? "plain" : "tty")"]
        let session: Session
        switch reader {
        case .pipe, .pipeThatNobodyReads: session = try Session(minirun, words + [minirun.path("context")])
        case .terminal, .terminalThatIsStopped:
            session = try Session(minirun, onTerminal: words + [minirun.path("context")])
        }
        let isRead = reader == .pipe || reader == .terminal
        session.expect(isRead ? "[2/2] RUN" : "load build definition")
        #expect(eventually(15_000) { !HostProcesses.marked(mark).isEmpty })
        // On a terminal the build goes on, and leaves out what would show it.
        if reader == .pipeThatNobodyReads { #expect(rests(session.pid)) }
        session.signal(reader == .pipe || reader == .terminalThatIsStopped ? SIGINT : SIGTERM)
        let end = try session.wait(seconds: 15, reading: isRead)
        #expect([130, 143].contains(end.code), "\(end)")
        if isRead { #expect(session.seen.contains("Canceled: context canceled"), "\(session.seen.suffix(500))") }
        try expectNothingLeft()
    }

    /// Whether a build has come to where it waits: nothing of what it could do is left to do.
    private func rests(_ pid: pid_t) -> Bool {
        var quiet = 0
        return eventually(10_000) {
            quiet = HostProcesses.status(pid, "State")?.hasPrefix("S") == true ? quiet + 1 : 0
            return quiet > 10
        }
    }

    private func expectNothingLeft(_ location: SourceLocation = #_sourceLocation) throws {
        #expect(HostProcesses.marked(mark).isEmpty, sourceLocation: location)
        #expect(minirun.containers.isEmpty && minirun.active.isEmpty, sourceLocation: location)
        #expect(HostProcesses.mounts(below: minirun.folder).isEmpty, sourceLocation: location)
        let left = try Files.list("\(minirun.root)/tmp").filter { $0.hasPrefix("build-") }
        #expect(left.isEmpty, sourceLocation: location)
    }

    /// A build of a Dockerfile from a pipe into which nobody ever writes.
    @Test func endsWhileItWaitsForItsDockerfile() throws {
        let context = try minirun.makeFolder("context")
        let pipe = minirun.path("pipe")
        try retrying("mkfifo") { mkfifo(pipe, 0o600) }
        let session = try Session(minirun, ["build", "-f", pipe, context])
        session.expect("load build definition from pipe")
        session.signal(SIGTERM)
        #expect(try session.wait(seconds: 15).code == 143)
    }

    /// Another build holds a cache that is one build's at a time.
    @Test func endsWhileItWaitsForACache() throws {
        let mount = "RUN --mount=type=cache,sharing=locked,target=/c"
        try minirun.write("context/Dockerfile", "FROM busybox\nENV \(mark)\n\(mount) sleep 1000\n")
        try minirun.write("other/Dockerfile", "FROM busybox\n\(mount) true\n")
        let first = try Session(minirun, ["build", minirun.path("context")])
        #expect(eventually(15_000) { !HostProcesses.marked(mark).isEmpty })
        let second = try Session(minirun, ["build", "--progress=plain", minirun.path("other")])
        second.expect("2/2] RUN")
        second.signal(SIGINT)
        #expect(try second.wait(seconds: 15).code == 130)
        first.signal(SIGTERM)
        #expect(try first.wait(seconds: 15).code == 143)
        try expectNothingLeft()
    }

    /// A file of the context that would take minutes to read, and one that a step has left.
    @Test(arguments: ["COPY big /", "RUN truncate -s 100G /big"])
    func endsWhileItReadsABigFile(instruction: String) throws {
        try minirun.write("context/Dockerfile", "FROM busybox\n\(instruction)\n")
        let file = try FileDescriptor.open(minirun.path("context/big"), O_WRONLY | O_CREAT)
        try retrying("ftruncate") { ftruncate(file.raw, 100 << 30) }
        let session = try Session(minirun, ["build", "--progress=plain", minirun.path("context")])
        session.expect(instruction.hasPrefix("COPY") ? "load build context" : "[2/2] RUN")
        // Whatever it is at now: each moment has to hear.
        session.signal(SIGTERM)
        #expect(try session.wait(seconds: 15).code == 143)
        try expectNothingLeft()
    }

    /// The same for a program that the engine carries the output of: its terminal was stopped.
    @Test func aRunOnAStoppedTerminalHearsSignals() throws {
        let script = "trap 'exit 7' TERM; yes & wait"
        let session = try Session(
            minirun,
            onTerminal: ["run", "--rm", "-e", mark, "busybox", "sh", "-c", script]
        )
        #expect(eventually(15_000) { HostProcesses.marked(mark).contains { HostProcesses.name($0) == "yes" } })
        #expect(rests(session.pid))
        session.signal(SIGTERM)
        #expect(eventually(10_000) { HostProcesses.marked(mark).isEmpty })
        // What it wrote last waits for its reader until somebody asks again. A signal that comes before the engine has heard of
        // the end is still the program's.
        #expect(
            eventually(15_000) {
                session.signal(SIGTERM)
                return session.hasEnded()
            }
        )
        #expect(try session.wait(seconds: 15, reading: false).code == 7)
    }

    /// A build whose output cannot be written says so.
    @Test func anOutputThatIsFullIsAnError() throws {
        try minirun.write("context/Dockerfile", "FROM busybox\nRUN true\n")
        for arguments in [["build", "--progress=plain"], ["build", "--iidfile", "/dev/full"]] {
            let command = minirun.command(arguments + [minirun.path("context")]).joined(separator: " ")
            let isProgress = arguments.count == 2 && arguments[1].hasPrefix("--progress")
            let outcome = Outcome(
                try Subprocess.run(
                    ["sh", "-c", "exec \(command)\(isProgress ? " 2>/dev/full" : "")"],
                    environment: Minirun.environment(),
                    timeout: 60_000
                )
            )
            #expect(outcome.code == 1, "\(arguments): \(outcome)")
        }
    }
}
