import LinuxSystem
import OCI
import TestSupport
import Testing

/// A container from its name to its removal, and what is told of it at the end.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct LifeTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    @Test func aContainerStaysUnlessItIsRemoved() throws {
        #expect(try minirun("run", Fixtures.busybox, "sh", "-c", "echo kept > /kept; exit 3").code == 3)
        let id = try #require(minirun.containers.first)
        #expect(minirun.containers.count == 1 && minirun.active.isEmpty && minirun.names.count == 1)
        let state = try JSON.parse(try Files.read("\(minirun.root)/containers/\(id)/state.json"))
        #expect(state["exitCode"]?.int == 3, "\(state.text(pretty: true))")
        #expect(try Files.readText("\(minirun.root)/containers/\(id)/upper/kept") == "kept\n")
        #expect(try FileStatus.of("\(minirun.root)/containers/\(id)").mode == 0o700)
        // An OCI bundle that other tools can read.
        let bundle = try JSON.parse(try Files.read("\(minirun.root)/containers/\(id)/config.json"))
        #expect(bundle["ociVersion"]?.string?.hasPrefix("1.") == true)

        #expect(try minirun("run", "--rm", Fixtures.busybox, "true").code == 0)
        #expect(minirun.containers == [id] && minirun.active.isEmpty && minirun.names.count == 1)
    }

    @Test func aNameIsTakenOnce() throws {
        #expect(try minirun("run", "--name", "one", Fixtures.busybox, "true").code == 0)
        let id = try #require(minirun.containers.first)
        let second = try minirun("run", "--name", "one", Fixtures.busybox, "true")
        #expect(second.code == 125)
        #expect(second.err.contains("Conflict. The container name \"/one\" is already in use by container \"\(id)\"."))
        #expect(minirun.containers == [id] && minirun.active.isEmpty)
        #expect(try minirun("run", "--rm", "--name", "two", Fixtures.busybox, "true").code == 0)
        #expect(try minirun("run", "--rm", "--name", "two", Fixtures.busybox, "true").code == 0)
    }

    /// A container that is removed at its end has its name in STATE alone.
    @Test func aNameIsTakenByWhatRunsAndByWhatStays() throws {
        #expect(try minirun("run", "--name", "kept", Fixtures.busybox, "true").code == 0)
        let kept = try #require(minirun.containers.first)
        let hidden = try minirun("run", "--rm", "--name", "kept", Fixtures.busybox, "true")
        #expect(hidden.code == 125 && hidden.err.contains("already in use by container \"\(kept)\""), "\(hidden)")
        #expect(minirun.containers == [kept] && minirun.active.isEmpty && minirun.names == ["kept"])

        let session = try Session(minirun, ["run", "--rm", "--name", "busy", "-i", Fixtures.guest, "trap"])
        session.expect("ready")
        let busy = try #require(minirun.containers.first { $0 != kept })
        #expect(try Files.list("\(minirun.root)/containers/names") == ["kept"])
        for options in [[], ["--rm"]] {
            let second = try minirun.invoke(["run"] + options + ["--name", "busy", Fixtures.busybox, "true"])
            #expect(second.code == 125 && second.err.contains("already in use by container \"\(busy)\""), "\(second)")
        }
        #expect(Set(minirun.containers) == [kept, busy] && minirun.active == [busy])
        #expect(try minirun("inspect", "--format", "{{.Id}}", "busy").lines == [busy])
        #expect(try minirun("rm", "-f", "busy").code == 0)
        #expect(try session.wait().code == 137)
        #expect(minirun.containers == [kept] && minirun.active.isEmpty && minirun.names == ["kept"])
        #expect(try minirun("run", "--name", "busy", Fixtures.busybox, "true").code == 0)
    }

    @Test func theIdIsWrittenToAFile() throws {
        let file = minirun.path("id")
        #expect(try minirun("run", "--cidfile", file, Fixtures.busybox, "true").code == 0)
        #expect(try Files.readText(file) == minirun.containers.first)
        let second = try minirun("run", "--rm", "--cidfile", file, Fixtures.busybox, "true")
        #expect(second.code == 125)
        #expect(
            second.err.contains(
                "container ID file found, make sure the other container isn't running or delete \(file)"
            )
        )
        #expect(minirun.containers.count == 1)
        let unwritable = try minirun("run", "--cidfile", "/nonexistent/id", Fixtures.busybox, "true")
        #expect(unwritable.code == 125)
        #expect(minirun.containers.count == 1 && minirun.active.isEmpty && minirun.names.count == 1)
    }

    @Test func aContainerThatCouldNotStartStaysAndSaysWhy() throws {
        #expect(try minirun("run", "--name", "broken", Fixtures.busybox, "nosuch").code == 127)
        let id = try #require(minirun.containers.first)
        let state = try JSON.parse(try Files.read("\(minirun.root)/containers/\(id)/state.json"))
        #expect(state["exitCode"]?.int == 127)
        #expect(minirun.active.isEmpty)
        #expect(HostProcesses.cgroups(of: id).isEmpty)
    }

    @Test func nothingIsLeftInTheKernel() throws {
        #expect(try minirun("run", "-m", "64m", "--pids-limit", "20", Fixtures.busybox, "true").code == 0)
        let id = try #require(minirun.containers.first)
        #expect(HostProcesses.cgroups(of: id) == [])
        #expect(HostProcesses.mounts(below: minirun.folder) == [])
    }

    @Test func theImageIsNotChangedByARun() throws {
        #expect(try minirun.shell("rm -r /etc /home; echo x > /bin/new").code == 0)
        #expect(try minirun.shell("ls -d /etc /home /bin/new").lines == ["/etc", "/home"])
    }

    @Test func theRootIsReadOnlyWhereAsked() throws {
        let outcome = try minirun.shell("touch /x; touch /dev/shm/y && touch /etc/hosts && echo fine", "--read-only")
        #expect(outcome.out == "fine\n")
        #expect(outcome.err.contains("Read-only file system"))
        #expect(try minirun.report("--read-only").options("/").contains("ro"))
    }

    // MARK: Report

    @Test func theReportSaysHowItWent() throws {
        let outcome = try minirun("run", "--rm", "--report=json", Fixtures.busybox, "sh", "-c", "exit 9")
        #expect(outcome.code == 9 && outcome.out == "")
        let report = try JSON.parse(Array(outcome.err.utf8))
        #expect(report["exitCode"]?.int == 9)
        #expect(report["reason"]?.string == "exited with code 9")
        #expect(try #require(report["wallNanoseconds"]?.int) > 0)
        #expect(try #require(report["memory"]?["peakBytes"]?.int) > 0)
        let phases = report["phasesNanoseconds"]?.object?.map(\.key)
        // On a pure cgroup v2 the shim is cloned into a folder that has to be known first.
        let isUnified = FileStatus.exists("/sys/fs/cgroup/cgroup.controllers")
        let first = isUnified ? ["prepare", "shim"] : ["shim", "prepare"]
        #expect(phases == first + ["mounts", "execute", "program", "cleanup"])
        for phase in report["phasesNanoseconds"]?.object ?? [] {
            #expect(try #require(phase.value.int) < 60_000_000_000, "\(phase.key)")
        }

        let text = try minirun("run", "--rm", "--report", Fixtures.busybox, "true")
        #expect(text.err.contains("exited with code 0") && text.err.contains("phases"))
        let file = minirun.path("report.json")
        #expect(try minirun("run", "--rm", "--report=\(file)", Fixtures.busybox, "true").err == "")
        #expect(try JSON.parse(try Files.read(file))["exitCode"]?.int == 0)
    }

    @Test func theReportNamesTheSignal() throws {
        let outcome = try minirun("run", "--rm", "--report=json", "--init", Fixtures.guest, "signal", "9")
        #expect(outcome.code == 137)
    }

    // MARK: Images as arguments

    @Test(arguments: [
        "docker-archive:\(Fixtures.folder)/busybox.docker.tar", "oci-archive:\(Fixtures.folder)/busybox.oci.tar",
    ])
    func archivesRun(image: String) throws {
        #expect(try minirun("run", "--rm", image, "echo", "hello").out == "hello\n")
        #expect(try minirun("run", "--rm", image, "echo", "again").out == "again\n")
    }

    @Test func theTutorialsProgramRunsFromTheStandIn() throws {
        let program = try minirun.write("app.py", "print(\"Hello from Docker!\")\n")
        let outcome = try minirun(
            "run",
            "--rm",
            "-v",
            "\(program):/usr/src/app/app.py",
            "-w",
            "/usr/src/app",
            Fixtures.python,
            "python",
            "./app.py"
        )
        #expect(outcome.out == "Hello from Docker!\n" && outcome.err == "" && outcome.code == 0)
    }
}
