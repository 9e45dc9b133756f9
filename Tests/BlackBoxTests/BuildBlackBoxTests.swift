import LinuxSystem
import OCI
import TestSupport
import Testing

/// `build`, as a person uses it: the tutorial, its second time, and what goes wrong.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct BuildBlackBoxTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private func loadPython() throws {
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/python-3.8-slim.docker.tar", timeout: 200).code == 0)
    }

    private func loadBusybox() throws {
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
    }

    /// A context of the test's own with this Dockerfile.
    private func context(_ dockerfile: String, _ name: String = "context") throws -> String {
        try minirun.write("\(name)/Dockerfile", dockerfile)
        return minirun.path(name)
    }

    @Test func theTutorialTwice() throws {
        try loadPython()
        let context = try minirun.makeFolder("context")
        try minirun.write("context/app.py", "print(\"Hello from Docker!\")\n")
        try minirun.write(
            "context/Dockerfile",
            "FROM python:3.8-slim\nWORKDIR /usr/src/app\nCOPY . .\nCMD [\"python\", \"./app.py\"]\n"
        )
        let first = try minirun("build", "-t", "python-docker-demo", context, timeout: 120)
        #expect(first.code == 0 && first.out == "", "\(first)")
        for text in [
            "[internal] load build definition from Dockerfile", "load metadata for docker.io/library/python:3.8-slim",
            "[2/3] WORKDIR /usr/src/app", "[3/3] COPY . .", "exporting layers", "writing image sha256:",
            "naming to docker.io/library/python-docker-demo",
        ] { #expect(first.err.contains(text), "\(text) is missing in\n\(first.err)") }
        #expect(!first.err.contains("\u{1B}"), "escape codes in a pipe")

        let run = try minirun("run", "--rm", "python-docker-demo")
        #expect(run.out == "Hello from Docker!\n" && run.err == "" && run.code == 0, "\(run)")

        let id = try minirun("images", "-q", "--no-trunc", "python-docker-demo").line
        let began = Clock.monotonic
        let second = try minirun("build", "-t", "python-docker-demo", context)
        let took = Clock.monotonic - began
        #expect(second.err.components(of: "CACHED") >= 2, "\(second.err)")
        // A debug build on a busy machine; the bench measures the real thing.
        #expect(took < 2_000_000_000, "\(took / 1_000_000) ms")
        #expect(try minirun("images", "-q", "--no-trunc", "python-docker-demo").line == id)

        try minirun.write("context/app.py", "print(\"Changed\")\n")
        #expect(try minirun("build", "-q", "-t", "python-docker-demo", context).out.hasPrefix("sha256:"))
        #expect(try minirun("run", "--rm", "python-docker-demo").out == "Changed\n")
    }

    @Test func theSameContextGivesTheSameImageAnywhere() throws {
        let dockerfile = "FROM busybox\nCOPY a /a\nENV X=1\n"
        let context = try context(dockerfile)
        try minirun.write("context/a", "content")
        let second = try Minirun()
        try second.write("context/Dockerfile", dockerfile)
        try second.write("context/a", "content")
        var layers: [String] = []
        for engine in [minirun, second] {
            #expect(try engine("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
            #expect(try engine("build", "-t", "same", engine.path("context")).code == 0)
            layers.append(try engine("image", "inspect", "--format", "{{json .RootFS}}", "same").line)
        }
        #expect(layers[0] == layers[1] && layers[0].contains("sha256:"))
        _ = context
    }

    @Test func runStepsRun() throws {
        try loadBusybox()
        let context = try context(
            """
            FROM busybox AS first
            RUN echo made > /made && id -u > /uid
            FROM busybox
            ARG WORD=default
            COPY --from=first /made /copied
            RUN echo $WORD > /word
            USER app
            RUN id -u > /tmp/uid
            ENTRYPOINT ["/bin/cat"]
            CMD ["/copied", "/word", "/tmp/uid"]

            """
        )
        let outcome = try minirun("build", "-t", "steps", "--build-arg", "WORD=given", context)
        #expect(outcome.code == 0, "\(outcome)")
        #expect(try minirun("run", "--rm", "steps").out == "made\ngiven\n1000\n")
        #expect(HostProcesses.mounts(below: minirun.folder).isEmpty)
    }

    @Test func aStepThatFailsLeavesNothing() throws {
        try loadBusybox()
        let before = try minirun("images", "-aq").out
        let context = try context("FROM busybox\nRUN echo useful words; exit 7\n")
        let outcome = try minirun("build", "-t", "broken", context)
        #expect(outcome.code != 0)
        #expect(
            outcome.err.contains("useful words") && outcome.err.contains("RUN echo useful words; exit 7"),
            "\(outcome)"
        )
        #expect(outcome.err.contains("exit code: 7") || outcome.err.contains("exit code 7"), "\(outcome)")
        #expect(try minirun("images", "-aq").out == before)
        #expect(minirun.containers.isEmpty && minirun.active.isEmpty)
        #expect(HostProcesses.mounts(below: minirun.folder).isEmpty)
    }

    @Test func aDockerfileThatDoesNotParse() throws {
        let outcome = try minirun("build", context("FROM busybox\nNOSUCH thing\n"))
        #expect(outcome.code == 1 && outcome.err.contains("NOSUCH"), "\(outcome)")
        #expect(outcome.err.contains("2"), "\(outcome)")
    }

    /// A pipe is no file of a context, and is not waited for.
    @Test(arguments: [(".dockerignore", Int32(0)), ("Dockerfile", 1)])
    func aPipeInAContextKeepsNobodyWaiting(name: String, code: Int32) throws {
        try loadBusybox()
        let context = try context("FROM busybox\nCOPY . /x/\n")
        try tool("sh", "-ec", "rm -f \(name); mkfifo \(name) other", directory: context)
        let outcome = try minirun("build", context)
        #expect(outcome.code == code, "\(outcome)")
    }

    @Test func aFolderRuns() throws {
        try loadBusybox()
        let context = try context("FROM busybox\nCMD [\"echo\", \"from a folder\"]\n")
        let result = Outcome(
            try Subprocess.run(
                minirun.command(["run", "--rm", "."]),
                environment: Minirun.environment(),
                directory: context,
                timeout: 60_000
            )
        )
        #expect(result.out == "from a folder\n" && result.code == 0, "\(result)")
    }

    @Test func aKilledBuildLeavesNothingRunning() throws {
        try loadBusybox()
        let mark = "MARK=\(minirun.folder)"
        let context = try context("FROM busybox\nENV \(mark)\nRUN sleep 1000\n")
        let session = try Session(minirun, ["build", "-t", "slow", context])
        #expect(eventually(15_000) { !HostProcesses.marked(mark).isEmpty })
        session.signal(9)
        #expect(eventually(1000) { HostProcesses.marked(mark).isEmpty })
        #expect(try minirun("build", "-t", "quick", self.context("FROM busybox\nRUN echo fine\n", "second")).code == 0)
        #expect(HostProcesses.mounts(below: minirun.folder).isEmpty)
    }
}
