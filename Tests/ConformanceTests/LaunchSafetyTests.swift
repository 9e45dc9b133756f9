import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// What a container, or another one beside it, could reach while it is being made.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct LaunchSafetyTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    private func run(_ words: [String], seconds: Int = 30) throws -> Outcome {
        let launched = try Launched(words)
        launched.closeInput()
        let status = try launched.wait(seconds: seconds)
        try launched.readToEnd()
        return Outcome(status: status, out: launched.outText, err: launched.errText)
    }

    private func addUserNamespace(_ host: Int, _ size: Int) {
        bundle.config.append("linux.namespaces", ["type": "user"])
        bundle.config.set("linux.uidMappings", [.mapping(0, host, size)])
        bundle.config.set("linux.gidMappings", [.mapping(0, host, size)])
    }

    // MARK: CVE-2024-21626, with a filter around the runtime

    @Test(
        .must(
            "CVE-2024-21626",
            "The caller's descriptors reach neither hooks nor program where close_range is refused."
        ),
        .enabled(if: OCIRuntime.underTest.kind == .minirun),
        arguments: [EPERM, ENOSYS]
    )
    func aRefusedCloseRange(code: CInt) throws {
        for kind in HookTests.early {
            let place = kind == "startContainer" ? "/fds" : bundle.path("rootfs/fds")
            bundle.config.append(
                "hooks.\(kind)",
                .hook("/bin/sh", ["-c", "cat > /dev/null; ls -l /proc/$$/fd >> \(place)"])
            )
        }
        bundle.config.set("process.args", ["/guest", "report"])
        try bundle.writeConfiguration()
        let command = bundle.command(["run", "--bundle", bundle.folder, bundle.id])
        let outcome = try run(
            RefusedCalls.words([.closeRange], answeredWith: code, leavingOpen: bundle.folder, command)
        )
        let numbers = try GuestReport(outcome)["descriptors"].array?.compactMap { $0["number"]?.int }
        #expect(numbers?.sorted() == [0, 1, 2])
        let seen = bundle.read("rootfs/fds")
        #expect(
            seen.contains(" 0 -> ") && !seen.contains(" -> \(bundle.folder)\n") && !seen.contains("socket:"),
            "\(seen)"
        )
    }

    // MARK: what a neighbour sees

    @Test(
        .must(
            "CVE-2016-9962",
            "Who has the container's own rights and sees its process cannot look into it before the exec."
        )
    )
    func aProcessBeforeItsExecIsClosed() throws {
        bundle.config.removeAll("linux.namespaces") { $0["type"]?.string == "pid" }
        try tool("mkfifo", bundle.path("rootfs/go"))
        bundle.config.append("hooks.startContainer", .hook("/bin/sh", ["-c", "echo $PPID > /pid; read line < /go"]))
        bundle.config.set("process.args", ["/guest", "trap"])
        expectSuccess(try bundle.create())
        let starting = try Launched(bundle.command(["start", bundle.id]))
        starting.closeInput()
        #expect(eventually(10_000) { bundle.read("rootfs/pid").hasSuffix("\n") })
        let pid = bundle.read("rootfs/pid").dropLast()
        let rights = "-all,+kill,+audit_write,+net_bind_service"
        // The numbers may be listed by the owner of the folder, what they lead to only by who may trace the process.
        let attempt = try run(["setpriv", "--bounding-set", rights, "sh", "-c", "readlink /proc/\(pid)/fd/*"])
        #expect(attempt.code != 0 && attempt.out == "", "\(attempt)")
        try Files.write(bundle.path("rootfs/go"), Array("go\n".utf8))
        #expect(try starting.wait().code == 0)
        try bundle.created?.expect("ready")
    }

    @Test(
        .must(
            "user namespace",
            "The maps of a namespace that is joined are read by a process that shares no memory with us."
        ),
        .enabled(if: FileStatus.exists("/usr/bin/strace") && OCIRuntime.underTest.kind == .minirun)
    )
    func idMapsAreReadFromOutside() throws {
        addUserNamespace(100_000, 1000)
        try tool("chown", "-R", "100000:100000", bundle.path("rootfs"))
        try bundle.launch()
        let other = try Bundle(root: bundle.root)
        other.config.append("linux.namespaces", ["type": "user", "path": .string("/proc/\(try bundle.pid())/ns/user")])
        try tool("chown", "-R", "100000:100000", other.path("rootfs"))
        try other.writeConfiguration()
        let trace = other.path("trace")
        let command = other.command(["run", "--bundle", other.folder, other.id])
        let outcome = try run(
            ["strace", "-f", "-o", trace, "-e", "trace=clone,clone3,vfork,fork,setns,execve,execveat"] + command
        )
        expectSuccess(outcome)
        #expect(try GuestReport(outcome)["uid_map"].text().contains("100000"))
        let lines = other.read("trace").split(separator: "\n").map(String.init)
        let entering = lines.filter { $0.contains("setns(") && $0.contains("CLONE_NEWUSER") }
        #expect(!entering.isEmpty)
        for line in entering {
            let pid = line.prefix { $0 != " " }
            if lines.contains(where: { $0.hasPrefix("\(pid) exec") }) { continue }
            let birth = lines.first { $0.contains("clone") && $0.hasSuffix("= \(pid)") } ?? ""
            #expect(!birth.contains("CLONE_VM"), "\(birth)")
        }
    }

    @Test(
        .must("launch", "Where the shim's word of the process's birth is lost, both sides end with an error."),
        .enabled(if: OCIRuntime.underTest.kind == .minirun),
        arguments: ["run", "exec"]
    )
    func aBirthThatCannotBeTold(verb: String) throws {
        var words = ["run", "--bundle", bundle.folder, bundle.id]
        if verb == "exec" {
            try bundle.launch()
            words = ["exec", bundle.id, "/guest", "report"]
        } else {
            try bundle.writeConfiguration()
        }
        // The shim's control socket is its 3; none of the runtime's is. The process that nobody was told of is ended and taken:
        // nothing is left for the caller's subreaper, where a zombie would hold its control group.
        let reaper = """
            import ctypes, os, subprocess, sys
            ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
            code = subprocess.call(sys.argv[1:])
            try:
                while True: print("left:", os.wait())
            except ChildProcessError: sys.exit(code)
            """
        let refusing = RefusedCalls.words([.sendmsg], answeredWith: EPERM, on: 3, bundle.command(words))
        let outcome = try run(["python3", "-c", reaper] + refusing)
        expectError(outcome)
        #expect(outcome.out.isEmpty)
    }

    // MARK: --no-pivot

    /// Two on /proc, one that another mount hides, one below /mnt with a space in its name; and a sysfs.
    private func unmasked(_ before: String, _ namespace: Bool) throws -> Outcome {
        let script = """
            unshare -U -r -m -p -f sh -c 'mount -t proc proc /tmp && echo procfs; mount -t sysfs sys /tmp && echo sysfs'; echo done
            """
        for applet in ["unshare"] { try Link.create(bundle.path("rootfs/bin/\(applet)"), to: "busybox") }
        bundle.config.set("process.args", ["/bin/sh", "-c", .string(script)])
        bundle.config.set("process.capabilities", .object([]))
        if namespace { addUserNamespace(0, 65536) }
        try bundle.writeConfiguration()
        for folder in ["a b", "c", "c/d", "e"] { try bundle.makeFolder(folder) }
        let command = bundle.command(["run", "--no-pivot", "--bundle", bundle.folder, bundle.id])
        let mounts = before.replacing("@", with: bundle.folder)
        return try run(
            ["unshare", "-m", "--propagation", "private", "sh", "-c", "\(mounts) exec \"$@\"", "sh"] + command
        )
    }

    @Test(
        .must(
            "--no-pivot",
            "No procfs and no sysfs of the old root is left that a user namespace could take for its own."
        ),
        .enabled(if: OCIRuntime.underTest.kind == .minirun),
        arguments: [
            "", "mount -t proc p /proc;", "mount -t proc p \"@/a b\"; mount -t proc q \"@/a b\"; mount -t sysfs s @/e;",
            "mount -t proc p @/e; mount -t tmpfs t @/e;", "mount -t proc p @/c/d; mount -t tmpfs t @/c;",
            "mount --bind / @/c; mount -t proc p @/c/proc;",
        ],
        [false, true]
    )
    func noPivotLeavesNoProcfs(before: String, namespace: Bool) throws {
        let outcome = try unmasked(before, namespace)
        #expect(!outcome.out.contains("procfs") && !outcome.out.contains("sysfs"), "\(outcome)")
        // In a user namespace of its own the host's mounts are locked: what is hidden there cannot be reached, and is refused.
        if !namespace || before.isEmpty { #expect(outcome.out == "done\n", "\(outcome)") }
    }

    // MARK: races, limits

    /// A sharer of a volume exchanges a folder in it for a link to /proc/sys, while a mount is to go there.
    @Test(
        .must(
            "CVE-2025-52881",
            "A setting goes to the container's own procfs, whatever a sharer of a volume exchanges."
        )
    )
    func aRacedSetting() throws {
        try bundle.makeFolder("shared/a")
        try bundle.write("source", "fake")
        try bundle.write("shared/a/ip_forward", "")
        try Link.create(bundle.path("shared/b"), to: "/proc/sys/net/ipv4")
        bundle.config.append("mounts", .bind(bundle.path("shared"), "/s"))
        bundle.config.append("mounts", .bind(bundle.path("source"), "/s/a/ip_forward"))
        bundle.config.set("linux.sysctl", .object([("net.ipv4.ip_forward", "1")]))
        let swapper = try Launched([GuestProgram.path, "exchange", bundle.path("shared/a"), bundle.path("shared/b")])
        try swapper.expect("ready")
        for _ in 0..<(BlackBox.isLong ? 10_000 : 25) {
            let outcome = try bundle.run(script: "cat /proc/sys/net/ipv4/ip_forward")
            known(.crun, .runc, because: "mounts over /proc/sys", sometimes: true) {
                #expect(outcome.code != 0 || outcome.out == "1\n", "\(outcome)")
                #expect(bundle.read("source") == "fake")
            }
        }
        swapper.closeInput()
        try swapper.wait()
    }

    @Test(
        .must("CVE-2025-47291", "Limits hold with a user namespace as without one: the kernel says them."),
        arguments: [false, true]
    )
    func limitsAreTheKernels(namespace: Bool) throws {
        bundle.config.set("linux.resources.pids", ["limit": 33])
        if namespace {
            addUserNamespace(100_000, 1000)
            try tool("chown", "-R", "100000:100000", bundle.path("rootfs"))
        }
        try bundle.launch()
        let lines = try Files.readText("/proc/\(bundle.pid())/cgroup").split(separator: "\n")
        let limits = lines.compactMap { line -> String? in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            let root = fields[1].isEmpty ? "" : "/\(fields[1])"
            return try? Files.readText("/sys/fs/cgroup\(root)\(fields[2])/pids.max")
        }
        #expect(limits == ["33\n"])
    }

    // MARK: hooks

    @Test(
        .must(
            "CVE-2025-23266",
            "Neither the image's environment nor its folder comes to a hook."
        ),
        arguments: ["createContainer", "startContainer"]
    )
    func theImagesEnvironmentStaysOutOfHooks(kind: String) throws {
        let out = kind == "startContainer" ? "/seen" : bundle.path("rootfs/seen")
        bundle.config.append("process.env", "LD_PRELOAD=/evil.so")
        bundle.config.set("process.cwd", "/etc")
        bundle.config.append(
            "hooks.\(kind)",
            ["path": "/bin/busybox", "args": ["sh", "-c", .string("cat /proc/$$/environ > \(out); pwd >> \(out)")]]
        )
        bundle.config.set("process.args", ["/guest", "exit", "0"])
        _ = try bundle.run()
        let seen = bundle.read("rootfs/seen")
        #expect(!seen.contains("LD_PRELOAD") && !seen.contains("MARK="), "\(seen)")
        known(.crun, .runc, because: "has the root's folder there", if: kind == "createContainer") {
            #expect(seen.hasSuffix("/\n") && !seen.hasSuffix("rootfs/\n"), "\(seen)")
        }
    }

    @Test(
        .must("config.md#posix-platform-hooks", "A timeout of any length is one, and no shorter."),
        .enabled(if: OCIRuntime.underTest.kind == .minirun),
        arguments: HookTests.early,
        ["4294968", "9223372036854775807", "2147483648"]
    )
    func aLongTimeoutIsNotShort(kind: String, seconds: String) throws {
        bundle.config.append(
            "hooks.\(kind)",
            ["path": "/bin/busybox", "args": ["sh", "-c", "/bin/busybox sleep 0.2"], "timeout": .number(seconds)]
        )
        bundle.config.set("process.args", ["/guest", "exit", "7"])
        #expect(try bundle.run().code == 7)
    }

    @Test(
        .must("config.md#posix-platform-hooks", "What is no number of seconds is refused, and nothing traps."),
        arguments: ["-1", "0", "18446744073709551616", "1e400", "1e2", "0.5"]
    )
    func aTimeoutThatIsNone(seconds: String) throws {
        bundle.config.append("hooks.createRuntime", ["path": "/bin/true", "timeout": .number(seconds)])
        bundle.config.set("process.args", ["/guest", "exit", "7"])
        let outcome = try bundle.run()
        if OCIRuntime.underTest.kind == .minirun { expectError(outcome) }
        #expect(outcome.code < 128, "\(outcome)")
    }

    @Test(
        .must("config.md#posix-platform-hooks", "A hook that closes its outputs and stays is aborted at its timeout."),
        .enabled(if: OCIRuntime.underTest.kind == .minirun),
        arguments: HookTests.early
    )
    func aHookThatStaysSilently(kind: String) throws {
        bundle.config.append(
            "hooks.\(kind)",
            [
                "path": "/bin/busybox", "args": ["sh", "-c", "exec /bin/busybox sleep 600 >&- 2>&- <&-"], "timeout": 1,
                "env": ["MARK=\(bundle.id)"],
            ]
        )
        let outcome = try bundle.run(seconds: 20)
        expectError(outcome)
        #expect(outcome.err.contains("ran past specified timeout of 1.0s"), "\(outcome)")
    }

    // MARK: mounts, devices, ids

    @Test(.must("config.md#process", "A working folder is made before the root becomes read-only."))
    func aWorkingFolderOnAReadOnlyRoot() throws {
        bundle.config.set("root.readonly", true)
        bundle.config.set("process.cwd", "/made/here")
        let outcome = try bundle.run(script: "readlink /proc/self/cwd; touch x 2>/dev/null || echo read-only")
        #expect(outcome.out == "/made/here\nread-only\n", "\(outcome)")
    }

    @Test(
        .must(
            "config-linux.md#devices",
            "A device that is there already is kept, and another in its place is an error."
        ),
        .enabled(if: OCIRuntime.underTest.kind == .minirun),
        arguments: ["same", "minor", "kind", "file", "link"]
    )
    func aDeviceThatIsThere(what: String) throws {
        bundle.config.removeAll("mounts") { $0["destination"]?.string?.hasPrefix("/dev") == true }
        let place = bundle.path("rootfs/dev/given")
        switch what {
        case "same": try tool("mknod", "-m", "640", place, "c", "1", "7")
        case "minor": try tool("mknod", place, "c", "1", "8")
        case "kind": try tool("mknod", place, "b", "1", "7")
        case "file": try bundle.write("rootfs/dev/given", "x")
        default: try Link.create(place, to: "/dev/full")
        }
        bundle.config.set(
            "linux.devices",
            [["path": "/dev/given", "type": "c", "major": 1, "minor": 7, "fileMode": 0o666]]
        )
        let outcome = try bundle.run(script: "stat -c '%a %t:%T' /dev/given")
        if what == "same" {
            #expect(outcome.out == "640 1:7\n", "\(outcome)")
        } else {
            expectError(outcome, what)
            #expect(outcome.err.contains("/dev/given"), "\(outcome)")
        }
    }

    @Test(
        .must("CVE-2026-41579, CVE-2026-47766", "A rootfs whose /dev is a link out: nothing is made on the host."),
        arguments: ["absolute", "relative"],
        ["/dev mounted", "no /dev mount", "terminal"]
    )
    func devIsALink(form: String, how: String) throws {
        let victim = try bundle.makeFolder("victim")
        try Files.removeTree(bundle.path("rootfs/dev"))
        let up = String(repeating: "../", count: 12)
        try Link.create(bundle.path("rootfs/dev"), to: form == "absolute" ? victim : up + victim.dropFirst())
        if how != "/dev mounted" {
            bundle.config.removeAll("mounts") { $0["destination"]?.string?.hasPrefix("/dev") == true }
        }
        if how == "terminal" {
            bundle.config.append("mounts", .mount("/dev/pts", "devpts", "devpts", ["newinstance", "ptmxmode=0666"]))
        }
        bundle.config.append("linux.devices", ["path": "/dev/more", "type": "c", "major": 1, "minor": 3])
        _ = try bundle.run(script: "true")
        let made = try Files.list(victim)
        known(
            .crun,
            .runc,
            because: "CVE-2026-41579, CVE-2026-47766 are not fixed in it",
            if: how != "/dev mounted",
            sometimes: true
        ) {
            #expect(made == [])
        }
    }

    @Test(
        .must("runc 1.5.3", "Without a mount namespace of its own a container leaves the host's mounts as they are."),
        arguments: ["no mounts", "mounts", "one that fails", "a link for a folder"]
    )
    func theHostsMountsStay(what: String) throws {
        bundle.config.removeAll("linux.namespaces") { $0["type"]?.string == "mount" }
        if what == "no mounts" { bundle.config.set("mounts", []) }
        if what == "mounts" {
            try bundle.makeFolder("a b")
            bundle.config.append("mounts", .bind(bundle.path("a b"), "/with blank/\\040"))
            bundle.config.append("mounts", .mount("/with blank/\\040", "tmpfs", "tmpfs", []))
        }
        if what == "one that fails" { bundle.config.append("mounts", .bind(bundle.path("nothing"), "/x")) }
        if what == "a link for a folder" {
            // What lies behind it is not the container's.
            let kept = try bundle.makeFolder("kept")
            try bundle.mount("-t", "tmpfs", "tmpfs", on: "kept")
            bundle.config.append("mounts", .mount("/s/kept", "tmpfs", "tmpfs", []))
            let script = "mv /s /t; ln -s \(Files.parent(of: kept)) /s"
            bundle.config.set("process.args", ["/bin/sh", "-c", .string(script)])
        }
        bundle.config.remove("linux.maskedPaths")
        bundle.config.remove("linux.readonlyPaths")
        try bundle.writeConfiguration()
        let command = bundle.command(["run", "--bundle", bundle.folder, bundle.id])
        // In a namespace of the test's own, whose mounts are shared as those of a host are, but with nobody.
        let script = """
            mount --make-rshared /; cat /proc/self/mountinfo > HERE/before; "$@" && echo ran; cut -d' ' -f4-7 /proc/self/mountinfo > HERE/after
            cut -d' ' -f4-7 HERE/before | cmp - HERE/after && echo same
            """.replacing("HERE", with: bundle.folder)
        let outcome = try run(["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"] + command)
        known(.runc, because: "the host's mounts become private, and what the container mounts stays") {
            #expect(outcome.out.hasSuffix(what == "one that fails" ? "same\n" : "ran\nsame\n"), "\(outcome)")
        }
    }

    @Test(.must("CVE-2026-115521", "An image's own /proc/self/fd keeps nothing from being read-only."))
    func aFalseListOfDescriptors() throws {
        bundle.config.removeAll("mounts") { $0["destination"]?.string == "/proc" }
        bundle.config.remove("linux.maskedPaths")
        bundle.config.remove("linux.readonlyPaths")
        try bundle.makeFolder("rootfs/proc/self/fd")
        for number in 0..<40 { try Link.create(bundle.path("rootfs/proc/self/fd/\(number)"), to: "/tmp") }
        bundle.config.set("root.readonly", true)
        bundle.config.set("process.args", ["/guest", "write", "/x", "y"])
        _ = try bundle.run()
        #expect(!FileStatus.exists(bundle.path("rootfs/x")))
    }

    @Test(
        .must("CVE-2026-88265", "The standard streams are no file of the host's that /dev/null leads to."),
        arguments: [0, 1000]
    )
    func aLinkForTheStandardStreams(user: Int) throws {
        let file = try bundle.write("file", "the host's")
        chown(file, 7, 7)
        bundle.config.removeAll("mounts") { $0["destination"]?.string?.hasPrefix("/dev") == true }
        try Link.create(bundle.path("rootfs/dev/null"), to: "/file")
        bundle.config.append("mounts", .bind(file, "/file"))
        bundle.config.set("process.user", ["uid": .number(user), "gid": .number(user)])
        bundle.config.set("process.args", ["/bin/sh", "-c", "echo changed >&0; echo changed"])
        try bundle.writeConfiguration()
        let words = bundle.command(["run", "--bundle", bundle.folder, bundle.id])
        _ = try run(["sh", "-c", "exec \"$@\" < /dev/null > /dev/null 2>&1", "sh"] + words)
        #expect(bundle.read("file") == "the host's")
        #expect(try FileStatus.of(file).owner == 7)
    }

    @Test(
        .must(
            "config-linux.md#sysctl",
            "A sysctl kernel.domainname that says other than the field is refused."
        ),
        .enabled(if: OCIRuntime.underTest.kind == .minirun)
    )
    func twoDomainNames() throws {
        bundle.config.set("domainname", "one.example")
        bundle.config.set("linux.sysctl", .object([("kernel.domainname", "two.example")]))
        expectError(try bundle.run())
        bundle.config.set("linux.sysctl", .object([("kernel.domainname", "one.example")]))
        #expect(try bundle.run(script: "cat /proc/sys/kernel/domainname").out == "one.example\n")
    }

    @Test(
        .must(
            "run.oci.keep_original_groups",
            "crun's annotation keeps the caller's groups, and nothing else does."
        ),
        .enabled(if: OCIRuntime.underTest.kind != .runc),
        arguments: [0, 1000]
    )
    func theCallersGroupsMayStay(user: Int) throws {
        bundle.config.set("annotations", ["run.oci.keep_original_groups": "1"])
        bundle.config.set("process.user", ["uid": .number(user), "gid": .number(user)])
        bundle.config.set("process.args", ["/guest", "report"])
        try bundle.writeConfiguration()
        let words = bundle.command(["run", "--bundle", bundle.folder, bundle.id])
        let report = try GuestReport(run(["setpriv", "--groups", "4,27,1234"] + words))
        #expect(Set(report.groups).isSuperset(of: [4, 27, 1234]), "\(report.groups)")
    }

    @Test(
        .must("run.oci.keep_original_groups", "\"0\" means no."),
        .enabled(if: OCIRuntime.underTest.kind != .runc),
        arguments: ["0", "false", ""]
    )
    func theCallersGroupsMayNotStay(value: String) throws {
        bundle.config.set("annotations", ["run.oci.keep_original_groups": .string(value)])
        bundle.config.set("process.args", ["/guest", "report"])
        try bundle.writeConfiguration()
        let words = bundle.command(["run", "--bundle", bundle.folder, bundle.id])
        let report = try GuestReport(run(["setpriv", "--groups", "4,27,1234"] + words))
        #expect(Set(report.groups).isSuperset(of: [4, 27, 1234]) == (value != "0"), "\(report.groups)")
    }
}
