import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// A build whose bases come from a registry, Debian's docker-registry.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct RegistryBuildTests {
    let minirun: Minirun
    let registry: RegistryServer

    init() throws {
        minirun = try Minirun()
        registry = try RegistryServer()
    }

    /// The steps and their lines as BuildKit shows them: the manifest and the configuration come with the metadata, the
    /// layers with the FROM.
    @Test func theTutorialPullsItsBaseThroughAMirror() throws {
        let digest = try registry.publish("python-3.8-slim.docker.tar", as: "library/python:3.8-slim")
        try minirun.write(
            "context/Dockerfile",
            "FROM python:3.8-slim\nWORKDIR /usr/src/app\nCOPY . .\nCMD [\"python\", \"./app.py\"]\n"
        )
        try minirun.write("context/app.py", "print(\"Hello from Docker!\")\n")
        let session = try Session(
            onTerminal: minirun.command(["build", "-t", "python-docker-demo", minirun.path("context")]),
            environment: Minirun.environment(minirun.mirror(of: registry)),
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
        _ = try registry.publish("python-3.8-slim.docker.tar", as: "library/python:3.8-slim")
        _ = try registry.publish("busybox.docker.tar", as: "library/busybox:latest")
        try minirun.write(
            "context/Dockerfile",
            "FROM python:3.8-slim AS made\nRUN echo made > /made\nFROM busybox\nCOPY --from=made /made /\n"
        )
        let build = ["build", "--progress=plain", "-t", "two", minirun.path("context")]
        let environment = try minirun.mirror(of: registry)
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
        _ = try registry.publish("python-3.8-slim.docker.tar", as: "library/python:3.8-slim")
        let blobs = "\(registry.folder)/data/docker/registry/v2/blobs/sha256"
        try tool("find", blobs, "-name", "data", "-size", "+1M", "-delete")
        try minirun.write("context/Dockerfile", "FROM python:3.8-slim\nRUN true\n")
        let build = try minirun("build", minirun.path("context"), environment: minirun.mirror(of: registry))
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
}
