import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// config-linux.md: namespaces, user mappings, time offsets, network devices.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct NamespaceTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    /// The specification's names and the kernel's.
    static let kinds = [
        ("pid", "pid"), ("network", "net"), ("mount", "mnt"), ("ipc", "ipc"), ("uts", "uts"), ("cgroup", "cgroup"),
    ]

    private func own(_ kind: String, _ report: GuestReport) throws -> Bool {
        try report["namespaces"][kind]?.string != Link.target("/proc/self/ns/\(kind)")
    }

    @Test(.must("config-linux.md#namespaces", "A type without path gets a new namespace."), arguments: kinds)
    func newNamespaces(type: String, kind: String) throws { #expect(try own(kind, bundle.report())) }

    @Test(
        .must("config-linux.md#namespaces", "A type that is not listed is the runtime's."),
        arguments: kinds.filter { $0.0 != "mount" }
    )
    func inheritedNamespaces(type: String, kind: String) throws {
        bundle.config.removeAll("linux.namespaces") { $0["type"]?.string == type }
        if type == "uts" { bundle.config.remove("hostname") }
        // A sysfs or mqueue of somebody else's namespace cannot be mounted; the caller binds.
        bundle.config.removeAll("mounts") { ["/sys", "/dev/mqueue"].contains($0["destination"]?.string) }
        bundle.config.set("linux.maskedPaths", [])
        bundle.config.set("linux.readonlyPaths", [])
        #expect(try !own(kind, bundle.report()))
    }

    @Test(
        .must("config-linux.md#namespaces", "A type with a path is joined."),
        arguments: kinds.filter { !["mount", "cgroup"].contains($0.0) }
    )
    func joinedNamespaces(type: String, kind: String) throws {
        let other = try Bundle()
        try other.launch()
        let path = try "/proc/\(other.pid())/ns/\(kind)"
        bundle.config.removeAll("linux.namespaces") { $0["type"]?.string == type }
        bundle.config.append("linux.namespaces", ["type": .string(type), "path": .string(path)])
        let report = try bundle.report()
        #expect(try report["namespaces"][kind]?.string == Link.target(path))
        #expect(other.status() == "running")
    }

    @Test(.must("config-linux.md#namespaces", "A path that is not absolute is an error."))
    func aRelativePathIsRefused() throws {
        bundle.config.set("linux.namespaces.1", ["type": "network", "path": "proc/self/ns/net"])
        expectError(try bundle.create())
    }

    @Test(
        .must("config-linux.md#namespaces", "A path of another type, or of no namespace, is an error."),
        arguments: ["/proc/self/ns/uts", "/etc/passwd", "/nowhere", "/proc/self/ns"]
    )
    func aPathOfAnotherTypeIsRefused(path: String) throws {
        bundle.config.set("linux.namespaces.1", ["type": "network", "path": .string(path)])
        expectError(try bundle.create())
        #expect(bundle.status() == "absent")
    }

    @Test(.must("config-linux.md#namespaces", "A type that is listed twice is an error.", crun: "takes it twice"))
    func aTypeListedTwiceIsRefused() throws {
        bundle.config.append("linux.namespaces", ["type": "ipc"])
        expectError(try bundle.create())
    }

    // MARK: user

    private func giveAUserNamespace(_ mappings: [JSON]) throws {
        bundle.config.append("linux.namespaces", ["type": "user"])
        bundle.config.set("linux.uidMappings", .array(mappings))
        bundle.config.set("linux.gidMappings", .array(mappings))
        try tool("chown", "-R", "\(mappings[0]["hostID"]?.int ?? 0)", bundle.path("rootfs"))
    }

    @Test(
        .must("config-linux.md#user-namespace-mappings", "uidMappings and gidMappings are those of the user namespace.")
    )
    func userMappings() throws {
        try giveAUserNamespace([.mapping(0, 100_000, 1000), .mapping(2000, 200_000, 10)])
        let report = try bundle.report("/guest")
        for map in ["uid_map", "gid_map"] {
            let lines = report[map].strings?.map { $0.split(separator: " ").joined(separator: " ") }
            #expect(lines == ["0 100000 1000", "2000 200000 10"])
        }
        #expect(report.id("uid") == 0)
        #expect(report["paths"]["/guest"]?["uid"]?.int == 0)
        #expect(try own("user", report))
    }

    @Test(.must("config-linux.md#user-namespace-mappings", "The runtime does not change the owners of files."))
    func ownersStay() throws {
        try giveAUserNamespace([.mapping(0, 100_000, 1000)])
        let before = try tool("stat", "-c", "%u:%g", bundle.path("rootfs/guest"))
        _ = try bundle.report()
        #expect(try tool("stat", "-c", "%u:%g", bundle.path("rootfs/guest")) == before)
    }

    @Test(.must("config-linux.md#user-namespace-mappings", "A user of the container is the mapped one on the host."))
    func mappedUsers() throws {
        try giveAUserNamespace([.mapping(0, 100_000, 2000)])
        bundle.config.set("process.user", ["uid": 1000, "gid": 1001])
        try bundle.launch()
        #expect(try HostProcesses.status(bundle.pid(), "Uid")?.split(separator: "\t").first == "101000")
        #expect(try HostProcesses.status(bundle.pid(), "Gid")?.split(separator: "\t").first == "101001")
    }

    // MARK: time

    @Test(
        .must(
            "config-linux.md#offset-for-time-namespace",
            "timeOffsets are those of the time namespace.",
            both: "newer than it"
        )
    )
    func timeOffsets() throws {
        bundle.config.append("linux.namespaces", ["type": "time"])
        bundle.config.set(
            "linux.timeOffsets",
            ["monotonic": ["secs": 86400], "boottime": ["secs": 3600, "nanosecs": 7]]
        )
        let report = try bundle.report()
        let offsets = report["time_offsets"].strings?.map { $0.split(separator: " ").joined(separator: " ") }
        #expect(offsets == ["monotonic 86400 0", "boottime 3600 7"])
        #expect(try own("time", report))
    }

    // MARK: network devices

    /// A network namespace of the test's own that plays the host: a device that is lost does not matter there.
    private func withNetDevices(_ devices: JSON, _ setUp: String = "", _ body: (String, Outcome) throws -> Void) throws
    {
        bundle.config.set("linux.netDevices", devices)
        bundle.config.set("process.args", ["/guest", "report"])
        try bundle.writeConfiguration()
        let script = """
            ip link add cdev0 type veth peer name cpeer0 && ip addr add 10.99.0.7/24 dev cdev0 && ip link set cdev0 mtu 1400 && \(setUp) exec "$@"
            """
        let words =
            ["unshare", "-n", "sh", "-c", "\(script)", "sh"]
            + bundle.command(["run", "--bundle", bundle.folder, bundle.id])
        let launched = try Launched(words)
        launched.closeInput()
        let status = try launched.wait()
        try body(launched.outText, Outcome(status: status, out: launched.outText, err: launched.errText))
    }

    @Test(
        .must("config-linux.md#network-devices", "A device is moved, renamed and up.", both: "newer than it"),
        arguments: [nil, "inside0", "net%d"]
    )
    func networkDevicesAreMoved(name: String?) throws {
        let device: JSON = name.map { ["name": .string($0)] } ?? [:]
        try withNetDevices(["cdev0": device]) { _, outcome in
            try known(.crun, .runc, because: "newer than it") {
                let interfaces = try GuestReport(outcome)["interfaces"]
                #expect(interfaces[name == "net%d" ? "net0" : name ?? "cdev0"]?.string == "up", "\(interfaces.text())")
            }
        }
    }

    @Test(
        .must(
            "config-linux.md#network-devices",
            "A device keeps its permanent addresses and its attributes.",
            both: "newer than it"
        )
    )
    func networkDevicesKeepTheirAddresses() throws {
        bundle.config.set("linux.netDevices", ["cdev0": ["name": "inside0"]])
        bundle.config.append(
            "hooks.startContainer",
            [
                "path": "/bin/busybox", "args": ["sh", "-c", "/bin/busybox ip addr show inside0 > /addresses"],
            ]
        )
        try withNetDevices(["cdev0": ["name": "inside0"]]) { _, _ in
            let addresses = bundle.read("rootfs/addresses")
            #expect(addresses.contains("10.99.0.7/24") && addresses.contains("mtu 1400"), "\(addresses)")
        }
    }

    @Test(
        .must(
            "config-linux.md#network-devices",
            "A name that is taken in the container is an error.",
            both: "newer than it"
        )
    )
    func aTakenDeviceNameIsRefused() throws {
        try withNetDevices(["cdev0": ["name": "lo"]]) { _, outcome in expectError(outcome) }
        #expect(bundle.status() == "absent")
    }

    @Test(.must("config-linux.md#network-devices", "A device that does not exist is an error.", both: "newer than it"))
    func aMissingDeviceIsRefused() throws {
        try withNetDevices(["nothing9": [:]]) { _, outcome in expectError(outcome) }
    }
}
