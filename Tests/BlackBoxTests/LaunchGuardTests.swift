import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// What protects the host from a container even where something around the engine is not as it should be.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct LaunchGuardTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private func refusing(_ calls: [RefusedCalls.Call], _ code: CInt, open folder: String = "", _ arguments: [String])
        throws -> Outcome
    {
        let words = RefusedCalls.words(calls, answeredWith: code, leavingOpen: folder, minirun.command(arguments))
        return Outcome(try Subprocess.run(words, environment: Minirun.environment(), timeout: 60_000))
    }

    // MARK: CVE-2024-21626, with a filter around the engine

    @Test(
        arguments: [EPERM, ENOSYS],
        [[], [RefusedCalls.Call.openat2], [.openat2, .getdents64]] as [[RefusedCalls.Call]]
    )
    func theCallersDescriptorsStayOutside(code: CInt, more: [RefusedCalls.Call]) throws {
        // Without openat2 no container can be made: it ends with an error, and nothing is executed.
        let outcome = try refusing(
            [.closeRange] + more,
            code,
            open: minirun.folder,
            ["run", "--rm", Fixtures.guest, "report"]
        )
        guard more.isEmpty else { return #expect(outcome.code == 125 && outcome.out == "", "\(outcome)") }
        let numbers = try GuestReport(outcome)["descriptors"].array?.compactMap { $0["number"]?.int }
        #expect(numbers?.sorted() == [0, 1, 2])
    }

    /// Init goes on without an exec: what it holds is there as long as the container.
    @Test(arguments: ["engine", "container", "both"]) func initHoldsNothing(filtered: String) throws {
        let names = #"["close_range", "openat2", "getdents64"]"#
        let profile = try minirun.write(
            "profile.json",
            """
            {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": \(names), "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
            """
        )
        let options = filtered == "engine" ? [] : ["--security-opt", "seccomp=\(profile)"]
        let command = minirun.command(
            ["run", "--rm", "--init"] + options + [Fixtures.busybox, "sh", "-c", "echo ready; exec sleep 600"]
        )
        let words = RefusedCalls.words(
            filtered == "container" ? [] : [.closeRange],
            answeredWith: EPERM,
            leavingOpen: minirun.folder,
            command
        )
        let session = try Session(words, environment: Minirun.environment())
        session.expect("ready\n")
        let monitor = try #require(HostProcesses.children(of: session.pid).first)
        let initProcess = try #require(HostProcesses.children(of: monitor).first)
        let program = try #require(HostProcesses.children(of: initProcess).first)
        #expect(try Files.list("/proc/\(initProcess)/fd") == [])
        #expect(try Files.list("/proc/\(program)/fd").sorted() == ["0", "1", "2"])
        session.signal(SIGTERM)
        // SIGTERM reaches the program: nothing has come between.
        #expect(try session.wait().code == 128 + SIGTERM)
    }

    /// The way to the program may be long, as where a volume is filled: who asks for the end has it then, too. The shim is one that
    /// never comes to its first word.
    @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func aLaunchCanBeEnded(signal: CInt) throws {
        let folder = try minirun.makeFolder("shim")
        // A shell takes the control socket's number for the name of its script.
        for number in 3..<64 { try minirun.write("shim/\(number)", "echo begun >&2; exec sleep 600\n") }
        let words = ["sh", "-c", "cd \"$0\" && exec \"$@\"", folder]
        for options in [["--rm"], ["--name", "kept"]] {
            let command = minirun.command(["run"] + options + [Fixtures.busybox, "true"])
            let session = try Session(words + command, environment: Minirun.environment(["MINIRUN_SHIM": "/bin/sh"]))
            session.expect("begun")
            session.signal(signal)
            #expect(try session.wait().code == 125)
            #expect(session.seen.contains("the program was not started: "), "\(session.seen)")
            #expect(minirun.containers.isEmpty && minirun.active.isEmpty && minirun.names.isEmpty)
        }
    }

    // MARK: CVE-2024-40635: whether the kernel has done what it was asked

    @Test(arguments: [RefusedCalls.Call.setresuid, .setresgid, .setgroups]) func anIdThatWasNotSet(
        call: RefusedCalls.Call
    )
        throws
    {
        let options = ["run", "--rm", "-u", "1234:2345", "--group-add", "99", Fixtures.guest, "report"]
        for code in [0, EPERM] {
            let outcome = try refusing([call], code, options)
            #expect(outcome.code >= 125 && outcome.out == "", "\(outcome)")
        }
    }

    // MARK: a message that is lost

    /// Whoever waits for it must not wait for ever.
    @Test(arguments: [EPERM, ENOBUFS, EMFILE]) func aMessageThatCannotBeSent(code: CInt) throws {
        let began = Clock.monotonic
        let outcome = try refusing([.sendmsg], code, ["run", "--rm", Fixtures.busybox, "true"])
        #expect(outcome.code == 125 && !outcome.err.isEmpty, "\(outcome)")
        #expect(Clock.monotonic - began < 30_000_000_000)
        #expect(minirun.active.isEmpty)
    }

    /// The engine's own side: the plan with sendmsg(2), the go with send(2).
    @Test(.enabled(if: FileStatus.exists("/usr/bin/strace")), arguments: ["sendmsg", "sendto"])
    func aMessageThatTheEngineCannotSend(call: String) throws {
        let traced = ["strace", "-o", "/dev/null", "-e", "trace=\(call)", "-e", "inject=\(call):error=EPERM"]
        let command = minirun.command(["run", "--rm", Fixtures.busybox, "true"])
        let result = try Subprocess.run(traced + command, environment: Minirun.environment(), timeout: 30_000)
        #expect(result.status == .exited(125) && result.errorText.contains("sending to the shim"), "\(Outcome(result))")
        #expect(minirun.active.isEmpty)
    }

    // MARK: the caller's umask

    @Test(arguments: [0, 0o027, 0o077, 0o777]) func theCallersMaskChangesNothing(mask: Int) throws {
        let script = "umask; stat -c '%a %n' / /etc /etc/hosts /etc/resolv.conf /etc/hostname /dev /proc /tmp /new /w"
        try minirun.write(
            "context/Dockerfile",
            "FROM busybox\nRUN mkdir /new\nWORKDIR /w\nCOPY Dockerfile /x\n"
        )
        func listing(_ mask: String, _ engine: Minirun) throws -> String {
            let steps = [
                engine.command(["load", "-q", "-i", "\(Fixtures.folder)/busybox.docker.tar"]),
                engine.command(["build", "-q", "--iidfile", engine.path("id"), minirun.path("context")]),
                engine.command(["run", "--rm", "-u", "1000", "-w", "/made", "IMAGE", "sh", "-c", script]),
            ]
            let lines = steps.map { $0.map { "'\($0.replacing("'", with: "'\\''"))'" }.joined(separator: " ") }
            let run = lines[2].replacing("'IMAGE'", with: "$(cat \(engine.path("id")))")
            let outcome = Outcome(
                try Subprocess.run(
                    [
                        "sh", "-c",
                        "umask \(mask); \(lines[0]) >/dev/null && \(lines[1]) >/dev/null && chmod 644 \(engine.path("id")) && \(run)",
                    ],
                    environment: Minirun.environment(),
                    timeout: 120_000
                )
            )
            #expect(outcome.code == 0, "\(outcome)")
            return outcome.out
        }
        let masked = try listing(String(mask, radix: 8), minirun)
        #expect(masked == (try listing("022", Minirun())))
        #expect(masked.hasPrefix("0022\n755 /\n755 /etc\n644 /etc/hosts\n"), "\(masked)")
    }

    /// Who else may read what is written for the caller is the caller's choice.
    @Test func filesForTheCallerKeepTheMask() throws {
        let words = minirun.command(["run", "--rm", "--cidfile", minirun.path("cid"), Fixtures.busybox, "true"])
        let result = try Subprocess.run(
            ["sh", "-c", "umask 077; exec \"$@\"", "sh"] + words,
            environment: Minirun.environment(),
            timeout: 60_000
        )
        #expect(result.status == .exited(0), "\(result.errorText)")
        #expect(try FileStatus.of(minirun.path("cid")).mode & 0o777 == 0o600)
    }

    @Test(arguments: ["--iidfile", "--metadata-file"]) func filesOfABuildKeepTheMask(option: String) throws {
        try minirun.write("context/Dockerfile", "FROM scratch\nLABEL a=b\n")
        let words = minirun.command(["build", "-q", option, minirun.path("result"), minirun.path("context")])
        let result = try Subprocess.run(
            ["sh", "-c", "umask 077; exec \"$@\"", "sh"] + words,
            environment: Minirun.environment(),
            timeout: 60_000
        )
        #expect(result.status == .exited(0), "\(result.errorText)")
        #expect(try FileStatus.of(minirun.path("result")).mode & 0o777 == 0o600)
    }

    // MARK: a program that cannot start

    @Test(arguments: ["#!/no/interpreter\n", "#! /no/interpreter -x\n"]) func aMissingInterpreterIsNamed(text: String)
        throws
    {
        let script = try minirun.write("script", text, mode: 0o755)
        let outcome = try minirun("run", "--rm", "-v", "\(script):/script", Fixtures.busybox, "/script")
        #expect(outcome.code == 127)
        #expect(outcome.err.contains("exec /script: no such file or directory"), "\(outcome)")
        #expect(outcome.err.contains("/no/interpreter"), "\(outcome)")
    }

    /// The host's own `true` is linked to a loader that the image has not.
    @Test func aMissingLoaderIsNamed() throws {
        let outcome = try minirun("run", "--rm", "-v", "/usr/bin/true:/host-true", Fixtures.guest, "exec", "/host-true")
        #expect(outcome.code != 0)
        let direct = try minirun("run", "--rm", "-v", "/usr/bin/true:/host-true", Fixtures.busybox, "/host-true")
        guard direct.code != 0 else { return }
        #expect(direct.code == 127 && direct.err.contains("/ld-linux"), "\(direct)")
    }
}
