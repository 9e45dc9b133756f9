import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// runtime.md: create, start, kill and delete, one by one.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct OperationTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    // MARK: create

    @Test(.must("runtime.md#create", "create without an ID is an error."))
    func createWithoutAnIDIsRefused() throws {
        try bundle.writeConfiguration()
        expectError(try bundle.invoke(["create", "--bundle", bundle.folder]))
    }

    @Test(.must("runtime.md#create", "create without a bundle is an error."))
    func createWithoutABundleIsRefused() throws {
        expectError(try bundle.invoke(["create", bundle.id], directory: bundle.makeFolder("empty")))
        expectError(try bundle.invoke(["create", "--bundle", bundle.path("nowhere"), bundle.id]))
        #expect(bundle.status() == "absent")
    }

    @Test(.must("runtime.md#create", "An ID that is taken is an error, and its container stays as it is."))
    func aTakenIDIsRefused() throws {
        try bundle.launch()
        let before = try bundle.pid()
        let second = try Bundle(root: bundle.root)
        try second.writeConfiguration()
        expectError(try second.invoke(["create", "--bundle", second.folder, bundle.id]))
        #expect(try bundle.pid() == before)
        #expect(bundle.status() == "running")
        #expect(try bundle.state()["bundle"]?.string == bundle.folder)
    }

    @Test(
        .must("runtime.md#create", "An ID that is not valid is an error and makes no container."),
        arguments: ["", ".", "..", "../x", "a/b", "/x", "a b", "a\nb"]
    )
    func anInvalidIDIsRefused(id: String) throws {
        try bundle.writeConfiguration()
        try known(.crun, because: "no check of an ID but for slashes", if: ["/x", "a b", "a\nb"].contains(id)) {
            let launched = try Launched(bundle.command(["create", "--bundle", bundle.folder, id]))
            let status = try launched.wait()
            #expect(status.code != 0 && !launched.err.isEmpty)
            if status.code == 0 { try bundle.invoke(["delete", "--force", id]) }
            #expect(((try? Files.list(bundle.root)) ?? []).filter { !$0.hasPrefix(".") } == [])
        }
    }

    @Test(.must("runtime.md#create", "create makes a container and does not run the program."))
    func createDoesNotRunTheProgram() throws {
        bundle.config.set("process.args", ["/guest", "write", "/ran", "x"])
        expectSuccess(try bundle.create())
        #expect(bundle.status() == "created")
        #expect(!FileStatus.exists(bundle.path("rootfs/ran")))
        expectSuccess(try bundle.start())
        #expect(bundle.hasStopped())
        #expect(bundle.read("rootfs/ran") == "x")
    }

    @Test(.must("runtime.md#create", "All of config.json but the process is applied by create."))
    func createAppliesTheConfiguration() throws {
        bundle.config.append("mounts", .mount("/mounted", "tmpfs", "tmpfs", []))
        bundle.config.set("linux.resources.pids", ["limit": 77])
        expectSuccess(try bundle.create())
        let pid = try bundle.pid()
        for kind in ["pid", "net", "ipc", "uts", "mnt"] {
            #expect(try Link.target("/proc/\(pid)/ns/\(kind)") != Link.target("/proc/self/ns/\(kind)"), "\(kind)")
        }
        #expect(try Files.readText("/proc/\(pid)/mountinfo").contains("/mounted "))
        let groups = Leftovers.groups(named: bundle.id)
        #expect(groups.contains { (try? Files.readText("\($0)/pids.max")) == "77\n" }, "\(groups)")
    }

    @Test(.must("runtime.md#create", "What changes in config.json after create has no effect."))
    func laterChangesHaveNoEffect() throws {
        bundle.config.set("process.args", ["/guest", "echo", "before"])
        expectSuccess(try bundle.create())
        bundle.config.set("process.args", ["/guest", "echo", "after"])
        bundle.config.set("hostname", "after")
        try bundle.writeConfiguration()
        expectSuccess(try bundle.start())
        #expect(try bundle.output() == "before\n")
    }

    @Test(
        .must("runtime.md#create", "No config.json, or one that is not JSON, is an error."),
        arguments: [nil, "{", "[]"]
    )
    func aBrokenConfigurationIsRefused(text: String?) throws {
        if let text { try bundle.write("config.json", text) }
        expectError(try bundle.invoke(["create", "--bundle", bundle.folder, bundle.id]))
        #expect(bundle.status() == "absent")
    }

    @Test(
        .must("runtime.md#errors", "An environment that cannot be made is an error and leaves nothing."),
        arguments: ["filesystem", "namespace", "source", "sysctl", "limit", "root"]
    )
    func whatCannotBeMadeLeavesNothing(case name: String) throws {
        switch name {
        case "filesystem": bundle.config.append("mounts", .mount("/x", "no-such-filesystem", "x", []))
        case "namespace": bundle.config.append("linux.namespaces", ["type": "user", "path": "/nowhere"])
        case "source": bundle.config.append("mounts", .bind("/nowhere/at/all", "/x"))
        case "sysctl": bundle.config.set("linux.sysctl", .object([("net.nothing", "1")]))
        case "limit": bundle.config.set("linux.resources.cpu", ["quota": 1])
        default: bundle.config.set("root.path", "no-such-folder")
        }
        expectError(try bundle.create(), name)
        #expect(bundle.status() == "absent")
        known(.crun, because: "leaves the control group where a limit is refused", if: name == "limit") {
            #expect(Leftovers.groups(named: bundle.id).isEmpty)
        }
        // The ID is free: the next create of a sane bundle works.
        bundle.config = Configuration.plain(id: bundle.id)
        expectSuccess(try bundle.run())
    }

    // MARK: start

    @Test(.must("runtime.md#start", "start without an ID, or of nothing, is an error."))
    func startOfNothingIsRefused() throws {
        expectError(try bundle.invoke(["start"]))
        expectError(try bundle.invoke(["start", "minirun-nothing"]))
    }

    @Test(.must("runtime.md#start", "start of a running container is an error and has no effect."))
    func startOfARunningContainerIsRefused() throws {
        try bundle.launch()
        let before = try bundle.pid()
        expectError(try bundle.start())
        #expect(bundle.status() == "running")
        #expect(try bundle.pid() == before)
    }

    @Test(.must("runtime.md#start", "start of a stopped container is an error."))
    func startOfAStoppedContainerIsRefused() throws {
        bundle.config.set("process.args", ["/guest", "exit", "0"])
        expectSuccess(try bundle.create())
        expectSuccess(try bundle.start())
        #expect(bundle.hasStopped())
        expectError(try bundle.start())
        #expect(bundle.status() == "stopped")
    }

    @Test(.must("runtime.md#start", "start runs process.args with what process says."))
    func startRunsTheProgram() throws {
        bundle.config.set("process.args", ["/guest", "echo", "one", "two  three"])
        expectSuccess(try bundle.create())
        expectSuccess(try bundle.start())
        #expect(try bundle.output() == "one two  three\n")
    }

    @Test(.must("runtime.md#start", "Without process, start is an error (create may be one)."))
    func startWithoutAProcessIsRefused() throws {
        bundle.config.remove("process")
        if try bundle.create().code == 0 {
            expectError(try bundle.start())
        }
    }

    // MARK: kill

    @Test(.must("runtime.md#kill", "kill without an ID, or of nothing, is an error."))
    func killOfNothingIsRefused() throws {
        expectError(try bundle.invoke(["kill"]))
        expectError(try bundle.invoke(["kill", "minirun-nothing", "KILL"]))
    }

    @Test(
        .must("runtime.md#kill", "kill sends the signal that it was given, by name or by number."),
        arguments: [
            ("USR1", "SIGUSR1"), ("SIGHUP", "SIGHUP"), ("10", "SIGUSR1"), ("WINCH", "SIGWINCH"), ("15", "SIGTERM"),
        ]
    )
    func killSendsTheSignal(signal: String, name: String) throws {
        try bundle.launch()
        expectSuccess(try bundle.kill(signal))
        try bundle.created?.expect(name)
    }

    @Test(
        .must("config.md#valid-values", "A signal that does not exist is an error."),
        arguments: ["NOPE", "0x9", "99", "-1"]
    )
    func killWithANonsenseSignalIsRefused(signal: String) throws {
        try bundle.launch()
        try known(.crun, because: "sends nothing and says nothing", if: ["NOPE", "0x9"].contains(signal)) {
            expectError(try bundle.kill(signal))
        }
        #expect(bundle.status() == "running")
    }

    @Test(.must("runtime.md#kill", "kill of a created container works."))
    func killOfACreatedContainer() throws {
        expectSuccess(try bundle.create())
        expectSuccess(try bundle.kill("KILL"))
        #expect(bundle.hasStopped())
    }

    @Test(.must("runtime.md#kill", "kill of a stopped container is an error."))
    func killOfAStoppedContainerIsRefused() throws {
        bundle.config.set("process.args", ["/guest", "exit", "0"])
        expectSuccess(try bundle.create())
        expectSuccess(try bundle.start())
        #expect(bundle.hasStopped())
        expectError(try bundle.kill("KILL"))
    }

    // MARK: delete

    @Test(.must("runtime.md#delete", "delete without an ID, or of nothing, is an error."))
    func deleteOfNothingIsRefused() throws {
        expectError(try bundle.invoke(["delete"]))
        expectError(try bundle.invoke(["delete", "minirun-nothing"]))
    }

    @Test(.must("runtime.md#delete", "delete of a running container is an error and has no effect."))
    func deleteOfARunningContainerIsRefused() throws {
        try bundle.launch()
        let before = try bundle.pid()
        expectError(try bundle.delete())
        #expect(bundle.status() == "running")
        #expect(try bundle.pid() == before)
    }

    @Test(
        .must(
            "runtime.md#delete",
            "delete of a created container is an error and has no effect.",
            minirun: "as runc and crun: callers delete what they created and never started",
            crun: "kills and deletes it",
            runc: "kills and deletes it"
        )
    )
    func deleteOfACreatedContainerIsRefused() throws {
        bundle.config.set("process.args", ["/guest", "echo", "alive"])
        expectSuccess(try bundle.create())
        expectError(try bundle.delete())
        #expect(bundle.status() == "created")
        expectSuccess(try bundle.start())
        #expect(try bundle.output() == "alive\n")
    }

    @Test(.must("runtime.md#delete", "delete takes away what create made: control groups, mounts, state."))
    func deleteRemovesWhatCreateMade() throws {
        bundle.config.set("process.args", ["/guest", "exit", "0"])
        expectSuccess(try bundle.create())
        #expect(!Leftovers.groups(named: bundle.id).isEmpty)
        expectSuccess(try bundle.start())
        #expect(bundle.hasStopped())
        expectSuccess(try bundle.delete())
        #expect(Leftovers.groups(named: bundle.id).isEmpty)
        #expect(HostProcesses.mounts(below: bundle.folder).isEmpty)
        #expect(((try? Files.list(bundle.root)) ?? []).filter { !$0.hasPrefix(".") } == [])
    }

    @Test(.must("runtime.md#delete", "delete keeps what the container used and did not make."))
    func deleteKeepsWhatIsNotItsOwn() throws {
        let group = try #require(Leftovers.hierarchies.first { FileStatus.exists("\($0)/tasks") })
        let parent = "\(group)/\(bundle.id)-parent"
        try Files.makeDirectories(parent)
        defer { rmdir(parent) }
        try bundle.write("shared/file", "kept")
        bundle.config.append("mounts", .bind("\(bundle.folder)/shared", "/shared"))
        bundle.config.set("linux.cgroupsPath", "/\(bundle.id)-parent/child")
        expectSuccess(try bundle.run())
        #expect(bundle.status() == "absent")
        #expect(bundle.read("shared/file") == "kept")
        #expect(bundle.read("rootfs/guest").isEmpty == false)
        #expect(FileStatus.exists(parent) && !FileStatus.exists("\(parent)/child"))
        for other in Leftovers.hierarchies where other != group { rmdir("\(other)/\(bundle.id)-parent") }
    }

    @Test(.must("runtime.md#delete", "A deleted container's ID may be used again."))
    func anIDCanBeUsedAgain() throws {
        for _ in 0..<2 {
            bundle.config.set("process.args", ["/guest", "exit", "0"])
            expectSuccess(try bundle.create())
            expectSuccess(try bundle.start())
            #expect(bundle.hasStopped())
            expectSuccess(try bundle.delete())
        }
    }

    @Test(.must("runtime.md#lifecycle", "run ends with the program's exit code, or with 128 and its signal."))
    func runEndsAsTheProgramDoes() throws {
        bundle.config.set("process.args", ["/guest", "exit", "42"])
        #expect(try bundle.run().code == 42)
        bundle.config.set("process.args", ["/bin/sh", "-c", "kill -9 $$; exec /guest drop 1000 signal 9"])
        bundle.config.removeAll("linux.namespaces") { $0["type"]?.string == "pid" }
        #expect(try bundle.run().code == 137)
        #expect(bundle.status() == "absent")
    }
}
