import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Attacks that other engines fell for, one test for each; named after `security-cases`.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct EscapeTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private func image(_ change: (String) throws -> Void, configuration: JSON = [:]) throws -> String {
        let tree = try Fixtures.tree(minirun)
        try change(tree)
        return try Fixtures.image(from: tree, configuration: configuration, at: minirun.path("image"))
    }

    // CVE-2019-5736
    @Test(arguments: [[], ["--privileged"], ["--cap-add", "ALL", "--security-opt", "seccomp=unconfined"]])
    func theShimCannotBeOverwritten(options: [String]) throws {
        let before = try Fixtures.sha256(Minirun.shim)
        let script = """
            for p in /proc/1 /proc/self; do /guest open $p/exe; done
            (echo x >> /proc/1/exe) 2>/dev/null
            (exec 9< /proc/1/exe; /guest open /proc/self/fd/9) 2>/dev/null || echo none
            echo ready; sleep 60
            """
        let session = try Session(
            minirun,
            ["run", "--rm", "--init"] + options + [
                "-v", "\(Fixtures.guestProgram):/guest", Fixtures.busybox, "sh", "-c", script,
            ]
        )
        session.expect("ready\n")
        // While it runs the kernel says that the text is busy, and once nobody runs it that its mount is read-only. Who may not
        // look into a process that hides gets no descriptor at all.
        let answers = session.seen.split(separator: "\n").map(String.init)
        #expect(
            answers.count == 4
                && answers.dropLast().allSatisfy { ["ETXTBSY", "EROFS", "EACCES", "none"].contains($0) },
            "\(answers)"
        )
        let monitor = try #require(HostProcesses.children(of: session.pid).first)
        let initProcess = try #require(HostProcesses.children(of: monitor).first)
        for pid in [monitor, initProcess] {
            let flags = try tool(
                "python3",
                "-c",
                "import os; print(os.statvfs('/proc/\(pid)/exe').f_flag & os.ST_RDONLY)"
            )
            #expect(flags == "1\n", "the mount that the shim is executed from can be written to")
        }
        session.signal(SIGTERM)
        _ = try session.wait()
        #expect(try Fixtures.sha256(Minirun.shim) == before)
    }

    // CVE-2019-5736, the image's side of it: what is executed is the program's own name for itself.
    @Test func theProgramIsNotTheEngine() throws {
        let outcome = try minirun("run", "--rm", Fixtures.busybox, "/proc/self/exe")
        #expect(!outcome.out.contains("minirun"), "\(outcome)")
        let script = try minirun.write("script", "#!/proc/self/exe\n", mode: 0o755)
        _ = try minirun("run", "--rm", "-v", "\(script):/script", Fixtures.busybox, "/script", timeout: 20)
        #expect(minirun.active.isEmpty)
    }

    // CVE-2024-21626
    @Test(arguments: 3...20) func aWorkingFolderThroughADescriptor(number: Int) throws {
        for path in ["/proc/self/fd/\(number)", "/proc/1/fd/\(number)", "/proc/self/fd/\(number)/x"] {
            let outcome = try minirun("run", "--rm", "-w", path, Fixtures.busybox, "ls")
            #expect(outcome.code >= 125 && outcome.out == "", "\(path): \(outcome)")
        }
        // As text that is a folder of the container's, and the descriptor is not gone through.
        let up = try minirun("run", "--rm", "-w", "/proc/self/fd/\(number)/../../..", Fixtures.busybox, "pwd")
        #expect(up.out == "/proc\n", "\(up)")
    }

    @Test func aLinkToADescriptorAsWorkingFolder() throws {
        let image = try image({ tree in
            for number in 3...12 { try Link.create("\(tree)/w\(number)", to: "/proc/self/fd/\(number)") }
        })
        for number in 3...12 {
            let outcome = try minirun("run", "--rm", "-w", "/w\(number)", image, "/bin/ls")
            #expect(outcome.code >= 125 && outcome.out == "", "\(number): \(outcome)")
        }
    }

    // CVE-2019-19921, CVE-2023-27561
    @Test(arguments: ["proc", "sys"]) func linkedKernelFileSystems(name: String) throws {
        let image = try image({ tree in
            try Files.makeDirectories("\(tree)/other")
            try Link.create("\(tree)/\(name)", to: "/other")
        })
        let outcome = try minirun("run", "--rm", image, "/bin/ls", "/")
        #expect(outcome.code == 125, "\(outcome)")
        #expect(
            outcome.err.contains("/\(name)") && outcome.err.contains("must be mounted on ordinary directory"),
            "\(outcome)"
        )
        #expect(minirun.containers.isEmpty && minirun.active.isEmpty)
    }

    // CVE-2025-31133: /dev is the engine's tmpfs unless something is bound over it.
    @Test func aLinkInThePlaceOfTheNullDevice() throws {
        let image = try image({ tree in
            try Files.makeDirectories("\(tree)/dev")
            try Link.create("\(tree)/dev/null", to: "/proc/sysrq-trigger")
        })
        let report = try GuestReport(minirun("run", "--rm", image, "/guest"))
        #expect(report["masked"]["/proc/keys"]?.string == "empty")
        #expect(report["devices"].array?.contains { $0["name"]?.string == "null" && $0["major"]?.int == 1 } == true)

        let devices = try minirun.makeFolder("devices")
        try Link.create("\(devices)/null", to: "/etc/hostname")
        let outcome = try minirun("run", "--rm", "-v", "\(devices):/dev", image, "/guest", "echo", "ran")
        #expect(outcome.code == 125 && outcome.out == "", "\(outcome)")
        #expect(outcome.err.contains("/dev/null"), "\(outcome)")
    }

    // CVE-2025-52565: the console's file is made anew in a tmpfs; an image's link is covered.
    @Test func aLinkInThePlaceOfTheConsole() throws {
        let image = try image({ tree in
            try Files.makeDirectories("\(tree)/dev/pts")
            try Link.create("\(tree)/dev/console", to: "/proc/sysrq-trigger")
            try Link.create("\(tree)/dev/ptmx", to: "/etc")
        })
        let outcome = try minirun("run", "--rm", "-t", image, "/bin/sh", "-c", "[ -c /dev/console ] && echo device")
        #expect(outcome.out == "device\r\n", "\(outcome)")
    }

    // CVE-2019-16884
    @Test(arguments: ["/proc", "/proc/self/attr", "/proc/../proc/sys", "//proc/", "/x/../proc/1"]) func mountsOverProc(
        target: String
    ) throws {
        let source = try minirun.makeFolder("source")
        for options in [["-v", "\(source):\(target)"], ["--tmpfs", target], ["--mount", "type=tmpfs,dst=\(target)"]] {
            let outcome = try minirun.invoke(["run", "--rm"] + options + [Fixtures.busybox, "true"])
            #expect(outcome.code == 125, "\(options): \(outcome)")
        }
    }

    @Test func mountsOverProcThroughALink() throws {
        let image = try image({ tree in try Link.create("\(tree)/p", to: "/proc") })
        let source = try minirun.makeFolder("source")
        try minirun.write("source/sysrq-trigger", "")
        for target in ["/p", "/p/sys", "/p/self/attr", "/p/sysrq-trigger"] {
            let outcome = try minirun(
                "run",
                "--rm",
                "-v",
                "\(source):\(target)",
                image,
                "/bin/stat",
                "-f",
                "-c",
                "%T",
                "/proc",
                "/proc/sys"
            )
            #expect(outcome.code >= 125 || outcome.out == "proc\nproc\n", "\(target): \(outcome)")
        }
    }

    // CVE-2025-52881
    @Test func sysctlsGoToARealProcfs() throws {
        let source = try minirun.makeFolder("source")
        for target in ["/proc/sys/net", "/proc/sys"] {
            let outcome = try minirun(
                "run",
                "--rm",
                "--tmpfs",
                target,
                "--sysctl",
                "net.ipv4.ip_forward=1",
                "-v",
                "\(source):/x",
                Fixtures.busybox,
                "true"
            )
            #expect(outcome.code == 125, "\(outcome)")
        }
    }

    // CVE-2022-24769, CVE-2022-29162
    @Test func nothingIsInherited() throws {
        for options in [[], ["-u", "1000"], ["--cap-add", "NET_ADMIN"], ["--privileged"]] {
            let report = try GuestReport(minirun.invoke(["run", "--rm"] + options + [Fixtures.guest]))
            #expect(report.capabilities("inheritable").isEmpty && report.capabilities("ambient").isEmpty, "\(options)")
        }
    }

    // CVE-2022-36109: the engine's own groups do not come along.
    @Test func noGroupsButTheUsers() throws {
        let result = try Subprocess.run(
            ["setpriv", "--groups", "4,27,1234"] + minirun.command(["run", "--rm", "-u", "1000:1000", Fixtures.guest]),
            environment: Minirun.environment(),
            timeout: 30_000
        )
        #expect(try GuestReport(Outcome(result)).groups == [1000])
    }

    // CVE-2020-15257: no socket with an abstract name, which a container in the host's network could reach.
    @Test func noAbstractSockets() throws {
        let session = try Session(
            minirun,
            [
                "run", "--rm", "-i", "--network", "host", Fixtures.busybox, "sh", "-c",
                "echo ready; cat; cat /proc/net/unix",
            ]
        )
        session.expect("ready")
        session.closeInput()
        _ = try session.wait()
        #expect(!session.seen.contains("minirun"))
    }

    // CVE-2019-14271 and its kin: names of users come from the image's own files, wherever its links point.
    @Test func theHostsUsersAreNotAsked() throws {
        let file = try minirun.write("passwd", "stranger:x:77:77::/:\n")
        let image = try image({ tree in
            try Link.create("\(tree)/etc/passwd", to: file)
            try Files.write("\(tree)/etc/own", Array("member:x:78:78::/:\n".utf8))
        })
        #expect(try minirun("run", "--rm", "-u", "stranger", image, "/bin/id").code == 125)
        #expect(try minirun("run", "--rm", "-u", "daemon", image, "/bin/id").code == 125)
        let second = try Fixtures.tree(minirun, "second")
        try Files.write("\(second)/etc/own", Array("member:x:78:78::/:\n".utf8))
        try Link.create("\(second)/etc/passwd", to: "/../../etc/own")
        let inside = try Fixtures.image(from: second, at: minirun.path("inside"))
        #expect(try minirun("run", "--rm", "-u", "member", inside, "/bin/id", "-u").line == "78")
    }

    // CVE-2021-41091
    @Test func foldersAreClosedToOthers() throws {
        #expect(try minirun("run", "--name", "kept", Fixtures.busybox, "true").code == 0)
        let id = try #require(minirun.containers.first)
        for path in ["\(minirun.root)/containers/\(id)", "\(minirun.state)/active"] {
            #expect(try FileStatus.of(path).mode & 0o077 == 0, "\(path)")
        }
        let look = try Subprocess.run(
            [
                "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "cat",
                "\(minirun.root)/containers/\(id)/config.json",
            ]
        )
        #expect(look.status != .exited(0))
        // An unpacked layer may hold setuid programs, and files that are secret in the image.
        let list = try Subprocess.run(
            [
                "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "find", minirun.root, "-name",
                "busybox",
            ]
        )
        #expect(list.output.isEmpty, "\(list.outputText)")
    }

    @Test func keyringsAreTheContainersOwn() throws {
        #expect(try minirun.guest("syscall", "keyctl") == "EPERM")
        #expect(try minirun.shell("cat /proc/keys").out == "")
    }

    @Test func theHostsPathsAreNotOpenInside() throws {
        let report = try minirun.report()
        for descriptor in report["descriptors"].array ?? [] {
            let target = descriptor["target"]?.string ?? ""
            #expect(target == "/dev/null" || target.hasPrefix("pipe:"), "\(target)")
        }
        #expect(report["cwd"].string == "/")
        #expect(try minirun.shell("ls /proc | grep -c '^[0-9]'").out != "0\n")
        #expect(
            try minirun.shell("for i in 1 2 3 4 5 6; do cat /proc/$i/comm; done 2>/dev/null").lines.allSatisfy {
                $0 == "sh" || $0 == "cat"
            }
        )
    }

    // CVE-2021-30465, CVE-2024-45310: the parent of a mount's target is swapped by a running container meanwhile.
    @Test func aSwappedParent() throws {
        let shared = try minirun.makeFolder("shared")
        let victim = try minirun.makeFolder("victim")
        let source = try minirun.makeFolder("source")
        try Files.makeDirectories("\(shared)/a")
        let swapper = try Session(
            minirun,
            [
                "run", "--rm", "-v", "\(shared):/s", Fixtures.busybox, "sh", "-c",
                "echo ready; cd /s; while :; do mv a b; ln -s ../../../../../../../..\(victim) a; rm a; mv b a; done 2>/dev/null",
            ]
        )
        swapper.expect("ready")
        for _ in 0..<40 {
            _ = try minirun(
                "run",
                "--rm",
                "-v",
                "\(shared):/s",
                "-v",
                "\(source):/s/a/target",
                Fixtures.busybox,
                "true"
            )
            #expect(try Files.list(victim).isEmpty)
        }
        #expect(HostProcesses.mounts(below: minirun.folder).isEmpty)
    }
}
