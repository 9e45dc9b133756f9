import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Whatever the engine wrote, altered by somebody else's hand or by a disk: no trap, no hang, no way out of the store, and what
/// a person keeps stays.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct StateFileTests {
    let minirun: Minirun
    init() throws {
        minirun = try Minirun()
        #expect(try minirun("load", "-q", "-i", minirun.archive("one", number: 1)).code == 0)
        #expect(try minirun("run", "--name", "kept", "one", "sh", "-c", "echo mine > /precious").code == 0)
    }

    private var kept: String { minirun.containers.first ?? "none" }
    private var precious: String { "\(minirun.root)/containers/\(kept)/upper/precious" }

    // MARK: A container's record

    static let damages =
        ["container.json", "state.json"].flatMap { file in
            [
                ": > FILE", "printf '{' > FILE", #"echo '{"version": 99}' > FILE"#, "rm FILE; mkdir FILE",
                "rm FILE; mkfifo FILE",
                "truncate -s 1T FILE", "rm FILE; mknod FILE c 1 5", "rm FILE; ln -s /dev/zero FILE",
                "head -c 600 /dev/zero > FILE",
                #"sed -i 's/"id":"[0-9a-f]\{64\}"/"id":"..\/..\/x"/' FILE"#,
            ].map { $0.replacing("FILE", with: file) }
        } + [#"sed -i 's/"name":"kept"/"name":"..\/..\/x"/' container.json"#, "rm container.json"]

    /// After a boot as well: no command erases it, and a repair puts it where a person can look at it.
    @Test(arguments: damages) func aRecordThatSaysNothing(damage: String) throws {
        let (id, precious) = (kept, precious)
        try tool("sh", "-ec", damage, directory: "\(minirun.root)/containers/\(id)")
        try Files.removeTree(minirun.state)
        let run = try minirun("run", "--rm", "one")
        #expect(run.code == 0 && run.out == "ok\n" && run.err.contains(String(id.prefix(12))), "\(run)")
        let list = try minirun("ps", "-aq")
        #expect(list.code == 0 && list.out == "" && list.err.contains(String(id.prefix(12))), "\(list)")
        for words in [
            ["rm", "kept"], ["rm", "-f", String(id.prefix(12))], ["image", "prune", "-af"], ["system", "df"],
        ] {
            let outcome = try minirun.invoke(words)
            #expect((0...1).contains(outcome.code), "\(words): \(outcome)")
        }
        #expect(try Files.readText(precious) == "mine\n")
        #expect(try minirun("system", "check").code == 1)
        let repair = try minirun("system", "check", "--repair")
        #expect(repair.code == 0 && repair.out.contains("its folder moved to quarantine"), "\(repair)")
        #expect(minirun.containers.isEmpty)
        try tool("sh", "-ec", "[ \"$(cat \(minirun.root)/quarantine/container-\(id)-*/upper/precious)\" = mine ]")
        try minirun.expectSound(damage)
        #expect(try minirun("run", "--name", "kept", "one").code == 0)
    }

    /// A disk that cannot be read just now.
    @Test func aRecordThatCannotBeReadNow() throws {
        let (id, precious) = (kept, precious)
        try Files.removeTree(minirun.state)
        let file = "\(minirun.root)/containers/\(id)/state.json"
        let inject = ["strace", "-f", "-o", "/dev/null", "-P", file, "-e", "inject=read:error=EIO"]
        let run = Outcome(
            try Subprocess.run(
                inject + minirun.command(["run", "--rm", "one"]),
                environment: Minirun.environment(),
                timeout: 60_000
            )
        )
        #expect(run.code == 0 && run.err.contains("Input/output error"), "\(run)")
        #expect(try Files.readText(precious) == "mine\n")
        #expect(try minirun("ps", "-aq").lines == [String(id.prefix(12))])
        #expect(try minirun("rm", "kept").code == 0)
        try minirun.expectSound()
    }

    /// What a person keeps survives a power cut; what goes at its end costs no sync.
    @Test func whatStaysIsSynced() throws {
        func synced(_ words: [String]) throws -> String {
            let log = minirun.path("syncs")
            let trace = ["strace", "-f", "-y", "-o", log, "-e", "trace=fsync,fdatasync"]
            let run = Outcome(
                try Subprocess.run(trace + minirun.command(words), environment: Minirun.environment(), timeout: 60_000)
            )
            #expect(run.code == 0, "\(run)")
            return try Files.readText(log)
        }
        let log = try synced(["run", "--name", "second", "one"])
        let id = try #require(try minirun("ps", "-aq", "--no-trunc", "--filter", "name=second").lines.first)
        for path in [
            "/containers/\(id)/container.json", "/containers/\(id)/state.json", "/containers/\(id)>", "/containers>",
            "/containers/names>",
        ] {
            #expect(log.contains(path), "\(path)\n\(log)")
        }
        #expect(try !synced(["run", "--rm", "one"]).contains("fsync("))
    }

    // MARK: Two STATE folders

    @Test func anotherStateLeavesLivingContainersAlone() throws {
        let pid = try minirun.start(["run", "--rm", "--name", "alive", "one", "sh", "-c", "sleep 1000"])
        defer { kill(pid, SIGKILL) }
        #expect(eventually(10_000) { (try? minirun("ps", "-q").lines.count) == 1 })
        let active = minirun.active
        func other(_ words: String...) throws -> Outcome {
            Outcome(
                try Subprocess.run(
                    [Minirun.program, "--root", minirun.root, "--state", minirun.path("other")] + words,
                    environment: Minirun.environment(),
                    timeout: 60_000
                )
            )
        }
        for words in [
            ["run", "--rm", "one"], ["rm", "-f", "alive"], ["system", "prune", "-af"], ["image", "prune", "-af"],
        ] {
            let outcome = Outcome(
                try Subprocess.run(
                    [Minirun.program, "--root", minirun.root, "--state", minirun.path("other")] + words,
                    environment: Minirun.environment(),
                    timeout: 60_000
                )
            )
            #expect(outcome.code != 0 && outcome.err.contains(minirun.state), "\(words): \(outcome)")
            #expect(outcome.err.contains("hint: use --state \(minirun.state)"), "\(words): \(outcome)")
        }
        #expect(minirun.active == active && kill(pid, 0) == 0)
        #expect(try minirun("ps", "-q").lines.count == 1)
        #expect(try minirun("rm", "-f", "alive").code == 0)
        _ = try Subprocess.wait(for: pid)
        // Nothing runs any more, as after a boot: the other one may have it, and knows what stays.
        let later = try other("run", "--rm", "one")
        #expect(later.code == 0 && later.out == "ok\n", "\(later)")
        #expect(try other("ps", "-aq").lines == [String(kept.prefix(12))])
        #expect(try Files.readText(precious) == "mine\n")
    }

    // MARK: Everything else

    /// Shell text that does something to `$f`, which stands for a file.
    static let alterations: [(name: String, script: String)] = [
        ("empty", ": > $f"), ("garbage", "printf '{\\000\\377' > $f"), ("a list", "echo '[[[]]]' > $f"),
        ("a pipe", "rm -rf $f; mkfifo $f"), ("a folder", "rm -rf $f; mkdir $f; touch $f/x"),
        ("a device", "rm -rf $f; mknod $f c 1 5"),
        (
            "a socket",
            "rm -rf $f; python3 -c \"import socket,os;os.chdir('$(dirname $f)');socket.socket(socket.AF_UNIX).bind('$(basename $f)')\""
        ),
        ("a link out", "rm -rf $f; ln -s OUT/precious $f"), ("a link to nothing", "rm -rf $f; ln -s OUT/nothing $f"),
        ("a link to itself", "rm -rf $f; ln -s $(basename $f) $f"), ("huge", "rm -rf $f; truncate -s 1T $f"),
        (
            "numbers",
            "[ ! -f $f ] || sed -i -E 's/:-?[0-9]+/:99999999999999999999/g; s/\"(images|size)\":[0-9]+/\"\\1\":-1/g' $f"
        ),
        ("floats", "[ ! -f $f ] || sed -i -E 's/:[0-9]+/:1e400/g' $f"),
        (
            "paths",
            "[ ! -f $f ] || sed -i -E 's|\"sha256:[0-9a-f]+\"|\"sha256:../../x\"|g; s|\"[0-9a-f]{64}\"|\"../..OUT\"|g' $f"
        ),
    ]

    /// Globs of what the engine writes, below the test's folder.
    static let files = [
        "root/state", "root/version", "root/lock", "root/index.lock", "root/limits.json", "root/spare",
        "root/uncollected",
        "root/images/index.json", "root/images/oci-layout", "root/layers/dir/*/layer.json",
        "root/layers/dir/*/allocated", "root/containers/*/container.json",
        "root/containers/*/state.json", "root/containers/*/config.json",
        "root/containers/names/kept", "root/build/steps/*", "root/build/digests*", "root/build/lock", "root/partial/*",
        "state/boot", "state/active/ID", "state/names/kept", "state/seccomp/*",
    ]

    @Test(arguments: files) func whatWasAltered(file: String) throws {
        try minirun.write("context/Dockerfile", "FROM one\nRUN echo x > /x\nCOPY x /y\n")
        try minirun.write("context/x", "x")
        try minirun.write("outside/precious", "kept\n")
        let outside = minirun.path("outside")
        // Each alteration is tried on some of the files, and all on all where there is time.
        let place = Self.files.firstIndex(of: file) ?? 0
        for (index, (name, script)) in Self.alterations.enumerated() where Minirun.isLong || (index + place) % 5 == 0 {
            // Whatever the round before left is gone.
            for folder in [minirun.root, minirun.state] { try Files.removeTree(folder) }
            #expect(try minirun("load", "-q", "-i", minirun.archive("one", number: 1)).code == 0)
            #expect(try minirun("run", "--name", "kept", "one").code == 0)
            #expect(try minirun("build", "-q", "-t", "built", minirun.path("context")).code == 0)
            #expect(try minirun("system", "limits", "--images", "10GB").code == 0)
            try minirun.write("root/partial/\(String(repeating: "a", count: 64))", "x")
            let setUp = """
                mkdir -p state/active state/names; : > root/uncollected
                [ -z "$ID" ] || case FILE in state/active/*) : > state/active/$ID;; state/names/*) ln -sfn $ID state/names/kept;; esac
                for f in FILE; do f=$PWD/$f; SCRIPT; done
                """.replacing("FILE", with: file.replacing("ID", with: "$ID")).replacing("SCRIPT", with: script)
                .replacing("OUT", with: outside)
            try tool("sh", "-ec", "ID=\(kept)\n\(setUp)", directory: minirun.folder)
            for words in [
                ["ps", "-a"], ["images"], ["inspect", "kept"], ["system", "df"], ["run", "--rm", "one"],
                ["build", "-q", "-t", "built", minirun.path("context")], ["image", "prune", "-f"],
                ["load", "-q", "-i", try minirun.archive("one", number: 1)], ["system", "check"],
                ["system", "check", "--repair"], ["rm", "-f", "kept"],
            ] {
                let outcome = Outcome(
                    try Subprocess.run(
                        minirun.command(words),
                        environment: Minirun.environment(),
                        timeout: 30_000
                    )
                )
                #expect(outcome.status.isExit(upTo: 126), "\(file), \(name), \(words): \(outcome.status) \(outcome)")
            }
            #expect(try Files.readText("\(outside)/precious") == "kept\n", "\(file), \(name)")
            #expect(try Files.list(outside) == ["precious"], "\(file), \(name)")
            let after = try minirun("load", "-q", "-i", minirun.archive("one", number: 1))
            let run = try minirun("run", "--rm", "one")
            // A store of a format that nobody knows is left alone.
            if file != "root/version" {
                #expect(after.code == 0 && run.code == 0 && run.out == "ok\n", "\(file), \(name): \(after) \(run)")
            }
        }
    }
}

extension ExitStatus {
    /// Whether a program ended by itself with at most this code: neither by a trap nor at its timeout.
    fileprivate func isExit(upTo code: Int32) -> Bool {
        if case .exited(let own) = self { return own <= code }
        return false
    }
}
