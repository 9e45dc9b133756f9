import Testing

@testable import minirun

/// Options as Go's flag reads them, on the real verbs.
@Suite struct OCIParserTests {
    struct Good: Sendable, CustomTestStringConvertible {
        let line: [String]
        let given: [String]
        let positional: [String]

        var testDescription: String { line.joined(separator: " ") }

        init(_ line: String..., given: [String] = [], positional: [String] = ["x"]) {
            self.line = line
            self.given = given
            self.positional = positional
        }
    }

    static let good: [Good] = [
        Good("create", "x"),
        Good("create", "--bundle", "/b", "x", given: ["bundle=/b"]),
        Good("create", "--bundle=/b", "x", given: ["bundle=/b"]),
        Good("create", "-bundle", "/b", "x", given: ["bundle=/b"]),
        Good("create", "-b", "/b", "x", given: ["bundle=/b"]),
        Good("create", "--b=/b", "x", given: ["bundle=/b"]),
        Good("create", "x", "--bundle", "/b", given: ["bundle=/b"]),
        Good("create", "--detach", "x", given: ["detach=true"]),
        Good("create", "--preserve-fds", "3", "x", given: ["preserve-fds=3"]),
        Good("create", "--pid-file", "", "x", given: ["pid-file="]),
        Good("run", "-d", "x", "--keep", given: ["detach=true", "keep=true"]),
        Good("run", "-no-subreaper", "x", given: ["no-subreaper=true"]),
        Good("run", "--detach=false", "x", given: ["detach=false"]),
        Good("delete", "x", "--force", given: ["force=true"]),
        Good("delete", "--force", "x", given: ["force=true"]),
        Good("delete", "--", "-x", positional: ["-x"]),
        Good("kill", "x", "9", positional: ["x", "9"]),
        Good("kill", "-a", "x", "KILL", given: ["all=true"], positional: ["x", "KILL"]),
        Good("kill", "--all", "x", given: ["all=true"]),
        Good("exec", "-e", "A=1", "-e", "B=2", "x", "env", given: ["env=A=1", "env=B=2"], positional: ["x", "env"]),
        Good("exec", "x", "ls", "-l", "--tty", positional: ["x", "ls", "-l", "--tty"]),
        Good("exec", "-t", "-u", "1:2", "x", "id", given: ["tty=true", "user=1:2"], positional: ["x", "id"]),
        Good("exec", "--cgroup", "cpu,cpuacct:a", "x", "id", given: ["cgroup=cpu,cpuacct:a"], positional: ["x", "id"]),
        Good("ps", "-f", "json", "x", given: ["format=json"]),
        Good("ps", "x", "-e", "-x", positional: ["x", "-e", "-x"]),
        Good("update", "x", "--memory", "50M", given: ["memory=50M"]),
        Good("update", "--resources=-", "x", given: ["resources=-"]),
        Good("update", "-r", "-", "x", given: ["resources=-"]),
        Good("update", "--pids-limit", "-1", "x", given: ["pids-limit=-1"]),
        Good("events", "--interval=100ms", "x", given: ["interval=100ms"]),
        Good("list", "-q", given: ["quiet=true"], positional: []),
        Good("list", "--format=json", given: ["format=json"], positional: []),
        Good("list", "-f", "json", given: ["format=json"], positional: []),
        Good("explain", "--explain=json", given: ["explain=json"], positional: []),
    ]

    @Test(arguments: good) func understands(_ row: Good) throws {
        let parsed = try parse(row.line)
        #expect(parsed.arguments.given.map { "\(parsed.arguments.options[$0.option].name)=\($0.text)" } == row.given)
        #expect(parsed.arguments.positional == row.positional)
        #expect(!parsed.wantsHelp)
    }

    @Test(arguments: [["run", "--help"], ["run", "x", "-h"], ["checkpoint", "-help"]])
    func wantsHelp(_ line: [String]) throws { #expect(try parse(line).wantsHelp) }

    @Test(
        arguments: [
            (["run", "--nosuch", "x"], "flag provided but not defined: -nosuch"),
            (["run", "-di", "x"], "flag provided but not defined: -di"),
            (["restore", "--lsm-mount-context"], "flag needs an argument: -lsm-mount-context"),
            (["run", "---x"], "bad flag syntax: ---x"),
            (["run", "-=x"], "bad flag syntax: -=x"),
            (
                ["run", "--detach=maybe", "x"],
                #"invalid boolean value "maybe" for flag -detach: strconv.ParseBool: parsing "maybe": invalid syntax"#
            ),
            (
                ["run", "--preserve-fds", "two", "x"],
                #"invalid value "two" for flag -preserve-fds: strconv.ParseInt: parsing "two": invalid syntax"#
            ),
            (
                ["events", "--interval", "5", "x"],
                #"invalid value "5" for flag -interval: time: missing unit in duration "5""#
            ),
        ]
    )
    func refuses(_ line: [String], _ message: String) throws {
        let error = #expect(throws: FlagError.self) { _ = try parse(line) }
        #expect(error?.message == message)
    }

    @Test func everyVerbHasHelp() {
        let program = OCIProgram.verb
        for verb in OCICommands.table {
            let lines = program.help(for: verb).split(separator: "\n")
            #expect(lines.first == "NAME:")
            #expect(lines.dropFirst().first == "   minirun oci \(verb.name) - \(verb.summary)")
            #expect(program.help.contains("   \(verb.name) "))
        }
    }

    @Test(arguments: ["runc", "/usr/bin/crun", "./minirun-oci"]) func isCalledByALink(_ path: String) {
        #expect(OCIProgram(called: path)?.name == path.split(separator: "/").last.map(String.init))
    }

    @Test(arguments: ["minirun", "/usr/bin/minirun", "", "/runc/minirun"]) func isNotCalled(_ path: String) {
        #expect(OCIProgram(called: path) == nil)
    }

    private func parse(_ line: [String]) throws -> (arguments: ParsedArguments, wantsHelp: Bool) {
        let verb = try #require(OCICommands.verb(line[0]))
        let parser = FlagParser(options: verb.options(), stopsAtArgument: verb.stopsAtArgument, path: verb.name)
        return try parser.parse(line.dropFirst())
    }
}

/// The options before the verb.
@Suite struct OCIGlobalsTests {
    private func globals(_ words: String...) throws -> (OCIGlobals, [String]) {
        let parser = FlagParser(options: OCIGlobals.options, stopsAtArgument: true, path: "minirun-oci")
        let (arguments, _) = try parser.parse(words[...])
        return (try OCIGlobals(arguments, directory: "/where"), arguments.positional)
    }

    @Test func areRead() throws {
        let (globals, rest) = try globals(
            "--root=state",
            "--systemd-cgroup",
            "--log-format=json",
            "--log",
            "log",
            "--rootless=auto",
            "--debug",
            "create",
            "--debug",
            "x"
        )
        #expect(globals.root == "/where/state")
        #expect(globals.rootIsGiven)
        #expect(globals.logFile == "/where/log")
        #expect(globals.logFormat == .json)
        #expect(globals.usesSystemd)
        #expect(globals.debug)
        #expect(rest == ["create", "--debug", "x"])
    }

    @Test(
        arguments: [
            (["--root", "/"], "Option --root argument should not be set to /"),
            (["--root", "/a/.."], "Option --root argument should not be set to /"),
            (["--log-format", "xml"], "invalid log-format: xml"),
            (["--cgroup-manager", "none"], "unknown cgroup manager: none"),
            (["--rootless", "perhaps"], #"invalid value for --rootless: "perhaps""#),
        ]
    )
    func refuse(_ words: [String], _ message: String) throws {
        let parser = FlagParser(options: OCIGlobals.options, stopsAtArgument: true, path: "minirun-oci")
        let (arguments, _) = try parser.parse(words[...])
        let error = #expect(throws: (any Error).self) { _ = try OCIGlobals(arguments, directory: "/where") }
        #expect(error.map { "\($0)" } == message)
    }

    @Test func takeCrunsLogs() throws {
        #expect(try globals("--log=file:/var/log/x").0.logFile == "/var/log/x")
        #expect(try globals("--log", "").0.logFile == nil)
        #expect(try globals("--cgroup-manager", "systemd").0.usesSystemd)
    }
}
