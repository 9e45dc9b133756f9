import LinuxSystem
import OCI
import TestSupport
import Testing

/// containerd's own client, which names the runtime's program with every container.
@Suite(.enabled(if: PeerEngine.areEnabled), .serialized, .engine(.containerd), .withLogs, .timeLimit(.minutes(20)))
struct ContainerdTests {
    let ctr: PeerEngine
    init() throws { ctr = try engine() }

    private let busybox = "docker.io/library/busybox:latest"
    private let runtime = #"--runc-binary "$PEER_RUNTIME""#

    /// `ctr run --rm OPTIONS busybox NAME COMMAND`, with fifos between the program and the client.
    private func run(_ command: String, _ options: String = "") throws -> Outcome {
        try ctr("run --rm \(runtime) \(options) \(busybox) once \(command)")
    }

    private func start(_ name: String, _ options: String = "", _ command: String = "sleep 1000") throws {
        try ctr.must("run -d --null-io \(runtime) \(options) \(busybox) \(name) \(command)")
    }

    private func remove(_ name: String) throws {
        try ctr.must("tasks delete --force \(name)")
        try ctr.must("containers rm \(name)")
    }

    private func status(_ name: String) throws -> String {
        try ctr.must(#"tasks ls | awk '$1 == "\#(name)" { print $3 }'"#)
    }

    // MARK: Running

    @Test func outputAndExitCode() throws {
        let outcome = try run("sh -c 'echo out; echo err >&2; exit 7'")
        #expect(outcome.out == "out\n" && outcome.err == "err\n" && outcome.code == 7, "\(outcome)")
    }

    @Test func inputReachesTheProgram() throws {
        let session = try ctr.start("run --rm \(runtime) \(busybox) typed cat")
        try session.type("typed\n")
        session.expect("typed\n")
        // Not before: the client forgets an end of its input that comes while it creates the task.
        session.closeInput()
        #expect(try session.wait() == .exited(0))
    }

    @Test(arguments: [("/nosuch", "no such file"), ("nosuch", "not found"), ("/etc/passwd", "permission denied")])
    func aCommandThatCannotStart(command: String, reason: String) throws {
        let outcome = try run(command)
        #expect(outcome.code == 1 && outcome.err.contains("OCI runtime create failed"), "\(outcome)")
        #expect(outcome.err.lowercased().contains(reason), "\(outcome)")
        #expect(try ctr.must("containers ls -q") == "" && ctr.must("tasks ls -q") == "")
    }

    @Test func onATerminal() throws {
        let session = try ctr.onTerminal("run --rm -t \(runtime) \(busybox) terminal sh", columns: 101, rows: 37)
        session.expect("#")
        try session.type("tty\n")
        session.expect("/dev/pts/0")
        #expect(try resized(session, to: "37 101"))
        try session.resize(columns: 90, rows: 20)
        #expect(try resized(session, to: "20 90"))
        try session.type("exit 3\n")
        #expect(try session.wait() == .exited(3))
    }

    @Test func aSecondLife() throws {
        try start("twice", "", "sh -c 'echo started; exit 4'")
        #expect(try eventually { try status("twice") == "STOPPED" })
        try ctr.must("tasks delete twice")
        let outcome = try ctr("tasks start twice")
        #expect(outcome.out == "started\n" && outcome.code == 4, "\(outcome)")
        try ctr.must("containers rm twice")
    }

    @Test func outputGoesToAFile() throws {
        let log = ctr.path("output")
        try ctr.makeFolder("logs")
        try ctr.must("run -d --log-uri file://\(log) \(runtime) \(busybox) logged sh -c 'echo out; echo err >&2'")
        #expect(try eventually { try Set(Files.readText(log).split(separator: "\n")) == ["out", "err"] })
        #expect(try eventually { try status("logged") == "STOPPED" })
        try remove("logged")
    }

    @Test func aFolderAsRoot() throws {
        let root = try ctr.rootFolder("root")
        let outcome = try ctr("run --rm \(runtime) --rootfs \(root) folder /bin/sh -c 'touch /made'")
        #expect(outcome.code == 0, "\(outcome)")
        #expect(FileStatus.exists("\(root)/made"))
    }

    @Test func aConfigurationOfTheCallers() throws {
        let root = try ctr.rootFolder("configured")
        try ctr.inside("cd \(ctr.path("configured")) && rm -f config.json && runc spec")
        let edited = try ctr.inside(
            "jq '.process.args = [\"sh\", \"-c\", \"hostname\"] | .process.terminal = false | .hostname = \"mine\" | .root.path = \"\(root)\"' \(root)/config.json"
        )
        let file = try ctr.write("config.json", edited.out)
        let outcome = try ctr("run --rm \(runtime) --config \(file) configured")
        #expect(outcome.out == "mine\n" && outcome.code == 0, "\(outcome)")
    }

    // MARK: Tasks

    @Test func exec() throws {
        try start("beside", "--env ONE=1")
        let outcome = try ctr("tasks exec --exec-id one beside sh -c 'echo out $ONE; echo err >&2; exit 9'")
        #expect(outcome.out == "out 1\n" && outcome.err == "err\n" && outcome.code == 9, "\(outcome)")
        let typed = try ctr.start("tasks exec --exec-id two beside cat")
        try typed.type("typed\n")
        typed.expect("typed\n")
        typed.closeInput()
        #expect(try typed.wait() == .exited(0))
        let options = try ctr("tasks exec --exec-id three --cwd /home --user 1000 beside sh -c 'pwd; id -u'")
        #expect(options.lines == ["/home", "1000"], "\(options)")
        let missing = try ctr("tasks exec --exec-id four beside /nosuch")
        #expect(missing.code == 1 && missing.err.contains("OCI runtime exec failed"), "\(missing)")
        let session = try ctr.onTerminal("tasks exec -t --exec-id five beside sh", columns: 91, rows: 31)
        session.expect("#")
        #expect(try resized(session, to: "31 91"))
        try session.type("exit 5\n")
        #expect(try session.wait() == .exited(5))
        try remove("beside")
    }

    @Test func killAndDelete() throws {
        try start("killed", "", "sh -c 'trap \"exit 6\" USR1; while :; do sleep 0.05; done'")
        // The signal must not come before the trap.
        let handled = "grep -E '^SigCgt:.*[2367abef]..$' /proc/\(try ctr.pid(of: "killed"))/status"
        #expect(try eventually { try ctr.inside(handled).code == 0 })
        let refused = try ctr("tasks delete killed")
        #expect(refused.code != 0 && refused.err.contains("must be stopped"), "\(refused)")
        try ctr.must("tasks kill -s SIGUSR1 killed")
        #expect(try eventually { try status("killed") == "STOPPED" })
        #expect(try ctr("tasks delete killed").err.contains("exit code 6"))
        #expect(try ctr("tasks kill killed").code != 0)
        try ctr.must("containers rm killed")
    }

    @Test func killAll() throws {
        try start("family", "", "sh -c 'sleep 1234 & sleep 1235 & wait'")
        #expect(try eventually { try ctr.inside("pgrep -fx 'sleep 123[45]'").lines.count == 2 })
        try ctr.must("tasks kill --all -s SIGKILL family")
        #expect(try eventually { try status("family") == "STOPPED" })
        #expect(try ctr.inside("pgrep -fx 'sleep 123[45]'").out == "")
        try remove("family")
    }

    @Test func pauseAndResume() throws {
        try start("paused")
        try ctr.must("tasks pause paused")
        #expect(try status("paused") == "PAUSED")
        let state = try ctr.limit(of: "paused", "freezer/freezer.state", "cgroup.freeze")
        #expect(state == "FROZEN" || state == "1", "\(state)")
        #expect(try ctr("tasks exec --exec-id frozen paused true").code != 0)
        try ctr.must("tasks resume paused")
        #expect(try status("paused") == "RUNNING")
        #expect(try ctr("tasks exec --exec-id thawed paused true").code == 0)
        try remove("paused")
    }

    @Test func metricsAndProcesses() throws {
        try start("measured", "--memory-limit 67108864", "sh -c 'sleep 1000 & wait'")
        #expect(try eventually { try ctr.must("tasks ps measured").split(separator: "\n").count == 3 })
        let metrics = try ctr.json("tasks metrics --format json measured")
        #expect(metrics["pids"]?["current"]?.int == 2, "\(metrics.text())")
        let limit = metrics["memory"]?["usage"]?["limit"]?.uint64 ?? metrics["memory"]?["usage_limit"]?.uint64
        #expect(limit == 67_108_864, "\(metrics.text())")
        #expect(try ctr.limit(of: "measured", "memory/memory.limit_in_bytes", "memory.max") == "67108864")
        try remove("measured")
    }

    @Test func checkpointsAreRefused() throws {
        try start("saved")
        let outcome = try ctr("tasks checkpoint saved")
        #expect(outcome.code != 0, "\(outcome)")
        let reasons = ["criu", "checkpoint", "not supported"]
        #expect(reasons.contains { outcome.err.lowercased().contains($0) }, "\(outcome)")
        // It goes on.
        #expect(try status("saved") == "RUNNING")
        #expect(try ctr("tasks exec --exec-id after saved true").code == 0)
        try remove("saved")
    }

    // MARK: Options

    @Test func security() throws {
        let plain = try run("grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status")
        #expect(plain.lines.count == 3 && plain.out.contains("NoNewPrivs:\t1"), "\(plain)")
        let changed = try run(
            "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status",
            "--cap-drop CAP_CHOWN --allow-new-privs --seccomp"
        )
        #expect(changed.out.contains("NoNewPrivs:\t0") && changed.out.contains("Seccomp:\t2"), "\(changed)")
        #expect(
            changed.lines.first?.hasSuffix("fa") == true && plain.lines.first?.hasSuffix("fb") == true,
            "\(changed)"
        )
    }

    @Test func mountsAndPlaces() throws {
        try ctr.write("bound/file", "from the host\n")
        let outcome = try run(
            "sh -c 'cat /data/file; touch /data/x /x; pwd; echo $VAR'",
            "--mount type=bind,src=\(ctr.path("bound")),dst=/data,options=rbind:ro --read-only --cwd /var --env VAR=value"
        )
        #expect(outcome.lines == ["from the host", "/var", "value"], "\(outcome)")
        #expect(outcome.err.contains("/data/x: Read-only") && outcome.err.contains("/x: Read-only"), "\(outcome)")
    }

    @Test func theRootIsNotPivoted() throws {
        let outcome = try run("sh -c 'ls /; head -n 1 /etc/passwd'", "--no-pivot")
        #expect(outcome.code == 0 && outcome.lines.last == "root:x:0:0:root:/root:/bin/sh", "\(outcome)")
    }

    @Test func namespacesOfOthers() throws {
        try start("other")
        let pid = try ctr.pid(of: "other")
        let outcome = try run(
            "sh -c 'readlink /proc/self/ns/net /proc/self/ns/ipc; readlink /proc/self/ns/ipc'",
            "--with-ns network:/proc/\(pid)/ns/net --with-ns ipc:/proc/\(pid)/ns/ipc"
        )
        #expect(try outcome.line == ctr.inside("readlink /proc/\(pid)/ns/ipc").line, "\(outcome)")
        try remove("other")
    }

    @Test func userMappings() throws {
        let outcome = try run(
            "sh -c 'cat /proc/self/uid_map /proc/self/gid_map; id -u; stat -c %u /bin/sh; touch /made'",
            "--uidmap 0:100000:5000 --gidmap 0:200000:5000"
        )
        let lines = outcome.lines.map { $0.split(separator: " ").map(String.init) }
        #expect(lines == [["0", "100000", "5000"], ["0", "200000", "5000"], ["0"], ["0"]], "\(outcome)")
        #expect(outcome.code == 0)
    }
}
