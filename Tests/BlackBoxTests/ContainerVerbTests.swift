import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// `create`, `start`, `wait`, `kill` and `stop`: one container, several commands.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct ContainerVerbTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    @discardableResult private func create(_ words: String...) throws -> String {
        let created = try minirun.invoke(["create"] + words)
        #expect(created.code == 0 && ContainerVerbTests.isID(created.line), "\(created)")
        return created.line
    }

    private static func isID(_ text: String) -> Bool { text.utf8.count == 64 }

    private func status(_ name: String) throws -> String {
        try minirun("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name).line
    }

    @Test func whatWasCreatedIsStartedAgainAndAgain() throws {
        let id = try create(
            "--name",
            "one",
            "-e",
            "A=b",
            Fixtures.busybox,
            "sh",
            "-c",
            "echo $A; echo x >> /runs; wc -l < /runs"
        )
        #expect(try status("one") == "created 0" && minirun.active.isEmpty && minirun.names == ["one"])
        #expect(try minirun("ps", "-a", "--format", "{{.Names}} {{.Status}}").line == "one Created")
        for run in 1...3 {
            let started = try minirun("start", "-a", run == 2 ? String(id.prefix(12)) : "/one")
            #expect(started.code == 0 && started.lines == ["b", "\(run)"], "\(started)")
            #expect(try status("one") == "exited 0" && minirun.active.isEmpty)
        }
        #expect(try minirun("rm", "one").code == 0)
        #expect(minirun.containers.isEmpty && minirun.names.isEmpty)
    }

    /// What `run` has left is started as well.
    @Test func whatRanIsStartedAgain() throws {
        let script = "[ -e /before ] && exit 4; touch /before; exit 3"
        #expect(try minirun("run", "--name", "one", Fixtures.busybox, "sh", "-c", script).code == 3)
        #expect(try minirun("start", "-a", "one").code == 4)
        #expect(try status("one") == "exited 4")
    }

    @Test func theInputIsTheCallersWhereBothWantIt() throws {
        try create("-i", "--name", "open", Fixtures.busybox, "cat")
        try create("--name", "closed", Fixtures.busybox, "cat")
        #expect(try minirun.invoke(["start", "-i", "open"], input: "typed\n").out == "typed\n")
        #expect(try minirun.invoke(["start", "-a", "open"], input: "typed\n").out == "")
        #expect(try minirun.invoke(["start", "-ai", "closed"], input: "typed\n").out == "")
    }

    @Test func aTerminalIsTheCallers() throws {
        try create("-it", "--name", "one", Fixtures.busybox, "sh", "-c", "read a; tty; echo got $a")
        let session = try Session(minirun, onTerminal: ["start", "-ai", "one"])
        try session.type("it\n")
        session.expect("/dev/pts/0")
        session.expect("got it")
        #expect(try session.wait().code == 0)
    }

    @Test func oneThatIsRemovedAtItsEndIsStartedOnce() throws {
        try create("--rm", "--name", "one", Fixtures.busybox, "sh", "-c", "exit 5")
        #expect(try status("one") == "created 0")
        #expect(try minirun("create", "--name", "one", Fixtures.busybox).code == 1)
        #expect(try minirun("start", "-a", "one").code == 5)
        #expect(minirun.containers.isEmpty && minirun.names.isEmpty && minirun.active.isEmpty)
        #expect(try Files.list("\(minirun.state)/containers").isEmpty)
        // After a boot nobody can start it any more.
        try create("--rm", "--name", "one", Fixtures.busybox)
        try Files.removeTree(minirun.state)
        #expect(try minirun("ps", "-aq").out == "")
        #expect(try minirun("run", "--rm", Fixtures.busybox, "true").code == 0)
        #expect(minirun.containers.isEmpty && minirun.names.isEmpty)
    }

    @Test(arguments: [[], ["--rm"]]) func whoeverWaitsHearsTheEnd(options: [String]) throws {
        let session = try Session(
            minirun,
            ["run"] + options + ["--name", "one", "-i", Fixtures.busybox, "sh", "-c", "echo ready; read a; exit 7"]
        )
        session.expect("ready")
        let waiting = try (0..<3).map { _ in try Session(minirun, ["wait", "one"]) }
        for one in waiting {
            #expect(eventually(10_000) { HostProcesses.hasOpen(one.pid, below: "\(minirun.state)/active") })
        }
        try session.type("\n")
        #expect(try session.wait().code == 7)
        for one in waiting {
            #expect(try one.wait().code == 0 && one.seen == "7\n")
        }
    }

    @Test func waitingForWhatDoesNotRun() throws {
        try create("--name", "created", Fixtures.busybox, "true")
        #expect(try minirun("run", "--name", "ended", Fixtures.busybox, "sh", "-c", "exit 9").code == 9)
        let waited = try minirun("wait", "created", "nosuch", "ended")
        #expect(
            waited.code == 1 && waited.lines == ["0", "9"] && waited.err.contains("No such container: nosuch"),
            "\(waited)"
        )
    }

    @Test func theEngineIsKilledUnderWhoWaits() throws {
        let session = try Session(
            minirun,
            ["run", "--name", "one", "-i", Fixtures.busybox, "sh", "-c", "echo ready; read a"]
        )
        session.expect("ready")
        let waiting = try Session(minirun, ["wait", "one"])
        #expect(eventually(10_000) { HostProcesses.hasOpen(waiting.pid, below: "\(minirun.state)/active") })
        session.signal(SIGKILL)
        #expect(try waiting.wait().code == 0 && waiting.seen == "137\n", "\(waiting.seen)")
        #expect(try status("one") == "exited 137")
    }

    @Test func signals() throws {
        let session = try Session(
            minirun,
            [
                "run", "--name", "one", "-i", Fixtures.busybox, "sh", "-c",
                "trap 'echo usr1' USR1; trap 'exit 8' TERM; echo ready; while :; do read a || :; done",
            ]
        )
        session.expect("ready")
        let told = try minirun("kill", "-s", "usr1", "one")
        #expect(told.code == 0 && told.out == "one\n", "\(told)")
        session.expect("usr1")
        #expect(try minirun("kill", "--signal", "SIGFOO", "one").err.contains("invalid signal: SIGFOO"))
        #expect(try minirun("stop", "-t", "30", "one").out == "one\n")
        #expect(try session.wait().code == 8)
        #expect(try status("one") == "exited 8")
        // What does not run: nothing to stop, and nobody to kill.
        #expect(try minirun("stop", "one").code == 0)
        let dead = try minirun("kill", "one")
        #expect(dead.code == 1 && dead.err.contains("cannot kill container: one: container"), "\(dead)")
        #expect(dead.err.contains("is not running"))
    }

    @Test func whatDoesNotHearIsKilled() throws {
        let session = try Session(
            minirun,
            [
                "run", "--stop-signal", "USR2", "--stop-timeout", "0", "--name", "one", "-i", Fixtures.busybox, "sh",
                "-c", "trap 'echo heard' USR2; echo ready; while :; do read a || sleep 1000; done",
            ]
        )
        session.expect("ready")
        #expect(try minirun("stop", "one").code == 0)
        #expect(try session.wait().code == 137)
        #expect(try minirun("start", "-a", "nosuch").err.contains("No such container: nosuch"))
    }

    @Test func whatRunsIsNotStarted() throws {
        let session = try Session(
            minirun,
            ["run", "--name", "one", "-i", Fixtures.busybox, "sh", "-c", "echo ready; read a"]
        )
        session.expect("ready")
        let second = try minirun("start", "-a", "one")
        #expect(second.code == 1 && second.err.contains("is running"), "\(second)")
        #expect(try minirun("rm", "-f", "one").code == 0)
        #expect(try session.wait().code == 137)
    }

    @Test func aProgramThatIsNotThere() throws {
        try create("--name", "one", Fixtures.busybox, "nosuch")
        let started = try minirun("start", "-a", "one")
        #expect(started.code != 0 && started.err.contains("executable file not found in $PATH"), "\(started)")
        #expect(try status("one") == "created 127" && minirun.active.isEmpty)
        #expect(HostProcesses.mounts(below: minirun.folder).isEmpty)
    }

    /// The image goes, its layers stay with the container.
    @Test func theImageMayGoFirst() throws {
        #expect(try minirun("load", "-q", "-i", minirun.archive("one", number: 1)).code == 0)
        try create("--name", "kept", "one")
        #expect(try minirun("rmi", "-f", "one").code == 0)
        #expect(try minirun("start", "-a", "kept").out == "ok\n")
    }

    @Test func whatIsNotCreatedLeavesNothing() throws {
        #expect(try minirun("create", "-w", "relative", Fixtures.busybox).code != 0)
        #expect(try minirun("create", "--user", "nosuch", Fixtures.busybox).code != 0)
        let file = minirun.path("id")
        let id = try create("--cidfile", file, "--name", "one", Fixtures.busybox)
        #expect(try Files.readText(file) == id)
        #expect(try minirun("create", "--cidfile", file, Fixtures.busybox).code != 0)
        #expect(
            try minirun("create", "--name", "one", Fixtures.busybox).err.contains(
                "already in use by container \"\(id)\""
            )
        )
        #expect(minirun.containers == [id] && minirun.active.isEmpty && minirun.names == ["one"])
        #expect(try minirun("start", "one").err.contains("not supported yet"))
        #expect(
            try minirun("start", "-a", "one", "two").err.contains(
                "you cannot start and attach multiple containers at once"
            )
        )
    }
}
