import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// bundle.md, and of config.md: the version, root, what is unknown and what is invalid; runtime-linux.md.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct RootTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    @Test(
        .must("config.md#specification-version", "Every 1.x version is accepted."),
        arguments: ["1.0.0", "1.0.2-dev", "1.1.0", "1.2.0", "1.2.1", "1.3.0"]
    )
    func everyVersionOneIsAccepted(version: String) throws {
        bundle.config.set("ociVersion", .string(version))
        try known(.crun, because: "knows 1.0 and 1.1", if: version > "1.2") { expectSuccess(try bundle.run()) }
    }

    @Test(
        .must(
            "config.md#specification-version",
            "ociVersion is a semantic version, and one of another major version is refused."
        ),
        arguments: ["", "one", "1", "2.0.0"]
    )
    func anotherVersionIsRefused(version: String) throws {
        bundle.config.set("ociVersion", .string(version))
        try known(.runc, because: "does not read ociVersion") { expectError(try bundle.create()) }
    }

    @Test(.must("config.md#root", "root.path is absolute, or relative to the bundle."), arguments: [true, false])
    func rootIsRelativeToTheBundle(isAbsolute: Bool) throws {
        bundle.config.set("root.path", .string(isAbsolute ? bundle.path("rootfs") : "rootfs"))
        expectSuccess(try bundle.run())
    }

    @Test(.must("config.md#root", "There is a folder at root.path."), arguments: ["nothing", "config.json"])
    func rootIsAFolder(path: String) throws {
        bundle.config.set("root.path", .string(path))
        expectError(try bundle.create())
        #expect(bundle.status() == "absent")
    }

    @Test(
        .must("config.md#root", "root.readonly makes the root read-only; by default it is not."),
        arguments: [true, false]
    )
    func rootIsReadOnly(isReadOnly: Bool) throws {
        bundle.config.set("root.readonly", .bool(isReadOnly))
        let report = try bundle.report()
        #expect(report["writable"]["/"]?["result"]?.string == (isReadOnly ? "EROFS" : "ok"))
        #expect(report.options("/").contains("ro") == isReadOnly)
        // Not through the mount table alone: the folder itself stays as it was.
        #expect(report["writable"]["/dev/shm"]?["result"]?.string == "ok")
    }

    @Test(
        .must("config.md#extensibility", "What is unknown is ignored."),
        arguments: [
            "x", "process.x", "process.user.x", "root.x", "linux.x", "linux.resources.x", "mounts.0.x", "hooks.x",
        ]
    )
    func unknownPropertiesAreIgnored(path: String) throws {
        bundle.config.set(path, ["some": "thing"])
        expectSuccess(try bundle.run())
    }

    @Test(.must("config.md#annotations", "Unknown annotations are ignored, also in org.opencontainers."))
    func unknownAnnotationsAreIgnored() throws {
        bundle.config.set("annotations", ["org.opencontainers.unheard.of": "x", "run.oci.nothing": "y"])
        expectSuccess(try bundle.run())
    }

    @Test(.must("config.md#annotations", "Keys are not empty, values are strings."), arguments: ["key", "value"])
    func annotationsAreStrings(what: String) throws {
        bundle.config.set("annotations", what == "key" ? .object([("", "x")]) : ["com.example": 1])
        try known(.crun, .runc, because: "an empty key is not looked for", if: what == "key") {
            expectError(try bundle.create())
        }
    }

    @Test(
        .must("config.md#valid-values", "A value that is not valid is an error."),
        arguments: [
            ("process.args", ["/guest", 1], known: []), ("process.user.uid", -1, known: []),
            ("process.user.uid", "root", known: [.crun]), ("process.rlimits.0.type", "RLIMIT_NOTHING", known: []),
            ("process.oomScoreAdj", 1001, known: []), ("linux.namespaces.0.type", "nothing", known: []),
            ("linux.rootfsPropagation", "sideways", known: [.crun]),
            ("linux.seccomp", ["defaultAction": "SCMP_ACT_NOTHING"], known: []),
            ("root", ["readonly": false], known: []),
            ("process.terminal", "yes", known: [.crun]),
            ("linux.devices", [["path": "/dev/x", "type": "z", "major": 1, "minor": 3]], known: [.crun]),
        ] as [(String, JSON, known: Set<OCIRuntime.Kind>)]
    )
    func invalidValuesAreRefused(path: String, value: JSON, known kinds: Set<OCIRuntime.Kind>) throws {
        bundle.config.set(path, value)
        try known(.crun, because: "takes it for unset", if: kinds.contains(.crun)) {
            expectError(try bundle.run(), path)
        }
        #expect(bundle.status() == "absent")
    }

    @Test(.must("runtime-linux.md#file-descriptors", "The program gets descriptors 0, 1 and 2, and no others."))
    func onlyThreeDescriptors() throws {
        let open = try FileDescriptor.open(bundle.folder, O_RDONLY | O_DIRECTORY)
        bundle.config.set("process.args", ["/guest", "report"])
        let report = try GuestReport(bundle.run(more: Array(repeating: open.raw, count: 5)))
        #expect(report["descriptors"].array?.compactMap { $0["number"]?.int }.sorted() == [0, 1, 2])
    }

    @Test(.must("runtime-linux.md#file-descriptors", "More descriptors are passed on where that is asked for."))
    func preservedDescriptors() throws {
        try bundle.write("given", "given")
        let open = try FileDescriptor.open(bundle.path("given"), O_RDONLY)
        bundle.config.set("process.args", ["/bin/sh", "-c", "cat <&3; cat <&4; cat <&5"])
        let outcome = try bundle.run(["--preserve-fds", "1"], more: [open.raw, open.raw])
        #expect(outcome.out == "given" && outcome.code != 0)
    }

    @Test(
        .must("runtime-linux.md#dev-symbolic-links", "/dev/fd, stdin, stdout and stderr are links into /proc/self/fd.")
    )
    func linksInDev() throws {
        let links = try bundle.report()["device_links"]
        #expect(links["fd"]?.string == "/proc/self/fd")
        for (number, name) in ["stdin", "stdout", "stderr"].enumerated() {
            #expect(links[name]?.string == "/proc/self/fd/\(number)")
        }
    }

    @Test(
        .must(
            "features.md#specification-version",
            "features names a range of versions, and each of its ends is accepted.",
            crun: "has no features"
        )
    )
    func featuresNameVersions() throws {
        let features = try JSON.parse(Array(bundle.invoke(["features"]).out.utf8))
        for key in ["ociVersionMin", "ociVersionMax"] {
            let version = try #require(features[key]?.string)
            bundle.config.set("ociVersion", .string(version))
            expectSuccess(try bundle.run(), version)
        }
    }

    @Test(
        .must("features.md", "features names every hook and namespace of the specification.", crun: "has no features")
    )
    func featuresAreComplete() throws {
        let features = try JSON.parse(Array(bundle.invoke(["features"]).out.utf8))
        #expect(Set(HookTests.all).isSubset(of: features["hooks"]?.strings ?? []))
        let namespaces = Set(features["linux"]?["namespaces"]?.strings ?? [])
        #expect(Set(["cgroup", "ipc", "mount", "network", "pid", "user", "uts"]).isSubset(of: namespaces))
    }

    @Test(
        .must(
            "features.md#mount-options",
            "Every mount option that features names is recognized.",
            crun: "has no features",
            runc: "hands \"defaults\" to the file system, which refuses it"
        )
    )
    func mountOptionsAreRecognized() throws {
        let features = try JSON.parse(Array(bundle.invoke(["features"]).out.utf8))
        // Those that say what to mount, and those that the kernel refuses on a tmpfs or here.
        let others = [
            "bind", "rbind", "remount", "idmap", "ridmap", "copy-symlink", "src-nofollow", "dest-nofollow", "acl",
            "noacl",
        ]
        let options = (features["mountOptions"]?.strings ?? []).filter { !others.contains($0) }
        #expect(options.count > 40)
        for (number, option) in options.enumerated() {
            bundle.config.append("mounts", .mount("/mnt/\(number)", "tmpfs", "tmpfs", [option]))
        }
        expectSuccess(try bundle.run())
    }
}
