import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// `manifest inspect` beside docker's client, which needs no daemon for it. Tools parse what it prints.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct ManifestInspectTests {
    private let minirun: Minirun
    private let registry: RegistryServer
    private let environment: [String: String]
    private static let types = "application/vnd.docker.distribution.manifest."

    init() throws {
        minirun = try Minirun()
        registry = try RegistryServer()
        environment = ["DOCKER_CONFIG": try minirun.makeFolder("docker")]
    }

    private func name(_ tag: String) -> String { "\(registry.name)/busybox:\(tag)" }

    private func docker(_ words: String...) throws -> Outcome {
        let result = try Subprocess.run(["docker", "manifest"] + words, environment: Minirun.environment(environment))
        return Outcome(result)
    }

    private func put(_ text: String, _ type: String, as tag: String) throws {
        try registry.put(minirun.write("manifest.json", text), type, in: "busybox", as: tag)
    }

    /// Compares a command line, also with `-v`.
    private func compare(_ words: String..., location: SourceLocation = #_sourceLocation) throws {
        for options in [[], ["-v"]] {
            let words = ["inspect", "--insecure"] + options + words
            let docker = Outcome(
                try Subprocess.run(["docker", "manifest"] + words, environment: Minirun.environment(environment))
            )
            let ours = try minirun.invoke(["manifest"] + words, environment: environment)
            // Debian's docker is of before "Raw".
            let hasRaw = docker.out.contains("\"Raw\": ")
            let lines = ours.out.split(separator: "\n", omittingEmptySubsequences: false)
            let shown = lines.filter { hasRaw || !$0.contains("\"Raw\": ") }.joined(separator: "\n")
            let isSame = shown == docker.out && ours.code == docker.code
            #expect(isSame, "\(words)\n\(docker)\n\(ours)", sourceLocation: location)
            if docker.code == 0 { continue }
            let said = ours.err.prefix { $0 != "\n" }.trimmingPrefix("minirun: ")
            #expect(docker.err.hasPrefix(said), "\(said)\n\(docker.err)", sourceLocation: location)
        }
    }

    /// Also where strings are not written as we would write them.
    @Test func manifestsAreShownAsDockerShowsThem() throws {
        _ = try registry.publish("busybox.docker.tar", as: "busybox:docker")
        _ = try registry.publish("busybox.docker.tar", as: "busybox:oci", "--format", "oci")
        let url = "http://\(registry.name)/v2/busybox/manifests/oci"
        var text = try tool("curl", "-sf", "-H", "Accept: \(MediaType.imageManifest.rawValue)", url)
        let odd = "{\"schemaVersion\": 2, \"annotations\": {\"a\": \"<\\u00e9\\/&>é\"},"
        text = text.replacing("{\"schemaVersion\":2,", with: odd) + "\n"
        try put(text, MediaType.imageManifest.rawValue, as: "odd")
        for tag in ["docker", "oci", "odd"] { try compare(name(tag)) }
        try compare(name("nope"))
        try compare("UPPER")
        let missing = try minirun("manifest", "inspect", name("nope"))
        #expect(missing.code == 1 && missing.err.contains("no such manifest: \(name("nope"))"), "\(missing)")
    }

    @Test func listsAreShownAsDockerShowsThem() throws {
        let digest = try registry.publish("busybox.docker.tar", as: "busybox:latest")
        let raw = try tool("skopeo", "inspect", "--raw", "--tls-verify=false", "docker://\(name("latest"))")
        let entry: JSON = [
            "mediaType": .string("\(Self.types)v2+json"), "digest": .string(digest), "size": .number(raw.utf8.count),
            "platform": ["os": "linux", "architecture": "amd64", "os.version": "1<2"],
        ]
        let list: JSON = [
            "schemaVersion": 2, "mediaType": .string("\(Self.types)list.v2+json"), "manifests": .array([entry]),
        ]
        try put(list.text(), "\(Self.types)list.v2+json", as: "list")
        try compare(name("list"))
    }

    /// What `docker manifest create` has begun is shown before what a registry has, and alone with two arguments.
    @Test func listsThatDockerIsPuttingTogether() throws {
        for tag in ["one", "two"] { _ = try registry.publish("busybox.docker.tar", as: "busybox:\(tag)") }
        try compare(name("list"), name("one"))
        let created = try docker("create", "--insecure", name("list"), name("one"), name("two"))
        #expect(created.code == 0, "\(created)")
        #expect(try docker("annotate", "--variant", "v8", "--os-version", "1&2", name("list"), name("two")).code == 0)
        try compare(name("list"))
        for tag in ["one", "two", "three"] { try compare(name("list"), name(tag)) }
        // A list of another registry's manifests can be shown only with -v.
        #expect(try docker("create", "--insecure", "other:v1", name("one")).code == 0)
        try compare("other:v1")
    }
}
