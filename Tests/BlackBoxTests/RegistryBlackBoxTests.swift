import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// `pull`, `push`, and a build that pulls, with Debian's docker-registry and other engines' clients beside them.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(5))) struct RegistryBlackBoxTests {
    let minirun: Minirun
    let registry: RegistryServer

    init() throws {
        minirun = try Minirun()
        registry = try RegistryServer()
    }

    /// Puts a fixture into the registry, as skopeo does it, and returns the digest of its manifest.
    private func publish(_ fixture: String, as name: String) throws -> String {
        let target = "docker://\(registry.name)/\(name)"
        try tool(
            "skopeo",
            "copy",
            "-q",
            "--dest-tls-verify=false",
            "docker-archive:\(Fixtures.folder)/\(fixture)",
            target
        )
        return try digest(name)
    }

    private func digest(_ name: String) throws -> String {
        try tool(
            "skopeo",
            "inspect",
            "--tls-verify=false",
            "--format={{.Digest}}",
            "docker://\(registry.name)/\(name)"
        ).line
    }

    /// Docker Hub's names are looked for in our registry.
    private func mirror() throws -> [String: String] {
        let file = try minirun.write(
            "registries.toml",
            "[registry.\"docker.io\"]\nmirrors = [\"http://\(registry.name)\"]\nmirrors-only = true\n"
        )
        return ["MINIRUN_REGISTRIES": file]
    }

    @Test func theTutorialPullsItsBaseThroughAMirror() throws {
        _ = try publish("python-3.8-slim.docker.tar", as: "library/python:3.8-slim")
        try minirun.write(
            "context/Dockerfile",
            "FROM python:3.8-slim\nWORKDIR /usr/src/app\nCOPY . .\nCMD [\"python\", \"./app.py\"]\n"
        )
        try minirun.write("context/app.py", "print(\"Hello from Docker!\")\n")
        let session = try Session(
            onTerminal: minirun.command(["build", "-t", "python-docker-demo", minirun.path("context")]),
            environment: Minirun.environment(mirror())
        )
        #expect(try session.wait() == .exited(0), "\(session.seen)")
        for text in [
            "[+] Building", "load metadata for docker.io/library/python:3.8-slim", "[2/3] WORKDIR", "FINISHED",
        ] {
            #expect(session.seen.contains(text), "\(text) is missing in\n\(session.seen)")
        }
        let run = try minirun("run", "--rm", "python-docker-demo")
        #expect(run.out == "Hello from Docker!\n" && run.code == 0, "\(run)")
    }

    @Test func runPullsWhatIsMissingAndSaysSo() throws {
        let digest = try publish("busybox.docker.tar", as: "library/busybox:latest")
        let environment = try mirror()
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

    @Test func theTerminalShowsEachLayer() throws {
        _ = try publish("python-3.8-slim.docker.tar", as: "library/python:3.8-slim")
        let session = try Session(
            onTerminal: minirun.command(["pull", "python:3.8-slim"]),
            environment: Minirun.environment(mirror()),
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

    @Test func whatIsPushedIsTheSameEverywhere() throws {
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/python-3.8-slim.docker.tar", timeout: 200).code == 0)
        let name = "\(registry.name)/me/python:v1"
        #expect(try minirun("tag", "python:3.8-slim", name).code == 0)
        let push = try minirun("push", name, timeout: 120)
        #expect(
            push.code == 0 && push.out.contains("The push refers to repository [\(registry.name)/me/python]"),
            "\(push)"
        )
        let digest = try digest("me/python:v1")
        #expect(push.out.contains("v1: digest: \(digest) size: "), "\(push)")
        let podman = [
            "podman", "--root", minirun.path("podman"), "--runroot", minirun.path("run"), "--storage-driver", "vfs",
        ]
        let pulled = try Subprocess.run(podman + ["pull", "-q", "--tls-verify=false", name], timeout: 200_000)
        #expect(pulled.status == .exited(0), "\(pulled.errorText)")
        let listed = try Subprocess.run(podman + ["images", "--digests", "--format={{.Digest}}"], timeout: 60_000)
        #expect(listed.outputText.contains(digest))
        // And the other way round.
        let back = "\(registry.name)/me/back:v1"
        let words = ["push", "-q", "--tls-verify=false", "--digestfile=\(minirun.path("digest"))", name, back]
        let returned = try Subprocess.run(podman + words, timeout: 200_000)
        #expect(returned.status == .exited(0), "\(returned.errorText)")
        let pullBack = try minirun("pull", back, timeout: 120)
        #expect(pullBack.out.contains("Digest: \(try Files.readText(minirun.path("digest")).line)\n"), "\(pullBack)")
        let second = try minirun("push", name)
        #expect(second.out.contains("Layer already exists") && second.out.contains(digest), "\(second)")
        #expect(try minirun("pull", name).out.contains("Status: Image is up to date for \(name)"))
        try Files.removeTree(minirun.path("podman"))
    }

    @Test func aKilledPullGoesOnWhereItWas() throws {
        let digest = try publish("python-3.8-slim.docker.tar", as: "python:v1")
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

    /// docker's client needs no daemon for this, and tools parse what it prints.
    @Test func manifestsAreShownAsDockerShowsThem() throws {
        let digest = try publish("busybox.docker.tar", as: "busybox:latest")
        let size = try tool(
            "skopeo",
            "inspect",
            "--raw",
            "--tls-verify=false",
            "docker://\(registry.name)/busybox:latest"
        )
        .utf8.count
        let type = "application/vnd.docker.distribution.manifest."
        let entry: JSON = [
            "mediaType": .string("\(type)v2+json"), "digest": .string(digest), "size": .number(size),
            "platform": ["os": "linux", "architecture": "amd64", "os.version": "1.2"],
        ]
        let list: JSON = [
            "schemaVersion": 2, "mediaType": .string("\(type)list.v2+json"), "manifests": .array([entry]),
        ]
        let file = try minirun.write("list.json", list.text())
        try tool(
            "curl",
            "-sf",
            "-X",
            "PUT",
            "-H",
            "Content-Type: \(type)list.v2+json",
            "--data-binary",
            "@\(file)",
            "http://\(registry.name)/v2/busybox/manifests/list"
        )
        for tag in ["latest", "list"] {
            for options in [[], ["-v"]] {
                let name = "\(registry.name)/busybox:\(tag)"
                let docker = try Subprocess.run(["docker", "manifest", "inspect", "--insecure"] + options + [name])
                let ours = try minirun.invoke(["manifest", "inspect"] + options + [name])
                #expect(docker.status == .exited(0), "\(docker.errorText)")
                // Debian's docker is of before "Raw".
                let hasRaw = docker.outputText.contains("\"Raw\": ")
                let lines = ours.out.split(separator: "\n", omittingEmptySubsequences: false)
                let shown = lines.filter { hasRaw || !$0.contains("\"Raw\": ") }.joined(separator: "\n")
                #expect(shown == docker.outputText, "\(tag) \(options)")
            }
        }
        let missing = try minirun("manifest", "inspect", "\(registry.name)/busybox:nope")
        #expect(
            missing.code == 1 && missing.err.contains("no such manifest: \(registry.name)/busybox:nope"),
            "\(missing)"
        )
    }

    @Test func allTagsArePulled() throws {
        for tag in ["one", "two"] { _ = try publish("busybox.docker.tar", as: "library/busybox:\(tag)") }
        let pull = try minirun("pull", "-a", "busybox", environment: mirror())
        #expect(pull.code == 0, "\(pull)")
        for text in [
            "one: Pulling from library/busybox\n", "two: Pulling from library/busybox\n",
            "Status: Downloaded newer image for busybox:one\n", "docker.io/library/busybox\n",
        ] { #expect(pull.out.contains(text), "\(text) is missing in\n\(pull)") }
        let tags = try minirun("images", "--format", "{{.Tag}}", "busybox").out.split(separator: "\n").sorted()
        #expect(tags == ["one", "two"])
    }

    @Test func whatALayerMayHoldIsAnOptionOfEveryPull() throws {
        _ = try publish("busybox.docker.tar", as: "library/busybox:latest")
        let environment = try mirror()
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

    /// What `login` stores of a token server with refresh tokens is what docker stores, and good for skopeo as well.
    @Test func aLoginStoresAnIdentityToken() throws {
        let (certificate, key) = (minirun.path("token.crt"), minirun.path("token.key"))
        try tool(
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=tokens",
            "-keyout",
            key,
            "-out",
            certificate
        )
        let plan: JSON = [
            "log": .string(minirun.path("log")), "key": .string(key), "certificate": .string(certificate),
            "users": ["anna": "secret"],
        ]
        let tests = Files.parent(of: Files.parent(of: #filePath))
        let script = "\(tests)/RegistryTests/Servers/token-server.py"
        let tokens = try ServerProcess(["python3", script, try minirun.write("plan.json", plan.text())])
        let realm = "http://127.0.0.1:\(try tokens.line())/token"
        let registry = try RegistryServer(
            more:
                "auth: {token: {realm: \"\(realm)\", service: here, issuer: test, rootcertbundle: \(certificate)}}\n"
        )
        let folder = minirun.path("docker")
        let environment = ["DOCKER_CONFIG": folder]
        func login(_ password: String) throws -> Outcome {
            let words = ["login", "-u", "anna", "--password-stdin", registry.name]
            return try minirun.invoke(words, input: password, environment: environment)
        }
        let refused = try login("wrong")
        #expect(refused.code == 1 && refused.err.contains("unauthorized: incorrect username or password"), "\(refused)")
        let accepted = try login("secret")
        #expect(accepted.code == 0 && accepted.out == "Login Succeeded\n", "\(accepted)")
        let stored = try JSON.parse(Files.read("\(folder)/config.json"))["auths"]?[registry.name]
        #expect(stored == ["auth": "YW5uYTo=", "identitytoken": "refresh-anna"], "\(stored?.text() ?? "")")
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        #expect(try minirun("tag", "busybox", "\(registry.name)/app:v1").code == 0)
        let push = try minirun("push", "\(registry.name)/app:v1", environment: environment)
        let digest = try tool(
            "skopeo",
            "inspect",
            "--authfile=\(folder)/config.json",
            "--tls-verify=false",
            "--format={{.Digest}}",
            "docker://\(registry.name)/app:v1"
        ).line
        #expect(push.code == 0 && push.out.contains("v1: digest: \(digest) size: "), "\(push)")
    }

    @Test func anInterruptedPushTakesItsUploadsBack() throws {
        let plan: JSON = [
            "log": .string(minirun.path("log")),
            "rules": [["match": "/uploads/", "method": "PUT", "do": "hang", "times": 9]],
        ]
        let file = try minirun.write("plan.json", plan.text())
        let tests = Files.parent(of: Files.parent(of: #filePath))
        let server = try ServerProcess(["python3", "\(tests)/RegistryTests/Servers/misbehaving-registry.py", file])
        let port = try JSON.parse(Array(try server.line().utf8))["port"]?.int ?? 0
        let name = "127.0.0.1:\(port)/repo:v2"
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        #expect(try minirun("tag", "busybox", name).code == 0)
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        let pid = try Subprocess.start(
            minirun.command(["push", name]),
            environment: Minirun.environment(),
            descriptors: [null.raw, null.raw, null.raw]
        )
        func requests(_ method: String) -> Int {
            let log = (try? Files.readText(minirun.path("log"))) ?? ""
            return log.split(separator: "\n").filter { $0.contains("\"method\": \"\(method)\"") }.count
        }
        #expect(eventually(20_000) { requests("PUT") == 2 || HostProcesses.hasEnded(pid) })
        kill(pid, SIGINT)
        #expect(try Subprocess.wait(for: pid) == .signalled(SIGINT))
        #expect(requests("DELETE") == 2)
    }

    /// Bytes of blobs that are half there.
    private var begun: Int64 {
        let folder = "\(minirun.root)/partial"
        let names = (try? Files.list(folder)) ?? []
        return names.reduce(0) { $0 + ((try? FileStatus.of("\(folder)/\($1)"))?.size ?? 0) }
    }
}

extension String {
    fileprivate var line: String { String(prefix { $0 != "\n" }) }
}
