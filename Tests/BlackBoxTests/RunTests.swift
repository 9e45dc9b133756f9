import LinuxSystem
import OCI
import TestSupport
import Testing

/// What a person sees of `run`: the program's code, its words, and the engine's own where it cannot be started.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct RunTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    // MARK: Exit codes

    @Test(arguments: [0, 1, 7, 42, 125, 126, 127, 255]) func theProgramsCodeIsOurs(code: Int) throws {
        #expect(try minirun("run", "--rm", Fixtures.guest, "exit", "\(code)").code == Int32(code))
    }

    @Test(arguments: [(9, 137), (15, 143), (11, 139), (6, 134)]) func aSignalIs128AndItsNumber(signal: Int, code: Int)
        throws
    {
        // In a child of pid 1, which itself is deaf to its own signals.
        #expect(try minirun.shell("sh -c 'kill -\(signal) $$'; exit $?").code == Int32(code))
    }

    @Test func pidOneIsDeafToItsOwnSignals() throws {
        #expect(try minirun.guest("signal", "15") == "survived")
    }

    @Test(arguments: [
        (["nosuchprogram"], 127, "exec: \"nosuchprogram\": executable file not found in $PATH"),
        (["/no/such"], 127, "exec: \"/no/such\": stat /no/such: no such file or directory"),
        (["/etc"], 126, "exec: \"/etc\": is a directory: permission denied"),
        (["/etc/passwd"], 126, "exec: \"/etc/passwd\": permission denied"),
        (["/etc/passwd/x"], 127, "exec: \"/etc/passwd/x\": not a directory"),
        ([""], 127, "executable file not found in $PATH"),
    ])
    func aProgramThatCannotStart(command: [String], code: Int, message: String) throws {
        let outcome = try minirun.invoke(["run", "--rm", Fixtures.busybox] + command)
        #expect(outcome.code == Int32(code))
        #expect(outcome.out == "")
        #expect(outcome.err.contains(message), "\(outcome.err)")
        #expect(outcome.err.hasPrefix("minirun: "))
        #expect(outcome.err.hasSuffix("\n\nRun 'minirun run --help' for more information\n"))
        #expect(minirun.containers.isEmpty && minirun.active.isEmpty)
    }

    @Test func aMissingInterpreterIsNotFound() throws {
        let script = try minirun.write("script", "#!/no/interpreter\n", mode: 0o755)
        #expect(try minirun("run", "--rm", "-v", "\(script):/script", Fixtures.busybox, "/script").code == 127)
    }

    @Test func aFileWithoutAFormatIsNotGivenToAShell() throws {
        let script = try minirun.write("script", "echo no\n", mode: 0o755)
        let outcome = try minirun("run", "--rm", "-v", "\(script):/script", Fixtures.busybox, "/script")
        #expect(outcome.code == 126)
        #expect(outcome.err.contains("exec format error"))
    }

    @Test(arguments: [
        (["run", "--nosuch", "x"], 125, "unknown flag: --nosuch"),
        (["run", "-m", "1k", Fixtures.busybox, "true"], 125, "Minimum memory limit allowed is 6MB"),
        (["run", "--cpus", "9999", Fixtures.busybox, "true"], 125, "range of CPUs is from 0.01 to"),
        (["run", "nosuchimage"], 125, "nosuchimage"),
        (["run", "oci:/nonexistent"], 125, "/nonexistent"),
        (["run", "--network", "bridge", Fixtures.busybox], 125, "only none and host"),
        (
            ["run", "--user", "nosuch", Fixtures.busybox, "true"], 125,
            "unable to find user nosuch: no matching entries in passwd file"
        ),
        (
            ["run", "--user", "0:nosuch", Fixtures.busybox, "true"], 125,
            "unable to find group nosuch: no matching entries in group file"
        ),
        (["run", "--cap-add", "NOSUCH", Fixtures.busybox, "true"], 125, "NOSUCH"),
        (["run", "--security-opt", "seccomp=/nonexistent", Fixtures.busybox, "true"], 125, "/nonexistent"),
        (["run", "--sysctl", "kernel.panic=1", Fixtures.busybox, "true"], 125, "is not allowed"),
        (
            ["run", "--network", "host", "--sysctl", "net.ipv4.ip_forward=1", Fixtures.busybox, "true"], 125,
            "host network"
        ),
        (["run", "--device", "/dev/nosuch", Fixtures.busybox, "true"], 125, "/dev/nosuch"),
        (["run", "--env-file", "/nonexistent", Fixtures.busybox, "true"], 125, "/nonexistent"),
        (["run", "-v", "/tmp:/proc", Fixtures.busybox, "true"], 125, "inside /proc"),
        (["run", "-v", "/tmp:/", Fixtures.busybox, "true"], 125, "destination can't be '/'"),
        (["run", "--platform", "linux/riscv64", Fixtures.busybox, "true"], 125, "riscv64"),
        (["run", "--name", "/bad name", Fixtures.busybox, "true"], 125, "Invalid container name"),
        (["run"], 1, "requires at least 1 argument"),
        (["nosuchverb"], 1, "unknown command: minirun nosuchverb"),
    ])
    func anEnginesError(arguments: [String], code: Int, message: String) throws {
        let outcome = try minirun.invoke(arguments)
        #expect(outcome.code == Int32(code), "\(outcome)")
        #expect(outcome.out == "")
        #expect(outcome.err.contains(message), "\(outcome.err)")
        #expect(minirun.containers.isEmpty && minirun.active.isEmpty && minirun.names.isEmpty)
    }

    @Test func wordsBeyondTheKernelsLimitAreAnError() throws {
        let long = String(repeating: "y", count: 100_000)
        let many = try minirun.write("variables", (0..<30).map { "V\($0)=\(long)\n" }.joined())
        let second = try minirun("run", "--rm", "--env-file", many, Fixtures.busybox, "true")
        #expect(second.code == 126 && second.err.contains("argument list too long"), "\(second.code)")
        #expect(minirun.containers.isEmpty && minirun.active.isEmpty)
    }

    // MARK: Command and entry point

    @Test func argumentsReplaceTheCommandAndNotTheEntryPoint() throws {
        #expect(try minirun("run", "--rm", Fixtures.guest, "echo", "a b", "c").out == "a b c\n")
        #expect(try minirun("run", "--rm", "--entrypoint", "/bin/echo", Fixtures.busybox, "x").out == "x\n")
        // The image's CMD (`sh`) goes with its entry point.
        #expect(try minirun("run", "--rm", "--entrypoint", "/bin/echo", Fixtures.busybox).out == "\n")
        #expect(try minirun("run", "--rm", "--entrypoint", "", Fixtures.guest, "/guest", "echo", "y").out == "y\n")
        #expect(try minirun("run", "--rm", "--entrypoint", "", Fixtures.guest).code == 125)
    }

    @Test func programsAreFoundInTheContainersPath() throws {
        let folder = try minirun.makeFolder("bin")
        try minirun.write("bin/greet", "#!/bin/sh\necho hello from $0\n", mode: 0o755)
        let mount = "\(folder):/own"
        #expect(
            try minirun("run", "--rm", "-v", mount, "-e", "PATH=/own:/bin", Fixtures.busybox, "greet").out
                == "hello from /own/greet\n"
        )
        #expect(
            try minirun("run", "--rm", "-v", mount, "-w", "/own", Fixtures.busybox, "./greet").out
                == "hello from ./greet\n"
        )
        #expect(try minirun("run", "--rm", "-v", mount, Fixtures.busybox, "greet").code == 127)
    }

    // MARK: Environment

    @Test func theEnvironmentIsDockers() throws {
        let report = try minirun.report("--hostname", "box")
        #expect(
            report.environment == [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=box", "HOME=/",
            ]
        )
        #expect(try minirun("run", "--rm", Fixtures.busybox, "sh", "-c", "echo $HOME $TERM.").out == "/root .\n")
    }

    @Test func variablesComeFromOptionsFilesAndTheCaller() throws {
        let file = try minirun.write("variables", "# comment\nFILE=one\nBOTH=file\nCALLER\nMISSING\n")
        let outcome = try minirun(
            "run",
            "--rm",
            "--env-file",
            file,
            "-e",
            "BOTH=option",
            "-e",
            "GIVEN",
            "-e",
            "EMPTY=",
            "-e",
            "HOME=/elsewhere",
            Fixtures.guest,
            environment: ["CALLER": "theirs", "GIVEN": "ours", "SECRET": "stays"]
        )
        let environment = try GuestReport(outcome).environment
        for entry in ["FILE=one", "BOTH=option", "CALLER=theirs", "GIVEN=ours", "EMPTY=", "HOME=/elsewhere"] {
            #expect(environment.contains(entry), "\(entry)")
        }
        #expect(!environment.contains { $0.hasPrefix("MISSING") || $0.hasPrefix("SECRET") || $0.hasPrefix("MINIRUN") })
        #expect(
            Set(environment.map { $0.prefix { $0 != "=" } }).count == environment.count,
            "a variable is there twice"
        )
    }

    // MARK: User, groups, working folder, names

    @Test(arguments: [
        ("", "0 0 0 /root"), ("app", "1000 1000 1000 2000 /home/app"), ("1000", "1000 1000 1000 2000 /home/app"),
        ("app:extra", "1000 2000 2000 /home/app"), ("app:33", "1000 33 33 /home/app"), ("4242", "4242 0 0 /"),
        ("4242:4343", "4242 4343 4343 /"), (":33", "0 33 33 /root"), ("nobody", "65534 65534 65534 /home"),
        ("0:0", "0 0 0 /root"),
    ])
    func usersAreLookedUpInTheImage(user: String, expected: String) throws {
        let options = user.isEmpty ? [] : ["-u", user]
        let outcome = try minirun.invoke(
            ["run", "--rm"] + options + [Fixtures.busybox, "sh", "-c", "echo $(id -u) $(id -g) $(id -G) $HOME"]
        )
        #expect(outcome.line == expected)
    }

    @Test(arguments: ["-1", "4294967295", "2147483648", "1000:-1", "１０"]) func numbersThatAreNoUsersAreRefused(
        user: String
    ) throws {
        #expect(try minirun("run", "--rm", "-u", user, Fixtures.busybox, "id").code == 125)
    }

    @Test func groupsAreAdded() throws {
        let report = try GuestReport(
            minirun(
                "run",
                "--rm",
                "-u",
                "app",
                "--group-add",
                "www-data",
                "--group-add",
                "77",
                "-v",
                "\(Fixtures.guestProgram):/guest",
                Fixtures.busybox,
                "/guest"
            )
        )
        #expect(report.groups.sorted() == [33, 77, 1000, 2000])
    }

    @Test func theCallersGroupsStayOutside() throws {
        #expect(try minirun.report().groups == [0])
        #expect(try minirun.report("-u", "7").groups == [0])
    }

    @Test func theWorkingFolderIsMadeForRoot() throws {
        let outcome = try minirun.shell("pwd; stat -c '%u:%g %a' . ..", "-w", "/new/deep", "-u", "app")
        #expect(outcome.out == "/new/deep\n0:0 755\n0:0 755\n")
        let relative = try minirun.shell("pwd", "-w", "tmp")
        #expect(relative.code == 125 && relative.err.contains("it needs to be an absolute path"), "\(relative)")
        let refused = try minirun.shell("pwd", "-w", "/etc/passwd")
        #expect(refused.code >= 125 && refused.err.contains("/etc/passwd"), "\(refused)")
        // Made before the root becomes read-only; what cannot be made is an error still.
        let readOnly = try minirun.shell("pwd; touch x", "--read-only", "-w", "/new/deep")
        #expect(readOnly.out == "/new/deep\n" && readOnly.err.contains("Read-only file system"), "\(readOnly)")
        #expect(try minirun.shell("pwd", "--read-only", "-w", "/proc/new").code >= 125)
    }

    @Test func hostAndDomainNames() throws {
        let report = try minirun.report("-h", "box", "--domainname", "example.org")
        #expect(report["hostname"].string == "box" && report["domainname"].string == "example.org")
        #expect(try minirun.shell("cat /etc/hostname; hostname").lines.count == 2)
        let outcome = try minirun.shell("hostname; cat /etc/hostname")
        #expect(outcome.lines.first == outcome.lines.last)
        #expect(outcome.lines.first?.utf8.count == 12)
        #expect(outcome.lines.first?.allSatisfy { $0.isHexDigit && !$0.isUppercase } == true)
    }

    @Test func networkFiles() throws {
        let hosts = try minirun.shell("cat /etc/hosts", "--add-host", "db:10.1.2.3", "--add-host", "six:[fd00::1]")
            .lines
        #expect(hosts.first == "127.0.0.1\tlocalhost")
        #expect(hosts.contains("::1\tlocalhost ip6-localhost ip6-loopback"))
        #expect(hosts.contains("10.1.2.3\tdb") && hosts.contains("fd00::1\tsix"))
        let resolver = try minirun.shell(
            "cat /etc/resolv.conf",
            "--dns",
            "9.9.9.9",
            "--dns-search",
            "example.org",
            "--dns-option",
            "ndots:2"
        )
        #expect(resolver.out == "nameserver 9.9.9.9\nsearch example.org\noptions ndots:2\n")
        #expect(try minirun.shell("echo 1.2.3.4 me >> /etc/hosts && tail -n 1 /etc/hosts").out == "1.2.3.4 me\n")
    }

    @Test func theHostsNetworkAndNone() throws {
        #expect(try minirun.shell("ls /sys/class/net; cat /sys/class/net/lo/flags").lines == ["lo", "0x9"])
        #expect(try minirun.shell("ping -c 1 -W 2 127.0.0.1 >/dev/null && echo up").line == "up")
        let host = try minirun.shell("readlink /proc/self/ns/net; hostname; cat /etc/hosts", "--network", "host")
        #expect(host.lines.first == (try Link.target("/proc/self/ns/net")))
        #expect(host.out.contains(try Files.readText("/etc/hosts")))
        #expect(try minirun.shell("cat /proc/sys/net/ipv4/ip_unprivileged_port_start").line == "0")
    }
}
