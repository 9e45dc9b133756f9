import OCI
import Testing

@testable import minirun

@Suite struct OCIExecTests {
    private func process(_ words: String..., of container: RuntimeSpec.Process = RuntimeSpec.Process(args: ["sh"]))
        throws
        -> RuntimeSpec.Process
    {
        let verb = OCIExec.verb
        let parser = FlagParser(options: verb.options(), stopsAtArgument: true, path: "exec")
        return try OCIExec.process(try parser.parse(words[...]).arguments, container)
    }

    @Test func changesTheContainersOwn() throws {
        var own = RuntimeSpec.Process(args: ["sh"])
        own.terminal = true
        own.env = ["PATH=/bin"]
        own.cwd = "/home"
        own.noNewPrivileges = true
        own.capabilities.bounding = ["CAP_KILL"]
        own.user = RuntimeSpec.User(uid: 5, gid: 6, additionalGids: [7])
        let plain = try process("x", "ls", "-l", of: own)
        #expect(plain.args == ["ls", "-l"])
        #expect(!plain.terminal)
        #expect(plain.env == ["PATH=/bin"])
        #expect(plain.cwd == "/home")
        #expect(plain.noNewPrivileges)
        #expect(plain.user == own.user)

        let changed = try process(
            "-t",
            "-e",
            "A=1",
            "--env",
            "B=2",
            "--cwd",
            "/",
            "-u",
            "1:2",
            "-g",
            "3",
            "--cap",
            "CAP_SYSLOG",
            "--no-new-privs=false",
            "--apparmor",
            "profile",
            "--process-label",
            "label",
            "x",
            "id",
            of: own
        )
        #expect(changed.terminal)
        #expect(changed.env == ["PATH=/bin", "A=1", "B=2"])
        #expect(changed.cwd == "/")
        #expect(!changed.noNewPrivileges)
        #expect(changed.user == RuntimeSpec.User(uid: 1, gid: 2, additionalGids: [7, 3]))
        #expect(changed.apparmorProfile == "profile")
        #expect(changed.selinuxLabel == "label")
        #expect(changed.capabilities.bounding == ["CAP_KILL", "CAP_SYSLOG"])
        #expect(changed.capabilities.permitted == ["CAP_SYSLOG"])
        #expect(changed.capabilities.ambient.isEmpty)
    }

    @Test func ambientWhereSomethingIsInheritable() throws {
        var own = RuntimeSpec.Process(args: ["sh"])
        own.capabilities.inheritable = ["CAP_KILL"]
        #expect(try process("-c", "CAP_SYSLOG", "x", "id", of: own).capabilities.ambient == ["CAP_SYSLOG"])
    }

    @Test func userAlone() throws { #expect(try process("-u", "9", "x", "id").user == RuntimeSpec.User(uid: 9)) }

    @Test(
        arguments: [
            (["x"], "exec args cannot be empty"),
            (["--cwd", "a", "x", "id"], "Cwd must be an absolute path"),
            (["-u", "root", "x", "id"], #"bad uid: strconv.Atoi: parsing "root": invalid syntax"#),
            (["-u", "1:wheel", "x", "id"], #"bad gid: strconv.Atoi: parsing "wheel": invalid syntax"#),
            (["-g", "-1", "x", "id"], "additional-gids must be a positive number -1"),
        ]
    )
    func refuses(_ words: [String], _ message: String) throws {
        let parser = FlagParser(options: OCIExec.verb.options(), stopsAtArgument: true, path: "exec")
        let arguments = try parser.parse(words[...]).arguments
        let error = #expect(throws: EngineError.self) {
            _ = try OCIExec.process(arguments, RuntimeSpec.Process(args: ["sh"]))
        }
        #expect(error?.message == message)
    }

    @Test func subCgroups() throws {
        #expect(try OCIExec.subCgroups([]).isEmpty)
        let one = try OCIExec.subCgroups(["sub"])
        #expect(one.count == 1 && one[0].controllers.isEmpty && one[0].path == "sub")
        let two = try OCIExec.subCgroups(["memory:a", "cpu,cpuacct:b"])
        #expect(two.map(\.controllers) == [["memory"], ["cpu", "cpuacct"]])
        #expect(two.map(\.path) == ["a", "b"])
    }

    @Test(
        arguments: [
            (["a", "b"], "invalid --cgroup argument: a (missing <controller>: prefix)"),
            ([":a"], "invalid --cgroup argument: :a (empty <controller> prefix)"),
            (["cpu,:a"], "invalid --cgroup argument: cpu,:a (empty <controller> prefix)"),
            (["cpu:a", "cpu:b"], "invalid --cgroup argument(s): controller cpu specified multiple times"),
        ]
    )
    func wrongSubCgroups(_ texts: [String], _ message: String) {
        let error = #expect(throws: EngineError.self) { _ = try OCIExec.subCgroups(texts) }
        #expect(error?.message == message)
    }
}

@Suite struct InheritedDescriptorsTests {
    @Test func socketsAreForThisProcess() {
        let environment = ["LISTEN_PID": "7", "LISTEN_FDS": "2"]
        #expect(InheritedDescriptors.sockets({ environment[$0] }, process: 7) == 2)
        #expect(InheritedDescriptors.sockets({ environment[$0] }, process: 8) == 0)
        #expect(InheritedDescriptors.sockets({ _ in nil }, process: 7) == 0)
        #expect(InheritedDescriptors.sockets({ $0 == "LISTEN_PID" ? "7" : "-1" }, process: 7) == 0)
    }
}

@Suite struct OCIUpdateTests {
    private func resources(_ words: String...) throws -> LinuxResources {
        let parser = FlagParser(options: OCIUpdate.verb.options(), stopsAtArgument: false, path: "update")
        return try OCIUpdate.resources(try parser.parse(words[...]).arguments)
    }

    @Test func options() throws {
        let all = try resources(
            "x",
            "--memory",
            "50M",
            "--memory-swap",
            "-1",
            "--memory-reservation",
            "1g",
            "--cpu-period",
            "50000",
            "--cpu-quota",
            "-1",
            "--cpu-burst",
            "10",
            "--cpu-share",
            "512",
            "--cpu-idle",
            "1",
            "--cpu-rt-period",
            "5",
            "--cpu-rt-runtime",
            "6",
            "--cpuset-cpus",
            "0-1",
            "--cpuset-mems",
            "0",
            "--pids-limit",
            "-1",
            "--blkio-weight",
            "500"
        )
        var wanted = LinuxResources()
        wanted.memory.limit = 50 << 20
        wanted.memory.swap = -1
        wanted.memory.reservation = 1 << 30
        wanted.cpu.period = 50000
        wanted.cpu.quota = -1
        wanted.cpu.burst = 10
        wanted.cpu.shares = 512
        wanted.cpu.idle = 1
        wanted.cpu.realtimePeriod = 5
        wanted.cpu.realtimeRuntime = 6
        wanted.cpu.cpus = "0-1"
        wanted.cpu.mems = "0"
        wanted.pidsLimit = -1
        wanted.blockIO.weight = 500
        #expect(all == wanted)
        #expect(try resources("x") == LinuxResources())
    }

    @Test(
        arguments: [
            (["--cpu-period", "a"], #"invalid value for cpu-period: strconv.ParseInt: parsing "a": invalid syntax"#),
            (["--cpu-period", "-1"], "invalid value for cpu-period: -1"),
            (["--memory", "1x"], "invalid value for memory: invalid suffix: 'x'"),
            (["--blkio-weight", "70000"], "invalid value for blkio-weight: 70000"),
        ]
    )
    func refuses(_ words: [String], _ message: String) throws {
        let parser = FlagParser(options: OCIUpdate.verb.options(), stopsAtArgument: false, path: "update")
        let arguments = try parser.parse(words[...]).arguments
        let error = #expect(throws: EngineError.self) { _ = try OCIUpdate.resources(arguments) }
        #expect(error?.message == message)
    }

    @Test func keysInAnyCase() throws {
        let text =
            #"{"CPU": {"Cpus": "1", "SHARES": 7}, "blockio": {"throttlereadbpsdevice": "#
            + #"[{"Major": 1, "Minor": 2, "Rate": 3}]}, "unified": {"Memory.High": "1"}}"#
        let read = try OCIUpdate.resources(Array(text.utf8))
        #expect(read.cpu.cpus == "1")
        #expect(read.cpu.shares == 7)
        #expect(read.blockIO.throttleReadBps == [LinuxResources.ThrottleDevice(major: 1, minor: 2, rate: 3)])
        #expect(read.unified == ["Memory.High": "1"])
    }
}
