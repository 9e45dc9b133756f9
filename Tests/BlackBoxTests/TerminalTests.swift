import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// `-t`: a terminal inside, and the caller's own as it was on every way out.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct TerminalTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private func session(_ options: [String] = ["-it"], _ command: [String], columns: Int = 80, rows: Int = 24) throws
        -> Session
    {
        try Session(minirun, onTerminal: ["run", "--rm"] + options + command, columns: columns, rows: rows)
    }

    @Test func theProgramHasATerminal() throws {
        let session = try session(["-it"], [Fixtures.guest, "report"])
        #expect(try session.wait() == .exited(0))
        let report = try JSON.parse(Array(session.seen.utf8))
        for terminal in report["terminals"]?.array ?? [] {
            #expect(terminal["terminal"]?.bool == true && terminal["name"]?.string == "/dev/pts/0")
            #expect(terminal["foreground"]?.bool == true)
            #expect(terminal["columns"]?.int == 80 && terminal["rows"]?.int == 24)
        }
        #expect(report["environment"]?.strings?.contains("TERM=xterm") == true)
        #expect(report["descriptors"]?.array?.count == 3)
        #expect(report["devices"]?.text().contains("\"console\"") == true)
        #expect(report["sid"]?.int == 1)
    }

    /// What somebody else's image says of itself moves no cursor and renames no window.
    @Test func whatAnImageSaysIsNotCarriedOut() throws {
        try tool("sh", "-ec", "echo x > x; tar -cf said.tar x", directory: minirun.path("."))
        let hostile = "\u{1B}]0;name\u{07}\u{9B}2J"
        let made = try minirun("import", "-m", hostile, minirun.path("said.tar"), "said")
        #expect(made.code == 0, "\(made)")
        for words in [["history", "said"], ["inspect", "said"], ["inspect", "-f", "{{.Comment}}", "said"]] {
            let session = try Session(minirun, onTerminal: words, columns: 80, rows: 24)
            #expect(try session.wait() == .exited(0))
            #expect(session.seen.contains("]0;name"))
            #expect(!session.seen.unicodeScalars.contains { $0.value < 0x20 && $0 != "\r" && $0 != "\n" && $0 != "\t" })
            #expect(!session.seen.unicodeScalars.contains { (0x7F..<0xA0).contains($0.value) })
        }
        // Into a pipe it goes as it is.
        #expect(try minirun("inspect", "-f", "{{.Comment}}", "said").out == hostile + "\n")
    }

    @Test func linesEndWithACarriageReturn() throws {
        let session = try session(["-it"], [Fixtures.busybox, "echo", "line"])
        #expect(try session.wait() == .exited(0))
        #expect(session.seen == "line\r\n")
    }

    @Test func muchOutputArrivesWhole() throws {
        let session = try session(["-it"], [Fixtures.busybox, "sh", "-c", "seq 1 20000; printf last; exit 6"])
        #expect(try session.wait() == .exited(6))
        #expect(session.seen.hasSuffix("20000\r\nlast"))
        #expect(session.seen.utf8.count == 108_894 + 20000 + 4)
    }

    @Test func theSizeFollows() throws {
        let session = try session(["-it"], [Fixtures.guest, "tty"], columns: 101, rows: 37)
        session.expect("37x101")
        try session.resize(columns: 90, rows: 20)
        session.expect("20x90")
        try session.type("done\n")
        session.expect("line: done")
        #expect(try session.wait() == .exited(0))
    }

    @Test(arguments: [[], ["--init"]]) func controlCIsAByte(options: [String]) throws {
        let session = try session(["-it"] + options, [Fixtures.guest, "trap"])
        session.expect("ready")
        try session.type("\u{3}")
        session.expect("SIGINT\r\n")
        try session.type("\u{1c}")
        session.expect("SIGQUIT\r\n")
        session.signal(SIGTERM)
        session.expect("SIGTERM")
        #expect(try session.wait() == .exited(0))
        #expect(session.seen.components(of: "SIGINT") == 1, "the program saw it twice: \(session.seen)")
    }

    @Test func controlDEndsTheInput() throws {
        let session = try session(["-it"], [Fixtures.busybox, "cat"])
        try session.type("typed\n")
        session.expect("typed\r\ntyped\r\n")
        try session.type("\u{4}")
        #expect(try session.wait() == .exited(0))
    }

    @Test func typedPasswordsAreNotEchoedTwice() throws {
        let session = try session(
            ["-it"],
            [Fixtures.busybox, "sh", "-c", "stty -echo; echo ready; read x; echo got $x"]
        )
        session.expect("ready")
        try session.type("secret\n")
        session.expect("got secret")
        #expect(try session.wait() == .exited(0))
        #expect(session.seen.components(of: "secret") == 1)
    }

    // MARK: The caller's terminal

    @Test func theTerminalIsRawMeanwhileAndRestoredAtTheEnd() throws {
        let terminal = try PseudoTerminal()
        let before = try tool("stty", "-F", terminal.name, "-a")
        let pid = try terminal.start(
            minirun.command(["run", "--rm", "-it", Fixtures.busybox, "sh", "-c", "read x"]),
            environment: Minirun.environment()
        )
        #expect(try eventually(10_000) { try tool("stty", "-F", terminal.name, "-a").contains("-icanon") })
        try terminal.master.write("\r")
        #expect(try Subprocess.wait(for: pid) == .exited(0))
        #expect(try tool("stty", "-F", terminal.name, "-a") == before)
    }

    @Test(arguments: [SIGTERM, SIGHUP, SIGINT, SIGUSR1, SIGQUIT]) func restoredAfterASignal(signal: CInt) throws {
        let terminal = try PseudoTerminal()
        let before = try tool("stty", "-F", terminal.name, "-a")
        // A child of a shell dies of the signal, pid 1 would not.
        let pid = try terminal.start(
            minirun.command(["run", "--rm", "-it", "--init", Fixtures.busybox, "sleep", "60"]),
            environment: Minirun.environment()
        )
        #expect(try eventually(10_000) { try tool("stty", "-F", terminal.name, "-a").contains("-icanon") })
        usleep(100_000)
        kill(pid, signal)
        #expect(try Subprocess.wait(for: pid) == .exited(128 + signal))
        #expect(try tool("stty", "-F", terminal.name, "-a") == before)
    }

    @Test(arguments: [["nosuch"], ["-w", "/etc/passwd"], ["-v", "/etc/passwd:/etc"]]) func restoredWhenNothingStarts(
        words: [String]
    ) throws {
        let terminal = try PseudoTerminal()
        let before = try tool("stty", "-F", terminal.name, "-a")
        let isOption = words[0].hasPrefix("-")
        let command =
            ["run", "--rm", "-it"] + (isOption ? words : []) + [Fixtures.busybox] + (isOption ? ["true"] : words)
        let pid = try terminal.start(minirun.command(command), environment: Minirun.environment())
        #expect(try Subprocess.wait(for: pid).code >= 125)
        #expect(try tool("stty", "-F", terminal.name, "-a") == before)
        #expect(minirun.containers.isEmpty && minirun.active.isEmpty)
    }

    @Test func inputThatIsNoTerminalIsRefused() throws {
        let outcome = try minirun("run", "--rm", "-it", Fixtures.busybox, "true", input: "x")
        #expect(outcome.err == "the input device is not a TTY\n")
        #expect(outcome.code == 1)
        #expect(minirun.containers.isEmpty)
        // Without -i nobody types, so it need not be one; the output is still a terminal's.
        #expect(
            try minirun("run", "--rm", "-t", Fixtures.busybox, "sh", "-c", "tty; echo x").out == "/dev/pts/0\r\nx\r\n"
        )
    }

    // MARK: Nothing waits for ever

    @Test func aProgramThatDoesNotReadStillGetsSignals() throws {
        let session = try session(["-it"], [Fixtures.busybox, "sh", "-c", "stty raw -echo; echo ready; exec sleep 60"])
        session.expect("ready")
        for _ in 0..<6 { try session.typeWhatFits(String(repeating: "x", count: 16384)) }
        for _ in 0..<3 {
            session.signal(SIGTERM)
            usleep(100_000)
        }
        #expect(try session.wait(reading: false) == .exited(137))
    }

    @Test func aReaderThatStoppedDoesNotHoldUpSignals() throws {
        let session = try session(["-it"], [Fixtures.busybox, "yes"])
        session.expect("y")
        usleep(300_000)
        for _ in 0..<3 {
            session.signal(SIGTERM)
            usleep(100_000)
        }
        #expect(try session.wait(reading: false) == .exited(137))
    }

    @Test func aProgramWithoutItsTerminalCostsNothing() throws {
        let script = "echo ready; exec sleep 3 <&- >&- 2>&-"
        let session = try session(["-it"], [Fixtures.busybox, "sh", "-c", script])
        session.expect("ready")
        usleep(500_000)
        let before = try processorTime(session.pid)
        usleep(1_000_000)
        // A loop would take most of it.
        let taken = try processorTime(session.pid) - before
        #expect(taken < 30, "\(taken) hundredths of a second")
        #expect(try session.wait() == .exited(0))
    }

    /// Both kinds of it, in hundredths of a second (proc(5), stat).
    private func processorTime(_ pid: pid_t) throws -> Int {
        let fields = try Files.readText("/proc/\(pid)/stat").split(separator: " ")
        return try #require(Int(fields[13])) + #require(Int(fields[14]))
    }

    @Test func theCallersTerminalIsOutOfReach() throws {
        // CVE-2016-2568 and its kind: TIOCSTI would type into the caller's shell. Without -t the container has the terminal
        // itself as its 0 to 2.
        let script = """
            import fcntl, termios, os
            for fd in (0, 1, 2):
                try:
                    fcntl.ioctl(fd, termios.TIOCSTI, b'!'); print('typed')
                except OSError as e: print('refused')
            try: os.open('/dev/tty', os.O_RDWR); print('has a terminal')
            except OSError as e: print('no terminal')
            """
        let session = try session(["-i"], [Fixtures.python, "python", "-c", script])
        #expect(try session.wait(seconds: 60) == .exited(0))
        #expect(session.seen == "refused\r\nrefused\r\nrefused\r\nno terminal\r\n")
    }
}

extension String {
    /// How often a text occurs.
    func components(of text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let range = rest.firstRange(of: text) {
            count += 1
            rest = rest[range.upperBound...]
        }
        return count
    }
}

/// Signals to the engine reach the program.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct SignalTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    static let forwarded: [(String, CInt)] = [
        ("SIGHUP", SIGHUP), ("SIGINT", SIGINT), ("SIGQUIT", SIGQUIT), ("SIGUSR1", SIGUSR1), ("SIGUSR2", SIGUSR2),
        ("SIGALRM", SIGALRM), ("SIGCONT", SIGCONT), ("SIGTSTP", SIGTSTP), ("SIGTTIN", SIGTTIN), ("SIGTTOU", SIGTTOU),
        ("SIGURG", SIGURG), ("SIGXCPU", SIGXCPU), ("SIGXFSZ", SIGXFSZ), ("SIGVTALRM", SIGVTALRM), ("SIGPROF", SIGPROF),
        ("SIGWINCH", SIGWINCH), ("SIGPOLL", SIGIO), ("SIGPWR", SIGPWR), ("SIGSTKFLT", 16),
    ]

    @Test(arguments: [[], ["--init"], ["-u", "app"]]) func eachSignalIsForwarded(options: [String]) throws {
        let user = options.first == "-u" ? ["-u", "1000"] : options
        let session = try Session(minirun, ["run", "--rm"] + user + [Fixtures.guest, "trap"])
        session.expect("ready\n")
        for (name, number) in Self.forwarded {
            session.forget()
            session.signal(number)
            session.expect("\(name)\n", seconds: 5)
        }
        for number in [34, 40, 64] as [CInt] {
            session.forget()
            session.signal(number)
            session.expect("\n", seconds: 5)
        }
        session.signal(SIGTERM)
        #expect(try session.wait() == .exited(0))
    }

    @Test func signalsThatComeEarlyAreKept() throws {
        for _ in 0..<5 {
            let session = try Session(minirun, ["run", "--rm", "--init", Fixtures.busybox, "sleep", "60"])
            // The container is on its way: its folder is there.
            #expect(eventually(5000) { !minirun.active.isEmpty })
            usleep(useconds_t.random(in: 0...8000))
            session.signal(SIGTERM)
            let status = try session.wait(seconds: 10)
            #expect(status.code == 143, "\(status)")
            #expect(eventually { minirun.active.isEmpty && minirun.containers.isEmpty })
        }
    }

    @Test(arguments: [SIGTERM, SIGINT]) func theThirdTimeItIsMeant(signal: CInt) throws {
        let session = try Session(
            minirun,
            ["run", "--rm", Fixtures.busybox, "sh", "-c", "trap '' INT TERM; echo ready; exec sleep 60"]
        )
        session.expect("ready")
        for _ in 0..<2 {
            session.signal(signal)
            usleep(200_000)
        }
        #expect(!minirun.active.isEmpty)
        session.signal(signal)
        let status = try session.wait()
        #expect(status == .exited(137), "\(session.seen)")
        #expect(minirun.containers.isEmpty)
    }

    @Test func signalsStayWithUsWhereAsked() throws {
        let session = try Session(minirun, ["run", "--rm", "--sig-proxy=false", Fixtures.guest, "trap"])
        session.expect("ready\n")
        session.signal(SIGUSR1)
        let status = try session.wait()
        #expect(status == .signalled(SIGUSR1))
        #expect(!session.seen.contains("SIGUSR1"))
    }

    @Test func zombiesAreReapedByInit() throws {
        #expect(try minirun.guest("orphan") == "zombie")
        #expect(try minirun.guest("orphan", options: ["--init"]) == "reaped")
        let report = try minirun.report("--init")
        #expect(try #require(report["pid"].int) > 1 && report["ppid"].int == 1)
        #expect(try minirun("run", "--rm", "--init", Fixtures.guest, "exit", "37").code == 37)
        #expect(try minirun("run", "--rm", "--init", Fixtures.guest, "signal", "9").code == 137)
        #expect(try minirun("run", "--rm", "--init", Fixtures.busybox, "nosuch").code == 127)
    }

    @Test func aStoppedProgramGoesOn() throws {
        let session = try Session(
            minirun,
            ["run", "--rm", "--init", Fixtures.busybox, "sh", "-c", "echo ready; kill -STOP $$; echo again"]
        )
        session.expect("ready")
        usleep(200_000)
        session.signal(SIGCONT)
        session.expect("again")
        #expect(try session.wait() == .exited(0))
    }
}
