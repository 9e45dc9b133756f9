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

    /// The steps and their lines as BuildKit shows them: the manifest and the configuration come with the metadata, the
    /// layers with the FROM.
    @Test func theTutorialPullsItsBaseThroughAMirror() throws {
        let digest = try publish("python-3.8-slim.docker.tar", as: "library/python:3.8-slim")
        try minirun.write(
            "context/Dockerfile",
            "FROM python:3.8-slim\nWORKDIR /usr/src/app\nCOPY . .\nCMD [\"python\", \"./app.py\"]\n"
        )
        try minirun.write("context/app.py", "print(\"Hello from Docker!\")\n")
        let session = try Session(
            onTerminal: minirun.command(["build", "-t", "python-docker-demo", minirun.path("context")]),
            environment: Minirun.environment(mirror()),
            columns: 160
        )
        #expect(try session.wait() == .exited(0), "\(session.seen)")
        let drawings = session.seen.ranges(of: "[+] Building")
        let shown = session.seen[(drawings.last?.lowerBound ?? session.seen.startIndex)...]
        let base = "docker.io/library/python:3.8-slim"
        expectInOrder(
            [
                "load metadata for \(base)", "load .dockerignore", "load build context", "transferring context: 106B",
                "[1/3] FROM \(base)@\(digest)", "=> resolve \(base)@\(digest)", "=> sha256:", "[2/3] WORKDIR",
                "[3/3] COPY . .", "exporting to image", "writing image sha256:",
                "naming to docker.io/library/python-docker-demo",
            ],
            in: shown
        )
        expectInOrder(["[1/3] FROM", "=> extracting sha256:", "[2/3] WORKDIR"], in: shown)
        #expect(shown.contains("FINISHED") && !shown.contains("ERROR"), "\(shown)")
        let run = try minirun("run", "--rm", "python-docker-demo")
        #expect(run.out == "Hello from Docker!\n" && run.code == 0, "\(run)")
    }

    /// What only a cached stage stands on does not come; the base of the image does, and both get no other name.
    @Test func layersThatNoStepNeedsDoNotCome() throws {
        _ = try publish("python-3.8-slim.docker.tar", as: "library/python:3.8-slim")
        _ = try publish("busybox.docker.tar", as: "library/busybox:latest")
        try minirun.write(
            "context/Dockerfile",
            "FROM python:3.8-slim AS made\nRUN echo made > /made\nFROM busybox\nCOPY --from=made /made /\n"
        )
        let build = ["build", "--progress=plain", "-t", "two", minirun.path("context")]
        let environment = try mirror()
        let first = try minirun.invoke(build, environment: environment)
        #expect(first.code == 0, "\(first)")
        expectInOrder(
            ["[made 1/2] FROM", " sha256:", " extracting sha256:", "[made 2/2] RUN", "[stage-1 1/2] FROM"],
            in: first.err[...]
        )
        // Cached steps keep their layers, and not those of their bases.
        #expect(try minirun("rmi", "-f", "python:3.8-slim", "busybox", "two").code == 0)
        let second = try minirun.invoke(build, environment: environment)
        #expect(second.code == 0, "\(second)")
        expectInOrder(
            ["CACHED", "resolve docker.io/library/busybox:latest@sha256:", " sha256:", "exporting to image"],
            in: second.err[...]
        )
        #expect(!second.err.contains("resolve docker.io/library/python"), "\(second.err)")
        let names = try minirun("images", "--format", "{{.Repository}}:{{.Tag}}").lines
        #expect(names.contains("busybox:latest") && names.contains("two:latest") && !names.contains("python:3.8-slim"))
        #expect(try minirun("image", "verify", "two").code == 0)
        #expect(try minirun("run", "--rm", "two", "cat", "/made").out == "made\n")
    }

    @Test func aFailedDownloadIsTheFailureOfItsFrom() throws {
        _ = try publish("python-3.8-slim.docker.tar", as: "library/python:3.8-slim")
        let blobs = "\(registry.folder)/data/docker/registry/v2/blobs/sha256"
        try tool("find", blobs, "-name", "data", "-size", "+1M", "-delete")
        try minirun.write("context/Dockerfile", "FROM python:3.8-slim\nRUN true\n")
        let build = try minirun("build", minirun.path("context"), environment: mirror())
        #expect(build.code == 1)
        expectInOrder(
            [
                "[1/2] FROM", "ERROR: python:3.8-slim: ", ">>> FROM python:3.8-slim",
                "ERROR: failed to solve: python:3.8-slim: ",
            ],
            in: build.err[...]
        )
        #expect(!build.err.contains("[2/2] RUN"), "\(build.err)")
    }

    /// A registry that takes the connection and says nothing.
    @Test func aSignalEndsABuildThatWaitsForItsBase() throws {
        let script =
            "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); "
            + "print(s.getsockname()[1], flush=True); input()"
        let silent = try ServerProcess(["python3", "-c", script])
        let file = try minirun.write(
            "silent.toml",
            "[registry.\"docker.io\"]\nmirrors = [\"http://127.0.0.1:\(silent.line())\"]\nmirrors-only = true\n"
        )
        try minirun.write("context/Dockerfile", "FROM python:3.8-slim\n")
        let build = try Session(
            minirun,
            ["build", "--progress=plain", minirun.path("context")],
            environment: ["MINIRUN_REGISTRIES": file]
        )
        build.expect("load metadata for docker.io/library/python:3.8-slim")
        build.signal(SIGINT)
        #expect(try build.wait(seconds: 5) == .exited(130))
        #expect(build.seen.contains("CANCELED") && build.seen.contains("ERROR: failed to solve: Canceled"))
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

    /// Also what `run` pulls counts against the limits, as soon as the program runs; its own image stays.
    @Test func runKeepsTheLimits() throws {
        _ = try publish("busybox.docker.tar", as: "library/busybox:latest")
        let old = try minirun.archive("old", number: 1, size: 400_000)
        #expect(try minirun("load", "-i", old).code == 0)
        #expect(try minirun("system", "limits", "--images", "5MB").code == 0)
        #expect(try minirun("load", "-i", old).code == 0)
        // What was used in the very moment before stays, as its time cannot be told from this command's own.
        try tool("sh", "-c", "touch -d '1 hour ago' \(minirun.root)/images/blobs/sha256/*")
        let run = try minirun("run", "--rm", "busybox", "true", environment: mirror())
        #expect(run.code == 0 && run.err.hasSuffix(", to keep the store's limits\n"), "\(run)")
        #expect(run.err.contains("Removed old:latest, last used About an hour ago"), "\(run)")
        #expect(try minirun.imageNames() == ["busybox:latest"])
        try minirun.expectSound()
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

    /// `--all-tags`: every tag's lines, and one heading and one status for all.
    @Test func allTags() throws {
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        let name = "\(registry.name)/all"
        let absent = try minirun("push", "\(name):v1")
        #expect(absent.code == 1 && absent.err.hasSuffix("An image does not exist locally with the tag: \(name)\n"))
        for tag in ["v1", "v2"] { #expect(try minirun("tag", "busybox", "\(name):\(tag)").code == 0) }
        let other = try minirun("push", "\(name):v3")
        #expect(other.code == 1 && other.err.hasSuffix("tag does not exist: \(name):v3\n"), "\(other)")
        #expect(other.out == "The push refers to repository [\(name)]\n")
        let push = try minirun("push", "-a", name)
        #expect(push.code == 0)
        expectInOrder(["The push refers to repository [\(name)]\n", "v1: digest: ", "v2: digest: "], in: push.out[...])
        #expect(push.out.ranges(of: "The push refers").count == 1, "\(push)")
        let pull = try minirun("pull", "-a", name)
        #expect(pull.code == 0)
        expectInOrder(
            [
                "v1: Pulling from all\nDigest: ", "v2: Pulling from all\nDigest: ",
                "Status: Image is up to date for \(name)\n\(name)\n",
            ],
            in: pull.out[...]
        )
        #expect(pull.out.ranges(of: "Status:").count == 1, "\(pull)")
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
            "Status: Downloaded newer image for busybox\n", "docker.io/library/busybox\n",
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
        let (certificate, key) = try Certificates.selfSigned("tokens", in: minirun.folder)
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

/// Each text after the one before it.
private func expectInOrder(_ texts: [String], in text: Substring, _ location: SourceLocation = #_sourceLocation) {
    var rest = text
    for wanted in texts {
        guard let found = rest.firstRange(of: wanted) else {
            Issue.record("\(wanted) is missing, or too early, in\n\(text)", sourceLocation: location)
            return
        }
        rest = rest[found.upperBound...]
    }
}

extension String {
    fileprivate var line: String { String(prefix { $0 != "\n" }) }
}
