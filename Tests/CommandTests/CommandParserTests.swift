import Testing

@testable import minirun

@Suite struct CommandParserTests {
    struct Good: Sendable, CustomTestStringConvertible {
        let line: [String]
        let path: String
        let given: [String]
        let positional: [String]

        var testDescription: String { line.joined(separator: " ") }

        init(_ line: String..., path: String = "minirun run", given: [String] = [], positional: [String] = ["x"]) {
            self.line = line
            self.path = path
            self.given = given
            self.positional = positional
        }
    }

    static let good: [Good] = [
        Good("run", "x"),
        Good("run", "-it", "x", given: ["interactive=true", "tty=true"]),
        Good("run", "-eFOO=1", "x", given: ["env=FOO=1"]),
        Good("run", "-e", "FOO", "x", given: ["env=FOO"]),
        Good("run", "-ite", "FOO", "x", given: ["interactive=true", "tty=true", "env=FOO"]),
        Good("run", "--env=FOO=1=2", "x", given: ["env=FOO=1=2"]),
        Good("run", "-e=FOO", "x", given: ["env=FOO"]),
        Good("run", "-t=false", "x", given: ["tty=false"]),
        Good("run", "--rm=false", "x", given: ["rm=false"]),
        Good("run", "--name=", "x", given: ["name="]),
        Good("run", "-e", "A=1", "-e", "B=2", "x", given: ["env=A=1", "env=B=2"]),
        Good("run", "--net", "host", "x", given: ["network=host"]),
        Good("run", "--explain", "x", given: ["explain=text"]),
        Good("run", "--explain=json", "x", given: ["explain=json"]),
        Good("run", "-h", "host", "x", given: ["hostname=host"]),
        Good("run", "--memory-swap", "-1", "x", given: ["memory-swap=-1"]),
        Good("run", "--rm", "x", "-it", "--rm", given: ["rm=true"], positional: ["x", "-it", "--rm"]),
        Good("run", "--", "-x", "y", positional: ["-x", "y"]),
        Good("run", "x", "--", "y", positional: ["x", "--", "y"]),
        Good("run", "-", positional: ["-"]),
        Good("container", "run", "x", path: "minirun container run"),
        Good("rmi", "a", "-f", "b", path: "minirun rmi", given: ["force=true"], positional: ["a", "b"]),
        Good("rmi", "a", "--", "-f", path: "minirun rmi", positional: ["a", "-f"]),
        Good("image", "remove", "a", path: "minirun image rm", positional: ["a"]),
        Good("builder", "build", ".", path: "minirun builder build", positional: ["."]),
        Good("-D", "ps", path: "minirun ps", positional: []),
        Good("--root", "/r", "--state=/s", "-l", "debug", "ps", path: "minirun ps", positional: []),
    ]

    @Test(arguments: good) func understands(_ row: Good) throws {
        guard case .verb(_, let arguments) = try SampleTable.table().parse(row.line) else {
            Issue.record("not a verb")
            return
        }
        #expect(arguments.path == row.path)
        #expect(arguments.given.map { "\(arguments.options[$0.option].name)=\($0.text)" } == row.given)
        #expect(arguments.positional == row.positional)
    }

    static let runUsage = "Usage:  minirun run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\n"
    static let runHelp = "Run 'minirun run --help' for more information"

    /// Bad options of `run` and the first line of the message; docker 28.2.2 gave the same.
    static let badOptions: [([String], String)] = [
        (["--foo"], "unknown flag: --foo"),
        (["--foo=1"], "unknown flag: --foo"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["-itx", "y"], "unknown shorthand flag: 'x' in -x"),
        (["-xit"], "unknown shorthand flag: 'x' in -xit"),
        (["--name"], "flag needs an argument: --name"),
        (["-e"], "flag needs an argument: 'e' in -e"),
        (["-ite"], "flag needs an argument: 'e' in -e"),
        (["-h"], "flag needs an argument: 'h' in -h"),
        (["--=x"], "bad flag syntax: --=x"),
        (["---x"], "bad flag syntax: ---x"),
        (["--cpus", "x", "y"], "invalid argument \"x\" for \"--cpus\" flag: failed to parse x as a rational number"),
        (["-m", "1x", "y"], "invalid argument \"1x\" for \"-m, --memory\" flag: invalid suffix: 'x'"),
        (
            ["--rm=maybe", "y"],
            "invalid argument \"maybe\" for \"--rm\" flag: strconv.ParseBool: parsing \"maybe\": invalid syntax"
        ),
        (
            ["--help=x"],
            "invalid argument \"x\" for \"--help\" flag: strconv.ParseBool: parsing \"x\": invalid syntax"
        ),
        (["-e", "=x", "y"], "invalid argument \"=x\" for \"-e, --env\" flag: invalid environment variable: =x"),
        (["--label", "=x", "y"], "invalid argument \"=x\" for \"-l, --label\" flag: invalid label '=x': empty name"),
        (
            ["--pids-limit", "x", "y"],
            "invalid argument \"x\" for \"--pids-limit\" flag: strconv.ParseInt: parsing \"x\": invalid syntax"
        ),
        (["--sysctl", "x", "y"], "invalid argument \"x\" for \"--sysctl\" flag: sysctl 'x' is not allowed"),
        (["--dns", "x", "y"], "invalid argument \"x\" for \"--dns\" flag: IP address is not correctly formatted: x"),
        (["--dns-search", "1", "y"], "invalid argument \"1\" for \"--dns-search\" flag: 1 is not a valid domain"),
        (["--add-host", "x", "y"], "invalid argument \"x\" for \"--add-host\" flag: bad format for add-host: \"x\""),
    ]

    @Test(arguments: badOptions) func refusesOptions(_ words: [String], _ message: String) {
        #expect(
            error(of: ["run"] + words)
                == CommandLineError(text: "\(message)\n\n\(Self.runUsage)\(Self.runHelp)", exitCode: 125)
        )
    }

    static let others: [(String, Int32, String)] = [
        ("foo", 1, "minirun: unknown command: minirun foo\n\nRun 'minirun --help' for more information"),
        (
            "container foo", 1,
            "minirun: unknown command: minirun container foo\n\nUsage:  minirun container\n\n"
                + "Run 'minirun container --help' for more information"
        ),
        // docker's verbs that are to come.
        ("attach x", 1, "minirun: attach: not supported yet"), ("cp a b", 1, "minirun: cp: not supported yet"),
        ("network ls", 1, "minirun: network: not supported yet"), ("-D logs", 1, "minirun: logs: not supported yet"),
        ("volume", 1, "minirun: volume: not supported yet"),
        ("container exec -it x sh", 1, "minirun: container exec: not supported yet"),
        (
            "--foo attach", 125,
            "unknown flag: --foo\n\nUsage:  minirun [OPTIONS] COMMAND [ARG...]\n\n"
                + "Run 'minirun --help' for more information"
        ),
        (
            "--foo ps", 125,
            "unknown flag: --foo\n\nUsage:  minirun [OPTIONS] COMMAND [ARG...]\n\n"
                + "Run 'minirun --help' for more information"
        ),
        (
            "container --foo", 125,
            "unknown flag: --foo\n\nUsage:  minirun container\n\nRun 'minirun container --help' for more information"
        ),
        (
            "image list --foo", 125,
            "unknown flag: --foo\n\nUsage:  minirun image ls [OPTIONS] [REPOSITORY[:TAG]]\n\n"
                + "Run 'minirun image ls --help' for more information"
        ),
        (
            "rmi", 1,
            "minirun: 'minirun rmi' requires at least 1 argument\n\nUsage:  minirun rmi [OPTIONS] IMAGE [IMAGE...]\n\n"
                + "See 'minirun rmi --help' for more information"
        ),
        (
            "tag a", 1,
            "minirun: 'minirun tag' requires 2 arguments\n\n"
                + "Usage:  minirun tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]\n\n"
                + "Run 'minirun tag --help' for more information"
        ),
        (
            "ps a", 1,
            "minirun: 'minirun ps' accepts no arguments\n\nUsage:  minirun ps [OPTIONS]\n\n"
                + "Run 'minirun ps --help' for more information"
        ),
        (
            "images a b", 1,
            "minirun: 'minirun images' requires at most 1 argument\n\n"
                + "Usage:  minirun images [OPTIONS] [REPOSITORY[:TAG]]\n\n"
                + "Run 'minirun images --help' for more information"
        ),
        ("help nothing", 1, "unknown help topic: nothing"),
        ("-l foo ps", 1, "Unable to parse logging level: foo"),
    ]

    @Test(arguments: others) func refuses(_ line: String, _ code: Int32, _ text: String) {
        #expect(error(of: line.split(separator: " ").map(String.init)) == CommandLineError(text: text, exitCode: code))
    }

    @Test func readsGlobalOptions() throws {
        let line = ["-D", "--root", "/r", "--state=/s", "--log-level=warn", "ps"]
        guard case .verb(_, let arguments) = try SampleTable.table().parse(line) else {
            Issue.record("not a verb")
            return
        }
        #expect(arguments.globals == GlobalOptions(root: "/r", state: "/s", debug: true, logLevel: "warn"))
    }

    @Test func gettersKnowTypesAndDefaults() throws {
        let line = ["run", "-m", "64m", "--cpus", "1.5", "--pids-limit", "0x10", "--rm", "--rm=false", "x"]
        guard case .verb(_, let arguments) = try SampleTable.table().parse(line) else {
            Issue.record("not a verb")
            return
        }
        #expect(try arguments.bytes("memory") == 64 << 20)
        #expect(try arguments.nanoCPUs("cpus") == 1_500_000_000)
        #expect(try arguments.integer("pids-limit") == 16)
        #expect(try arguments.integer("stop-timeout") == nil)
        #expect(arguments.flag("rm") == false)
        #expect(arguments.isSet("rm"))
        #expect(arguments.flag("sig-proxy"))
        #expect(!arguments.isSet("sig-proxy"))
        #expect(arguments.value("pull") == "missing")
        #expect(arguments.value("name") == nil)
        #expect(arguments.values("env") == [])
    }

    @Test func versionAndHelpComeFirst() throws {
        guard case .version = try SampleTable.table().parse(["--version"]) else {
            Issue.record("not the version")
            return
        }
        for line in [["--help"], ["-h"], ["help"]] {
            guard case .text(_, toStandardError: false) = try SampleTable.table().parse(line) else {
                Issue.record("not help: \(line)")
                continue
            }
        }
        guard case .text(_, toStandardError: true) = try SampleTable.table().parse([]) else {
            Issue.record("nothing typed shows help on stderr")
            return
        }
    }

    @Test func everyFormIsThereOnce() {
        let forms = SampleTable.table().verbs.flatMap(\.forms)
        #expect(Set(forms).count == forms.count)
        for verb in SampleTable.table().verbs {
            let options = verb.options()
            #expect(Set(options.map(\.name)).count == options.count, "\(verb.forms)")
            let letters = options.compactMap(\.short)
            #expect(Set(letters).count == letters.count, "\(verb.forms)")
        }
    }

    private func error(of line: [String]) -> CommandLineError? {
        do throws(CommandLineError) {
            _ = try SampleTable.table().parse(line)
            return nil
        } catch {
            return error
        }
    }
}
