import OCI
import Testing

/// What contradicts itself, or what the kernel would refuse with nothing but EINVAL.
@Suite("Runtime specification: validation") struct RuntimeSpecValidationTests {
    private func failure(_ patch: String) throws -> String? {
        let spec = try GivenSpec.read(patch)
        let error = #expect(throws: EngineError.self, "\(patch)") { try spec.validate() }
        #expect(error?.kind == .invalid)
        return error?.message
    }

    private func namespaces(_ types: String) -> String {
        "[" + types.split(separator: " ").map { "{\"type\":\"\($0)\"}" }.joined(separator: ",") + "]"
    }

    @Test(arguments: [
        (#"{"hostname":"a"}"#, "unable to set hostname without a private UTS namespace"),
        (#"{"domainname":"a"}"#, "unable to set domainname without a private UTS namespace"),
        (#"{"linux":{"maskedPaths":["/a"]}}"#, "unable to restrict sys entries without a private MNT namespace"),
        (#"{"linux":{"readonlyPaths":["/a"]}}"#, "unable to restrict sys entries without a private MNT namespace"),
        (
            #"{"linux":{"uidMappings":[{"containerID":0,"hostID":1,"size":1}]}}"#,
            "user namespace mappings specified, but user namespace isn't enabled in the config"
        ),
        (
            #"{"linux":{"namespaces":[{"type":"user"}],"gidMappings":[{"containerID":0,"hostID":1,"size":2},{"containerID":1,"hostID":9,"size":1}]}}"#,
            "linux.gidMappings has 1 twice"
        ),
        (
            #"{"linux":{"namespaces":[{"type":"user"}],"uidMappings":[{"containerID":0,"hostID":5,"size":1},{"containerID":1,"hostID":5,"size":1}]}}"#,
            "linux.uidMappings has 5 twice"
        ),
        (
            #"{"linux":{"timeOffsets":{"boottime":{"secs":1}}}}"#,
            "time namespace offsets specified, but time namespace isn't enabled in the config"
        ),
        (
            #"{"linux":{"namespaces":[{"type":"time","path":"/a"}],"timeOffsets":{"boottime":{"secs":1}}}}"#,
            "time namespace offsets specified for a time namespace that exists already"
        ),
        (
            #"{"linux":{"personality":{"domain":"LINUX","flags":["ADDR_NO_RANDOMIZE"]}}}"#,
            "personality flags are not supported: ADDR_NO_RANDOMIZE"
        ),
    ])
    func namespaces(patch: String, text: String) throws { #expect(try failure(patch) == text) }

    @Test(arguments: ["uid", "gid"])
    func ownersOfDevices(name: String) throws {
        let device = { (id: String) in
            "{\"linux\":{\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":1,\"minor\":3,\"\(name)\":\(id)}]}}"
        }
        #expect(try failure(device("4294967295")) == "the device /dev/x has the \(name) 4294967295, which is none")
        for id in ["0", "2147483648", "4294967294"] {
            let spec = try GivenSpec.read(device(id))
            #expect(throws: Never.self) { try spec.validate() }
        }
    }

    @Test(arguments: [
        ("", "kernel.shmmax", #"sysctl "kernel.shmmax" is not allowed in the hosts ipc namespace"#),
        ("", "fs.mqueue.msg_max", #"sysctl "fs.mqueue.msg_max" is not allowed in the hosts ipc namespace"#),
        ("ipc", "net.core.somaxconn", #"sysctl "net.core.somaxconn" not allowed in host network namespace"#),
        ("ipc", "net/core/somaxconn", #"sysctl "net/core/somaxconn" not allowed in host network namespace"#),
        ("", "user.max_user_namespaces", #"sysctl "user.max_user_namespaces" is not allowed without a user namespace"#),
        ("", "kernel.domainname", #"sysctl "kernel.domainname" is not in a separate kernel namespace"#),
        ("uts", "kernel.hostname", #"sysctl "kernel.hostname" is not allowed: the field "hostname" sets it"#),
        ("ipc network uts user", "vm.swappiness", #"sysctl "vm.swappiness" is not in a separate kernel namespace"#),
        ("ipc network uts user", "network.a", #"sysctl "network.a" is not in a separate kernel namespace"#),
        // Paths that begin as the network's do and end elsewhere.
        ("network", "net/../vm/swappiness", #"sysctl "net/../vm/swappiness" is not the name of a setting"#),
        ("network", "net.//.vm", #"sysctl "net.//.vm" is not the name of a setting"#),
        ("network", "net..core", #"sysctl "net..core" is not the name of a setting"#),
        ("network", "/net/core", #"sysctl "/net/core" is not the name of a setting"#),
        ("network", "", #"sysctl "" is not the name of a setting"#),
    ])
    func settings(types: String, name: String, text: String) throws {
        #expect(
            try failure("{\"linux\":{\"namespaces\":\(namespaces(types)),\"sysctl\":{\"\(name)\":\"1\"}}}") == text
        )
    }

    @Test(arguments: [
        ("ipc", "kernel.sem"), ("ipc", "fs/mqueue/msg_max"), ("network", "net.ipv4.ip_forward"),
        ("network", "net/ipv4/conf/eno2.100/rp_filter"), ("user", "user.max_user_namespaces"),
        ("uts", "kernel.domainname"),
    ])
    func settingsOfNamespaces(types: String, name: String) throws {
        let spec = try GivenSpec.read(
            "{\"linux\":{\"namespaces\":\(namespaces(types)),\"sysctl\":{\"\(name)\":\"1\"}}}"
        )
        #expect(throws: Never.self) { try spec.validate() }
    }

    @Test(arguments: [
        ("net.core.somaxconn", "net/core/somaxconn"), ("net/core/somaxconn", "net/core/somaxconn"),
        ("net.ipv4.conf.eno2/100.rp_filter", "net/ipv4/conf/eno2.100/rp_filter"),
        ("net/ipv4/conf/eno2.100/rp_filter", "net/ipv4/conf/eno2.100/rp_filter"), ("a", "a"), ("", ""),
    ])
    func pathsOfSettings(name: String, path: String) { #expect(RuntimeSpec.Linux.sysctlPath(name) == path) }

    @Test(arguments: [
        (#"{"destination":"/a","source":"/b"}"#, "neither a type nor the option bind or rbind"),
        (
            #"{"destination":"/a","source":"/b","options":["bind","size=1m"]}"#,
            #"bind mounts cannot have any filesystem-specific options applied: "size=1m""#
        ),
        (
            #"{"destination":"/a","type":"tmpfs","options":["idmap"]}"#,
            "id-mapped mounts are only supported for bind-mounts"
        ),
        (
            #"{"destination":"/a","source":"/b","options":["bind"],"uidMappings":[{"containerID":0,"hostID":1,"size":1}]}"#,
            "id-mapped mounts must have both uid and gid mappings specified"
        ),
        (
            #"{"destination":"/a","source":"/b","options":["rbind","ridmap"]}"#,
            "idmap without mappings and without a user namespace whose mappings could hold"
        ),
    ])
    func mounts(mount: String, text: String) throws {
        #expect(try failure("{\"mounts\":[\(mount)]}") == "invalid mount \"/a\": " + text)
    }

    @Test func everyKnownOptionMayBeABindMounts() throws {
        var spec = try GivenSpec.read(#"{"linux":{"namespaces":[{"type":"user"}]}}"#)
        spec.mounts = [.init("/a", type: "", source: "/b", options: RuntimeSpec.Mount.knownOptions)]
        #expect(throws: Never.self) { try spec.validate() }
        #expect(RuntimeSpec.Mount.knownOptions == RuntimeSpec.Mount.knownOptions.sorted())
        #expect(Set(RuntimeSpec.Mount.knownOptions).count == RuntimeSpec.Mount.knownOptions.count)
    }

    @Test(arguments: [
        ("a/b", "eth0", #"invalid network device name "a/b""#), ("eth0", "a:b", #"invalid network device name "a:b""#),
        ("", "eth0", #"invalid network device name """#), ("..", "eth0", #"invalid network device name "..""#),
        ("eth 0", "eth0", #"invalid network device name "eth 0""#),
        ("a23456789012345", "a234567890123456", #"invalid network device name "a234567890123456""#),
        ("eth0", "eth1", #"more than one network device would be "eth1" in the container"#),
    ])
    func netDevices(name: String, inside: String, text: String) throws {
        let devices = "{\"\(name)\":{\"name\":\"\(inside)\"},\"eth1\":{}}"
        #expect(try failure("{\"linux\":{\"namespaces\":[{\"type\":\"network\"}],\"netDevices\":\(devices)}}") == text)
    }

    @Test func netDevicesNeedANamespaceAndMayHaveATemplate() throws {
        #expect(
            try failure(#"{"linux":{"netDevices":{"eth0":{}}}}"#)
                == "unable to move network devices without a NET namespace"
        )
        let spec = try GivenSpec.read(
            #"{"linux":{"namespaces":[{"type":"network"}],"netDevices":{"a":{"name":"e%d"},"b":{"name":"e%d"}}}}"#
        )
        #expect(throws: Never.self) { try spec.validate() }
    }

    @Test(arguments: [
        (#"{"mode":"MPOL_BEST"}"#, #"invalid memory policy mode "MPOL_BEST""#),
        (#"{"mode":"MPOL_BIND","nodes":"0","flags":["F"]}"#, #"invalid memory policy flag "F""#),
        (#"{"mode":"MPOL_BIND"}"#, "MPOL_BIND mode requires at least one node"),
        (#"{"mode":"MPOL_WEIGHTED_INTERLEAVE","nodes":" , "}"#, "requires at least one node"),
        (#"{"mode":"MPOL_LOCAL","nodes":"1"}"#, "MPOL_LOCAL mode requires 0 nodes but got 1"),
        (#"{"mode":"MPOL_BIND","nodes":"3-1"}"#, #"invalid memory policy nodes: "3-1" is not a list such as "0-3,7""#),
        (
            #"{"mode":"MPOL_BIND","nodes":"0","flags":["MPOL_F_STATIC_NODES","MPOL_F_RELATIVE_NODES"]}"#,
            "invalid memory policy: flags MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other"
        ),
    ])
    func memoryPolicy(policy: String, text: String) throws {
        let message = try #require(try failure("{\"linux\":{\"memoryPolicy\":\(policy)}}"))
        #expect(message.contains(text), "\(message)")
    }

    @Test(arguments: [
        (#"{"closID":".."}"#, #"invalid intelRdt.closID "..""#), (#"{"closID":"."}"#, #"invalid intelRdt.closID ".""#),
        (#"{"closID":"a/b"}"#, #"invalid intelRdt.closID "a/b""#),
        (#"{"closID":"//"}"#, #"invalid intelRdt.closID "//""#),
        (#"{"memBwSchema":"0=20"}"#, "intelRdt.memBwSchema does not start with \"MB:\""),
        (#"{"memBwSchema":"MB:0=1\nL3:0=f"}"#, "a schema of intelRdt has more than one line: \"MB:0=1\nL3:0=f\""),
        (#"{"schemata":["a\nb"]}"#, "a schema of intelRdt has more than one line: \"a\nb\""),
    ])
    func intelRdt(rdt: String, text: String) throws {
        #expect(try failure("{\"linux\":{\"intelRdt\":\(rdt)}}") == text)
    }

    @Test(arguments: [
        (
            #"{"scheduler":{"policy":"SCHED_OTHER","nice":20}}"#,
            "invalid scheduler.nice: 20 when scheduler.policy is SCHED_OTHER"
        ),
        (
            #"{"scheduler":{"policy":"SCHED_BATCH","nice":-21}}"#,
            "invalid scheduler.nice: -21 when scheduler.policy is SCHED_BATCH"
        ),
        (
            #"{"scheduler":{"policy":"SCHED_OTHER","priority":1}}"#,
            "scheduler.priority can only be specified for the policies SCHED_FIFO and SCHED_RR"
        ),
        (
            #"{"scheduler":{"policy":"SCHED_FIFO"}}"#,
            "invalid scheduler.priority: 0 when scheduler.policy is SCHED_FIFO; it has 1 to 99"
        ),
        (
            #"{"scheduler":{"policy":"SCHED_RR","priority":1,"period":1}}"#,
            "scheduler runtime/deadline/period can only be specified for the policy SCHED_DEADLINE"
        ),
        (#"{"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":8}}"#, "invalid ioPriority.priority: 8"),
        (#"{"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":-1}}"#, "invalid ioPriority.priority: -1"),
        (#"{"oomScoreAdj":1001}"#, "oomScoreAdj is 1001, not within -1000 and 1000"),
        (
            #"{"rlimits":[{"type":"RLIMIT_CORE","soft":2,"hard":1}]}"#,
            "RLIMIT_CORE: the soft limit 2 is above the hard limit 1"
        ),
        (
            #"{"execCPUAffinity":{"initial":"0-"}}"#,
            #"invalid execCPUAffinity.initial: "0-" is not a list such as "0-3,7" of numbers up to 65536"#
        ),
        (#"{"execCPUAffinity":{"final":","}}"#, #"invalid execCPUAffinity.final: "," has no processors"#),
    ])
    func process(process: String, text: String) throws { #expect(try failure("{\"process\":\(process)}") == text) }

    @Test func everythingTogetherIsAlmostRight() throws {
        var spec = try RuntimeSpec(JSON.parse(GivenSpec.everything))
        // A deadline has no priority; everything has one only so that it is read and written.
        spec.process.scheduler?.priority = 0
        #expect(throws: Never.self) { try spec.validate() }
    }
}

@Suite struct NumberRangesTests {
    @Test(
        arguments: [
            ("", []), ("0", [0...0]), ("0-3,7", [0...3, 7...7]), (" 1 , ,2-2,", [1...1, 2...2]),
            ("65536", [65536...65536]),
        ] as [(String, [ClosedRange<Int>])]
    )
    func reads(text: String, ranges: [ClosedRange<Int>]) throws {
        #expect(try NumberRanges(text).ranges == ranges)
    }

    @Test(arguments: ["a", "-", "1-", "-1", "2-1", "1-2-3", "65537", "+1", "1 2", "0x1", "99999999999999999999"])
    func refuses(text: String) {
        #expect(throws: EngineError.self) { try NumberRanges(text) }
    }
}
