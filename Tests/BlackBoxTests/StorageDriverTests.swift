import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Containers that run on layers which are images (`--storage-driver erofs`).
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct StorageDriverTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private func call(_ words: String...) throws -> Outcome {
        try minirun.invoke(["--storage-driver", "erofs"] + words)
    }

    /// What is mounted of this engine's layers.
    private var mounts: [String] {
        let text = (try? Files.readText("/proc/self/mounts")) ?? ""
        return text.split(separator: "\n").filter { $0.contains(" erofs ") && $0.contains(minirun.folder) }.map(
            String.init
        )
    }

    private var images: [String] { (try? Files.list("\(minirun.root)/layers/erofs")) ?? [] }

    @Test func aContainerRunsOnSeveralLayers() throws {
        let script = """
            import os; os.makedirs('/usr/lib/new'); open('/etc/passwd', 'a').write('x')
            os.remove('/etc/os-release'); print(os.path.exists('/etc/os-release'), os.stat('/etc/passwd').st_size > 1)
            """
        let outcome = try call("run", "--name", "several", Fixtures.python, "python", "-c", script)
        #expect(outcome.out == "False True\n" && outcome.err == "")
        #expect(mounts.count == 3 && images.count == 3)
        // Once more, and with a driver that is for new layers only: nothing is mounted or unpacked again.
        #expect(try minirun("run", "--rm", Fixtures.python, "python", "-c", "print(1)").out == "1\n")
        #expect(mounts.count == 3 && (try? Files.list("\(minirun.root)/layers/dir")) == [])
    }

    @Test func setuidProgramsWork() throws {
        let tree = try Fixtures.tree(minirun)
        try retrying("chmod") { chmod("\(tree)/guest", 0o4755) }
        let image = try Fixtures.image(from: tree, at: minirun.path("layout"))
        let report = try GuestReport(call("run", "--rm", "-u", "1000", image, "/guest"))
        #expect(report.id("euid") == 0)
    }

    @Test func aLostMountIsMadeAgain() throws {
        #expect(try call("run", "--rm", Fixtures.busybox, "true").code == 0)
        for mount in mounts { try tool("umount", String(mount.split(separator: " ")[1])) }
        #expect(mounts == [])
        #expect(try call("run", "--rm", Fixtures.busybox, "echo", "back").out == "back\n")
        #expect(mounts.count == 1)
    }

    @Test func anotherMountNamespaceHasItsOwn() throws {
        #expect(try call("run", "--rm", Fixtures.busybox, "true").code == 0)
        for mount in mounts { try tool("umount", String(mount.split(separator: " ")[1])) }
        let words = ["unshare", "-m"] + minirun.command(["run", "--rm", Fixtures.busybox, "echo", "here"])
        let result = try Subprocess.run(words, environment: Minirun.environment(), timeout: 30_000)
        #expect(result.outputText == "here\n" && mounts == [])
    }

    @Test func removingAnImageUnmountsIt() throws {
        #expect(try call("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        #expect(try call("run", "--name", "user", "busybox", "true").code == 0)
        #expect(mounts.count == 1)
        // A container that is still there keeps it.
        #expect(try call("rmi", "busybox").code == 1)
        #expect(mounts.count == 1)
        #expect(try call("rm", "user").code == 0 && call("rmi", "busybox").code == 0)
        #expect(mounts == [] && images == [])
        #expect((try? Files.list("\(minirun.state)/layers")) == [])
    }

    /// A mount that goes while a container runs does not touch it.
    @Test func aRunningContainerKeepsItsLayers() throws {
        let session = try Session(
            minirun,
            [
                "--storage-driver", "erofs", "run", "--rm", "-i", Fixtures.busybox, "sh", "-c",
                "echo up; cat; ls /bin/sh",
            ]
        )
        #expect(session.expect("up"))
        for mount in mounts { try tool("umount", String(mount.split(separator: " ")[1])) }
        try session.type("typed\n")
        session.closeInput()
        #expect(session.expect("/bin/sh"))
        #expect(try session.wait() == .exited(0))
    }

    @Test func buildsStandOnImages() throws {
        #expect(try call("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        try minirun.write(
            "context/Dockerfile",
            "FROM busybox\nRUN echo built > /file && rm /bin/vi\nCOPY Dockerfile /\n"
        )
        #expect(try call("build", "-t", "built", minirun.path("context")).code == 0)
        let outcome = try call("run", "--rm", "built", "sh", "-c", "cat /file; ls /Dockerfile /bin/vi")
        #expect(outcome.out == "built\n/Dockerfile\n")
    }

    @Test func theDriverIsShownAndChecked() throws {
        #expect(try call("info", "--format", "{{.DriverStatus}}").out.contains("erofs"))
        #expect(try minirun("info", environment: ["MINIRUN_STORAGE_DRIVER": "auto"]).out.contains("New Layers: "))
        let wrong = try minirun("--storage-driver", "zfs", "images")
        #expect(wrong.code == 125 || wrong.code == 1)
        #expect(wrong.err.contains("invalid storage driver \"zfs\""))
    }
}
