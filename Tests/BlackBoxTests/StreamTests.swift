import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Descriptors 0 to 2: the program has the caller's own, and nothing stands in between.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct StreamTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    /// Runs a shell line on the host, in which `$minirun` is the engine's command line.
    private func host(_ script: String, timeout: Int = 60) throws -> Outcome {
        Outcome(
            try Subprocess.run(
                [
                    "bash", "-c",
                    "minirun=\"\(minirun.command([]).joined(separator: " "))\"; busybox=\(Fixtures.busybox); guest=\(Fixtures.guest); cd \(minirun.folder); \(script)",
                ],
                environment: Minirun.environment(),
                timeout: timeout * 1000
            )
        )
    }

    @Test func anUnterminatedLastLineArrives() throws {
        let outcome = try minirun.shell("printf last; printf words >&2")
        #expect(outcome.out == "last" && outcome.err == "words")
    }

    @Test func muchOutputArrivesWhole() throws {
        let outcome = try minirun.shell("seq 1 200000")
        #expect(outcome.out.utf8.count == 1_288_895)
    }

    @Test func aReaderThatLeavesEndsIt() throws {
        let outcome = try host("$minirun run --rm $busybox yes | head -n 1; echo ${PIPESTATUS[0]}", timeout: 20)
        #expect(outcome.lines.first == "y")
        #expect(outcome.lines.last != "0")
    }

    @Test func inputOnlyWhereAsked() throws {
        #expect(try minirun("run", "--rm", Fixtures.busybox, "cat", input: "text").out == "")
        #expect(try minirun("run", "--rm", "-i", Fixtures.busybox, "cat", input: "text").out == "text")
        // What the program does not read stays the caller's.
        #expect(
            try host("printf 'one\\ntwo\\n' > lines; { $minirun run --rm $busybox true; cat; } < lines").out
                == "one\ntwo\n"
        )
    }

    @Test func theEndOfInputReachesTheProgramWhileItRuns() throws {
        let session = try Session(
            minirun,
            ["run", "--rm", "-i", Fixtures.busybox, "sh", "-c", "cat; echo end; sleep 0.2; exit 4"]
        )
        try session.type("typed\n")
        session.expect("typed\n")
        session.closeInput()
        session.expect("end\n")
        #expect(try session.wait() == .exited(4))
    }

    @Test(arguments: [[], ["--init"]]) func outputThatTheProgramClosesIsClosed(options: [String]) throws {
        let mark = "MARK=\(minirun.folder)"
        let command =
            ["run", "--rm", "-e", mark] + options + [Fixtures.busybox, "sh", "-c", "echo out; exec >&- 2>&-; sleep 30"]
        let stdout = try Pipe()
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        let pid = try Subprocess.start(
            minirun.command(command),
            environment: Minirun.environment(),
            descriptors: [null.raw, stdout.writing.raw, null.raw]
        )
        let reading = stdout.keepReading()
        #expect(try String(decoding: reading.readAll(), as: UTF8.self) == "out\n")
        #expect(!HostProcesses.marked(mark).isEmpty, "the end of the output came only with the end of the container")
        kill(pid, SIGKILL)
        _ = try Subprocess.wait(for: pid)
    }

    @Test(arguments: [[], ["-u", "app"], ["-u", "4242"], ["--init", "-u", "app"]]) func pipesOpenThroughDev(
        options: [String]
    ) throws {
        let script = "echo a > /dev/stdout && echo b > /proc/self/fd/1 && echo c > /dev/stderr"
        let outcome = try minirun.invoke(["run", "--rm"] + options + [Fixtures.busybox, "sh", "-c", script])
        #expect(outcome.out == "a\nb\n" && outcome.err == "c\n", "\(outcome)")
    }

    @Test func onlyPipesChangeTheirOwner() throws {
        let outcome = try host(
            """
            mkfifo named; : > file; chown 1234 named file
            cat named > copy & $minirun run --rm -u app $busybox echo x > named; wait
            $minirun run --rm -u app $busybox echo y > file
            stat -c '%u' named file; cat copy file
            """
        )
        #expect(outcome.out == "1234\n1234\nx\ny\n", "\(outcome)")
    }

    @Test(arguments: ["< /", "> >(cat) < /tmp", "0</dev"]) func foldersAreRefused(redirection: String) throws {
        let outcome = try host("$minirun run --rm -i $guest ls /proc/self/fd/0/ \(redirection)")
        #expect(outcome.code == 125, "\(outcome)")
        #expect(outcome.err.contains("descriptor 0 is a folder"))
        // Without -i it is not the container's, and still the engine's.
        #expect(minirun.containers.isEmpty)
    }

    @Test func pathDescriptorsAndBlockDevicesAreRefused() throws {
        for (path, flags) in [
            ("/etc/passwd", linux_o_path), ("/", linux_o_path), ("/dev/vda", O_RDONLY), ("/dev/loop0", O_RDONLY),
        ] {
            guard FileStatus.exists(path), let file = try? FileDescriptor.open(path, flags) else { continue }
            let out = try Pipe()
            let pid = try Subprocess.start(
                minirun.command(["run", "--rm", "-i", Fixtures.busybox, "true"]),
                environment: Minirun.environment(),
                descriptors: [file.raw, out.writing.raw, out.writing.raw]
            )
            let reading = out.keepReading()
            let text = String(decoding: try reading.readAll(), as: UTF8.self)
            #expect(try Subprocess.wait(for: pid) == .exited(125), "\(path)")
            #expect(text.contains("descriptor 0 is a folder, a path or a block device"), "\(text)")
        }
    }

    @Test func closedDescriptorsBecomeTheNullDevice() throws {
        #expect(try host("$minirun run --rm -i $busybox readlink /proc/self/fd/0 <&-").line == "/dev/null")
        #expect(
            try host(
                "$minirun run --rm $busybox sh -c 'exec 5>&1; readlink /proc/1/fd/5 >&2; true' >&- 2> said; cat said"
            ).line == "/dev/null"
        )
        #expect(try host("$minirun run --rm $busybox readlink /proc/self/fd/2 2>&-").line == "/dev/null")
        #expect(try host("$minirun run --rm $busybox echo x <&- >&- 2>&-").code == 0)
    }

    @Test func nothingElseIsInherited() throws {
        let outcome = try host("exec 7</etc/passwd 8</; $minirun run --rm $guest")
        let descriptors = try GuestReport(outcome)["descriptors"].array?.compactMap { $0["number"]?.int }
        #expect(descriptors == [0, 1, 2])
        let withInit = try host(
            "exec 7</etc/passwd; $minirun run --rm --init $busybox sh -c 'ls /proc/1/fd /proc/self/fd | wc -l'"
        )
        // Only what `ls` itself has: nothing of pid 1's.
        #expect(withInit.line == "7", "\(withInit)")
    }

    @Test func errorsDoNotMixWithOutput() throws {
        let outcome = try host("$minirun run --rm $busybox sh -c 'echo out; echo err >&2; exit 5' 2>/dev/null")
        #expect(outcome.out == "out\n" && outcome.code == 5)
    }
}
