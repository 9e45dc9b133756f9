import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// runtime.md: the state of a container and the query of it.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct StateTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    @Test(.must("runtime.md#state", "The state has ociVersion, id, status, pid and bundle, of the schema's types."))
    func stateIsComplete() throws {
        expectSuccess(try bundle.create())
        let state = try bundle.state()
        #expect(state["ociVersion"]?.string?.split(separator: ".").count ?? 0 >= 3)
        #expect(state["id"]?.string == bundle.id)
        #expect(state["status"]?.string == "created")
        #expect(state["bundle"]?.string == bundle.folder)
        #expect(state["pid"]?.int ?? 0 > 0)
        if let annotations = state["annotations"], !annotations.isNull { #expect(annotations.object != nil) }
    }

    @Test(.must("runtime.md#state", "The status is created, then running, then stopped."))
    func statusFollowsTheProcess() throws {
        bundle.config.set("process.args", ["/guest", "trap"])
        expectSuccess(try bundle.create())
        #expect(bundle.status() == "created")
        expectSuccess(try bundle.start())
        try bundle.created?.expect("ready")
        #expect(bundle.status() == "running")
        expectSuccess(try bundle.kill("TERM"))
        #expect(bundle.hasStopped())
    }

    @Test(.must("runtime.md#state", "pid is the container's process as the runtime's caller sees it."))
    func pidIsTheContainersProcess() throws {
        try bundle.launch()
        let environment = try Files.readText("/proc/\(bundle.pid())/environ")
        #expect(environment.contains("MARK=\(bundle.id)"))
    }

    @Test(.must("runtime.md#state", "bundle is an absolute path, also where a relative one was given."))
    func bundleIsAbsolute() throws {
        try bundle.writeConfiguration()
        let launched = try Launched(
            bundle.command(["create", "--bundle", ".", bundle.id]),
            directory: bundle.folder
        )
        #expect(try launched.wait() == .exited(0), "\(launched.errText)")
        #expect(try bundle.state()["bundle"]?.string == bundle.folder)
    }

    @Test(.must("runtime.md#state", "The state holds the configuration's annotations."))
    func stateHasTheAnnotations() throws {
        bundle.config.set("annotations", ["com.example.key": "value", "org.example.empty": ""])
        expectSuccess(try bundle.create())
        let annotations = try bundle.state()["annotations"]
        #expect(annotations?["com.example.key"]?.string == "value")
        #expect(annotations?["org.example.empty"]?.string == "")
    }

    @Test(.must("runtime.md#query-state", "state without an ID is an error."))
    func stateWithoutAnIDIsRefused() throws { expectError(try bundle.invoke(["state"])) }

    @Test(.must("runtime.md#query-state", "state of a container that does not exist is an error."))
    func stateOfNothingIsRefused() throws { expectError(try bundle.invoke(["state", "minirun-nothing"])) }

    @Test(.must("runtime.md#scope-of-a-container", "Who creates a container can use every operation on it."))
    func everyOperationWorksOnIt() throws {
        try bundle.launch()
        #expect(bundle.status() == "running")
        expectSuccess(try bundle.kill("KILL"))
        #expect(bundle.hasStopped())
        expectSuccess(try bundle.delete())
        #expect(bundle.status() == "absent")
    }
}
