import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// The verbs on images in docker's words, where they are not those of a plain success.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct ImageVerbTests {
    private let minirun: Minirun

    init() throws { minirun = try Minirun() }

    private func load() throws {
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
    }

    @Test(
        arguments: [
            (
                ["tag", "", "x"], 1,
                "minirun: Error parsing reference: \"\" is not a valid repository/tag: invalid reference format"
            ),
            (
                ["save", "-o", "/nowhere/x", "busybox"], 1,
                "minirun: failed to save image: invalid output path: stat /nowhere: no such file or directory"
            ),
            (["save", "-o", "/tmp", "busybox"], 1, "minirun: failed to save image: cannot write to a directory"),
            (
                ["push", "busybox@sha256:\(String(repeating: "0", count: 64))"], 1,
                "minirun: cannot push a digest reference"
            ),
            (["image", "inspect", "nope"], 1, "Error response from daemon: No such image: nope:latest"),
            (["container", "inspect", "nope"], 1, "Error response from daemon: No such container: nope"),
            (["inspect", "--type", "image", "nope"], 1, "Error response from daemon: No such image: nope:latest"),
            (["inspect", "nope"], 1, "Error: No such object: nope"),
            (["inspect", "-f", "{{.Id", "nope"], 64, "template parsing error: template: :1: unclosed action"),
            (["images", "ls"], 0, "\nNo images found matching \"ls\": did you mean \"minirun image ls\"?"),
            (["image", "ls", "ls"], 0, ""),
            (
                ["image", "prune", "-f", "--filter", "until=xx"], 1,
                "minirun: invalid value for 'until' filter: failed to parse value as time or duration: \"xx\""
            ),
            (["import", "-c", "RUN x", "/dev/null"], 1, "minirun: run is not a valid change command"),
            (["images", "--tree", "-q"], 1, "minirun: --quiet is not yet supported with --tree"),
            (["images", "--tree", "--digests"], 1, "minirun: --show-digest is not yet supported with --tree"),
            (
                ["history", "--platform", "linux/mips", "busybox"], 1,
                "minirun: image with reference busybox was found but its platform (linux/amd64) does not match the specified platform (linux/mips)"
            ),
            (
                ["pull", "UPPER"], 1,
                "minirun: invalid reference format: repository name (library/UPPER) must be lowercase"
            ),
        ] as [([String], Int32, String)]
    ) func whatIsSaid(_ words: [String], _ code: Int32, _ said: String) throws {
        try load()
        let outcome = try minirun.invoke(words)
        let expected = said.replacing("linux/amd64", with: "\(Platform(architecture: Platform.host.architecture))")
        #expect(outcome.code == code && outcome.err == (said.isEmpty ? "" : expected + "\n"), "\(outcome)")
    }

    @Test func rowsAreShownAsDockerShowsThem() throws {
        try load()
        let row = try minirun("images", "--format", "{{json .}}").line
        #expect(
            try minirun("images", "--format", "json").line == row && row.contains("\"Digest\":\"\\u003cnone\\u003e\"")
        )
        #expect(try minirun("images", "--format", "{{json .Digest}}").line == "\"<none>\"")
        let table = try minirun("images", "--digests", "--format", "table {{.Tag}}").lines
        #expect(table.map { $0.split(separator: " ") } == [["TAG", "DIGEST"], ["latest", "<none>"]])
        let raw = try minirun("images", "--format", "raw", "--digests").out
        #expect(raw.hasPrefix("repository: busybox\ntag: latest\ndigest: <none>\nimage_id: "), "\(raw)")
    }

    @Test func anExitCodeSaysWhetherAnImageIsThere() throws {
        try load()
        for (name, code) in [("busybox", 0), ("busybox:nope", 1), ("nope", 1), ("sha256:", 1)] as [(String, Int32)] {
            let outcome = try minirun("image", "exists", name)
            #expect(outcome.code == code && outcome.out + outcome.err == "", "\(name): \(outcome)")
        }
    }

    /// Signatures that nobody would check are not silently left out.
    @Test func contentTrustIsRefused() throws {
        try minirun.write("context/Dockerfile", "FROM scratch\n")
        for words in [["pull", "x"], ["push", "x"], ["run", "x"], ["build", minirun.path("context")]] {
            let refused = try minirun.invoke(words, environment: ["DOCKER_CONTENT_TRUST": "1"])
            #expect(refused.code != 0 && refused.err.contains("content trust is not supported"), "\(words): \(refused)")
        }
        let off = try minirun("pull", "--disable-content-trust=false", "127.0.0.1:1/x")
        #expect(off.code == 1 && off.err.contains("content trust is not supported"), "\(off)")
        let on = ["pull", "--disable-content-trust", "127.0.0.1:1/x"]
        let asked = try minirun.invoke(on, environment: ["DOCKER_CONTENT_TRUST": "1", "MINIRUN_RETRY_DELAY": "0"])
        #expect(asked.err.contains("connection refused"), "\(asked)")
    }

    @Test func thePlatformMayStandInTheEnvironment() throws {
        let environment = ["DOCKER_DEFAULT_PLATFORM": "windows/amd64"]
        let refused = try minirun("import", "/dev/null", environment: environment)
        #expect(refused.err == "minirun: operating system is not supported: windows\n", "\(refused)")
        let own = try minirun("import", "--platform", "linux/arm64", "/dev/null", environment: environment)
        #expect(own.err.contains("the archive to import is empty"), "\(own)")
    }

    // MARK: import of a URL

    @Test func aURLIsImported() throws {
        try tool("tar", "-C", Fixtures.tree(minirun), "-czf", minirun.path("tree.tgz"), ".")
        let server = try WebServer { _, ports in
            "server { listen 127.0.0.1:\(ports[0]); root \(minirun.folder); location /there { return 301 /tree.tgz; } }"
        }
        let url = "http://127.0.0.1:\(server.ports[0])"
        let imported = try minirun("import", "-c", "CMD [\"/guest\", \"echo\", \"in\"]", "\(url)/there", "web:1")
        #expect(imported.code == 0 && imported.err == "", "\(imported)")
        #expect(imported.lines.count == 2 && imported.lines[0] == "Downloading from \(url)/there")
        #expect(try minirun("images", "-q", "--no-trunc", "web:1").line == imported.lines.last)
        #expect(try minirun("history", "--format", "{{.Comment}}", "web:1").line == "Imported from \(url)/there")
        #expect(try minirun("run", "--rm", "web:1").out == "in\n")
        let session = try Session(
            onTerminal: minirun.command(["import", "\(url)/tree.tgz"]),
            environment: Minirun.environment(),
            columns: 120
        )
        #expect(try session.wait() == .exited(0), "\(session.seen)")
        expectInOrder(["Downloading from", "Importing [", ">", "\u{1B}[2K", "sha256:"], in: session.seen[...])

        let missing = try minirun("import", "\(url)/nothing", "web:2")
        let said = "Error response from daemon: failed to GET \(url)/nothing with status 404 Not Found\n"
        #expect(missing.code == 1 && missing.out == "" && missing.err == said, "\(missing)")
        let large = try minirun("import", "--max-layer-size", "10KB", "\(url)/tree.tgz")
        #expect(large.code == 1 && large.err.contains("--max-layer-size"), "\(large)")
        try minirun.expectSound()
    }

    // MARK: platforms

    /// An index of three manifests of which one came: that of this machine.
    @Test func platformsStandBelowTheName() throws {
        let registry = try RegistryServer()
        let digest = try registry.publish("busybox.docker.tar", as: "bb:one")
        let other = try registry.publish("busybox.docker.tar", as: "bb:two", "--format", "oci")
        let size = Int64(
            try tool("skopeo", "inspect", "--raw", "--tls-verify=false", "docker://\(registry.name)/bb:one").utf8.count
        )
        let otherSize = Int64(
            try tool("skopeo", "inspect", "--raw", "--tls-verify=false", "docker://\(registry.name)/bb:two").utf8.count
        )
        var index = ImageIndex()
        index.manifests = [
            Descriptor(mediaType: .dockerManifest, digest: try Digest(digest), size: size, platform: .host),
            Descriptor(
                mediaType: .imageManifest,
                digest: try Digest(other),
                size: otherSize,
                platform: Platform(architecture: "riscv64")
            ),
            Descriptor(
                mediaType: .imageManifest,
                digest: try Digest(other),
                size: otherSize,
                platform: Platform(os: "unknown", architecture: "unknown"),
                annotations: ["vnd.docker.reference.type": "attestation-manifest"]
            ),
        ]
        let file = try minirun.write("index.json", index.json.text())
        try registry.put(file, MediaType.imageIndex.rawValue, in: "bb", as: "index")
        let name = "\(registry.name)/bb:index"
        #expect(try minirun("pull", "-q", name).code == 0)
        #expect(try minirun("tag", name, "short").code == 0)
        let id = try minirun("images", "-q", name).line
        func lines(_ options: String...) throws -> [[Substring]] {
            let tree = try minirun.invoke(["images", "--tree"] + options)
            #expect(tree.code == 0, "\(tree)")
            return tree.out.split(separator: "\n", omittingEmptySubsequences: false).dropFirst(3).map {
                $0.split(separator: " ")
            }
        }
        let host = Platform.host
        let rows = try lines()
        #expect(rows[0] == ["IMAGE", "ID", "DISK", "USAGE", "CONTENT", "SIZE", "EXTRA"])
        #expect(rows[1] == [Substring(name)])
        #expect(rows[2].prefix(2) == ["short:latest", Substring(id)] && rows[2].count == 4, "\(rows)")
        #expect(rows[3].prefix(3) == ["├─", "\(host)", Substring(id)] && rows[3].dropFirst(3) == rows[2].dropFirst(2))
        #expect(rows[4] == ["└─", "linux/riscv64", Substring(HumanReadableDigest.short(other)), "0B", "0B"])
        #expect(rows.count == 7)
        #expect(try lines("-f", "reference=short").count == 6)
        #expect(try lines("-f", "reference=absent").count == 2)
        #expect(try minirun("run", "--name", "user", "short", "true").code == 0)
        #expect(try lines()[2].last == "U" && lines()[3].last == "U" && lines()[4].last == "0B")
    }

    /// What a pull leaves of an image that another one took the tag of is dangling: a digest is no tag.
    @Test func aDigestThatIsLeftIsPruned() throws {
        let registry = try RegistryServer()
        _ = try registry.publish("busybox.docker.tar", as: "moving:latest")
        let name = "\(registry.name)/moving"
        #expect(try minirun("pull", "-q", name).code == 0)
        let old = try minirun("images", "-q", "--no-trunc", name).line
        #expect(try minirun("load", "-i", minirun.archive("new", number: 7)).code == 0)
        #expect(try minirun("tag", "new", "\(name):latest").code == 0)
        #expect(try minirun("images", "-q", "--no-trunc", "-f", "dangling=true").line == old)
        let pruned = try minirun("image", "prune", "-f", "--filter", "dangling=true")
        #expect(pruned.code == 0 && pruned.out.contains("untagged: \(name)@sha256:"), "\(pruned)")
        #expect(pruned.out.contains("deleted: \(old)"))
        #expect(try minirun.imageNames() == ["\(name):latest", "new:latest"])
        try minirun.expectSound()
    }
}

private enum HumanReadableDigest {
    /// The first twelve digits.
    static func short(_ text: String) -> String { String(text.dropFirst(7).prefix(12)) }
}
