import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// config-linux.md: devices, masked and read-only paths, sysctls, memory policy.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct DeviceTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    private func node(_ name: String, in report: GuestReport) -> JSON? {
        report["devices"].array?.first { $0["name"]?.string == name }
    }

    private static func device(_ path: String, _ type: String, _ major: Int, _ minor: Int, _ more: JSON = [:]) -> JSON {
        let own: JSON = [
            "path": .string(path), "type": .string(type), "major": .number(major), "minor": .number(minor),
        ]
        return .object((own.object ?? []) + (more.object ?? []))
    }

    @Test(
        .must(
            "config-linux.md#default-devices",
            "null, zero, full, random, urandom and tty are there and can be used."
        ),
        arguments: [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)]
    )
    func defaultDevices(name: String, minor: Int) throws {
        let report = try bundle.report("/dev/\(name)")
        let seen = node(name, in: report)
        #expect(seen?["major"]?.int == 1 && seen?["minor"]?.int == minor && seen?["mode"]?.string == "0666")
        #expect(report["paths"]["/dev/\(name)"]?["writing"]?.string == "ok")
        let tty = node("tty", in: report)
        #expect(tty?["major"]?.int == 5 && tty?["minor"]?.int == 0)
    }

    @Test(.must("config-linux.md#default-devices", "/dev/ptmx is the container's own."))
    func ownPtmx() throws {
        let outcome = try bundle.run(
            script: "readlink /dev/ptmx || grep -c ' /dev/ptmx ' /proc/self/mountinfo; ls /dev/pts"
        )
        #expect(["pts/ptmx", "/dev/pts/ptmx", "1"].contains(outcome.lines.first))
        #expect(outcome.lines.dropFirst() == ["ptmx"], "\(outcome)")
    }

    @Test(.must("config-linux.md#default-devices", "/dev/console is the terminal, and there is none without one."))
    func console() throws {
        let report = try bundle.report()
        #expect(node("console", in: report) == nil)
        bundle.config.set("process.terminal", true)
        bundle.config.set(
            "process.args",
            ["/bin/sh", "-c", "grep ' /dev/console ' /proc/self/mountinfo; stat -c %F:%t /dev/console"]
        )
        try bundle.writeConfiguration()
        let session = try Session(
            onTerminal: bundle.command(["run", "--bundle", bundle.folder, bundle.id]),
            environment: BlackBox.environment()
        )
        session.expect("character special file:88")
        #expect(session.seen.contains("devpts"), "\(session.seen)")
        _ = try session.wait()
    }

    @Test(.must("config-linux.md#devices", "A device that is listed is there, with its mode and owner."))
    func listedDevices() throws {
        bundle.config.set(
            "linux.devices",
            [
                Self.device("/dev/fuse", "c", 10, 229, ["fileMode": 0o640, "uid": 1000, "gid": 2000]),
                Self.device("/dev/disk9", "b", 7, 200, ["fileMode": 0o600]), Self.device("/some/where", "c", 1, 3),
            ]
        )
        let report = try bundle.report("/some/where")
        let fuse = try #require(node("fuse", in: report))
        #expect(
            fuse == ["name": "fuse", "type": "c", "major": 10, "minor": 229, "mode": "0640", "uid": 1000, "gid": 2000]
        )
        let disk = try #require(node("disk9", in: report))
        #expect(disk["type"]?.string == "b" && disk["major"]?.int == 7 && disk["minor"]?.int == 200)
        let outside = report["paths"]["/some/where"]
        #expect(outside?["type"]?.string == "c" && outside?["minor"]?.int == 3)
    }

    @Test(.must("config-linux.md#devices", "A fifo is one too."))
    func listedFifo() throws {
        bundle.config.set("linux.devices", [["path": "/dev/pipe", "type": "p", "fileMode": 0o600]])
        let outcome = try bundle.run(script: "stat -c %F:%a /dev/pipe")
        #expect(outcome.line == "fifo:600", "\(outcome)")
    }

    @Test(
        .must(
            "config-linux.md#devices",
            "A file that is there and is not the device is an error.",
            both: "keep what is there"
        ),
        arguments: ["file", "other device", "other type"]
    )
    func aConflictingFileIsRefused(what: String) throws {
        switch what {
        case "file": try bundle.write("rootfs/node", "x")
        case "other device": try tool("mknod", bundle.path("rootfs/node"), "c", "1", "5")
        default: try tool("mknod", bundle.path("rootfs/node"), "b", "1", "3")
        }
        bundle.config.set("linux.devices", [Self.device("/node", "c", 1, 3)])
        try known(.crun, .runc, because: "keeps what is there") { expectError(try bundle.create(), what) }
    }

    // MARK: the allowed list

    @Test(
        .must(
            "config-linux.md#allowed-device-list",
            "The entries are applied in their order; what no entry allows cannot be opened."
        )
    )
    func deviceRulesInOrder() throws {
        bundle.config.append("process.capabilities.bounding", "CAP_MKNOD")
        bundle.config.append("process.capabilities.permitted", "CAP_MKNOD")
        bundle.config.append("process.capabilities.effective", "CAP_MKNOD")
        bundle.config.set(
            "linux.resources.devices",
            [
                ["allow": false, "access": "rwm"],
                ["allow": true, "type": "c", "major": 10, "minor": 235, "access": "rwm"],
                ["allow": true, "type": "c", "major": 10, "minor": 229, "access": "rwm"],
                ["allow": false, "type": "c", "major": 10, "minor": 235, "access": "rwm"],
            ]
        )
        // 10:235 is autofs, allowed and then denied; 10:229 is fuse; 1:1 is mem.
        let script = """
            for d in 10:235 10:229 1:1; do /guest mknod /tmp/$d c ${d%:*} ${d#*:}; /guest open /tmp/$d; done
            """
        let answers = try bundle.run(script: script).lines
        try #require(answers.count == 6)
        // Making a node does no harm, and docker's rules allow it; opening one is what the list is about.
        #expect(answers[1] == "EPERM" && answers[3] != "EPERM" && answers[5] == "EPERM", "\(answers)")
    }

    @Test(.must("config-linux.md#allowed-device-list", "A device can be allowed for reading only."))
    func deviceRulesOfAccess() throws {
        // A loop device that is not there: ENXIO is the driver's answer, EPERM the list's.
        bundle.config.set("linux.devices", [Self.device("/dev/loop200", "b", 7, 200)])
        bundle.config.append(
            "linux.resources.devices",
            ["allow": true, "type": "b", "major": 7, "minor": 200, "access": "r"]
        )
        let seen = try bundle.report("/dev/loop200")["paths"]["/dev/loop200"]
        #expect(seen?["writing"]?.string == "EPERM", "\(seen?.text() ?? "")")
        #expect(seen?["reading"]?.string != "EPERM", "\(seen?.text() ?? "")")
    }

    // MARK: masked and read-only paths

    @Test(.must("config-linux.md#masked-paths", "A masked file reads as empty, a masked folder as an empty one."))
    func maskedPaths() throws {
        try bundle.write("rootfs/secret", "secret")
        try bundle.write("rootfs/secrets/file", "secret")
        bundle.config.set("linux.maskedPaths", ["/secret", "/secrets", "/proc/kcore", "/not/there"])
        let report = try bundle.report("/secret", "/secrets", "/secrets/file", "/proc/kcore")
        for path in ["/secret", "/secrets", "/proc/kcore"] {
            let reading = report["paths"][path]?["reading"]?.string ?? ""
            #expect(["empty", "EACCES", "EPERM", "absent"].contains(reading), "\(path): \(reading)")
        }
        #expect(report["paths"]["/secrets/file"]?["type"] == nil)
    }

    @Test(.must("config-linux.md#readonly-paths", "A read-only path cannot be written to, nor what is below it."))
    func readonlyPaths() throws {
        try bundle.write("rootfs/data/deep/file", "x")
        try bundle.write("rootfs/data/file", "x")
        bundle.config.set("linux.readonlyPaths", ["/data", "/proc/sys", "/not/there"])
        let report = try bundle.report("/data", "/data/deep/file", "/proc/sys/kernel/hostname", "/tmp")
        for path in ["/data", "/data/deep/file", "/proc/sys/kernel/hostname"] {
            #expect(report["paths"][path]?["writing"]?.string == "EROFS", "\(path)")
        }
        #expect(report["paths"]["/tmp"]?["writing"]?.string == "ok")
    }

    @Test(
        .must("config-linux.md#masked-paths", "Masked and read-only paths are absolute."),
        arguments: ["maskedPaths", "readonlyPaths"]
    )
    func relativePathsAreRefused(key: String) throws {
        bundle.config.set("linux.\(key)", ["proc/kcore"])
        try known(.crun, .runc, because: "takes them from the root") { expectError(try bundle.create()) }
    }

    // MARK: sysctl, memory policy, Intel RDT

    @Test(.must("config-linux.md#sysctl", "A sysctl of the container's namespaces is set there, and only there."))
    func sysctls() throws {
        let before = try Files.readText("/proc/sys/kernel/msgmax")
        bundle.config.set(
            "linux.sysctl",
            .object([("kernel.msgmax", "12345"), ("net.ipv4.ip_forward", "1"), ("net.core.somaxconn", "256")])
        )
        let values = try bundle.report()["sysctls"]
        #expect(values["kernel.msgmax"]?.string == "12345" && values["net.ipv4.ip_forward"]?.string == "1")
        #expect(values["net.core.somaxconn"]?.string == "256")
        #expect(try Files.readText("/proc/sys/kernel/msgmax") == before)
    }

    @Test(
        .must("runtime.md#create", "A sysctl that cannot be applied, or that is the host's, is an error."),
        arguments: ["net.no.such", "kernel.core_pattern", "vm.swappiness", "kernel.hostname/../core_pattern"]
    )
    func aSysctlOfTheHostIsRefused(name: String) throws {
        // The value that it has: a runtime that sets it does no harm.
        let host = name.hasSuffix("core_pattern") ? "kernel/core_pattern" : "vm/swappiness"
        let value = try Files.readText("/proc/sys/\(host)").split(separator: "\n").first.map(String.init) ?? ""
        bundle.config.set("linux.sysctl", .object([(name, .string(value))]))
        expectError(try bundle.create())
        #expect(bundle.status() == "absent")
    }

    @Test(
        .must("runtime.md#create", "A sysctl of a namespace that the container shares with the host is an error."),
        arguments: [("ipc", "kernel.msgmax"), ("network", "net.ipv4.ip_forward")]
    )
    func aSysctlOfASharedNamespaceIsRefused(type: String, name: String) throws {
        bundle.config.removeAll("linux.namespaces") { $0["type"]?.string == type }
        bundle.config.removeAll("mounts") { ["/sys", "/dev/mqueue"].contains($0["destination"]?.string) }
        // The value that it has: a runtime that sets it does no harm.
        let path = "/proc/sys/" + name.split(separator: ".").joined(separator: "/")
        let value = try Files.readText(path).split(separator: "\n").first.map(String.init) ?? ""
        bundle.config.set("linux.sysctl", .object([(name, .string(value))]))
        expectError(try bundle.create())
    }

    @Test(
        .must("config-linux.md#memory-policy", "memoryPolicy is the process's.", both: "newer than it"),
        arguments: [
            ("MPOL_BIND", "0", "bind", 1), ("MPOL_INTERLEAVE", "0", "interleave", 1), ("MPOL_LOCAL", nil, "local", 0),
        ]
            as [(String, String?, String, Int)]
    )
    func memoryPolicy(mode: String, nodes: String?, name: String, mask: Int) throws {
        bundle.config.set("linux.memoryPolicy", ["mode": .string(mode)])
        if let nodes { bundle.config.set("linux.memoryPolicy.nodes", .string(nodes)) }
        try known(.crun, .runc, because: "newer than it") {
            let seen = try bundle.report()["memory_policy"]
            #expect(seen["mode"]?.string == name && seen["nodes"]?.int == mask, "\(seen.text())")
        }
    }

    @Test(
        .must("config-linux.md#intelrdt", "intelRdt without a resctrl file system is an error.", crun: "newer than it"),
        .enabled(if: !FileStatus.exists("/sys/fs/resctrl/schemata"))
    )
    func intelRdtNeedsResctrl() throws {
        bundle.config.set("linux.intelRdt", ["closID": "minirun-test", "l3CacheSchema": "L3:0=1"])
        expectError(try bundle.create())
    }
}
