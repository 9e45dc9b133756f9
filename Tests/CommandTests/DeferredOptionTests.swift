import OCI
import Testing

@testable import minirun

/// Every option of `docker run` is known: those that ask for what is the case anyway pass, those to come are refused by name.
@Suite struct DeferredOptionTests {
    /// The words of docker 28.2.2's `run --help`, without `--help`; a value where the option takes one, which asks for more than
    /// is the case where that can be asked.
    static let docker: [(name: String, value: String?)] = [
        ("add-host", "a:1.2.3.4"), ("annotation", "a=b"), ("attach", "stdout"), ("blkio-weight", "10"),
        ("blkio-weight-device", "/dev/sda:10"), ("cap-add", "ALL"), ("cap-drop", "ALL"), ("cgroup-parent", "/x"),
        ("cgroupns", "host"), ("cidfile", "f"), ("cpu-count", "2"), ("cpu-percent", "2"), ("cpu-period", "1000"),
        ("cpu-quota", "1000"), ("cpu-rt-period", "1"), ("cpu-rt-runtime", "1"), ("cpu-shares", "2"), ("cpus", "1"),
        ("cpuset-cpus", "0"), ("cpuset-mems", "0"), ("detach", nil), ("detach-keys", "ctrl-a"), ("device", "/dev/null"),
        ("device-cgroup-rule", "c 1:1 r"), ("device-read-bps", "/dev/sda:1"), ("device-read-iops", "/dev/sda:1"),
        ("device-write-bps", "/dev/sda:1"), ("device-write-iops", "/dev/sda:1"), ("disable-content-trust", nil),
        ("dns", "1.1.1.1"), ("dns-option", "x"), ("dns-search", "x"), ("domainname", "x"), ("entrypoint", "x"),
        ("env", "A=1"), ("env-file", "f"), ("expose", "80"), ("gpus", "all"), ("group-add", "x"), ("health-cmd", "x"),
        ("health-interval", "1s"), ("health-retries", "1"), ("health-start-interval", "1s"),
        ("health-start-period", "1s"), ("health-timeout", "1s"), ("hostname", "x"), ("init", nil), ("interactive", nil),
        ("io-maxbandwidth", "1"), ("io-maxiops", "1"), ("ip", "1.2.3.4"), ("ip6", "::1"), ("ipc", "host"),
        ("isolation", "hyperv"), ("kernel-memory", "1g"), ("label", "a"), ("label-file", "f"), ("link", "a"),
        ("link-local-ip", "1.2.3.4"), ("log-driver", "json-file"), ("log-opt", "max-size=1m"),
        ("mac-address", "92:d0:c6:0a:29:33"), ("memory", "1g"), ("memory-reservation", "1g"), ("memory-swap", "1g"),
        ("memory-swappiness", "1"), ("mount", "type=tmpfs,dst=/x"), ("name", "x"), ("network", "none"),
        ("network-alias", "x"), ("no-healthcheck", nil), ("oom-kill-disable", nil), ("oom-score-adj", "1"),
        ("pid", "host"), ("pids-limit", "1"), ("platform", "linux/amd64"), ("privileged", nil), ("publish", "80"),
        ("publish-all", nil), ("pull", "never"), ("quiet", nil), ("read-only", nil), ("restart", "always"), ("rm", nil),
        ("runtime", "runc"), ("security-opt", "label=disable"), ("shm-size", "1m"), ("sig-proxy", nil),
        ("stop-signal", "TERM"), ("stop-timeout", "1"), ("storage-opt", "size=1g"), ("sysctl", "net.x=1"),
        ("tmpfs", "/x"), ("tty", nil), ("ulimit", "nofile=1"), ("use-api-socket", nil), ("user", "x"),
        ("userns", "keep-id"), ("uts", "host"), ("volume", "/x:/x"), ("volume-driver", "x"), ("volumes-from", "x"),
        ("workdir", "/x"),
    ]

    /// Those that are refused as long as nothing carries them out.
    static let refused: Set<String> = [
        "attach", "blkio-weight", "blkio-weight-device", "cgroup-parent", "cgroupns", "cpu-count", "cpu-percent",
        "cpu-rt-period", "cpu-rt-runtime", "detach", "device-cgroup-rule", "device-read-bps", "device-read-iops",
        "device-write-bps", "device-write-iops", "gpus", "health-cmd", "health-interval", "health-retries",
        "health-start-interval", "health-start-period", "health-timeout", "io-maxbandwidth", "io-maxiops", "ip", "ip6",
        "ipc", "isolation", "kernel-memory", "link", "link-local-ip", "log-driver", "log-opt", "mac-address",
        "memory-swappiness", "network-alias", "oom-kill-disable", "pid", "publish", "publish-all", "restart", "runtime",
        "storage-opt", "use-api-socket", "userns", "uts", "volume-driver", "volumes-from",
    ]

    private func message(of words: [String]) -> String? {
        do {
            _ = try SampleTable.table().parse(["run"] + words + ["x"])
            return nil
        } catch {
            #expect(error.exitCode == 125)
            #expect(error.text.hasSuffix(CommandParserTests.runUsage + CommandParserTests.runHelp))
            return error.text.split(separator: "\n").first.map(String.init)
        }
    }

    @Test func allOfThem() {
        // With --help.
        #expect(Self.docker.count == 103)
        #expect(Set(Self.docker.map(\.name)).count == 103)
        #expect(Self.refused.isSubset(of: Self.docker.map(\.name)))
    }

    @Test(arguments: docker) func isKnown(_ option: (name: String, value: String?)) {
        let spellings =
            option.value.map { [["--\(option.name)", $0], ["--\(option.name)=\($0)"]] } ?? [["--\(option.name)"]]
        for words in spellings {
            let message = message(of: words)
            guard Self.refused.contains(option.name) else {
                #expect(message == nil)
                continue
            }
            #expect(message?.hasPrefix("--\(option.name): ") == true)
        }
        // A flag that is off asks for nothing; a value that is empty neither.
        if option.value == nil { #expect(message(of: ["--\(option.name)=false"]) == nil) }
    }

    static let passing: [[String]] = [
        ["--restart", "no"], ["--restart="], ["--pid", "private"], ["--ipc", "private"], ["--ipc="],
        ["--uts", "private"],
        ["--uts="], ["--userns", "host"], ["--cgroupns", "private"], ["--isolation", "default"], ["--pull", "missing"],
        ["--quiet"], ["--network", "none"], ["--network", "host"], ["--log-driver", "none"], ["--detach=false"],
        ["-d", "--detach=0"], ["-a", "stdout", "-a", "STDERR"], ["-ia", "stdin", "-a", "stdout", "-a", "stderr"],
        ["--restart", "always", "--restart", "no"], ["--memory-swappiness", "-1"], ["--blkio-weight", "0"],
        ["--health-interval", "0s"], ["--no-healthcheck"], ["--detach-keys", "ctrl-p,ctrl-q"],
        ["--expose", "80-90/udp"],
        ["--runtime", "minirun"], ["--volume-driver", "local"], ["--publish-all=false"], ["--oom-kill-disable=false"],
        ["--ip="], ["--gpus="], ["--sig-proxy=false"],
    ]

    @Test(arguments: passing) func whatIsTheCaseAnywayPasses(_ words: [String]) { #expect(message(of: words) == nil) }

    static let refusals: [([String], String)] = [
        (["-d"], "--detach: not supported yet"), (["-itd"], "--detach: not supported yet"),
        (["-p", "80:80"], "--publish: not supported yet"), (["-P"], "--publish-all: not supported yet"),
        (["-a", "stdin"], "--attach: not supported yet"),
        // With -i standard input would be attached all the same.
        (["-i", "-a", "stdout", "-a", "stderr"], "--attach: not supported yet"),
        (["--restart", "no", "--restart", "always"], "--restart: not supported yet"),
        (["--net-alias", "x"], "--network-alias: not supported yet"),
        (["--cpu-count", "1"], "--cpu-count: only for Windows containers"),
        // The first of several; a value that means nothing comes before.
        (["--link", "a", "-d"], "--link: not supported yet"),
        (
            ["-d", "--blkio-weight", "x"],
            "invalid argument \"x\" for \"--blkio-weight\" flag: strconv.ParseInt: parsing \"x\": invalid syntax"
        ),
    ]

    @Test(arguments: refusals) func whatIsToComeIsRefused(_ words: [String], _ expected: String) {
        #expect(message(of: words) == expected)
    }

    @Test func helpNamesThem() throws {
        guard case .text(let text, _) = try SampleTable.table().parse(["run", "-d", "--help"]) else {
            Issue.record("no help")
            return
        }
        #expect(text.contains("\nNot supported yet, except for what is the case anyway:\n  --attach, "))
        #expect(text.contains("--volumes-from\n"))
        #expect(!text.contains("net-alias"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    private static let expose = "invalid range format for --expose: "

    static let ports: [([String], String)] = [
        (["--expose", "x"], "\(expose)x, error: strconv.ParseUint: parsing \"x\": invalid syntax"),
        (["--expose", "90-80"], "\(expose)90-80, error: invalid range specified for port: 90-80"),
        (["--expose", ""], "\(expose), error: empty string specified for ports"),
        (["--expose", "/tcp"], "\(expose)/tcp, error: empty string specified for ports"),
        (["--expose", "65536"], "\(expose)65536, error: strconv.ParseUint: parsing \"65536\": value out of range"),
        (["--expose", "80-x"], "\(expose)80-x, error: strconv.ParseUint: parsing \"x\": invalid syntax"),
        (["--expose", "80-"], "\(expose)80-, error: strconv.ParseUint: parsing \"\": invalid syntax"),
        (["--expose", "-5"], "\(expose)-5, error: strconv.ParseUint: parsing \"\": invalid syntax"),
        (["--expose", "+80"], "\(expose)+80, error: strconv.ParseUint: parsing \"+80\": invalid syntax"),
        (["--expose", "80:80"], "invalid port format for --expose: 80:80"),
        (["--expose", "80/foo"], "invalid port: \"80/foo\": invalid proto: foo"),
    ]

    /// In the words of docker's client.
    @Test(arguments: ports) func portsThatAreNone(_ words: [String], _ message: String) throws {
        guard case .verb(_, let parsed) = try SampleTable.table().parse(["run"] + words + ["x"]) else {
            Issue.record("no verb")
            return
        }
        let error = #expect(throws: EngineError.self) { try ContainerRequest.options(parsed) }
        #expect(error?.message == message)
    }
}
