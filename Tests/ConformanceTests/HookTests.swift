import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// config.md, POSIX-platform hooks, and their places in the lifecycle of runtime.md.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct HookTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    static let all = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
    /// Those that run before the program does.
    static let early = ["prestart", "createRuntime", "createContainer", "startContainer"]

    /// Adds a line to a file that both the host and the container see.
    private func note(_ word: String, in kind: String) -> String {
        "echo \(word) >> \(kind == "startContainer" ? "/notes" : bundle.path("rootfs/notes"))"
    }
    private var notes: [String] { bundle.read("rootfs/notes").split(separator: "\n").map(String.init) }

    private func add(_ kind: String, _ script: String) {
        bundle.config.append(
            "hooks.\(kind)",
            .shellHook(script, readsState: script.contains("cat > ") || script.contains("sed "))
        )
    }

    @Test(
        .must(
            "config.md#posix-platform-hooks",
            "Every hook is called, in the order of the lifecycle, each list in its order.",
            runc: "calls poststart hooks at the end of create, and does not wait for startContainer hooks in start"
        )
    )
    func hooksAreCalledInOrder() throws {
        for kind in Self.all {
            add(kind, note("\(kind)-1", in: kind))
            add(kind, note("\(kind)-2", in: kind))
        }
        bundle.config.set("process.args", ["/bin/sh", "-c", "echo program >> /notes; exec /guest trap"])
        let created = Self.all.prefix(3).flatMap { ["\($0)-1", "\($0)-2"] }
        expectSuccess(try bundle.create())
        #expect(notes == created)
        expectSuccess(try bundle.start())
        try bundle.created?.expect("ready")
        // The program and the poststart hooks run side by side: "after the program is executed" is all that is said.
        let started = ["startContainer-1", "startContainer-2", "poststart-1", "poststart-2"]
        known(.crun, because: "start does not wait for startContainer hooks", sometimes: true) {
            #expect(notes.filter { $0 != "program" } == created + started)
        }
        let program = try #require(notes.firstIndex(of: "program"))
        #expect(program > (notes.firstIndex(of: "startContainer-2") ?? 99))
        expectSuccess(try bundle.kill("KILL"))
        #expect(bundle.hasStopped())
        expectSuccess(try bundle.delete())
        #expect(notes.suffix(2) == ["poststop-1", "poststop-2"])
    }

    @Test(
        .must(
            "runtime.md#lifecycle",
            "poststart hooks are called after the program is executed, before start returns.",
            crun: "calls them when it has told the container to go on, not when the program runs",
            runc: "calls them at the end of create"
        )
    )
    func poststartIsAfterTheExec() throws {
        // A hook in the container keeps the program from its exec for a while.
        add("startContainer", "sleep 0.3")
        add("poststart", "readlink /proc/$(sed 's/.*\"pid\" *: *\\([0-9]*\\).*/\\1/')/exe > \(bundle.path("exe"))")
        bundle.config.set("process.args", ["/guest", "trap"])
        expectSuccess(try bundle.create())
        expectSuccess(try bundle.start())
        let seen = bundle.read("exe")
        try bundle.created?.expect("ready")
        #expect(seen.hasSuffix("/guest\n"), "\(seen)")
    }

    @Test(
        .must(
            "config.md#posix-platform-hooks",
            "A hook need not read the state. (crun fails where the hook is faster.)"
        )
    )
    func aHookNeedNotReadTheState() throws {
        for _ in 0..<40 { bundle.config.append("hooks.createRuntime", ["path": "/bin/true"]) }
        try known(.crun, because: "fails where the hook is faster", sometimes: true) {
            expectSuccess(try bundle.create())
        }
    }

    @Test(
        .must("config.md#posix-platform-hooks", "Each hook gets the state on its standard input."),
        arguments: [
            ("prestart", ["creating", "created"]), ("createRuntime", ["creating", "created"]),
            ("createContainer", ["creating", "created"]), ("startContainer", ["created", "creating", "starting"]),
            ("poststart", ["running"]), ("poststop", ["stopped"]),
        ]
    )
    func hooksGetTheState(kind: String, statuses: [String]) throws {
        add(kind, "cat > \(kind == "startContainer" ? "/state" : bundle.path("rootfs/state"))")
        bundle.config.set("annotations", ["com.example": "yes"])
        bundle.config.set("process.args", ["/guest", "exit", "0"])
        expectSuccess(try bundle.run())
        let state = try JSON.parse(Array(bundle.read("rootfs/state").utf8))
        #expect(state["id"]?.string == bundle.id)
        known(.crun, because: "says / for the bundle inside the container", if: kind == "startContainer") {
            #expect(state["bundle"]?.string == bundle.folder)
        }
        #expect(state["annotations"]?["com.example"]?.string == "yes")
        #expect(state["ociVersion"]?.string != nil)
        let status = state["status"]?.string ?? "none"
        known(.runc, because: "says created, as it calls them in create", if: kind == "poststart") {
            #expect(statuses.contains(status), "\(status)")
        }
        if ["prestart", "createRuntime", "poststart"].contains(kind) {
            #expect(state["pid"]?.int ?? 0 > 1, "the runtime's view of the process")
        }
    }

    @Test(
        .must("runtime.md#state", "In the container's namespaces a hook's state names the pid as seen there."),
        arguments: ["createContainer", "startContainer"]
    )
    func containerHooksSeeTheirOwnPid(kind: String) throws {
        add(kind, "cat > \(kind == "startContainer" ? "/state" : bundle.path("rootfs/state"))")
        bundle.config.set("process.args", ["/guest", "exit", "0"])
        expectSuccess(try bundle.run())
        let state = try JSON.parse(Array(bundle.read("rootfs/state").utf8))
        known(.crun, because: "the pid is the one that the runtime sees") {
            #expect(state["pid"]?.int == 1)
        }
    }

    @Test(.must("config.md#posix-platform-hooks", "A hook gets its args and exactly its env."))
    func hooksGetArgumentsAndEnvironment() throws {
        let script =
            "tr '\\0' '\\n' < /proc/$$/environ > \(bundle.path("env")); echo \"$0 $1 $2\" > \(bundle.path("args"))"
        bundle.config.append(
            "hooks.createRuntime",
            [
                "path": "/bin/sh", "args": ["sh", "-c", .string(script), "zero", "one", "two three"],
                "env": ["ONLY=this", "AND=that"],
            ]
        )
        expectSuccess(try bundle.run())
        #expect(Set(bundle.read("env").split(separator: "\n")) == ["ONLY=this", "AND=that"])
        #expect(bundle.read("args") == "zero one two three\n")
    }

    @Test(
        .must(
            "config.md#posix-platform-hooks",
            "Runtime hooks run in the runtime's namespaces, container hooks in the container's."
        ),
        arguments: all
    )
    func hooksRunInTheirNamespaces(kind: String) throws {
        let out = kind == "startContainer" ? "/ns" : bundle.path("rootfs/ns")
        add(kind, "for n in mnt net uts ipc; do readlink /proc/self/ns/$n; done > \(out)")
        expectSuccess(try bundle.run())
        let seen = bundle.read("rootfs/ns").split(separator: "\n").map(String.init)
        let host = try ["mnt", "net", "uts", "ipc"].map { try Link.target("/proc/self/ns/\($0)") }
        try #require(seen.count == 4)
        let isInside = ["createContainer", "startContainer"].contains(kind)
        for (own, outside) in zip(seen, host) {
            // crun itself runs in a mount namespace of its own here.
            if OCIRuntime.underTest.words.first == "unshare" && !isInside && own.hasPrefix("mnt") { continue }
            #expect((own != outside) == isInside, "\(own)")
        }
    }

    @Test(
        .must(
            "config.md#posix-platform-hooks",
            "prestart and create hooks run before pivot_root: they see the host's paths."
        ),
        arguments: ["prestart", "createRuntime", "createContainer"]
    )
    func createHooksRunBeforeThePivot(kind: String) throws {
        try bundle.write("only-outside", "here")
        add(kind, "cat \(bundle.path("only-outside")) > \(bundle.path("rootfs/seen"))")
        expectSuccess(try bundle.run())
        #expect(bundle.read("rootfs/seen") == "here")
    }

    @Test(.must("config.md#createcontainer-hooks", "At createContainer the container's mounts are there."))
    func mountsAreThereAtCreateContainer() throws {
        bundle.config.append("mounts", .mount("/mounted", "tmpfs", "tmpfs", []))
        add(
            "createContainer",
            "grep -q ' \(bundle.path("rootfs/mounted")) ' /proc/self/mountinfo && echo yes > \(bundle.path("seen"))"
        )
        expectSuccess(try bundle.run())
        #expect(bundle.read("seen") == "yes\n")
    }

    @Test(.must("config.md#createruntime-hooks", "At prestart and createRuntime the container's namespaces are there."))
    func namespacesAreThereAtCreateRuntime() throws {
        let script = "readlink /proc/$(sed 's/.*\"pid\" *: *\\([0-9]*\\).*/\\1/')/ns/net"
        add("prestart", "\(script) > \(bundle.path("one"))")
        add("createRuntime", "\(script) > \(bundle.path("two"))")
        let own = try bundle.report()["namespaces"]["net"]?.string ?? ""
        #expect(bundle.read("one") == own + "\n" && bundle.read("two") == own + "\n")
    }

    @Test(.must("config.md#startcontainer-hooks", "The path of a startContainer hook is the container's."))
    func startContainerHooksAreTheContainers() throws {
        bundle.config.append(
            "hooks.startContainer",
            ["path": "/guest", "args": ["guest", "write", "/made", "inside"]]
        )
        expectSuccess(try bundle.create())
        #expect(bundle.read("rootfs/made") == "")
        expectSuccess(try bundle.start())
        _ = try bundle.output()
        #expect(bundle.read("rootfs/made") == "inside")
    }

    @Test(
        .must("runtime.md#lifecycle", "A hook that fails before the program: an error, no program, and all is undone."),
        arguments: early
    )
    func aFailingHookUndoesEverything(kind: String) throws {
        add(kind, "exit 3")
        add("poststop", note("poststop", in: "poststop"))
        bundle.config.set("process.args", ["/guest", "write", "/ran", "x"])
        let outcome = kind == "startContainer" ? try createAndStart() : try bundle.create()
        known(.crun, .runc, because: "start does not wait for the hook", if: kind == "startContainer") {
            expectError(outcome, kind)
        }
        #expect(!FileStatus.exists(bundle.path("rootfs/ran")))
        if kind == "startContainer" {
            // The start failed; the container is stopped, or already gone with its poststop hooks called.
            #expect(eventually(5000) { ["stopped", "absent"].contains(bundle.status()) }, "\(bundle.status())")
        } else {
            #expect(bundle.status() == "absent")
        }
        #expect(Leftovers(of: [bundle.id], in: bundle.folder).found.filter { $0.hasPrefix("process") } == [])
    }

    private func createAndStart() throws -> Outcome {
        let created = try bundle.create()
        return created.code == 0 ? try bundle.start() : created
    }

    @Test(
        .must(
            "runtime.md#lifecycle",
            "After a failed create hook the container is destroyed and the poststop hooks are called.",
            crun: "does not call the poststop hooks"
        ),
        arguments: ["prestart", "createRuntime", "createContainer"]
    )
    func aFailedHookCallsPoststop(kind: String) throws {
        add(kind, "exit 3")
        add("poststop", note("poststop", in: "poststop"))
        expectError(try bundle.create(), kind)
        known(.crun, because: "does not call the poststop hooks") { #expect(notes == ["poststop"]) }
    }

    @Test(
        .must(
            "runtime.md#lifecycle",
            "A failed poststart hook is an error, and the container is stopped; delete then destroys it and calls the poststop hooks.",
            both: "follow runtime-spec 1.0 to 1.1, where it was a warning"
        )
    )
    func aFailedPoststartStopsTheContainer() throws {
        add("poststart", "exit 3")
        add("poststop", note("poststop", in: "poststop"))
        bundle.config.set("process.args", ["/guest", "sleep", "forever"])
        expectSuccess(try bundle.create())
        expectError(try bundle.start())
        #expect(eventually(5000) { ["stopped", "absent"].contains(bundle.status()) }, "\(bundle.status())")
        if OCIRuntime.underTest.kind == .minirun {
            #expect(bundle.hasStopped())
            expectSuccess(try bundle.delete())
            #expect(notes == ["poststop"])
        }
    }

    @Test(
        .must(
            "runtime.md#lifecycle",
            "A failed poststop hook is a warning: delete goes on with the next.",
            runc: "leaves out the hooks that come after it"
        )
    )
    func aFailedPoststopIsAWarning() throws {
        add("poststop", note("one", in: "poststop") + "; exit 3")
        add("poststop", note("two", in: "poststop"))
        bundle.config.set("process.args", ["/guest", "exit", "0"])
        expectSuccess(try bundle.create())
        expectSuccess(try bundle.start())
        #expect(bundle.hasStopped())
        expectSuccess(try bundle.delete())
        #expect(notes == ["one", "two"])
        #expect(bundle.status() == "absent")
    }

    @Test(
        .must("config.md#posix-platform-hooks", "A hook that takes longer than its timeout is aborted, and has failed.")
    )
    func aHookThatHangsIsAborted() throws {
        bundle.config.append(
            "hooks.createRuntime",
            ["path": "/bin/sleep", "args": ["sleep", "600"], "timeout": 1, "env": ["MARK=\(bundle.id)"]]
        )
        let began = Clock.monotonic
        expectError(try bundle.create())
        #expect(Clock.monotonic - began < 10_000_000_000)
        #expect(bundle.status() == "absent")
        #expect(eventually(2000) { HostProcesses.marked("MARK=\(bundle.id)").allSatisfy(HostProcesses.hasEnded) })
    }

    @Test(
        .must("config.md#posix-platform-hooks", "A hook's path is absolute, and its timeout is greater than zero."),
        arguments: ["path", "zero", "negative"]
    )
    func anInvalidHookIsRefused(what: String) throws {
        var hook: JSON = ["path": "/bin/true"]
        switch what {
        case "path": hook = ["path": "bin/true"]
        case "zero": hook.set("timeout", 0)
        default: hook.set("timeout", -1)
        }
        bundle.config.append("hooks.createRuntime", hook)
        try known(.crun, because: "takes a timeout of 0 for none", if: what == "zero") {
            expectError(try bundle.create())
            #expect(bundle.status() == "absent")
        }
    }

    @Test(.must("runtime.md#errors", "A hook that does not exist is an error and undoes everything."))
    func aMissingHookIsAnError() throws {
        bundle.config.append("hooks.createRuntime", ["path": "/nowhere/hook"])
        expectError(try bundle.create())
        #expect(bundle.status() == "absent")
    }
}
