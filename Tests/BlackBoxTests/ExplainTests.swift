import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// `--explain`: what would be done, for anybody who can read the image.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct ExplainTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    /// The command as a user without any right.
    private func asNobody(_ arguments: String...) throws -> Outcome {
        // The program where such a user can execute it.
        let folder = try minirun.makeFolder("program")
        try tool("cp", Minirun.program, Minirun.shim, folder)
        try tool("chmod", "755", minirun.folder, folder)
        let words = [
            "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
            "\(folder)/\(Minirun.program.split(separator: "/").last ?? "")",
        ]
        return Outcome(
            try Subprocess.run(
                words + ["--root", minirun.root, "--state", minirun.state] + arguments,
                environment: Minirun.environment(),
                timeout: 60_000
            )
        )
    }

    @Test func inWordsWithoutAnyRight() throws {
        let outcome = try asNobody("run", "--explain", Fixtures.busybox, "echo", "hello")
        #expect(outcome.code == 0, "\(outcome)")
        #expect(outcome.err == "")
        for line in [
            "launch:", "mounting proc on /proc", "masking /proc/keys", "changing the root", "executing echo hello",
            "loading the seccomp filter",
        ] {
            #expect(outcome.out.contains(line), "\(line)\n\(outcome.out)")
        }
        #expect(!FileStatus.exists(minirun.root) && !FileStatus.exists(minirun.state), "something was done")
    }

    @Test func asDataWithoutAnyRight() throws {
        let outcome = try asNobody("run", "--explain=json", "-m", "64m", "-u", "app", Fixtures.busybox, "true")
        let plan = try JSON.parse(Array(outcome.out.utf8))
        #expect(plan["spec"]?["process"]?["user"]?["uid"]?.int == 1000)
        #expect(plan["spec"]?["linux"]?["resources"]?["memory"]?["limit"]?.int == 64 << 20)
        #expect(plan["launch"] != nil && plan["cgroup"] != nil)
    }

    @Test func archivesAreExplainedToo() throws {
        #expect(
            try asNobody("run", "--explain", "docker-archive:\(Fixtures.folder)/busybox.docker.tar").out.contains(
                "executing sh"
            )
        )
    }

    /// The order of a default launch, without what differs between machines.
    @Test func dockersDefaults() throws {
        let outcome = try minirun("run", "--explain", "--hostname", "box", Fixtures.busybox, "true")
        let steps = outcome.lines.drop { $0 != "launch:" }.dropFirst().map {
            $0.drop { $0 == " " || $0.isNumber || $0 == "." }
        }
        var words: [String] = []
        for step in steps {
            let word = step.split(separator: " ").first.map(String.init) ?? ""
            if words.last != word { words.append(word) }
        }
        let golden = [
            "cloning", "starting", "joining", "making", "opening", "mounting", "bringing", "mounting", "binding",
            "creating",
            "linking", "taking", "setting", "making", "masking",
            "waiting", "entering", "mounting", "linking", "mounting", "making",
            "changing", "setting",
            "changing", "bounding", "becoming", "loading", "setting", "executing",
        ]
        // Version 1 of the control groups is mounted in several steps, version 2 in one.
        let plain = { (list: [String]) in list.filter { !["entering", "linking", "mounting", "making"].contains($0) } }
        #expect(plain(words) == plain(golden), "\(outcome.out)")
        #expect(!FileStatus.exists("\(minirun.root)/containers"))
        for line in [
            "cloning a process into new namespaces",
            "setting capabilities: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP",
            "setting the host name to box", "changing to working folder /", "becoming user 0:0 with groups 0",
            "setting sysctl net/ipv4/ip_unprivileged_port_start to 0", "creating device /dev/null (c 1:3, mode 666)",
            "making /proc/sysrq-trigger read-only", "bringing the loopback interface up",
        ] { #expect(outcome.out.contains(line), "\(line)\n\(outcome.out)") }
    }

    @Test func whatIsExplainedIsWhatHappens() throws {
        let plan = try JSON.parse(
            Array(
                minirun("run", "--explain=json", "--cap-drop", "ALL", "--read-only", "-w", "/dev", Fixtures.guest).out
                    .utf8
            )
        )
        let report = try minirun.report("--cap-drop", "ALL", "--read-only", "-w", "/dev")
        #expect(plan["spec"]?["process"]?["cwd"]?.string == report["cwd"].string)
        #expect(
            plan["spec"]?["process"]?["capabilities"]?["bounding"]?.strings ?? [] == report.capabilities("bounding")
        )
        #expect(plan["spec"]?["root"]?["readonly"]?.bool == report.options("/").contains("ro"))
        let destinations = plan["spec"]?["mounts"]?.array?.compactMap { $0["destination"]?.string } ?? []
        for destination in destinations { #expect(report.mount(destination) != nil, "\(destination)") }
    }

    @Test func namesWhatTheHostGets() throws {
        let (missing, there) = (minirun.path("not/yet"), try minirun.makeFolder("there"))
        let words = ["-v", "\(missing):/a", "-v", "\(there):/b", "--mount", "type=bind,src=\(there),dst=/c"]
        let outcome = try minirun.invoke(["run", "--explain"] + words + [Fixtures.busybox])
        #expect(outcome.out.hasPrefix("host:\n  mkdir \(missing)\ncgroup:\n"), "\(outcome)")
        #expect(!FileStatus.exists(missing))
        let data = try JSON.parse(
            Array(minirun.invoke(["run", "--explain=json"] + words + [Fixtures.busybox]).out.utf8)
        )
        #expect(data["hostFolders"]?.strings == [missing])
        #expect(try !minirun("run", "--explain", Fixtures.busybox).out.contains("host:"))
    }

    /// Of a container that is removed the bundle lies in STATE, of one that stays in ROOT.
    @Test func namesTheRightFolders() throws {
        let removed = try minirun("run", "--explain", "--rm", Fixtures.busybox)
        #expect(
            removed.out.contains("binding \(minirun.state)/") && !removed.out.contains("/run/minirun/"),
            "\(removed)"
        )
        let kept = try minirun("run", "--explain", Fixtures.busybox)
        #expect(kept.out.contains("binding \(minirun.root)/containers/") && !kept.out.contains("/var/lib/"), "\(kept)")
    }

    static let programs: [([String], String?)] = [
        (["nosuch"], "exec: \"nosuch\": executable file not found in $PATH"),
        (["/bin/nosuch"], "exec: \"/bin/nosuch\": stat /bin/nosuch: no such file or directory"),
        (["./nosuch"], "exec: \"./nosuch\": stat ./nosuch: no such file or directory"),
        (["sh"], nil), (["/bin/sh"], nil), (["bin/sh"], nil),
        // A mount may bring it.
        (["/mnt/nosuch"], nil),
    ]

    @Test(arguments: programs) func namesAProgramThatIsNotThere(_ words: [String], _ message: String?) throws {
        let arguments = ["run", "--explain", "-v", "\(minirun.folder):/mnt", "-w", "/", Fixtures.busybox] + words
        let outcome = try minirun.invoke(arguments)
        #expect(outcome.code == 0)
        #expect(outcome.lines.last == (message.map { "this would fail: \($0)" } ?? outcome.lines.last), "\(outcome)")
        #expect(outcome.out.contains("this would fail") == (message != nil), "\(outcome)")
        // The run says the same.
        guard let message else { return }
        #expect(try minirun.invoke(["run", "--rm", "-w", "/", Fixtures.busybox] + words).err.contains(message))
        // And so does the store's image, whose layers are unpacked.
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        #expect(try minirun.invoke(["run", "--explain", "-w", "/", "busybox"] + words).out.contains(message))
    }
}
