import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// What a caller meets at the command line: names of the program, places, output that cannot be written, files that are asked for.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct CommandLineTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    // MARK: The program's name

    /// Runs the program with `called` as its first argument, "" for none.
    private func call(_ file: String, as called: String, _ arguments: String...) throws -> Outcome {
        let script = called == "-" ? "exec -a '' \"$0\" \"$@\"" : "exec -a \"$CALLED\" \"$0\" \"$@\""
        return Outcome(
            try Subprocess.run(
                ["/bin/bash", "-c", script, file] + arguments,
                environment: Minirun.environment(["CALLED": called]),
                timeout: 60_000
            )
        )
    }

    @Test(arguments: ["runc", "crun", "minirun-oci", "oci-runtime", "minirun-1.2", "/usr/lib/x/youki", "minirun2"])
    func everyOtherNameIsTheRuntime(_ name: String) throws {
        let outcome = try call(Minirun.program, as: name, "--version")
        #expect(outcome.code == 0 && outcome.out.contains("spec: "), "\(outcome)")
    }

    @Test(arguments: ["minirun", "docker", "./docker", "/usr/bin/minirun"]) func thoseTwoAreTheEngine(_ name: String)
        throws
    {
        let outcome = try call(Minirun.program, as: name, "--version")
        #expect(outcome.code == 0 && outcome.out.hasPrefix("minirun version "), "\(outcome)")
    }

    @Test func linksCountByTheirNames() throws {
        let target = Minirun.program
        for (name, isRuntime) in [("engine", true), ("docker", false)] {
            let link = minirun.path(name)
            try Link.create(link, to: target)
            let outcome = Outcome(
                try Subprocess.run([link, "--version"], environment: Minirun.environment(), timeout: 60_000)
            )
            #expect(outcome.out.contains("spec: ") == isRuntime, "\(outcome)")
        }
    }

    @Test func withoutANameTheFilesOwnCounts() throws {
        #expect(try call(Minirun.program, as: "-", "--version").out.hasPrefix("minirun version "))
        let copy = minirun.path("some-runtime")
        try tool("cp", Minirun.program, copy)
        #expect(try call(copy, as: "-", "--version").out.contains("spec: "))
    }

    // MARK: Places

    @Test func variablesNameThePlaces() throws {
        let (root, state) = (minirun.path("other-root"), minirun.path("other-state"))
        func info(_ words: [String], _ environment: [String: String]) throws -> Outcome {
            Outcome(
                try Subprocess.run(
                    [Minirun.program] + words,
                    environment: Minirun.environment(environment),
                    timeout: 60_000
                )
            )
        }
        let both = ["MINIRUN_ROOT": root, "MINIRUN_STATE": state]
        #expect(try info(["load", "-i", "\(Fixtures.folder)/busybox.docker.tar"], both).code == 0)
        #expect(FileStatus.exists("\(root)/images/index.json"))
        #expect(try info(["images", "-q"], both).lines.count == 1)
        let explained = try info(["run", "--explain", "--rm", "busybox"], both)
        #expect(explained.out.contains(root) && explained.out.contains("binding \(state)/"), "\(explained)")
        // The option comes first, and what is empty is not set.
        #expect(try info(["--root", minirun.root, "--state", minirun.state, "images", "-q"], both).out == "")
        let empty = ["MINIRUN_ROOT": "", "MINIRUN_STATE": ""]
        #expect(try info(["--root", minirun.root, "--state", minirun.state, "images", "-q"], empty).out == "")
        #expect(try info(["-D", "--root", "", "completion", "bash"], empty).code == 0)
        let standard = try info(["-D", "--root", "", "--state=", "run", "--explain", "oci:/nonexistent"], empty)
        #expect(standard.err.contains("root /var/lib/minirun, state /run/minirun"), "\(standard)")
    }

    // MARK: Output that cannot be written

    static let printing: [[String]] = [
        ["--help"], ["--version"], ["version"], ["info"], ["images"], ["ps", "-a"], ["run", "--help"],
        ["image", "--help"],
        ["completion", "bash"], ["completion", "zsh"], ["completion", "fish"], ["inspect", "kept"],
        ["inspect", "busybox"],
        ["history", "busybox"], ["image", "inspect", "busybox"], ["image", "diff", "busybox", "busybox"],
        ["image", "verify", "busybox"], ["system", "df"], ["system", "check", "--quick"], ["system", "limits"],
        ["system", "prune", "-f"], ["container", "prune", "-f"], ["image", "prune", "-f"], ["save", "busybox"],
        ["save", "-o", "/dev/full", "busybox"], ["oci", "--help"], ["oci", "features"], ["oci", "spec", "--help"],
        ["oci", "list"], ["images", "--tree"], ["load", "-i", "\(Fixtures.folder)/busybox.docker.tar"],
    ]

    @Test(arguments: printing) func aFullDeviceIsAnError(_ words: [String]) throws {
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        #expect(try minirun("run", "--name", "kept", "busybox", "true").code == 0)
        let outcome = Outcome(
            try Subprocess.run(
                ["/bin/sh", "-c", "exec \"$0\" \"$@\" >/dev/full"] + minirun.command(words),
                environment: Minirun.environment(),
                timeout: 60_000
            )
        )
        #expect(outcome.code != 0, "\(outcome)")
        #expect(outcome.err.contains("No space left on device"), "\(outcome)")
        #expect(outcome.err.split(separator: "\n").count == 1, "\(outcome)")
    }

    @Test func explainingIntoAFullDeviceIsRunsError() throws {
        let words = minirun.command(["run", "--explain", Fixtures.busybox])
        let script = ["/bin/sh", "-c", "exec \"$0\" \"$@\" >/dev/full"] + words
        #expect(try Subprocess.run(script, environment: Minirun.environment(), timeout: 60_000).status == .exited(125))
    }

    @Test(arguments: [["--help"], ["info"], ["images", "--help"], ["completion", "zsh"]])
    func aReaderThatWentAwayIsToldNothing(_ words: [String]) throws {
        let script = ["/bin/bash", "-c", "\"$0\" \"$@\" | true; echo ${PIPESTATUS[0]}"] + minirun.command(words)
        // The reader may be slower than the writer: then everything went well.
        let result = try Subprocess.run(script, environment: Minirun.environment(), timeout: 60_000)
        #expect(["141\n", "0\n"].contains(result.outputText) && result.errorText == "", "\(result.errorText)")
        // One that is gone for certain.
        let gone = ["/bin/bash", "-c", "exec {p}> >(exec true); wait $!; \"$0\" \"$@\" >&$p; echo $?"]
        let certain = try Subprocess.run(
            gone + minirun.command(words),
            environment: Minirun.environment(),
            timeout: 60_000
        )
        #expect(certain.outputText == "141\n" && certain.errorText == "", "\(certain.outputText)\(certain.errorText)")
    }

    @Test func nobodyAnswersAQuestionThatWasNotShown() throws {
        #expect(try minirun("run", "--name", "kept", Fixtures.busybox, "true").code == 0)
        let script = ["/bin/sh", "-c", "echo y | \"$0\" \"$@\" >/dev/full"] + minirun.command(["container", "prune"])
        #expect(try Subprocess.run(script, environment: Minirun.environment(), timeout: 60_000).status == .exited(1))
        #expect(minirun.containers.count == 1)
    }

    // MARK: Files that are asked for

    static let unwritable = ["/nonexistent/x", "/proc/x", "/"]

    @Test(arguments: unwritable) func whatCannotBeWrittenIsRefusedBefore(_ path: String) throws {
        let ran = try minirun.makeFolder("ran")
        let volume = "\(ran):/ran"
        for option in ["--report=\(path)", "--cidfile=\(path)"] {
            let outcome = try minirun("run", option, "-v", volume, Fixtures.busybox, "touch", "/ran/it")
            #expect(outcome.code == 125 && outcome.out == "", "\(outcome)")
            #expect(try Files.list(ran) == [], "\(option): the program ran")
            #expect(minirun.containers.isEmpty && minirun.active.isEmpty)
        }
    }

    @Test func theIdsFileGoesWithoutAContainer() throws {
        let file = minirun.path("id")
        #expect(try minirun("run", "--cidfile", file, "oci:/nonexistent").code == 125)
        #expect(!FileStatus.exists(file))
        #expect(
            try minirun("run", "--cidfile", "/nonexistent/x", Fixtures.busybox).err.contains(
                "failed to create the container ID file: open /nonexistent/x: no such file or directory"
            )
        )
    }

    @Test func aReportThatFailedLeavesTheOldOne() throws {
        let file = try minirun.write("report", "old")
        #expect(try minirun("run", "--rm", "--report=\(file)", "oci:/nonexistent").code == 125)
        #expect(try Files.readText(file) == "old")
        #expect(try minirun("run", "--rm", "--report=\(file)", Fixtures.busybox, "true").code == 0)
        #expect(try JSON.parse(try Files.read(file))["exitCode"]?.int == 0)
        #expect(try minirun("run", "--rm", "--report=", Fixtures.busybox, "true").code == 125)
    }

    /// A program that does nothing used no processor to speak of, whatever its making took.
    @Test func wallAndProcessorTimeAreOfOneSpan() throws {
        let idle = try minirun("run", "--rm", "--report=json", Fixtures.busybox, "true")
        let report = try JSON.parse(Array(idle.err.utf8))
        let wall = try #require(report["wallNanoseconds"]?.int)
        let cpu = try #require(report["cpu"])
        let (user, system) = (try #require(cpu["userNanoseconds"]?.int), try #require(cpu["systemNanoseconds"]?.int))
        // One process with one thread; the kernel counts in microseconds and splits by ticks.
        #expect(user + system <= wall + 1_000_000, "\(idle.err)")
        for (key, value) in report.object ?? [] where value.int != nil && key != "exitCode" {
            #expect(key.hasSuffix("Nanoseconds") || key.hasSuffix("Bytes"), "\(key) has no unit")
        }
    }

    // MARK: Pruning

    @Test func containerPrune() throws {
        for name in ["one", "two"] {
            #expect(try minirun("run", "--name", name, "-l", "n=\(name)", Fixtures.busybox, "true").code == 0)
        }
        let ids = Set(minirun.containers)
        let asked = try minirun("container", "prune", input: "n\n")
        #expect(
            asked.out == "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] "
        )
        #expect(try minirun("container", "prune", "-f", "--filter", "until=24h").out == "Total reclaimed space: 0B\n")
        #expect(
            try minirun("container", "prune", "-f", "--filter", "label=n=none").out == "Total reclaimed space: 0B\n"
        )
        #expect(try minirun("container", "prune", "-f", "--filter", "x=y").code == 1)
        let first = try minirun("container", "prune", "-f", "--filter", "label=n=one")
        try #require(first.lines.count == 3, "\(first)")
        #expect(first.lines[0] == "Deleted Containers:" && ids.contains(first.lines[1]))
        #expect(first.lines[2].hasPrefix("Total reclaimed space: ") && first.out.contains("\n\nTotal"))
        #expect(try minirun("ps", "-a", "--format", "{{.Names}}").out == "two\n")
        #expect(try minirun("container", "prune", input: "y\n").out.contains("Deleted Containers:\n"))
        #expect(minirun.containers.isEmpty)
        #expect(try minirun("container", "prune", "-f").out == "Total reclaimed space: 0B\n")
    }

    // MARK: What is said

    @Test func debuggingSaysWhatIsDone() throws {
        for options in [["-D"], ["-l", "debug"], ["--log-level=debug"]] {
            let outcome = try minirun.invoke(options + ["run", "--rm", Fixtures.busybox, "echo", "hello"])
            #expect(outcome.out == "hello\n")
            for word in [
                "image ", "layer ", "container ", "cgroup ", "launch plan of ", "the program runs: echo hello",
                "the program ended: exited with code 0",
            ] { #expect(outcome.err.contains(word), "\(word)\n\(outcome.err)") }
            #expect(
                outcome.err.split(separator: "\n").allSatisfy {
                    $0.hasPrefix("time=\"") && $0.contains(" level=debug msg=")
                }
            )
        }
        #expect(try minirun("-l", "fatal", "run", "--rm", Fixtures.busybox, "true").err == "")
        let archive = "\(Fixtures.folder)/busybox.docker.tar"
        try minirun.write("context/Dockerfile", "FROM busybox\nRUN echo made > /made\n")
        #expect(try minirun("run", "--name", "stays", Fixtures.busybox, "true").code == 0)
        for (words, said) in [
            (
                ["load", "-i", archive],
                ["images are read from \(archive)", "image sha256:", "layer sha256:", "unpacked"]
            ),
            (
                ["build", "-q", "-t", "built", minirun.path("context")],
                [
                    "step ", " begins: [2/2] RUN echo made > /made", " is done",
                    "naming to docker.io/library/built: done",
                ]
            ),
            (["build", "-q", minirun.path("context")], [" is in the cache: [2/2] RUN echo made > /made"]),
            (["container", "prune", "-f"], ["name stays: removed, ", "collection: "]),
            (["builder", "prune", "-af"], ["build cache ", ": removed, "]),
            (["image", "prune", "-af"], ["has no such name any more", ": removed", "collection: "]),
            (["system", "prune", "-af"], ["collection: "]),
        ] {
            let outcome = try minirun.invoke(["-D"] + words)
            #expect(outcome.code == 0)
            for word in said { #expect(outcome.err.contains(word), "\(words): \(word)\n\(outcome)") }
        }
        #expect(try minirun("load", "-i", archive).err == "")
        let wrong = try minirun("-l", "loud", "ps")
        #expect(wrong.code == 1 && wrong.err == "Unable to parse logging level: loud\n")
        let failed = try minirun("-D", "run", "--rm", Fixtures.busybox, "nosuch")
        #expect(failed.code == 127 && failed.err.contains("the run failed"), "\(failed)")
    }
}
