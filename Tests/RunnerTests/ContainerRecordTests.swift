import OCI
import Runtime
import Testing

@testable import Runner

/// A container's files: what is written is read again, and what somebody else wrote is an error at most.
@Suite struct ContainerRecordTests {
    /// Every option as nobody has it by default.
    static let options: ContainerOptions = {
        var options = ContainerOptions()
        options.command = ["-c", ""]
        options.entrypoint = []
        options.name = "chosen"
        options.hostname = ""
        options.domainname = "d"
        options.environment = ["A=b=c", "B"]
        options.workingFolder = ""
        options.user = ""
        options.addedGroups = ["wheel"]
        options.terminal = true
        options.interactive = true
        options.removeAtEnd = true
        options.initProcess = true
        options.readOnlyRoot = true
        options.privileged = true
        options.network = .host
        options.addedCapabilities = ["ALL"]
        options.droppedCapabilities = ["CHOWN"]
        options.noNewPrivileges = true
        options.seccomp = .profile(Array("{}".utf8))
        options.systemPathsUnconfined = true
        var bind = MountRequest(kind: .bind(source: "/s", create: true), destination: "/d", readOnly: true)
        bind.recursive = false
        bind.readOnlyRecursive = false
        bind.propagation = "rslave"
        options.mounts = [
            bind, MountRequest(kind: .tmpfs(options: ["size=1", "mode=0700"]), destination: "/t"),
            MountRequest(kind: .volume(copy: true), destination: "/v"),
            MountRequest(kind: .volume(copy: false), destination: "/w"),
        ]
        options.devices = [DeviceRequest(source: "/dev/a", destination: "/dev/b", access: "rw")]
        options.limits = [.init(type: "RLIMIT_NOFILE", soft: 1, hard: .max)]
        options.sysctls = ["kernel.shmmax": "1"]
        options.sharedMemorySize = .max
        options.resources.memory.limit = .max
        options.resources.memory.swap = -1
        options.resources.cpu.cpus = "0-1"
        options.resources.cpu.quota = -1
        options.resources.pidsLimit = -1
        options.labels = ["a": "b", "": ""]
        options.annotations = ["c": "d"]
        options.stopSignal = ""
        options.stopTimeout = -1
        options.oomScoreAdj = -1000
        options.addedHosts = ["x:::1"]
        options.exposedPorts = ["1/udp"]
        options.nameServers = ["::1"]
        options.searchDomains = ["."]
        options.resolverOptions = ["ndots:1"]
        return options
    }()

    static func record(_ options: ContainerOptions) -> ContainerRecord {
        var configuration = ContainerConfiguration()
        configuration.cmd = ["sh"]
        configuration.labels = ["image": "1", "a": "image's"]
        configuration.volumes = ["/data"]
        configuration.stopSignal = "SIGUSR1"
        return ContainerRecord(
            id: String(repeating: "0f", count: 32),
            name: "a_name",
            created: .max,
            imageName: "busybox",
            imageID: "sha256:x",
            layers: ["sha256:y"],
            imageConfiguration: configuration,
            options: options
        )
    }

    private func reread(_ record: ContainerRecord) throws -> ContainerRecord {
        let configuration = try JSON.parse(record.configurationJSON().bytes())
        return try ContainerRecord(
            configuration: configuration,
            state: JSON.parse(record.state.json(of: record.id).bytes())
        )
    }

    @Test func everyOptionIsWritten() throws {
        // An option that is new has to be written, and to be set above.
        let usual = Mirror(reflecting: ContainerOptions()).children.map { "\($0.label ?? ""): \($0.value)" }
        let unusual = Mirror(reflecting: Self.options).children.map { "\($0.label ?? ""): \($0.value)" }
        for (one, other) in zip(usual, unusual) { #expect(one != other) }
        var expected = Self.options
        // The container's name is the record's.
        expected.name = nil
        let read = try reread(Self.record(Self.options))
        #expect(read.options == expected)
        #expect(try reread(Self.record(ContainerOptions())).options == ContainerOptions())
        #expect(read.imageConfiguration == Self.record(expected).imageConfiguration)
        #expect(read.created == .max && read.layers == ["sha256:y"] && read.name == "a_name")
    }

    @Test func theStateIsWritten() throws {
        var record = Self.record(ContainerOptions())
        record.state.status = .exited
        record.state.started = 0
        record.state.finished = .max
        record.state.exitCode = .min
        record.state.error = "\u{0}\"\u{7F}"
        record.state.outOfMemory = true
        #expect(try reread(record).state == record.state)
        // None so far.
        #expect(
            try ContainerRecord(configuration: record.configurationJSON(), state: nil).state == ContainerRecord.State()
        )
    }

    static let values: [JSON] = [
        .null, true, 0, -1, .number("18446744073709551616"), .number("1e400"), .number("0.5"), "", "x", "\u{0}", [],
        [[]],
        [.null], ["x"], [:], ["x": [:]],
    ]

    /// Each value of either file in the place of each: an error, or a record that can be shown and written again.
    @Test(arguments: values) func whatSomebodyElseWrote(value: JSON) throws {
        let record = Self.record(Self.options)
        let configuration = try record.configurationJSON()
        let state = record.state.json(of: record.id)
        for changed in Self.changed(configuration, to: value) {
            guard let read = try? ContainerRecord(configuration: changed, state: state) else { continue }
            _ = [read.config, read.hostConfig, read.mounts(in: "/d")].map { $0.text() }
            _ = (read.words, read.labels, read.stopSignal, read.stopTimeout)
            _ = try? reread(read)
        }
        for changed in Self.changed(state, to: value) {
            _ = try? ContainerRecord(configuration: configuration, state: changed)
            _ = try? ContainerRecord(older: changed)
        }
    }

    /// The document with each of its values replaced, one at a time.
    private static func changed(_ json: JSON, to value: JSON) -> [JSON] {
        switch json {
        case .object(let members):
            return [value]
                + members.indices.flatMap { index in
                    changed(members[index].value, to: value).map { other in
                        var members = members
                        members[index].value = other
                        return .object(members)
                    }
                }
        case .array(let elements):
            return [value]
                + elements.indices.flatMap { index in
                    changed(elements[index], to: value).map { other in
                        var elements = elements
                        elements[index] = other
                        return .array(elements)
                    }
                }
        default: return [value]
        }
    }

    @Test func whatFollowsFromTheOptions() throws {
        var options = ContainerOptions()
        options.labels = ["a": "b"]
        var record = Self.record(options)
        #expect(record.words == ["sh"] && record.labels == ["image": "1", "a": "b"])
        #expect(record.stopSignal == 10 && record.stopTimeout == 10)
        #expect(record.config["Cmd"] == ["sh"] && record.config["Hostname"] == "0f0f0f0f0f0f")
        #expect(record.mounts(in: "/d").array?.first?["Source"] == "/d/volumes/0")
        record.options.stopSignal = "RTMIN+3"
        #expect(record.stopSignal == 37)
        // What the image says without a meaning.
        record.options.stopSignal = "SIGFOO"
        #expect(record.stopSignal == 15)
    }

    /// A record of the first format: it is shown as before.
    @Test func anOlderRecord() throws {
        let json: JSON = [
            "version": 1, "id": .string(String(repeating: "0f", count: 32)), "name": "old", "status": "exited",
            "created": 5,
            "started": 6, "finished": 7, "exitCode": 3, "error": "", "outOfMemory": true, "imageName": "busybox",
            "imageID": "sha256:x", "layers": ["sha256:y"], "path": "sh", "arguments": ["-c", "x"], "labels": ["a": "b"],
            "terminal": true, "network": "host", "removeAtEnd": false,
            "config": ["StopSignal": "SIGINT", "Tty": true], "hostConfig": ["Memory": 5], "mounts": [["Source": "/s"]],
        ]
        let record = try ContainerRecord(older: json)
        #expect(
            record.name == "old" && record.status == .exited && record.state.exitCode == 3 && record.state.outOfMemory
        )
        #expect(record.words == ["sh", "-c", "x"] && record.labels == ["a": "b"] && record.network == "host")
        #expect(record.config["Tty"] == true && record.hostConfig["Memory"] == 5 && record.stopSignal == 2)
        #expect(record.mounts(in: "").array?.first?["Source"] == "/s")
    }
}
