import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Images in the store and containers after their runs, through the verbs that a person types.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct VerbTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private func load(_ name: String = "busybox.docker.tar") throws {
        let outcome = try minirun("load", "-i", "\(Fixtures.folder)/\(name)", timeout: 120)
        #expect(outcome.code == 0, "\(outcome)")
    }

    // MARK: Images

    @Test func aLoadedImageRuns() throws {
        try load()
        #expect(try minirun("run", "--rm", "busybox", "echo", "stored").out == "stored\n")
        #expect(try minirun("run", "--rm", "busybox:latest", "echo", "x").out == "x\n")
        #expect(try minirun("run", "--rm", "docker.io/library/busybox", "echo", "y").out == "y\n")
        let id = try minirun("images", "-q").line
        #expect(id.utf8.count == 12)
        #expect(try minirun("run", "--rm", id, "echo", "z").out == "z\n")
        #expect(try minirun("run", "--rm", "--platform", "linux/riscv64", "busybox", "true").code == 125)
        #expect(try minirun("run", "--rm", "--pull", "never", "nosuch", "true").code == 125)
    }

    @Test func imagesAreListedTaggedAndRemoved() throws {
        try load()
        #expect(try minirun("tag", "busybox", "other:one").code == 0)
        let table = try minirun("images").lines
        #expect(table.first?.hasPrefix("REPOSITORY") == true && table.count == 3, "\(table)")
        #expect(
            try minirun("images", "--format", "{{.Repository}}:{{.Tag}}").lines.sorted() == [
                "busybox:latest", "other:one",
            ]
        )
        #expect(try minirun("rmi", "other:one").out == "Untagged: other:one\n")
        #expect(try minirun("run", "--name", "user", "busybox", "true").code == 0)
        let refused = try minirun("rmi", "busybox")
        #expect(refused.code == 1 && refused.err.contains("user") || refused.err.contains("container"), "\(refused)")
        #expect(try minirun("rm", "user").out == "user\n")
        #expect(try minirun("rmi", "busybox").out.contains("Deleted: sha256:"))
        #expect(try minirun("images", "-q").out == "")
        #expect(try minirun("run", "--rm", "busybox", "true").code == 125)
    }

    @Test func imagesGoOutAndComeBack() throws {
        try load()
        let id = try minirun("image", "inspect", "--format", "{{.Id}}", "busybox").line
        let archive = minirun.path("saved.tar")
        #expect(try minirun("save", "-o", archive, "busybox").code == 0)
        let second = try Minirun()
        #expect(try second("load", "-i", archive).out.contains("Loaded image: busybox:latest"))
        #expect(try second("image", "inspect", "--format", "{{.Id}}", "busybox").line == id)
        #expect(try second("run", "--rm", "busybox", "echo", "travelled").out == "travelled\n")
        #expect(try minirun("run", "--rm", "docker-archive:\(archive)", "echo", "direct").out == "direct\n")
    }

    @Test func aTreeIsImported() throws {
        let tree = try Fixtures.tree(minirun)
        try tool("tar", "-C", tree, "-cf", minirun.path("tree.tar"), ".")
        let outcome = try minirun("import", minirun.path("tree.tar"), "imported:1")
        #expect(outcome.code == 0 && outcome.out.hasPrefix("sha256:"), "\(outcome)")
        #expect(try minirun("run", "--rm", "imported:1", "/guest", "echo", "in").out == "in\n")
    }

    // MARK: Containers

    @Test func containersAreListedAndRemoved() throws {
        #expect(try minirun("run", "--name", "done", Fixtures.busybox, "sh", "-c", "exit 3").code == 3)
        let session = try Session(minirun, ["run", "--name", "busy", "-i", Fixtures.guest, "trap"])
        session.expect("ready")
        #expect(try minirun("ps", "--format", "{{.Names}}").lines == ["busy"])
        let all = try minirun("ps", "-a", "--format", "{{.Names}} {{.Status}}").lines
        #expect(all.count == 2 && all[0].hasPrefix("busy Up ") && all[1].hasPrefix("done Exited (3) "), "\(all)")
        #expect(try minirun("ps", "-aq").lines.allSatisfy { $0.utf8.count == 12 })

        let refused = try minirun("rm", "busy")
        #expect(refused.code == 1 && refused.err.contains("is running"), "\(refused)")
        #expect(try minirun("rm", "done").out == "done\n")
        #expect(try minirun("rm", "done").code == 1)
        #expect(try minirun("rm", "-f", "busy").out == "busy\n")
        #expect(try session.wait().code == 137)
        #expect(try minirun("rm", "-f", "busy").code == 0)
        #expect(eventually { minirun.containers.isEmpty && minirun.names.isEmpty && minirun.active.isEmpty })
    }

    @Test func aContainerIsInspected() throws {
        #expect(
            try minirun("run", "--name", "box", "-e", "A=b", "-m", "64m", "-w", "/tmp", Fixtures.busybox, "false").code
                == 1
        )
        let outcome = try minirun("inspect", "box")
        let object = try #require(try JSON.parse(Array(outcome.out.utf8)).array?.first)
        #expect(object["Name"]?.string == "/box")
        #expect(object["State"]?["ExitCode"]?.int == 1 && object["State"]?["Status"]?.string == "exited")
        #expect(object["Config"]?["Env"]?.strings?.contains("A=b") == true)
        #expect(object["Config"]?["WorkingDir"]?.string == "/tmp")
        #expect(object["HostConfig"]?["Memory"]?.int == 64 << 20)
        #expect(try minirun("inspect", "--format", "{{.State.ExitCode}}", "box").line == "1")
        #expect(try minirun("inspect", "nosuch").code == 1)
    }

    @Test func psTellsTheTruthAfterACrash() throws {
        let session = try Session(minirun, ["run", "--name", "victim", Fixtures.guest, "trap"])
        session.expect("ready")
        session.signal(SIGKILL)
        _ = try session.wait()
        let lines = try minirun("ps", "-a", "--format", "{{.Names}} {{.Status}}").lines
        #expect(lines.count == 1 && lines[0].hasPrefix("victim Exited (137)"), "\(lines)")
        #expect(try minirun("ps", "-q").out == "")
        #expect(try minirun("rm", "victim").code == 0)
    }

    /// The state folder lies on a tmpfs: after a boot it is gone, and so is every process.
    @Test func psTellsTheTruthAfterABoot() throws {
        #expect(try minirun("run", "--name", "done", Fixtures.busybox, "sh", "-c", "exit 4").code == 4)
        for name in ["kept", "removed"] {
            let options = name == "removed" ? ["--rm"] : []
            let session = try Session(minirun, ["run", "--name", name] + options + [Fixtures.guest, "trap"])
            session.expect("ready")
            session.signal(SIGKILL)
            _ = try session.wait()
        }
        for id in minirun.active { for group in HostProcesses.cgroups(of: id) { _ = eventually { rmdir(group) == 0 } } }
        minirun.unmountLayers()
        try Files.removeTree(minirun.state)
        let lines = try minirun("ps", "-a", "--format", "{{.Names}} {{.State}}").lines.sorted()
        #expect(lines == ["done exited", "kept exited"], "\(lines)")
        #expect(try minirun("inspect", "--format", "{{.State.ExitCode}}", "done", "kept").lines == ["4", "137"])
        #expect(try minirun("run", "--rm", "--name", "removed", Fixtures.busybox, "true").code == 0)
    }

    @Test func versionAndInfo() throws {
        #expect(try minirun("version").code == 0)
        #expect(try minirun("--version").out.hasPrefix("minirun version "))
        #expect(try minirun("info").code == 0)
        #expect(try minirun("run", "--help").out.contains("--explain"))
    }
}
