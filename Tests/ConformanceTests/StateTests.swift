import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// runtime.md, State and Query State.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(5))) struct StateTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    @Test(.must("runtime.md State", "state has ociVersion, id, status, pid and bundle, of the schema's types"))
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
}
