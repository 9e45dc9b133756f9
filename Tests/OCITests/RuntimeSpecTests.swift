import OCI
import Testing

@Suite("Runtime specification: reading and writing") struct RuntimeSpecTests {
    @Test func everyKeyComesBackInItsOrder() throws {
        let json = try JSON.parse(GivenSpec.everything)
        #expect(try RuntimeSpec(json).json.text() == json.text())
    }

    @Test func readsProcess() throws {
        let process = try RuntimeSpec(JSON.parse(GivenSpec.everything)).process
        #expect(process.terminal)
        #expect(process.consoleSize?.width == 80 && process.consoleSize?.height == 25)
        var user = RuntimeSpec.User(uid: 1, gid: 2, additionalGids: [5, 6])
        user.umask = 0o77
        #expect(process.user == user)
        #expect(process.args == ["sh", "-c", ""] && process.env == ["A=1", "B=é"] && process.cwd == "/root")
        #expect(process.capabilities.bounding == ["CAP_KILL", "CAP_NOBODY_KNOWS"])
        #expect(process.capabilities.ambient == ["CAP_NET_RAW"])
        #expect(process.rlimits.map(\.type) == ["RLIMIT_NOFILE", "RLIMIT_CORE"])
        #expect(process.rlimits[1].hard == .max)
        #expect(process.noNewPrivileges && process.apparmorProfile == "some_profile" && process.oomScoreAdj == -100)
        #expect(process.scheduler?.policy == .deadline && process.scheduler?.policy.number == 6)
        #expect(process.scheduler?.flags == [.resetOnFork, .deadlineOverrun] && process.scheduler?.period == 3_000_000)
        #expect(process.scheduler?.nice == -3 && process.scheduler?.priority == 4)
        #expect(process.ioPriority == RuntimeSpec.IOPriority(class: .idle, priority: 4))
        #expect(process.execCPUAffinity == RuntimeSpec.CPUAffinity(initial: "7", final: "0-3,7"))
    }

    @Test func readsLinux() throws {
        let linux = try RuntimeSpec(JSON.parse(GivenSpec.everything)).linux
        #expect(linux.namespaces.map(\.type) == [.pid, .network, .ipc, .uts, .mount, .cgroup, .user, .time])
        #expect(linux.path(of: .pid) == "/proc/1/ns/pid" && linux.path(of: .network) == nil)
        #expect(linux.uidMappings.last == RuntimeSpec.IDMapping(containerID: 1, hostID: 100_000, size: 65536))
        #expect(linux.devices[0].mode == 0o666 && linux.devices[0].gid == 4 && linux.devices[1].type == "p")
        #expect(linux.netDevices == ["eth0": .init(name: "inside0"), "eth1": .init()])
        #expect(linux.timeOffsets == ["boottime": .init(secs: -5, nanosecs: 7), "monotonic": .init(secs: 100)])
        #expect(linux.resources.memory.limit == 1 << 20 && linux.resources.pidsLimit == 10)
        #expect(linux.seccomp?.syscalls.first?.args.first?.valueTwo == 3)
        #expect(linux.intelRdt?.schemata == ["L3:0=f"] && linux.intelRdt?.enableMonitoring == true)
        #expect(linux.memoryPolicy?.nodes == "2-3" && linux.personality?.domain == "LINUX32")
    }

    @Test func readsMountsAndHooks() throws {
        let spec = try RuntimeSpec(JSON.parse(GivenSpec.everything))
        #expect(spec.ociVersion == "1.2.1" && spec.hostname == "here" && spec.domainname == "example.test")
        #expect(spec.root == RuntimeSpec.Root(path: "rootfs", readonly: true))
        #expect(spec.annotations == ["a.b": "", "c.d": "text"])
        let mount = try #require(spec.mounts.last)
        #expect(mount.isBind && mount.isIDMapped && mount.fileSystemOptions.isEmpty && mount.source == "volumes")
        #expect(mount.gidMappings == [RuntimeSpec.IDMapping(containerID: 0, hostID: 2000, size: 20)])
        #expect(spec.hooks.createContainer.map(\.path) == ["/c", "/d"])
        #expect(
            spec.hooks.createRuntime == [RuntimeSpec.Hook(path: "/b", args: ["b", "x"], env: ["K=V"], timeout: 5)]
        )
    }

    @Test func theLeastIsEnough() throws {
        let spec = try RuntimeSpec(JSON.parse(GivenSpec.minimal))
        #expect(spec.hostname == nil && spec.mounts.isEmpty && spec.hooks.isEmpty && spec.linux.namespaces.isEmpty)
        #expect(!spec.process.terminal && spec.process.user == RuntimeSpec.User() && spec.process.rlimits.isEmpty)
        #expect(spec.linux.rootfsPropagation.isEmpty && spec.linux.seccomp == nil && spec.linux.cgroupsPath == nil)
        #expect(throws: Never.self) { try spec.validate() }
        #expect(
            spec.json.text()
                == #"{"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":["sh"],"cwd":"/"},"root":{"path":"rootfs"}}"#
        )
    }

    /// As Go's JSON reads them.
    @Test(arguments: [
        #"{"hostname":null,"mounts":null,"hooks":null,"annotations":null,"linux":null}"#,
        #"{"hostname":"","domainname":"","mounts":[],"hooks":{},"annotations":{},"linux":{}}"#,
        #"{"hooks":{"prestart":null,"poststop":[]},"process":{"user":null,"env":null,"capabilities":null}}"#,
        #"{"process":{"rlimits":null,"scheduler":null,"ioPriority":null,"execCPUAffinity":null,"oomScoreAdj":null}}"#,
        #"{"process":{"apparmorProfile":"","selinuxLabel":"","terminal":false,"noNewPrivileges":null}}"#,
        #"{"linux":{"namespaces":null,"devices":null,"seccomp":null,"sysctl":null,"resources":null,"intelRdt":null}}"#,
        #"{"linux":{"mountLabel":"","cgroupsPath":"","rootfsPropagation":"","timeOffsets":{},"netDevices":null}}"#,
        // What docker writes for seccomp=unconfined of old.
        #"{"linux":{"seccomp":{"defaultAction":"","syscalls":null}}}"#,
        // Other platforms' parts, and what nobody knows yet.
        #"{"windows":{"layerFolders":3},"vm":[],"future":{"a":1},"process":{"commandLine":"x","future":[]}}"#,
        #"{"linux":{"future":true},"root":{"future":null},"hooks":{"future":[{}]}}"#,
    ])
    func nullEmptyAndUnknownAreAsIfMissing(patch: String) throws {
        #expect(try GivenSpec.read(patch).json == RuntimeSpec(JSON.parse(GivenSpec.minimal)).json)
    }

    @Test(arguments: [
        "1.0.0", "1.0.0-rc5", "1.0.2-dev", "1.1.0+dev", "1.2.1", "1.3.0", "1.3.0-rc.1+build.5", "1.10.0",
    ])
    func acceptsVersion(text: String) throws {
        #expect(try GivenSpec.read("{\"ociVersion\":\"\(text)\"}").ociVersion == text)
    }

    @Test(arguments: [
        "1", "1.0", "1.0.0.0", "v1.0.0", "1.0.x", "01.0.0", "1.0.0-", "1.0.0+", "1.0.0-ü", "1..0", " 1.0.0",
    ])
    func refusesVersion(text: String) {
        let error = #expect(throws: EngineError.self) { try GivenSpec.read("{\"ociVersion\":\"\(text)\"}") }
        #expect(error?.message == #"invalid config.json: "ociVersion" is "\#(text)", not a version such as "1.3.0""#)
    }

    @Test(arguments: ["0.9.0", "2.0.0", "2.0.0-rc1"]) func doesNotSupportVersion(text: String) {
        let error = #expect(throws: EngineError.self) { try GivenSpec.read("{\"ociVersion\":\"\(text)\"}") }
        #expect(error?.kind == .unsupported)
        #expect(error?.message == "unsupported ociVersion \"\(text)\": only versions 1.x are supported")
    }

    @Test func writesItsOwnVersion() {
        let spec = RuntimeSpec(process: .init(args: ["a"]), root: .init(path: "/r"))
        #expect(spec.json["ociVersion"]?.string == "1.3.0")
    }

    @Test func relativeDestinationsMeanTheRoot() throws {
        let spec = try GivenSpec.read(
            #"{"mounts":[{"destination":"proc","type":"proc"}],"linux":{"devices":[{"path":"dev/x","type":"p"}]}}"#
        )
        #expect(spec.mounts[0].destination == "/proc" && spec.linux.devices[0].path == "/dev/x")
    }

    @Test func deviceDefaultsAndTypeBits() throws {
        let devices = try GivenSpec.read(
            #"{"linux":{"devices":[{"path":"/a","type":"u","major":1,"minor":2},{"path":"/b","type":"b","major":8,"minor":0,"fileMode":25008}]}}"#
        ).linux.devices
        #expect(devices[0] == RuntimeSpec.Device(path: "/a", type: "u", major: 1, minor: 2))
        #expect(devices[1].mode == 0o660)
    }

    @Test func aProcessAlone() throws {
        let process = try RuntimeSpec.Process(JSON.parse(#"{"cwd":"/a","args":["x"],"user":{"uid":7}}"#))
        #expect(process.args == ["x"] && process.cwd == "/a" && process.user.uid == 7)
        #expect(try RuntimeSpec.Process(process.json).json == process.json)
        #expect(try RuntimeSpec.Process(JSON.parse(#"{"cwd":"/"}"#)).args.isEmpty)
        for (text, message) in [
            ("null", "process property must not be empty"), ("[]", "invalid process: not an object"),
            (#"{"args":["x"]}"#, "Cwd property must not be empty"),
            (
                #"{"cwd":"/","user":{"uid":-1}}"#,
                #"invalid process: user: "uid" is no whole number from 0 to 4294967295"#
            ),
        ] {
            let error = #expect(throws: EngineError.self) { try RuntimeSpec.Process(JSON.parse(text)) }
            #expect(error?.message == message)
        }
    }

    @Test func aProcessThatJoins() throws {
        let first = try RuntimeSpec(JSON.parse(GivenSpec.everything)).process
        let plain = try RuntimeSpec.Process(JSON.parse(#"{"cwd":"/","args":["x"]}"#), joining: first)
        #expect(plain.capabilities == first.capabilities && plain.rlimits == first.rlimits)
        #expect(plain.apparmorProfile == first.apparmorProfile && plain.selinuxLabel == first.selinuxLabel)
        #expect(plain.scheduler == first.scheduler && plain.ioPriority == first.ioPriority)
        #expect(plain.args == ["x"] && !plain.noNewPrivileges && plain.env.isEmpty && plain.oomScoreAdj == nil)
        let bare = try RuntimeSpec.Process(
            JSON.parse(
                #"{"cwd":"/","capabilities":{},"apparmorProfile":"own","rlimits":[{"type":"RLIMIT_CPU","soft":1,"hard":2}]}"#
            ),
            joining: first
        )
        #expect(bare.capabilities == RuntimeSpec.Capabilities() && bare.apparmorProfile == "own")
        #expect(bare.rlimits == [RuntimeSpec.ResourceLimit(type: "RLIMIT_CPU", soft: 1, hard: 2)])
    }

    /// To Swift, a slash and the mark behind it are one character.
    @Test func aSlashIsASlashWhateverFollows() throws {
        let spec = try RuntimeSpec(
            JSON.parse(
                #"{"ociVersion":"1.2.0","process":{"args":["a"],"cwd":"/"},"root":{"path":"r"},"mounts":[{"destination":"/\u0301a"}]}"#
            )
        )
        #expect(spec.mounts.map(\.destination) == ["/\u{301}a"])
    }
}
