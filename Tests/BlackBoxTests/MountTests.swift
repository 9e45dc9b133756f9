import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// `-v`, `--mount`, `--tmpfs`, `--shm-size`, `--device`.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct MountTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    /// Runs a body with something mounted on the host, and unmounts it whatever happens.
    private func mounted(_ options: [String], on folder: String, _ body: () throws -> Void) throws {
        try tool("mount", options: options + [folder])
        defer { _ = try? Subprocess.run(["umount", "-R", "-l", folder]) }
        try body()
    }

    @Test func aFolderIsSharedBothWays() throws {
        let folder = try minirun.makeFolder("shared")
        try minirun.write("shared/in", "from outside\n")
        #expect(
            try minirun.shell("cat /data/in; echo from inside > /data/out", "-v", "\(folder):/data").out
                == "from outside\n"
        )
        #expect(try Files.readText("\(folder)/out") == "from inside\n")
        let copy = try minirun.shell("cat /data/in; ls /data", "--mount", "type=bind,src=\(folder),dst=/data,readonly")
        #expect(copy.out == "from outside\nin\nout\n")
    }

    @Test func readOnlyReachesSubmounts() throws {
        let folder = try minirun.makeFolder("outer")
        let inner = try minirun.makeFolder("outer/inner")
        try mounted(["-t", "tmpfs", "tmpfs"], on: inner) {
            for options in [["-v", "\(folder):/data:ro"], ["--mount", "type=bind,src=\(folder),dst=/data,ro"]] {
                let outcome = try minirun.invoke(
                    ["run", "--rm"] + options + [
                        Fixtures.busybox, "sh", "-c", "touch /data/x; touch /data/inner/x; mount -o remount,rw /data",
                    ]
                )
                #expect(outcome.err.components(of: "Read-only file system") == 2, "\(outcome)")
                #expect(outcome.code != 0)
            }
            // docker's own words for the older behaviours.
            let writable = try minirun.shell(
                "touch /data/inner/x && echo fine",
                "--mount",
                "type=bind,src=\(folder),dst=/data,ro,bind-recursive=writable"
            )
            #expect(writable.line == "fine")
            let without = try minirun.shell(
                "ls /data/inner",
                "--mount",
                "type=bind,src=\(folder),dst=/data,bind-recursive=disabled"
            )
            #expect(without.code == 0 && without.out == "")
        }
    }

    @Test func mountsOfTheHostDoNotArriveLater() throws {
        let folder = try minirun.makeFolder("outer")
        try minirun.makeFolder("outer/later")
        try mounted(["-t", "tmpfs", "tmpfs"], on: folder) {
            try tool("mount", "--make-rshared", folder)
            try Files.makeDirectories("\(folder)/later")
            let session = try Session(
                minirun,
                [
                    "run", "--rm", "-i", "-v", "\(folder):/data", Fixtures.busybox, "sh", "-c",
                    "echo ready; read x; ls /data/later; echo end",
                ]
            )
            session.expect("ready\n")
            try tool("mount", "-t", "tmpfs", "tmpfs", "\(folder)/later")
            try Files.write("\(folder)/later/seen", [])
            try session.type("\n")
            session.expect("end\n")
            #expect(!session.seen.contains("seen"))
            _ = try session.wait()

            // With rslave they do, as asked.
            try tool("umount", "\(folder)/later")
            let slave = try Session(
                minirun,
                [
                    "run", "--rm", "-i", "-v", "\(folder):/data:rslave", Fixtures.busybox, "sh", "-c",
                    "echo ready; read x; ls /data/later; echo end",
                ]
            )
            slave.expect("ready\n")
            try tool("mount", "-t", "tmpfs", "tmpfs", "\(folder)/later")
            try Files.write("\(folder)/later/seen", [])
            try slave.type("\n")
            slave.expect("end\n")
            #expect(slave.seen.contains("seen"))
            _ = try slave.wait()
        }
    }

    @Test func mountsOfTheContainerStayInside() throws {
        let folder = try minirun.makeFolder("outer")
        try minirun.makeFolder("outer/inner")
        let outcome = try minirun.shell(
            "mount -t tmpfs t /data/inner && touch /data/inner/x && echo mounted",
            "--privileged",
            "-v",
            "\(folder):/data"
        )
        #expect(outcome.line == "mounted")
        #expect(try Files.list("\(folder)/inner").isEmpty)
        #expect(HostProcesses.mounts(below: folder).isEmpty)
        for path in try GuestReport(minirun("run", "--rm", Fixtures.guest))["mounts"].array ?? [] {
            #expect(path["propagation"]?.string == "private", "\(path.text())")
        }
    }

    @Test func aMissingSourceIsMadeOrRefused() throws {
        #expect(
            try minirun.shell("stat -c '%u:%g %a %F' /data", "-v", "\(minirun.path("new/deep")):/data").line
                == "0:0 755 directory"
        )
        #expect(try FileStatus.of(minirun.path("new/deep")).kind == .directory)
        let refused = try minirun.shell("true", "--mount", "type=bind,src=\(minirun.path("other")),dst=/data")
        #expect(refused.code == 125)
        #expect(refused.err.contains("bind source path does not exist: \(minirun.path("other"))"))
        #expect(!FileStatus.exists(minirun.path("other")))
    }

    @Test func filesAreBound() throws {
        let file = try minirun.write("file", "content\n")
        #expect(try minirun.shell("cat /etc/passwd", "-v", "\(file):/etc/passwd").out == "content\n")
        #expect(
            try minirun.shell("cat /new/deep/file; stat -c %F /new/deep/file", "-v", "\(file):/new/deep/file").lines
                == ["content", "regular file"]
        )
        #expect(try minirun.shell("cat /etc/hosts", "-v", "\(file):/etc/hosts").out == "content\n")
        let wrong = try minirun.shell("true", "-v", "\(file):/etc")
        #expect(
            wrong.code == 127 && wrong.err.contains("one of the two is a folder and the other is a file"),
            "\(wrong)"
        )
        #expect(try minirun.shell("true", "-v", "\(minirun.makeFolder("folder")):/etc/passwd").code == 127)
    }

    @Test func theNearerTheRootTheEarlier() throws {
        let outer = try minirun.makeFolder("outer")
        let inner = try minirun.makeFolder("inner")
        try minirun.write("inner/file", "inner\n")
        let outcome = try minirun.shell(
            "cat /data/sub/file; ls /data",
            "-v",
            "\(inner):/data/sub",
            "-v",
            "\(outer):/data"
        )
        #expect(outcome.lines.first == "inner")
        let twice = try minirun.shell("true", "-v", "\(outer):/data", "-v", "\(inner):/data")
        #expect(twice.code == 125 && twice.err.contains("Duplicate mount point: /data"))
    }

    @Test func aDestinationBehindALinkStaysInside() throws {
        let tree = try Fixtures.tree(minirun)
        let victim = try minirun.makeFolder("victim")
        try Link.create("\(tree)/up", to: "../../../../../../../..\(victim)")
        try Link.create("\(tree)/absolute", to: victim)
        try Link.create("\(tree)/dangling", to: "/made/inside")
        let image = try Fixtures.image(from: tree, at: minirun.path("image"))
        let source = try minirun.makeFolder("source")
        try minirun.write("source/here", "")
        for target in ["/up/x", "/absolute/x", "/up", "/absolute"] {
            let outcome = try minirun("run", "--rm", "-v", "\(source):\(target)", image, "/bin/ls", target)
            #expect(outcome.out == "here\n" || outcome.code == 125, "\(target): \(outcome)")
            #expect(try Files.list(victim).isEmpty, "\(target)")
        }
        _ = try minirun("run", "--rm", "-v", "\(source)/here:/dangling", image, "/bin/ls", "/")
        #expect(!FileStatus.exists("/made"))
        #expect(HostProcesses.mounts(below: minirun.folder).isEmpty)
    }

    @Test func tmpfsAndItsOptions() throws {
        let plain = try minirun.report("--tmpfs", "/scratch")
        #expect(plain.mount("/scratch")?["type"]?.string == "tmpfs")
        #expect(Set(plain.options("/scratch")).isSuperset(of: ["rw", "nosuid", "nodev", "noexec"]))
        let sized = try minirun.report("--tmpfs", "/scratch:size=1m,mode=1770,exec,uid=7")
        #expect(!sized.options("/scratch").contains("noexec"))
        #expect(sized.mount("/scratch")?["super_options"]?.string?.contains("size=1024k") == true)
        #expect(try minirun.shell("stat -c '%a %u' /scratch", "--tmpfs", "/scratch:mode=1770,uid=7").line == "1770 7")
        #expect(
            try minirun.shell(
                "stat -c %a /scratch; touch /scratch/x && echo fine",
                "--mount",
                "type=tmpfs,dst=/scratch,tmpfs-mode=700,tmpfs-size=64k",
                "--read-only"
            ).lines == ["700", "fine"]
        )
        let full = try minirun.shell(
            "dd if=/dev/zero of=/scratch/x bs=64k count=2 2>&1",
            "--tmpfs",
            "/scratch:size=64k"
        )
        #expect(full.out.contains("No space left on device"))
    }

    @Test func sharedMemory() throws {
        #expect(
            try minirun.shell("df -k /dev/shm | tail -n 1 | awk '{ print $2 }'; stat -c %a /dev/shm").lines == [
                "65536", "1777",
            ]
        )
        #expect(try minirun.shell("df -k /dev/shm | tail -n 1 | awk '{ print $2 }'", "--shm-size", "2m").line == "2048")
        #expect(
            try minirun.shell("df -k /dev/shm | tail -n 1 | awk '{ print $2 }'", "--tmpfs", "/dev/shm:size=1m").line
                == "1024"
        )
    }

    // MARK: Devices

    @Test func theStandardNodes() throws {
        let names = try minirun.report()["devices"].array?.compactMap { $0["name"]?.string }.sorted()
        #expect(names == ["full", "null", "random", "tty", "urandom", "zero"])
        let links = try minirun.shell("for i in fd stdin stdout stderr ptmx core; do readlink /dev/$i; done")
        #expect(
            links.lines == [
                "/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx", "/proc/kcore",
            ]
        )
        #expect(
            try minirun.shell("echo x > /dev/null && head -c 3 /dev/zero | wc -c && echo y > /dev/full; echo $?").lines
                .first == "3"
        )
    }

    @Test func aDeviceIsGivenWithItsRights() throws {
        #expect(try minirun.guest("open", "/dev/fuse") == "ENOENT")
        #expect(try minirun.guest("mknod", "/fuse", "c", "10", "229") == "ok")
        let made = "[ -e /f ] || /guest mknod /f c 10 229 > /dev/null; /guest open /f"
        let guest = ["-v", "\(Fixtures.guestProgram):/guest"]
        // Made by itself it cannot be opened: the cgroup's rules say so.
        #expect(try minirun.invoke(["run", "--rm"] + guest + [Fixtures.busybox, "sh", "-c", made]).line == "EPERM")
        guard FileStatus.exists("/dev/fuse") else { return }
        #expect(try minirun.guest("open", "/dev/fuse", options: ["--device", "/dev/fuse"]) == "ok")
        #expect(try minirun.guest("open", "/dev/own", options: ["--device", "/dev/fuse:/dev/own"]) == "ok")
        #expect(try minirun.guest("open", "/dev/fuse", options: ["--device", "/dev/fuse:/dev/fuse:r"]) == "EPERM")
    }

    @Test func hostDisksAreOutOfReach() throws {
        let disk = try Files.readText("/proc/partitions").split(separator: "\n").dropFirst().first?.split(
            separator: " "
        ).map(String.init)
        guard let disk, disk.count >= 4 else { return }
        let script =
            "/guest mknod /disk b \(disk[0]) \(disk[1]); /guest open /disk; /guest mknod /mem c 1 1; /guest open /mem"
        let outcome = try minirun.shell(script, "-v", "\(Fixtures.guestProgram):/guest")
        #expect(outcome.lines == ["ok", "EPERM", "ok", "EPERM"])
    }
}

/// `mount` with any number of words.
private func tool(_ program: String, options: [String]) throws {
    let result = try Subprocess.run([program] + options, timeout: 20_000)
    guard result.status == .exited(0) else { throw EngineError(.failed, result.errorText) }
}
