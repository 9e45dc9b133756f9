import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// `pull` and `run` that pulls, with Debian's docker-registry.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct RegistryBlackBoxTests {
    let minirun: Minirun
    let registry: RegistryServer

    init() throws {
        minirun = try Minirun()
        registry = try RegistryServer()
    }

    @Test func runPullsWhatIsMissingAndSaysSo() throws {
        let digest = try registry.publish("busybox.docker.tar", as: "library/busybox:latest")
        let environment = try minirun.mirror(of: registry)
        let run = try minirun("run", "--rm", "busybox", "echo", "here", environment: environment)
        #expect(run.out == "here\n" && run.code == 0, "\(run)")
        for text in [
            "Unable to find image 'busybox:latest' locally", "Pulling from library/busybox", "Pull complete",
            "Digest: \(digest)", "Status: Downloaded newer image for busybox:latest",
        ] { #expect(run.err.contains(text), "\(text) is missing in\n\(run.err)") }
        let again = try minirun("pull", "busybox", environment: environment)
        #expect(again.out.contains("Status: Image is up to date for busybox:latest"), "\(again)")
        #expect(
            try minirun("pull", "-q", "busybox", environment: environment).out == "docker.io/library/busybox:latest\n"
        )
        let byDigest = try minirun("pull", "busybox@\(digest)", environment: environment)
        #expect(byDigest.code == 0 && byDigest.out.contains("Digest: \(digest)"), "\(byDigest)")
        #expect(try minirun("run", "--rm", "--pull=never", "absent").code == 125)
    }

    @Test func debuggingTellsOfAPull() throws {
        let digest = try registry.publish("busybox.docker.tar", as: "library/busybox:latest")
        let environment = try minirun.mirror(of: registry)
        let pulled = try minirun("-D", "pull", "-q", "busybox", environment: environment)
        for text in [
            "pull of latest from library/busybox", "are to be fetched", ": fetched", ": ready", "manifest \(digest)",
        ] { #expect(pulled.err.contains(text), "\(text)\n\(pulled)") }
        #expect(try minirun("rmi", "busybox").code == 0)
        // What `run` pulls tells of itself, too.
        let run = try minirun("-l", "debug", "run", "--rm", "busybox", "true", environment: environment)
        #expect(run.err.contains("are to be fetched") && run.err.contains("the program ended"), "\(run)")
        #expect(try minirun("pull", "-q", "busybox", environment: environment).err == "")
    }

    /// Also what `run` pulls counts against the limits, as soon as the program runs; its own image stays.
    @Test func runKeepsTheLimits() throws {
        _ = try registry.publish("busybox.docker.tar", as: "library/busybox:latest")
        let old = try minirun.archive("old", number: 1, size: 400_000)
        #expect(try minirun("load", "-i", old).code == 0)
        #expect(try minirun("system", "limits", "--images", "5MB").code == 0)
        #expect(try minirun("load", "-i", old).code == 0)
        // What was used in the very moment before stays, as its time cannot be told from this command's own.
        try tool("sh", "-c", "touch -d '1 hour ago' \(minirun.root)/images/blobs/sha256/*")
        let run = try minirun("run", "--rm", "busybox", "true", environment: minirun.mirror(of: registry))
        #expect(run.code == 0 && run.err.hasSuffix(", to keep the store's limits\n"), "\(run)")
        #expect(run.err.contains("Removed old:latest, last used About an hour ago"), "\(run)")
        #expect(try minirun.imageNames() == ["busybox:latest"])
        try minirun.expectSound()
    }

    @Test func theTerminalShowsEachLayer() throws {
        _ = try registry.publish("python-3.8-slim.docker.tar", as: "library/python:3.8-slim")
        let session = try Session(
            onTerminal: minirun.command(["pull", "python:3.8-slim"]),
            environment: Minirun.environment(minirun.mirror(of: registry)),
            // In a narrower one docker leaves the bar out.
            columns: 120
        )
        #expect(try session.wait() == .exited(0), "\(session.seen)")
        for text in ["3.8-slim: Pulling from library/python", "Pull complete", "\u{1B}[", "Digest: sha256:"] {
            #expect(session.seen.contains(text), "\(text) is missing in\n\(session.seen)")
        }
        let seen = session.seen
        #expect(seen.contains("Downloading [") || seen.contains("Extracting ["), "no bar in\n\(seen)")
    }

    @Test func aKilledPullGoesOnWhereItWas() throws {
        let digest = try registry.publish("python-3.8-slim.docker.tar", as: "python:v1")
        let name = "\(registry.name)/python:v1"
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        var killed = false
        // A pull that is over before it is killed does not count.
        for _ in 0..<20 where !killed {
            let pid = try Subprocess.start(
                minirun.command(["pull", "-q", name]),
                environment: Minirun.environment(),
                descriptors: [null.raw, null.raw, null.raw]
            )
            _ = eventually(20_000) { begun > 500_000 || HostProcesses.hasEnded(pid) }
            kill(pid, SIGKILL)
            _ = try Subprocess.wait(for: pid)
            killed = begun > 0
            if !killed { #expect(try minirun("system", "prune", "-af").code == 0) }
        }
        #expect(killed, "no pull was slow enough to be killed")
        #expect(try minirun("images", "-q").out == "")
        let pull = try minirun("pull", name, timeout: 120)
        #expect(pull.code == 0 && pull.out.contains("Digest: \(digest)"), "\(pull)")
        #expect(registry.log.contains("http.response.status=206"), "nothing was resumed")
        #expect(try minirun("image", "verify", "--all").code == 0)
        #expect(try minirun("system", "check").code == 0)
    }

    @Test func allTagsArePulled() throws {
        for tag in ["one", "two"] { _ = try registry.publish("busybox.docker.tar", as: "library/busybox:\(tag)") }
        let pull = try minirun("pull", "-a", "busybox", environment: minirun.mirror(of: registry))
        #expect(pull.code == 0, "\(pull)")
        for text in [
            "one: Pulling from library/busybox\n", "two: Pulling from library/busybox\n",
            "Status: Downloaded newer image for busybox\n", "docker.io/library/busybox\n",
        ] { #expect(pull.out.contains(text), "\(text) is missing in\n\(pull)") }
        let tags = try minirun("images", "--format", "{{.Tag}}", "busybox").out.split(separator: "\n").sorted()
        #expect(tags == ["one", "two"])
    }

    @Test func whatALayerMayHoldIsAnOptionOfEveryPull() throws {
        _ = try registry.publish("busybox.docker.tar", as: "library/busybox:latest")
        let environment = try minirun.mirror(of: registry)
        try minirun.write("context/Dockerfile", "FROM busybox\n")
        for words in [
            ["pull"], ["run", "--rm"], ["run", "--rm", "--pull=always"],
        ].map({ $0 + ["--max-layer-size", "100KB", "busybox"] }) + [
            ["build", "--max-layer-size", "100KB", minirun.path("context")]
        ] {
            let refused = try minirun.invoke(words, environment: environment)
            #expect(refused.code != 0 && refused.err.contains("--max-layer-size"), "\(words): \(refused)")
        }
        #expect(try minirun("pull", "--max-layer-size", "100MB", "busybox", environment: environment).code == 0)
    }

    /// Bytes of blobs that are half there.
    private var begun: Int64 {
        let folder = "\(minirun.root)/partial"
        let names = (try? Files.list(folder)) ?? []
        return names.reduce(0) { $0 + ((try? FileStatus.of("\(folder)/\($1)"))?.size ?? 0) }
    }
}
