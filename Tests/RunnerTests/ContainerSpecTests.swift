import OCI
import Runner
import Runtime
import Testing

@Suite struct ContainerSpecTests {
    @Test(
        arguments: [
            // entry point and command of the image, --entrypoint, arguments, what is executed
            (nil, ["sh"], nil, [], ["sh"]), (["e"], ["c"], nil, [], ["e", "c"]),
            (["e"], ["c"], nil, ["x", "y"], ["e", "x", "y"]),
            (["e"], ["c"], ["n"], [], ["n"]), (["e"], ["c"], ["n"], ["x"], ["n", "x"]),
            (["e"], ["c"], [], ["x"], ["x"]),
            (["e"], nil, nil, [], ["e"]),
        ] as [([String]?, [String]?, [String]?, [String], [String])]
    )
    func whatIsExecuted(image: [String]?, cmd: [String]?, override: [String]?, words: [String], executed: [String])
        throws
    {
        var given = Given()
        given.configuration.entrypoint = image
        given.configuration.cmd = cmd
        given.options.entrypoint = override
        given.options.command = words
        #expect(try given.specification().process.args == executed)
    }

    @Test func withoutAnyCommandThereIsNoContainer() {
        var given = Given()
        given.configuration.cmd = nil
        #expect(throws: EngineError.self) { try given.specification() }
        given.configuration.cmd = ["c"]
        given.options.entrypoint = []
        #expect(throws: EngineError.self) { try given.specification() }
    }

    @Test func theEnvironmentHasDockersOrder() throws {
        var given = Given()
        given.configuration.env = ["A=1", "PATH=/x"]
        given.options.environment = ["B=2", "A=3"]
        given.options.terminal = true
        #expect(
            try given.specification().process.env
                == ["PATH=/x", "HOSTNAME=0123456789ab", "TERM=xterm", "A=3", "B=2", "HOME=/root"]
        )
        given.options.environment = ["HOME=/elsewhere"]
        #expect(try given.specification().process.env.filter { $0.hasPrefix("HOME=") } == ["HOME=/elsewhere"])
        given.options.environment = ["HOME="]
        #expect(try given.specification().process.env.last == "HOME=/root")
    }

    @Test func aUserOtherThanRootStartsWithoutCapabilities() throws {
        var given = Given()
        given.options.user = "app"
        let process = try given.specification().process
        #expect(process.capabilities.bounding.count == 14)
        #expect(process.capabilities.effective.isEmpty && process.capabilities.permitted.isEmpty)
        #expect(process.capabilities.ambient.isEmpty && process.capabilities.inheritable.isEmpty)
        #expect(process.env.last == "HOME=/home/app")
    }

    @Test func theHostNetworkKeepsTheHostsNameAndSettings() throws {
        var given = Given()
        given.options.network = .host
        let spec = try given.specification()
        #expect(spec.hostname == "machine")
        #expect(!spec.linux.has(.network) && spec.linux.sysctl.isEmpty)
        given.options.sysctls = ["net.ipv4.ip_forward": "1"]
        #expect(throws: EngineError.self) { try given.specification() }
    }

    @Test func onlyNamespacedSettingsAreAllowed() throws {
        var given = Given()
        given.options.sysctls = ["kernel.shmmax": "1", "net.ipv4.ip_forward": "1"]
        #expect(try given.specification().linux.sysctl["kernel.shmmax"] == "1")
        given.options.sysctls = ["kernel.core_pattern": "|/x"]
        #expect(throws: EngineError.self) { try given.specification() }
    }

    @Test func privilegedMasksNothing() throws {
        var given = Given()
        given.options.privileged = true
        let spec = try given.specification()
        #expect(spec.linux.maskedPaths.isEmpty && spec.linux.readonlyPaths.isEmpty)
        #expect(spec.process.capabilities.effective == CapabilitySet.all.names)
        #expect(spec.mounts.allSatisfy { !$0.options.contains("ro") })
        #expect(spec.linux.resources.devices == [.init(allow: true)])
    }

    @Test func mountsStandInTheOrderOfTheirDepth() throws {
        var given = Given()
        given.options.mounts = [
            MountRequest(kind: .tmpfs(options: []), destination: "/a/b/c"),
            MountRequest(kind: .bind(source: "/h", create: false), destination: "/a", readOnly: true),
            MountRequest(kind: .tmpfs(options: ["size=1m", "exec"]), destination: "/dev/shm"),
        ]
        let mounts = try given.specification().mounts
        let files = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"]
        #expect(mounts.suffix(6).map(\.destination) == ["/a"] + files + ["/dev/shm", "/a/b/c"])
        #expect(mounts.filter { $0.destination == "/dev/shm" }.count == 1)
        #expect(mounts.last { $0.destination == "/a" }?.options == ["rbind", "rprivate", "rro"])
        #expect(mounts.last { $0.destination == "/dev/shm" }?.options == ["nosuid", "nodev", "size=1m"])
    }

    /// CVE-2019-16884: a volume over /proc.
    @Test(arguments: ["/proc", "/proc/self", "/x/../proc/1", "/", "relative", "//proc/sys"])
    func placesThatAreNoMountPoints(destination: String) {
        var given = Given()
        given.options.mounts = [MountRequest(kind: .tmpfs(options: []), destination: destination)]
        #expect(throws: EngineError.self) { try given.specification() }
    }

    @Test func theSamePlaceTwiceIsRefused() {
        var given = Given()
        given.options.mounts = [
            MountRequest(kind: .tmpfs(options: []), destination: "/a"),
            MountRequest(kind: .tmpfs(options: []), destination: "/a/."),
        ]
        #expect(throws: EngineError.self) { try given.specification() }
    }
}

@Suite struct UserDatabaseTests {
    @Test(
        arguments: [
            ("", 0, 0, [0, 10], "/root"), ("app", 1000, 1000, [1000, 10, 2000], "/home/app"),
            ("1000", 1000, 1000, [1000, 10, 2000], "/home/app"), ("app:wheel", 1000, 10, [10], "/home/app"),
            ("app:77", 1000, 77, [77], "/home/app"), ("1234", 1234, 0, [0], "/"), ("1234:5", 1234, 5, [5], "/"),
            ("0:0", 0, 0, [0], "/root"), ("homeless", 7, 7, [7], "/"), (":extra", 0, 2000, [2000], "/root"),
        ] as [(String, UInt32, UInt32, [UInt32], String)]
    )
    func resolves(text: String, uid: UInt32, gid: UInt32, groups: [UInt32], home: String) throws {
        let identity = try Given().users.identity(text, addedGroups: [])
        #expect(identity.user == RuntimeSpec.User(uid: uid, gid: gid, additionalGids: groups))
        #expect(identity.home == home)
    }

    @Test func addedGroupsComeLast() throws {
        let identity = try Given().users.identity("app:wheel", addedGroups: ["extra", "33", "10"])
        #expect(identity.user.additionalGids == [10, 2000, 33])
    }

    /// CVE-2026-30892, CVE-2026-46680: an account that is named as a number.
    @Test(
        arguments: [
            ("1000", 1000, 0, "/"), ("1000:1000", 1000, 1000, "/"), ("0", 0, 0, "/root"),
            ("2147483647", 2_147_483_647, 0, "/"),
            ("77", 77, 78, "/seventy"), ("odd", 77, 78, "/seventy"),
        ] as [(String, UInt32, UInt32, String)]
    )
    func aNumberIsNeverAName(text: String, uid: UInt32, gid: UInt32, home: String) throws {
        let users = UserDatabase(
            passwd: Array(
                "1000:x:0:0::/root:/bin/sh\n0:x:5:5::/five:\n2147483647:x:0:0::/:\nodd:x:77:78::/seventy:\n".utf8
            ),
            group: Array("1000:x:0:1000\n77:x:0:\n".utf8)
        )
        let identity = try users.identity(text, addedGroups: ["77"])
        #expect(identity.user.uid == uid && identity.user.gid == gid && identity.home == home)
        #expect(identity.user.additionalGids == [gid, 77])
        #expect(try users.user("1000") == 1000 && users.group("1000") == 1000)
    }

    /// CVE-2024-40635: 4294967295 is "as it is" to setresuid(2), and that is root.
    @Test(arguments: ["4294967295", "4294967294", "2147483648", "4294967296", "18446744073709551616"])
    func idsBeyondTheRangeAreRefused(number: String) throws {
        let users = UserDatabase(
            passwd: Array("uid:x:\(number):7::/:\ngid:x:7:\(number)::/:\nin:x:8:8::/:\n\(number):x:0:0::/:\n".utf8),
            group: Array("group:x:\(number):in\n\(number):x:0:\n".utf8)
        )
        for text in ["uid", "uid:7", "gid", "in", "7", number, "\(number):0", "0:\(number)", "8:group"] {
            #expect(throws: EngineError.self, "\(text)") { try users.identity(text, addedGroups: []) }
        }
        for group in ["group", number, "-1", "+1"] {
            #expect(throws: EngineError.self, "\(group)") { try users.identity("0", addedGroups: [group]) }
            #expect(throws: EngineError.self, "\(group)") { try users.group(group) }
        }
        for user in ["uid", number, "-1", "+0", "-0"] {
            #expect(throws: EngineError.self, "\(user)") { try users.user(user) }
        }
    }

    @Test("lines whose ids are no numbers are nobody's", arguments: ["+0", "-1", "", " 0", "0x0", "٠", "1e3"])
    func linesWithoutIDs(text: String) {
        let users = UserDatabase(passwd: Array("a:x:\(text):0::/:\n".utf8), group: Array("g:x:\(text):\n".utf8))
        #expect(throws: EngineError.self) { try users.identity("a", addedGroups: []) }
        #expect(throws: EngineError.self) { try users.group("g") }
    }

    @Test(arguments: ["nobody", "app:nogroup", "-1", "4294967295", "2147483648", "+1", "0x10"])
    func refuses(text: String) {
        #expect(throws: EngineError.self) { try Given().users.identity(text, addedGroups: []) }
    }

    @Test func withoutFilesNumbersStillServe() throws {
        let users = UserDatabase(passwd: nil, group: nil)
        #expect(
            try users.identity("5:6", addedGroups: []).user == RuntimeSpec.User(uid: 5, gid: 6, additionalGids: [6])
        )
        #expect(try users.identity("", addedGroups: []).home == "/")
    }
}

@Suite struct VolumeTests {
    private func places(_ mounts: [MountRequest], _ volumes: [String]) throws -> [String] {
        var given = Given()
        given.options.mounts = mounts
        given.configuration.volumes = volumes
        return try given.specification().mounts.filter { $0.type == "bind" }.map { "\($0.source) \($0.destination)" }
    }

    private let files = ["resolv.conf", "hostname", "hosts"].map { "/store/containers/ID/\($0) /etc/\($0)" }

    @Test func whatTheImageNamesIsTheContainersOwnOnTheDisk() throws {
        #expect(
            try places([], ["/data", "/var//lib/../lib/db/", "rel", "/data/"])
                == [
                    "/store/containers/ID/volumes/0 /data", "/store/containers/ID/volumes/2 /rel",
                ] + files + ["/store/containers/ID/volumes/1 /var/lib/db"]
        )
    }

    @Test func theCallersMountStandsForTheImages() throws {
        let bind = MountRequest(kind: .bind(source: "/h", create: true), destination: "/data/")
        let tmpfs = MountRequest(kind: .tmpfs(options: []), destination: "/cache")
        let own = MountRequest(kind: .volume(copy: false), destination: "/own", readOnly: true)
        var given = Given()
        given.options.mounts = [bind, tmpfs, own]
        given.configuration.volumes = ["/data", "/cache", "/own", "/more"]
        let volumes = try given.description.volumes()
        #expect(volumes.map(\.destination) == ["/own", "/more"])
        #expect(volumes.map(\.readOnly) == [true, false] && volumes.map(\.copiesUp) == [false, true])
        #expect(volumes.allSatisfy { $0.name.count == 64 } && volumes[0].name != volumes[1].name)
        let spec = try given.specification()
        #expect(spec.mounts.first { $0.destination == "/own" }?.options == ["rbind", "rprivate", "ro"])
        #expect(spec.mounts.count { $0.destination == "/data" } == 1)
    }

    @Test func thePlacesThatNobodyMayCoverAreRefused() {
        for path in ["/", "/..", "/proc", "/proc/sys", "/x/../proc"] {
            #expect(throws: EngineError.self, "\(path)") { try places([], [path]) }
        }
        let twice = MountRequest(kind: .volume(copy: true), destination: "/a")
        let other = MountRequest(kind: .bind(source: "/h", create: true), destination: "/a/")
        #expect(throws: EngineError.self) { try places([twice, other], []) }
    }

    /// A mount on /etc comes before the engine's files in it, and one on such a file stands for it.
    @Test func theEnginesFilesLieOnTopOfAMountOnEtc() throws {
        let etc = MountRequest(kind: .bind(source: "/h", create: true), destination: "/etc")
        #expect(try places([etc], []) == ["/h /etc"] + files)
        let hosts = MountRequest(kind: .bind(source: "/h", create: true), destination: "/etc/hosts")
        #expect(try places([hosts], []) == Array(files.dropLast()) + ["/h /etc/hosts"])
    }
}

@Suite struct WorkingFolderTests {
    @Test(arguments: [
        ("/a/../b", "/b"), ("/../..", "/"), ("/a//b/./", "/a/b"), ("a/..", "/"), ("", "/"), ("/a/b/../../..", "/"),
    ])
    func isCleanedAsText(given: String, folder: String) throws {
        var container = Given()
        container.options.workingFolder = given
        #expect(try container.specification().process.cwd == folder)
        container.options.workingFolder = nil
        container.configuration.workingDir = given
        #expect(try container.specification().process.cwd == folder)
    }
}

@Suite struct NetworkFilesTests {
    @Test func loopbackServersStayOutOfAPrivateNetwork() {
        let host = "# by hand\nnameserver 127.0.0.53\nnameserver 10.0.0.1\nsearch a b\noptions ndots:2\n"
        #expect(
            NetworkFiles.resolver(host: host, options: ContainerOptions(), keepsLoopback: false)
                == "nameserver 10.0.0.1\nsearch a b\noptions ndots:2\n"
        )
        #expect(
            NetworkFiles.resolver(host: host, options: ContainerOptions(), keepsLoopback: true).hasPrefix(
                "nameserver 127.0.0.53\n"
            )
        )
    }

    @Test func addedHostsStandAfterTheStandardLines() {
        let text = NetworkFiles.hosts(of: [], added: ["db:10.0.0.5", "six:[::5]"])
        #expect(text.hasPrefix("127.0.0.1\tlocalhost\n"))
        #expect(text.hasSuffix("10.0.0.5\tdb\n::5\tsix\n"))
    }

    @Test func aContainersOwnNamesResolve() {
        let names = NetworkFiles.names(hostname: "box", domainname: "example.org", container: "web")
        #expect(names == ["box.example.org", "box", "web"])
        #expect(NetworkFiles.hosts(of: names).hasSuffix("127.0.1.1\tbox.example.org box web\n"))
        #expect(NetworkFiles.names(hostname: "web", domainname: nil, container: "web") == ["web"])
        // What the host's file or the caller has says it already.
        let host = "127.0.0.1 localhost # box\n127.0.1.1\tBOX"
        #expect(NetworkFiles.hosts(of: ["box"], host: host) == host + "\n")
        #expect(
            NetworkFiles.hosts(of: ["box", "web"], added: ["web:10.0.0.5"]).hasSuffix("10.0.0.5\tweb\n127.0.1.1\tbox\n")
        )
        #expect(NetworkFiles.hosts(of: ["box"], host: "").hasPrefix("127.0.1.1\tbox\n"))
    }

    @Test func theHostsGatewayIsAnAddress() {
        #expect(NetworkFiles.hosts(of: [], added: ["up:host-gateway"], gateway: "10.1.2.3").hasSuffix("10.1.2.3\tup\n"))
        #expect(NetworkFiles.hosts(of: [], added: ["up:host-gateway"]).hasSuffix("127.0.0.1\tup\n"))
    }
}
