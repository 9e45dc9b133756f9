import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// Both ways with the real skopeo, umoci and podman.
@Suite(.serialized) struct TransportPeersTests {
    let fixture: StoreFixture
    let image: StoredImage

    init() throws {
        fixture = try StoreFixture()
        image = try fixture.image(
            [["bin/a": "1"], ["bin/b": "2"]],
            names: ["app:1.0"],
            created: "2024-01-01T00:00:00Z",
            gzip: true
        )
    }

    private func path(_ name: String) -> String { fixture.scratch.file(name) }
    private var layout: String { path("store/images") }

    private func load(_ name: String) throws -> LoadedImage {
        let second = try ImageStore(root: path("second"))
        let loaded = try second.load(path: path(name))
        #expect(loaded.count == 1)
        return try #require(loaded.first)
    }

    private func save(_ name: String) throws {
        let sink = FileSink(owning: try FileDescriptor.open(path(name), O_WRONLY | O_CREAT))
        try fixture.store.save(["app:1.0"], to: sink)
    }

    /// podman with a store of the test's own.
    private func podman(_ arguments: String...) throws -> String {
        try Files.write(
            path("storage.conf"),
            Array(
                """
                [storage]
                driver = "vfs"
                graphroot = "\(path("podman"))"
                runroot = "\(path("podman-run"))"
                """.utf8
            )
        )
        try Files.write(
            path("containers.conf"),
            Array(
                """
                [containers]
                default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
                [engine]
                cgroup_manager = "cgroupfs"
                events_logger = "none"
                tmp_dir = "\(path("podman-tmp"))"
                """.utf8
            )
        )
        let result = try Subprocess.run(
            ["podman"] + arguments,
            environment: [
                "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=\(fixture.scratch.path)",
                "CONTAINERS_STORAGE_CONF=\(path("storage.conf"))", "CONTAINERS_CONF=\(path("containers.conf"))",
            ],
            timeout: 120_000
        )
        #expect(result.status == .exited(0), "podman \(arguments): \(result.errorText)")
        return result.outputText
    }

    // MARK: Out

    @Test func skopeoReadsTheStore() throws {
        try tool("skopeo", "copy", "-q", "oci:\(layout):docker.io/library/app:1.0", "oci:\(path("copy")):x")
        #expect(try ImageLocation(.layout, path: path("copy")).open().id == image.id)
    }

    @Test func umociReadsTheStore() throws {
        #expect(try tool("umoci", "ls", "--layout", layout) == "docker.io/library/app:1.0\n")
        try tool("umoci", "unpack", "--image", "\(layout):docker.io/library/app:1.0", path("bundle"))
        #expect(try Files.readText(path("bundle/rootfs/bin/b")) == "2")
    }

    @Test(arguments: ["docker-archive", "oci-archive"]) func skopeoReadsWhatIsSaved(_ transport: String) throws {
        try save("saved.tar")
        let name = transport == "docker-archive" ? "app:1.0" : "1.0"
        try tool("skopeo", "copy", "-q", "\(transport):\(path("saved.tar")):\(name)", "oci:\(path("copy")):x")
        // skopeo writes a docker archive's configuration anew.
        #expect(
            try ImageLocation(.layout, path: path("copy")).open().configuration.diffIDs == image.configuration.diffIDs
        )
    }

    @Test func podmanLoadsWhatIsSaved() throws {
        try save("saved.tar")
        #expect(try podman("load", "-q", "-i", path("saved.tar")).contains("docker.io/library/app:1.0"))
        #expect(
            try podman("image", "inspect", "--format", "{{.Id}}", "docker.io/library/app:1.0") == image.id.hex + "\n"
        )
    }

    // MARK: In

    @Test(arguments: ["oci", "oci-archive", "docker-archive"]) func whatSkopeoCopiesIsLoaded(_ transport: String) throws
    {
        try tool(
            "skopeo",
            "copy",
            "-q",
            "oci:\(layout):docker.io/library/app:1.0",
            "\(transport):\(path("copied")):docker.io/library/other:2"
        )
        let loaded = try load("copied")
        #expect(loaded.references.map(\.familiar) == ["other:2"] && loaded.image.id == image.id)
    }

    @Test func whatSkopeoCompressesWithZstdIsLoaded() throws {
        try tool(
            "skopeo",
            "copy",
            "-q",
            "--dest-compress-format",
            "zstd",
            "--dest-compress",
            "oci:\(layout):docker.io/library/app:1.0",
            "oci-archive:\(path("copied")):x"
        )
        let loaded = try load("copied")
        #expect(loaded.image.configuration.diffIDs == image.configuration.diffIDs)
    }

    @Test(arguments: ["oci-archive", "docker-archive"]) func whatPodmanSavesIsLoaded(_ format: String) throws {
        try save("saved.tar")
        _ = try podman("load", "-q", "-i", path("saved.tar"))
        _ = try podman("save", "-q", "--format", format, "-o", path("podman.tar"), "docker.io/library/app:1.0")
        let loaded = try load("podman.tar")
        #expect(
            loaded.references.map(\.familiar) == ["app:1.0"]
                && loaded.image.configuration.diffIDs == image.configuration.diffIDs
        )
    }

    @Test func whatUmociMakesIsLoaded() throws {
        try tool("umoci", "init", "--layout", path("umoci"))
        try tool("umoci", "new", "--image", "\(path("umoci")):fresh")
        try Files.write(path("layer.tar"), ImageParts.tar(["etc/x": "y"]))
        try tool("umoci", "raw", "add-layer", "--image", "\(path("umoci")):fresh", path("layer.tar"))
        try tool("umoci", "config", "--image", "\(path("umoci")):fresh", "--config.cmd", "sh")
        let loaded = try load("umoci")
        #expect(
            loaded.references.map(\.familiar) == ["fresh:latest"] && loaded.image.configuration.config.cmd == ["sh"]
        )
        #expect(loaded.image.configuration.diffIDs == [SHA256Digest.of(try ImageParts.tar(["etc/x": "y"]))])
    }

    @Test func umociChangesTheStore() throws {
        try tool(
            "umoci",
            "config",
            "--image",
            "\(layout):docker.io/library/app:1.0",
            "--tag",
            "docker.io/library/app:2.0",
            "--config.user",
            "nobody"
        )
        let changed = try fixture.store.resolve("app:2.0")
        #expect(changed.configuration.config.user == "nobody" && changed.id != image.id)
        #expect(try fixture.store.resolve("app:1.0").id == image.id)
        #expect(try fixture.names() == ["app:1.0", "app:2.0"])
    }
}
