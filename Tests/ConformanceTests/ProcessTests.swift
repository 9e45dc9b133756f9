import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// config.md, Process: its streams, folder, environment, program, limits, capabilities, scheduling and user.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct ProcessTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    // MARK: terminal

    @Test(
        .must("config.md#process", "With terminal, 0 to 2 are one pseudo-terminal of the size that consoleSize says.")
    )
    func terminalOnASocket() throws {
        bundle.config.set("process.terminal", true)
        bundle.config.set("process.consoleSize", ["height": 33, "width": 77])
        bundle.config.set("process.args", ["/guest", "tty"])
        let socket = FileDescriptor(
            owning: try retrying("listening") { linux_listen(bundle.path("console"), Int32(SOCK_STREAM.rawValue)) }
        )
        expectSuccess(try bundle.create(["--console-socket", bundle.path("console")]))
        let connection = FileDescriptor(owning: try retrying("accepting") { accept(socket.raw, __SOCKADDR_ARG(), nil) })
        var name = [UInt8](repeating: 0, count: 4096)
        var received: CInt = -1
        let count = try retrying("receiving") { linux_receive(connection.raw, &name, name.count, &received) }
        #expect(count > 0 && received >= 0, "the socket's message is a name with one descriptor")
        let terminal = FileDescriptor(owning: received)
        expectSuccess(try bundle.start())
        #expect(try terminal.readSome(until: "33x77").contains("33x77"))
        try terminal.write("typed\n")
        #expect(try terminal.readSome(until: "line: typed").contains("line: typed"))
        #expect(bundle.hasStopped())
        // Nothing of it came out of the runtime's own streams.
        #expect(try bundle.output() == "")
    }

    @Test(.must("config.md#process", "run with terminal passes the caller's terminal on."))
    func terminalOfTheCaller() throws {
        bundle.config.set("process.terminal", true)
        bundle.config.set("process.args", ["/guest", "tty"])
        try bundle.writeConfiguration()
        let session = try Session(
            onTerminal: bundle.command(["run", "--bundle", bundle.folder, bundle.id]),
            environment: BlackBox.environment(),
            columns: 91,
            rows: 19
        )
        session.expect("x")
        try known(.crun, because: "run does not pass the size on") {
            #expect(session.seen.contains("19x91"), "\(session.seen)")
            try session.resize(columns: 50, rows: 10)
            session.expect("10x50", seconds: OCIRuntime.underTest.kind == .crun ? 1 : 20)
        }
        try session.type("hello\r")
        session.expect("line: hello")
        #expect(try session.wait() == .exited(0))
    }

    @Test(.must("config.md#process", "Without terminal the program has none, and consoleSize is ignored."))
    func noTerminal() throws {
        bundle.config.set("process.consoleSize", ["height": 33, "width": 77])
        let report = try bundle.report()
        for terminal in report["terminals"].array ?? [] { #expect(terminal["terminal"]?.bool == false) }
        #expect(report["devices"].array?.contains { $0["name"]?.string == "console" } == false)
    }

    // MARK: cwd, env, args

    @Test(.must("config.md#process", "cwd is where the program starts."))
    func workingDirectory() throws {
        bundle.config.set("process.cwd", "/usr")
        #expect(try bundle.report()["cwd"].string == "/usr")
    }

    @Test(.must("config.md#process", "cwd is an absolute path."), arguments: ["", "usr", "./", "../usr"])
    func aRelativeWorkingDirectoryIsRefused(path: String) throws {
        bundle.config.set("process.cwd", .string(path))
        try known(.crun, because: "does not look", if: path != "") {
            let created = try bundle.create()
            expectError(created.code == 0 ? try bundle.start() : created)
        }
    }

    @Test(.must("config.md#process", "The environment is env, in its order, and at most a HOME beside it."))
    func environment() throws {
        let environment = ["PATH=/bin", "MARK=\(bundle.id)", "EMPTY=", "TWICE=a=b", "SPACE=a b", "UTF=grün"]
        bundle.config.set("process.env", .strings(environment))
        let seen = try bundle.report().environment
        #expect(seen.filter { !$0.hasPrefix("HOME=") } == environment)
    }

    @Test(
        .must("config.md#process", "The first of args is looked up as execvp does: in the PATH of env, or as a path.")
    )
    func programIsFound() throws {
        bundle.config.set("process.env", ["PATH=/nowhere:/usr/local/bin:/bin", "MARK=\(bundle.id)"])
        try tool("mkdir", "-p", bundle.path("rootfs/usr/local/bin"))
        try bundle.write("rootfs/usr/local/bin/found", "#!/bin/sh\necho found $0 $1\n", mode: 0o755)
        bundle.config.set("process.args", ["found", "it"])
        #expect(try bundle.run().out == "found /usr/local/bin/found it\n")
        bundle.config.set("process.args", ["usr/local/bin/found", "it"])
        #expect(try bundle.run().out.hasPrefix("found "))
    }

    @Test(
        .must("config.md#process", "A program that is not there or cannot run is an error."),
        arguments: ["nothing", "/nothing", "/etc", "/text"]
    )
    func aMissingProgramIsAnError(program: String) throws {
        try bundle.write("rootfs/text", "text", mode: 0o644)
        bundle.config.set("process.args", [.string(program)])
        let outcome = try bundle.run()
        expectError(outcome)
        #expect(bundle.status() == "absent")
    }

    @Test(.must("config.md#process", "args has at least one entry."), arguments: [nil, []] as [[String]?])
    func noArgumentsIsAnError(arguments: [String]?) throws {
        bundle.config.remove("process.args")
        if let arguments { bundle.config.set("process.args", .strings(arguments)) }
        try known(.crun, because: "fails inside, where nobody is told", if: arguments == nil) {
            let created = try bundle.create()
            expectError(created.code == 0 ? try bundle.start() : created)
        }
    }

    // MARK: limits

    @Test(.must("config.md#posix-process", "getrlimit gives each limit's soft and hard value."))
    func limits() throws {
        let limits = ["AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "NOFILE", "NPROC", "RSS", "STACK"]
        bundle.config.set(
            "process.rlimits",
            .array(limits.map { ["type": "RLIMIT_\($0)", "soft": .number(1 << 40), "hard": .number(1 << 41)] })
        )
        // Nobody here may raise a hard limit.
        bundle.config.set("process.rlimits.7", ["type": "RLIMIT_NPROC", "soft": 100, "hard": 200])
        bundle.config.set("process.rlimits.6", ["type": "RLIMIT_NOFILE", "soft": 100, "hard": 200])
        let report = try bundle.report()
        for name in limits {
            let limit = report["rlimits"][name.lowercased()]
            #expect(limit?["soft"]?.int == (name.hasPrefix("N") ? 100 : 1 << 40), "\(name)")
            #expect(limit?["hard"]?.int == (name.hasPrefix("N") ? 200 : 1 << 41), "\(name)")
        }
    }

    @Test(.must("config.md#posix-process", "A limit that is listed twice is an error.", both: "take the last one"))
    func aLimitListedTwiceIsRefused() throws {
        let limit: JSON = ["type": "RLIMIT_NOFILE", "soft": 100, "hard": 200]
        bundle.config.set("process.rlimits", [limit, limit])
        expectError(try bundle.create())
    }

    @Test(.must("config.md#posix-process", "A limit that the kernel does not have is an error."))
    func anUnknownLimitIsRefused() throws {
        bundle.config.set("process.rlimits", [["type": "RLIMIT_SOMETHING", "soft": 1, "hard": 1]])
        expectError(try bundle.create())
    }

    // MARK: capabilities and the rest

    @Test(.must("config.md#linux-process", "The five sets of capabilities are those of the configuration."))
    func capabilities() throws {
        let sets: JSON = [
            "bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_SYS_ADMIN"], "permitted": ["CAP_KILL", "CAP_CHOWN"],
            "effective": ["CAP_KILL"], "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"],
        ]
        bundle.config.set("process.capabilities", sets)
        let report = try bundle.report()
        for (name, value) in sets.object ?? [] where name != "effective" {
            #expect(Set(report.capabilities(name)) == Set(value.strings ?? []), "\(name)")
        }
        // The exec of root's program makes all that is permitted effective.
        #expect(report.capabilities("effective") == report.capabilities("permitted"))
    }

    @Test(.must("config.md#linux-process", "A user's ambient capabilities are effective, others are not."))
    func capabilitiesOfAUser() throws {
        let sets: JSON = [
            "bounding": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_KILL", "CAP_CHOWN"], "effective": ["CAP_KILL"],
            "inheritable": ["CAP_KILL"], "ambient": ["CAP_KILL"],
        ]
        bundle.config.set("process.capabilities", sets)
        bundle.config.set("process.user", ["uid": 1000, "gid": 1000])
        let report = try bundle.report()
        #expect(report.capabilities("effective") == ["CAP_KILL"] && report.capabilities("permitted") == ["CAP_KILL"])
        #expect(Set(report.capabilities("bounding")) == ["CAP_KILL", "CAP_CHOWN"])
    }

    @Test(.must("config.md#linux-process", "Without capabilities there are none."))
    func noCapabilities() throws {
        bundle.config.remove("process.capabilities")
        bundle.config.set("process.user", ["uid": 1000, "gid": 1000])
        let report = try bundle.report()
        for set in ["effective", "permitted", "inheritable", "ambient"] {
            #expect(report.capabilities(set).isEmpty, "\(set)")
        }
    }

    @Test(.must("config.md#linux-process", "A capability that there is not, or that cannot be given, is a warning."))
    func unknownCapabilitiesAreAWarning() throws {
        // CAP_SYS_RESOURCE is one that a caller in a restricted place has not.
        for set in ["bounding", "permitted", "effective"] {
            bundle.config.append("process.capabilities.\(set)", "CAP_NOTHING")
        }
        let report = try bundle.report(options: [])
        #expect(Set(report.capabilities("effective")) == Set(Configuration.capabilities))
        let log = bundle.path("log")
        try bundle.writeConfiguration()
        let outcome = try bundle.invoke(["run", "--bundle", bundle.folder, bundle.id], global: ["--log", log])
        let said = outcome.err + ((try? Files.readText(log)) ?? "")
        known(.crun, because: "says nothing") { #expect(said.contains("CAP_NOTHING"), "\(said)") }
    }

    /// What callers look for in runc's, of a process that begins and ends.
    @Test func debuggingSaysWhatIsDone() throws {
        bundle.config.set("process.args", ["/guest", "trap"])
        try bundle.launch()
        let log = bundle.path("log")
        let words = ["exec", bundle.id, "/bin/true"]
        let outcome = try bundle.invoke(words, global: ["--debug", "--log", log])
        #expect(outcome.code == 0, "\(outcome)")
        known(.crun, because: "has words of its own") {
            let text = bundle.read("log")
            for said in [
                " level=debug msg=", "nsexec container setup", "child process in init()", "setns_init: about to exec",
                "process exited",
            ] { #expect(text.contains(said), "\(said) is missing in \(text)") }
        }
        try Files.write(log, [])
        _ = try bundle.invoke(words, global: ["--log", log])
        #expect(!bundle.read("log").contains("level=debug"))
    }

    @Test(
        .must("config.md#linux-process", "noNewPrivileges sets no_new_privs, and nothing else does."),
        arguments: [true, false]
    )
    func noNewPrivileges(value: Bool) throws {
        bundle.config.set("process.noNewPrivileges", .bool(value))
        #expect(try bundle.report()["no_new_privs"].int == (value ? 1 : 0))
    }

    @Test(
        .must("config.md#linux-process", "oomScoreAdj is the process's; unset it stays the caller's."),
        arguments: [500, nil]
    )
    func oomScore(value: Int?) throws {
        if let value { bundle.config.set("process.oomScoreAdj", .number(value)) }
        let own = try Files.readText("/proc/self/oom_score_adj").split(separator: "\n").first.map(String.init)
        let report = try bundle.report()
        #expect(report["oom_score_adj"].int == (value ?? own.flatMap { Int($0) }))
    }

    @Test(
        .must(
            "config.md#linux-process",
            "scheduler sets the policy, the nice value, the priority and the flags.",
            both: "newer than it"
        ),
        arguments: [
            (["policy": "SCHED_BATCH", "nice": 5], "batch", 5, 0, 0), (["policy": "SCHED_IDLE"], "idle", 0, 0, 0),
            (["policy": "SCHED_OTHER", "nice": 10, "flags": ["SCHED_FLAG_RESET_ON_FORK"]], "other", 10, 0, 1),
            (["policy": "SCHED_FIFO", "priority": 7], "fifo", 0, 7, 0),
            (["policy": "SCHED_RR", "priority": 3], "rr", 0, 3, 0),
        ] as [(JSON, String, Int, Int, Int)]
    )
    func scheduler(value: JSON, policy: String, nice: Int, priority: Int, flags: Int) throws {
        bundle.config.set("process.scheduler", value)
        // Where the kernel divides real time among control groups a group has none of it but what it is given.
        if priority > 0, Leftovers.hierarchies.contains(where: { FileStatus.exists("\($0)/cpu.rt_runtime_us") }) {
            bundle.config.set("linux.resources.cpu", ["realtimeRuntime": 20000, "realtimePeriod": 1_000_000])
        }
        try known(.crun, .runc, because: "newer than it") {
            let seen = try bundle.report()["scheduler"]
            #expect(seen["policy"]?.string == policy && seen["priority"]?.int == priority, "\(seen.text())")
            #expect(seen["nice"]?.int == nice && seen["flags"]?.int == flags, "\(seen.text())")
        }
    }

    @Test(
        .must("config.md#linux-process", "ioPriority sets the class and the level.", both: "newer than it"),
        arguments: [("IOPRIO_CLASS_BE", 2, 6), ("IOPRIO_CLASS_IDLE", 3, 0), ("IOPRIO_CLASS_RT", 1, 3)]
    )
    func ioPriority(name: String, number: Int, level: Int) throws {
        bundle.config.set("process.ioPriority", ["class": .string(name), "priority": .number(level)])
        try known(.crun, .runc, because: "newer than it") {
            let seen = try bundle.report()["io_priority"]
            #expect(seen["class"]?.int == number && seen["level"]?.int == level, "\(seen.text())")
        }
    }

    @Test(
        .must(
            "config.md#linux-process",
            "execCPUAffinity.final is where an exec'd process runs.",
            both: "newer than it"
        ),
        arguments: ["0", "1"]
    )
    func execAffinity(final: String) throws {
        bundle.config.set("process.execCPUAffinity", ["initial": "0-1", "final": .string(final)])
        try bundle.launch()
        try known(.crun, .runc, because: "newer than it") {
            let report = try bundle.execReport()
            #expect(report["scheduler"]["processors"]?.string == final)
        }
    }

    // MARK: user, host name

    @Test(.must("config.md#posix-platform-user", "uid, gid and additionalGids are those of the process."))
    func user() throws {
        bundle.config.set("process.user", ["uid": 1234, "gid": 2345, "additionalGids": [5, 6, 77]])
        let report = try bundle.report()
        for name in ["uid", "euid", "suid"] { #expect(report.id(name) == 1234) }
        for name in ["gid", "egid", "sgid"] { #expect(report.id(name) == 2345) }
        #expect(Set(report.groups).subtracting([2345]) == [5, 6, 77])
    }

    private func run(withUmask mask: String, _ words: [String]) throws -> GuestReport {
        let command = bundle.command(words)
        let launched = try Launched(["sh", "-c", "umask \(mask); exec \"$@\"", "sh"] + command)
        launched.closeInput()
        let status = try launched.wait()
        try launched.readToEnd()
        return try GuestReport(Outcome(status: status, out: launched.outText, err: launched.errText))
    }

    @Test(
        .must("config.md#posix-platform-user", "umask is the process's; unset it is 0022, whatever the caller's is."),
        arguments: [0o027, 0, 0o777, nil],
        ["0077", "0000"]
    )
    func umaskOfTheProcess(value: Int?, callers: String) throws {
        if let value { bundle.config.set("process.user.umask", .number(value)) }
        bundle.config.set("process.args", ["/guest", "report"])
        try bundle.writeConfiguration()
        let report = try run(withUmask: callers, ["run", "--bundle", bundle.folder, bundle.id])
        #expect(Int(report["umask"].string ?? "", radix: 8) == value ?? 0o022)
    }

    @Test(
        .must("config.md#posix-platform-user", "A further process has the container's umask, unset 0022."),
        arguments: [0o027, nil]
    )
    func umaskOfAFurtherProcess(value: Int?) throws {
        if let value { bundle.config.set("process.user.umask", .number(value)) }
        try bundle.launch()
        let report = try run(withUmask: "0077", ["exec", bundle.id, "/guest", "report"])
        known(.crun, .runc, because: "is the caller's") {
            #expect(Int(report["umask"].string ?? "", radix: 8) == value ?? 0o022)
        }
    }

    @Test(.must("config.md#hostname", "hostname and domainname are set in the container's UTS namespace."))
    func names() throws {
        bundle.config.set("hostname", "mrs.dalloway")
        bundle.config.set("domainname", "foobarbaz.test")
        let report = try bundle.report()
        #expect(report["hostname"].string == "mrs.dalloway")
        known(.runc, because: "newer than it") { #expect(report["domainname"].string == "foobarbaz.test") }
    }
}

extension FileDescriptor {
    /// Reads until a text has come, a few seconds at most: what a terminal showed.
    fileprivate func readSome(until text: String) throws -> String {
        var seen = ""
        while !seen.contains(text) {
            var waiting = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 10_000) > 0 else { return seen }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = CLinux.read(raw, &chunk, chunk.count)
            if count <= 0 { return seen }
            seen += String(decoding: chunk[..<count], as: UTF8.self)
        }
        return seen
    }
}
