import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Paths in a root that its owner may have prepared, or changes meanwhile: nothing of the host is mounted on, made or read.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct PathSafetyTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    @Test(
        .must(
            "CVE-2021-30465, CVE-2024-45310",
            "A mount's target whose parent is exchanged for a link lands in the root, or nowhere."
        )
    )
    func anExchangedParent() throws {
        try bundle.makeFolder("shared/a")
        try bundle.makeFolder("victim")
        try bundle.write("source/mark", "x")
        let up = String(repeating: "../", count: 12)
        try Link.create(bundle.path("shared/b"), to: up + bundle.path("victim").dropFirst())
        bundle.config.append("mounts", .bind(bundle.path("shared"), "/s"))
        for number in 0..<4 { bundle.config.append("mounts", .bind(bundle.path("source"), "/s/a/deep/\(number)")) }
        let swapper = try Launched([GuestProgram.path, "exchange", bundle.path("shared/a"), bundle.path("shared/b")])
        try swapper.expect("ready")
        for _ in 0..<25 {
            bundle.config.set("process.args", ["/guest", "report"])
            let outcome = try bundle.run()
            if outcome.code == 0 {
                let report = try GuestReport(outcome)
                for mount in report["mounts"].array ?? [] where mount["root"]?.string?.hasSuffix("/source") == true {
                    let place = mount["mountpoint"]?.string ?? ""
                    // In the shared folder, or where the link leads in the container's own root.
                    #expect(place.hasPrefix("/s/") || place.hasPrefix(bundle.path("victim")), "\(place)")
                }
            }
            let made = try Files.list(bundle.path("victim"))
            known(.runc, because: "CVE-2024-45310 is not fixed in it", sometimes: true) {
                #expect(made.isEmpty, "made on the host")
            }
        }
        swapper.closeInput()
        try swapper.wait()
        #expect(HostProcesses.mounts(below: bundle.folder).isEmpty)
    }

    /// The number of components is the image's to choose (its WORKDIR): none of them may cost stack.
    @Test(
        .must("config.md#process", "A working folder of many components is entered, or refused with a reason."),
        arguments: [1, 128, 900, 2000, 2100, 20_000]
    )
    func aWorkingFolderOf(components: Int) throws {
        let path = String(repeating: "/a", count: components)
        bundle.config.set("process.cwd", .string(path))
        bundle.config.set("process.args", ["/bin/sh", "-c", "echo here"])
        let outcome = try bundle.run()
        // The kernel's paths have 4095 bytes.
        if path.utf8.count < 4095 {
            #expect(outcome.code == 0 && outcome.out == "here\n", "\(outcome)")
        } else {
            #expect((1...127).contains(outcome.code) && !outcome.err.isEmpty, "\(outcome)")
        }
    }

    /// Links that lead nowhere are followed by their texts, so long as the kernel would follow them.
    @Test(
        .must("config.md#mounts", "A target behind dangling links is made inside the root, or refused."),
        arguments: [1, 30, 60]
    )
    func danglingLinks(count: Int) throws {
        for number in 0..<count {
            try Link.create(
                bundle.path("rootfs/l\(number)"),
                to: number + 1 == count ? "/new/deep" : "../l\(number + 1)"
            )
        }
        try bundle.write("source/file", "here")
        bundle.config.append("mounts", .bind(bundle.path("source"), "/l0/below/it"))
        let outcome = try bundle.run(script: "cat /new/deep/below/it/file")
        if count <= 40 {
            known(.crun, because: "follows none") { #expect(outcome.out == "here", "\(outcome)") }
        } else {
            known(.runc, because: "follows more than the kernel does") {
                #expect((1...127).contains(outcome.code), "\(outcome)")
            }
        }
    }

    @Test(
        .must(
            "CVE-2019-19921, CVE-2023-27561, CVE-2023-28642",
            "/proc or /sys of the image is a link: refused, or mounted where it belongs."
        ),
        arguments: ["proc", "sys"]
    )
    func aLinkInPlaceOf(name: String) throws {
        try bundle.makeFolder("rootfs/elsewhere")
        try Files.removeTree(bundle.path("rootfs/\(name)"))
        try Link.create(bundle.path("rootfs/\(name)"), to: "elsewhere")
        bundle.config.set("process.args", ["/elsewhere/../guest", "report"])
        let outcome = try bundle.run()
        if outcome.code == 0 {
            let report = try GuestReport(outcome)
            #expect(report.mount("/\(name)") != nil && report.mount("/elsewhere") == nil)
        } else {
            #expect(!outcome.err.isEmpty)
        }
    }

    @Test(
        .must("CVE-2019-16884, CVE-2025-52881", "What is not procfs is not mounted over /proc or inside it."),
        arguments: ["/proc", "/proc/self/attr", "/proc/sys/kernel/msgmax", "/proc/sys"]
    )
    func nothingOverProc(place: String) throws {
        let isFile = place.hasSuffix("msgmax")
        if isFile { try bundle.write("source", "fake") } else { try bundle.makeFolder("source") }
        bundle.config.append("mounts", .bind(bundle.path("source"), place))
        if place.hasPrefix("/proc/sys") { bundle.config.set("linux.sysctl", .object([("kernel.msgmax", "12345")])) }
        let outcome = try bundle.create()
        known(.crun, because: "leaves that to its caller") { expectError(outcome, place) }
        // Where it was let through, a sysctl must not have gone into the caller's file.
        if isFile { #expect(bundle.read("source") == "fake") }
    }

    @Test(
        .must(
            "CVE-2025-31133",
            "/dev/null of the image is a link or a file: masks show nothing, or the container is refused."
        ),
        arguments: ["link", "file", "folder", "other device"]
    )
    func aFalseDevNull(what: String) throws {
        let null = bundle.path("rootfs/dev/null")
        try bundle.write("rootfs/etc/other", "other content")
        try bundle.write("rootfs/secret", "secret")
        switch what {
        case "link": try Link.create(null, to: "/etc/other")
        case "file": try bundle.write("rootfs/dev/null", "file content")
        case "folder": try bundle.makeFolder("rootfs/dev/null")
        default: try tool("mknod", null, "c", "1", "5")
        }
        bundle.config.removeAll("mounts") { $0["destination"]?.string?.hasPrefix("/dev") == true }
        bundle.config.set("linux.maskedPaths", ["/secret"])
        let outcome = try bundle.run(script: "head -c 5 /secret; echo changed > /secret; true")
        known(.crun, .runc, because: "takes what is there for /dev/null", sometimes: true) {
            #expect(outcome.code != 0 || outcome.out.isEmpty, "\(outcome)")
            #expect(bundle.read("rootfs/etc/other") == "other content")
        }
    }

    @Test(
        .must(
            "CVE-2025-52565",
            "/dev/console of the image is a link: no file of the image is covered, nothing leads out."
        )
    )
    func aFalseConsole() throws {
        try bundle.write("rootfs/etc/victim", "content")
        try bundle.write("outside", "content")
        bundle.config.removeAll("mounts") {
            $0["destination"]?.string == "/dev" || $0["destination"]?.string == "/dev/mqueue"
        }
        try Link.create(bundle.path("rootfs/dev/console"), to: "/etc/victim")
        bundle.config.set("process.terminal", true)
        bundle.config.set("process.args", ["/bin/sh", "-c", "grep -c ' /etc/victim ' /proc/self/mountinfo; echo end"])
        try bundle.writeConfiguration()
        let session = try Session(
            onTerminal: bundle.command(["run", "--bundle", bundle.folder, bundle.id]),
            environment: BlackBox.environment()
        )
        let status = try session.wait()
        known(.crun, .runc, because: "follows the link inside the root", sometimes: true) {
            #expect(status != .exited(0) || session.seen.hasPrefix("0"), "\(session.seen)")
            #expect(bundle.read("rootfs/etc/victim") == "content")
        }
    }

    @Test(
        .must(
            "CVE-2025-31133, CVE-2025-52565",
            "Links in the image in place of /dev/pts, /dev/shm and masked paths lead nowhere outside."
        ),
        arguments: ["dev/pts", "dev/shm", "dev/fd", "secret"]
    )
    func linksDoNotLeadOut(name: String) throws {
        try bundle.makeFolder("victim")
        let up = String(repeating: "../", count: 12)
        try Link.create(bundle.path("rootfs/\(name)"), to: up + bundle.path("victim").dropFirst())
        bundle.config.removeAll("mounts") {
            $0["destination"]?.string == "/dev" || $0["destination"]?.string == "/dev/mqueue"
        }
        bundle.config.set("linux.maskedPaths", ["/secret"])
        bundle.config.set("linux.readonlyPaths", ["/secret"])
        bundle.config.set("process.args", ["/guest", "report"])
        let outcome = try bundle.run()
        #expect(try Files.list(bundle.path("victim")).isEmpty)
        // What was asked for at the link's place is somewhere in the root, not on the host's side of it.
        let type = ["dev/pts": "devpts", "dev/shm": "tmpfs"][name]
        if outcome.code == 0, let type {
            let mounts = try GuestReport(outcome)["mounts"].array ?? []
            #expect(mounts.contains { $0["type"]?.string == type && $0["mountpoint"]?.string != "/dev" }, "\(name)")
        }
        #expect(HostProcesses.mounts(below: bundle.folder).isEmpty)
    }

    @Test(
        .must(
            "CVE-2022-0492",
            "Control groups of the container are read-only, release_agent cannot be set, and none can be mounted."
        )
    )
    func noReleaseAgent() throws {
        bundle.config.append(
            "mounts",
            .mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", "ro"])
        )
        let script = """
            for f in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/release_agent /sys/fs/cgroup/*/notify_on_release; do
                [ -e $f ] && /guest write $f /attack
            done
            /guest mount-try
            """
        let lines = try bundle.run(script: script).lines
        #expect(!lines.contains("ok") && !lines.contains { $0.hasSuffix(": ok") }, "\(lines)")
    }

    @Test(
        .must("CVE-2023-25809", "Control groups that the container sees without a namespace of its own are read-only.")
    )
    func controlGroupsAreReadOnly() throws {
        bundle.config.append("mounts", .mount("/sys/fs/cgroup", "cgroup", "cgroup", ["ro"]))
        bundle.config.removeAll("linux.namespaces") { $0["type"]?.string == "cgroup" }
        let lines = try bundle.run(
            script: "for d in /sys/fs/cgroup/*/; do mkdir $d/made && echo made; done 2>/dev/null"
        ).lines
        #expect(lines.isEmpty, "\(lines)")
    }
}
