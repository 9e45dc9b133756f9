import LinuxSystem
import OCI
import TestSupport

/// The bundles of the side-by-side comparison.
extension Scenario {
    static let all = process + limits + mounts + files + namespaces + rest

    private static let everything: JSON = .strings([
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
    ])

    static let process: [Scenario] = [
        Scenario("plain") { _ in },
        Scenario("no capabilities") { $0.config.remove("process.capabilities") },
        Scenario("capabilities: docker's") {
            for set in ["bounding", "effective", "permitted"] {
                $0.config.set("process.capabilities.\(set)", everything)
            }
        },
        Scenario("capabilities: ambient for a user") {
            for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
                $0.config.set("process.capabilities.\(set)", ["CAP_KILL", "CAP_CHOWN"])
            }
            $0.config.set("process.user", ["uid": 1000, "gid": 1000])
        },
        Scenario("capabilities: inheritable for root") {
            $0.config.set("process.capabilities.inheritable", ["CAP_KILL"])
        },
        Scenario("user 1000 with groups") {
            $0.config.set("process.user", ["uid": 1000, "gid": 1000, "additionalGids": [5, 20, 1000]])
        },
        Scenario("root with groups") { $0.config.set("process.user", ["uid": 0, "gid": 0, "additionalGids": [10]]) },
        Scenario("umask") { $0.config.set("process.user.umask", 0o077) },
        Scenario("may gain privileges") { $0.config.set("process.noNewPrivileges", false) },
        Scenario("oom score") { $0.config.set("process.oomScoreAdj", 321) },
        Scenario("working folder") { $0.config.set("process.cwd", "/usr") },
        Scenario("working folder that is missing", .report(["/not", "/not/there"])) {
            $0.config.set("process.cwd", "/not/there")
            $0.config.set("process.user", ["uid": 1000, "gid": 1000])
        },
        Scenario("program that is missing", .refusal) { $0.config.set("process.args", ["/nothing"]) },
        Scenario("program that is no program", .refusal) {
            try $0.write("rootfs/text", "text", mode: 0o755)
            $0.config.set("process.args", ["/text"])
        },
        Scenario("program by PATH", .refusal) { $0.config.set("process.args", ["true"]) },
        Scenario("environment without a PATH") { $0.config.set("process.env", ["MARK=\($0.id)"]) },
        Scenario("personality") { $0.config.set("linux.personality", ["domain": "LINUX32"]) },
        Scenario("terminal", .terminal) { $0.config.set("process.terminal", true) },
        Scenario("terminal of a size", .terminal) {
            $0.config.set("process.terminal", true)
            $0.config.set("process.consoleSize", ["height": 33, "width": 77])
        },
    ]

    static let limits: [Scenario] = [
        Scenario("limits of the process") {
            $0.config.set(
                "process.rlimits",
                .array(
                    ["CORE", "CPU", "FSIZE", "NPROC", "NOFILE", "STACK"].map {
                        ["type": "RLIMIT_\($0)", "soft": 1000, "hard": 2000]
                    }
                )
            )
            $0.config.set("process.rlimits.5", ["type": "RLIMIT_STACK", "soft": 8_388_608, "hard": 16_777_216])
        },
        Scenario(
            "limits of the group",
            .groups(
                [
                    "memory.limit_in_bytes", "memory.soft_limit_in_bytes", "cpu.shares", "cpu.cfs_quota_us",
                    "cpu.cfs_period_us", "cpuset.cpus", "cpuset.mems", "pids.max", "memory.swappiness",
                    "memory.oom_control",
                ]
            )
        ) {
            $0.config.set(
                "linux.resources.memory",
                ["limit": 67_108_864, "reservation": 33_554_432, "swappiness": 10]
            )
            $0.config.set(
                "linux.resources.cpu",
                ["shares": 512, "quota": 20000, "period": 50000, "cpus": "0", "mems": "0"]
            )
            $0.config.set("linux.resources.pids", ["limit": 77])
        },
        Scenario("no limits", .groups(["memory.limit_in_bytes", "cpu.shares", "pids.max", "devices.list"])) { _ in },
        Scenario("no resources", .groups(["devices.list"])) { $0.config.remove("linux.resources") },
        Scenario("allowed devices", .groups(["devices.list"])) {
            $0.config.append(
                "linux.resources.devices",
                ["allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"]
            )
            $0.config.append("linux.resources.devices", ["allow": true, "type": "b", "major": 7, "access": "r"])
        },
        Scenario("all devices", .groups(["devices.list"])) {
            $0.config.set("linux.resources.devices", [["allow": true, "access": "rwm"]])
        },
        Scenario("pids limit of zero", .groups(["pids.max"])) { $0.config.set("linux.resources.pids", ["limit": 0]) },
        Scenario("limit of a device that is not there", .refusal) {
            $0.config.set(
                "linux.resources.blockIO",
                ["throttleReadBpsDevice": [["major": 4000, "minor": 1, "rate": 1000]]]
            )
        },
    ]

    static let mounts: [Scenario] = [
        Scenario("tmpfs with options", .report(["/t"])) {
            $0.config.append(
                "mounts",
                .mount("/t", "tmpfs", "named", ["nosuid", "nodev", "noexec", "size=64k", "mode=1711"])
            )
        },
        Scenario("tmpfs without options", .report(["/t"])) {
            $0.config.append("mounts", .mount("/t", "tmpfs", "tmpfs", []))
        },
        Scenario("tmpcopyup", .report(["/t", "/t/sub", "/t/sub/file", "/t/link"])) {
            try $0.write("rootfs/t/sub/file", "x", mode: 0o640)
            try Link.create($0.path("rootfs/t/link"), to: "sub/file")
            try tool("chown", "1000:2000", $0.path("rootfs/t/sub/file"))
            $0.config.append("mounts", .mount("/t", "tmpfs", "tmpfs", ["tmpcopyup"]))
        },
        Scenario("bind read-only", .report(["/b", "/b/file"])) {
            try $0.write("source/file", "x")
            $0.config.append("mounts", .bind($0.path("source"), "/b", "ro"))
        },
        Scenario("bind with many options") {
            try $0.makeFolder("source")
            $0.config.append(
                "mounts",
                .bind($0.path("source"), "/b", "nosuid", "nodev", "noexec", "noatime", "nodiratime")
            )
        },
        Scenario("bind of a tree, read-only") {
            try $0.makeFolder("source/below")
            try $0.mount("-t", "tmpfs", "tmpfs", on: "source/below")
            $0.config.append("mounts", .bind($0.path("source"), "/b", "rbind", "ro"))
        },
        Scenario("bind of a tree, all of it read-only") {
            try $0.makeFolder("source/below")
            try $0.mount("-t", "tmpfs", "tmpfs", on: "source/below")
            $0.config.append("mounts", .bind($0.path("source"), "/b", "rbind", "rro"))
        },
        Scenario("bind of one file of a relative path", .report(["/etc/some.conf"])) {
            try $0.write("some.conf", "x", mode: 0o600)
            $0.config.append("mounts", .bind("some.conf", "/etc/some.conf", "ro"))
        },
        Scenario("bind over a file", .report(["/etc/file"])) {
            try $0.write("rootfs/etc/file", "old")
            try $0.write("new", "new", mode: 0o604)
            $0.config.append("mounts", .bind($0.path("new"), "/etc/file"))
        },
        Scenario("bind of a folder over a file", .refusal) {
            try $0.write("rootfs/etc/file", "old")
            try $0.makeFolder("source")
            $0.config.append("mounts", .bind($0.path("source"), "/etc/file"))
        },
        Scenario("bind of what is not there", .refusal) { $0.config.append("mounts", .bind($0.path("nothing"), "/b")) },
        Scenario("bind on a path that is not there", .report(["/deep", "/deep/er", "/deep/er/place"])) {
            try $0.makeFolder("source")
            $0.config.append("mounts", .bind($0.path("source"), "/deep/er/place"))
        },
        Scenario("bind through links of the root", .report(["/real", "/real/place", "/link"])) {
            try $0.makeFolder("source")
            try $0.makeFolder("rootfs/real")
            try Link.create($0.path("rootfs/link"), to: "/real")
            $0.config.append("mounts", .bind($0.path("source"), "/link/place"))
        },
        Scenario("bind through a link that leads out", .report(["/tmp/place"])) {
            try $0.makeFolder("source")
            try Link.create($0.path("rootfs/up"), to: "../../../../../../../../tmp")
            $0.config.append("mounts", .bind($0.path("source"), "/up/place"))
        },
        Scenario("bind through a dangling link", .report(["/target"])) {
            try $0.makeFolder("source")
            try Link.create($0.path("rootfs/dangling"), to: "/target")
            $0.config.append("mounts", .bind($0.path("source"), "/dangling"))
        },
        Scenario("propagation of binds") {
            try $0.makeFolder("source")
            for option in ["private", "slave", "shared", "rprivate", "rslave", "rshared", "unbindable"] {
                $0.config.append("mounts", .bind($0.path("source"), "/\(option)", "rbind", option))
            }
        },
        Scenario("mounts over one another") {
            $0.config.append("mounts", .mount("/t", "tmpfs", "first", ["size=64k"]))
            $0.config.append("mounts", .mount("/t", "tmpfs", "second", ["size=128k"]))
            $0.config.append("mounts", .mount("/t/below", "tmpfs", "third", ["size=256k"]))
        },
        Scenario("control groups, read-only") {
            $0.config.append(
                "mounts",
                .mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", "ro"])
            )
        },
        Scenario("sysfs for writing") {
            $0.config.removeAll("mounts") { $0["destination"]?.string == "/sys" }
            $0.config.append("mounts", .mount("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev"]))
        },
        Scenario("proc read-only, hidepid") {
            $0.config.set("mounts.0", .mount("/proc", "proc", "proc", ["nosuid", "nodev", "noexec", "hidepid=2"]))
        },
        Scenario("no /dev of its own") {
            $0.config.removeAll("mounts") { $0["destination"]?.string?.hasPrefix("/dev") == true }
        },
    ]

    static let files: [Scenario] = [
        Scenario("read-only root", .report(["/", "/etc", "/dev", "/tmp"])) { $0.config.set("root.readonly", true) },
        Scenario("root by an absolute path") { $0.config.set("root.path", .string($0.path("rootfs"))) },
        Scenario("root behind a link") {
            try Link.create($0.path("linked"), to: "rootfs")
            $0.config.set("root.path", "linked")
        },
        Scenario("root is a mount") {
            try $0.mount("--bind", $0.path("rootfs"), on: "rootfs")
        },
        Scenario("propagation of the root: shared") { $0.config.set("linux.rootfsPropagation", "shared") },
        Scenario("propagation of the root: slave") { $0.config.set("linux.rootfsPropagation", "slave") },
        Scenario("devices", .report(["/dev/net", "/dev/net/tun", "/outside"])) {
            $0.config.set(
                "linux.devices",
                [
                    ["path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200, "fileMode": 0o666],
                    [
                        "path": "/dev/mine", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 1000,
                        "gid": 2000,
                    ],
                    ["path": "/dev/pipe", "type": "p", "fileMode": 0o600],
                    ["path": "/outside", "type": "b", "major": 7, "minor": 9],
                ]
            )
        },
        Scenario("device without a mode", .report(["/dev/plain"])) {
            $0.config.set("linux.devices", [["path": "/dev/plain", "type": "c", "major": 1, "minor": 3]])
        },
        Scenario("masks", .report(["/secret", "/secrets", "/secrets/file", "/link"])) {
            try $0.write("rootfs/secret", "x")
            try $0.write("rootfs/secrets/file", "x")
            try Link.create($0.path("rootfs/link"), to: "secret")
            $0.config.set("linux.maskedPaths", ["/secret", "/secrets", "/missing", "/proc/keys"])
        },
        Scenario("no masks") { $0.config.remove("linux.maskedPaths") },
        Scenario("read-only paths", .report(["/data", "/data/file", "/tmp"])) {
            try $0.write("rootfs/data/file", "x")
            $0.config.set("linux.readonlyPaths", ["/data", "/missing", "/proc/sys"])
        },
        Scenario("no read-only paths") { $0.config.remove("linux.readonlyPaths") },
    ]

    static let namespaces: [Scenario] = [
        Scenario("the host's network") { without("network", $0) },
        Scenario("the host's processes", .script("/guest read /proc/self/cgroup > /dev/null; echo $(($$ > 1))")) {
            without("pid", $0)
        },
        Scenario("the host's ipc and names") {
            without("ipc", $0)
            without("uts", $0)
            $0.config.remove("hostname")
        },
        Scenario("the host's view of control groups") { without("cgroup", $0) },
        Scenario("a mount namespace only") {
            for type in ["network", "pid", "ipc", "uts", "cgroup"] { without(type, $0) }
            $0.config.remove("hostname")
        },
        Scenario("names") {
            $0.config.set("hostname", "side.by.side")
            $0.config.set("domainname", "example.test")
        },
        Scenario("user namespace of one range", .report(["/guest", "/dev/null", "/proc/sys/kernel/hostname"])) {
            try giveUsers($0, [.mapping(0, 100_000, 65536)])
        },
        Scenario("user namespace of several ranges", .report(["/guest", "/etc"])) {
            try giveUsers($0, [.mapping(0, 100_000, 10), .mapping(10, 0, 1), .mapping(1000, 101_000, 1000)])
            $0.config.set("process.user", ["uid": 1000, "gid": 1001, "additionalGids": [5, 1500]])
        },
        Scenario("user namespace with the host's root") { try giveUsers($0, [.mapping(0, 0, 65536)]) },
        Scenario("user namespace without a network of its own") {
            try giveUsers($0, [.mapping(0, 100_000, 65536)])
            without("network", $0)
            $0.config.removeAll("mounts") { $0["destination"]?.string == "/sys" }
        },
        Scenario("user namespace, user that is not mapped", .refusal) {
            try giveUsers($0, [.mapping(0, 100_000, 10)])
            $0.config.set("process.user", ["uid": 500, "gid": 0])
        },
        Scenario("sysctls") {
            $0.config.set(
                "linux.sysctl",
                .object([("net.ipv4.ip_forward", "1"), ("kernel.msgmax", "12345"), ("net.core.somaxconn", "256")])
            )
        },
    ]

    static let rest: [Scenario] = [
        Scenario(
            "seccomp",
            .script(
                "for a in 0 8 9; do /guest syscall personality $a; done; /guest syscall keyctl; /guest report | grep seccomp"
            )
        ) {
            $0.config.set(
                "linux.seccomp",
                [
                    "defaultAction": "SCMP_ACT_ALLOW",
                    "syscalls": [
                        [
                            "names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 33,
                            "args": [["index": 0, "value": 8, "op": "SCMP_CMP_EQ"]],
                        ], ["names": ["keyctl", "not_a_call"], "action": "SCMP_ACT_KILL_PROCESS"],
                    ],
                ]
            )
        },
        Scenario("hooks", .script("cat /hooks")) { bundle in
            for kind in ["prestart", "createRuntime", "createContainer"] {
                bundle.config.append(
                    "hooks.\(kind)",
                    .shellHook("echo \(kind) $(readlink /proc/self/fd/1 | cut -c1-5) >> \(bundle.path("rootfs/hooks"))")
                )
            }
            bundle.config.append("hooks.startContainer", .shellHook("echo startContainer $PATH >> /hooks"))
        },
        Scenario("exec", .exec([])) { _ in },
        Scenario("exec of a user in a folder", .exec(["--user", "1000:1000", "--cwd", "/usr", "--env", "ADDED=1"])) {
            _ in
        },
        Scenario("exec into what may gain nothing", .exec([])) {
            $0.config.remove("process.capabilities")
            $0.config.set("process.user", ["uid": 1000, "gid": 1000, "additionalGids": [7]])
            $0.config.set(
                "linux.seccomp",
                ["defaultAction": "SCMP_ACT_ALLOW", "syscalls": [["names": ["acct"], "action": "SCMP_ACT_ERRNO"]]]
            )
        },
        Scenario("exec into a user namespace", .exec([])) { try giveUsers($0, [.mapping(0, 100_000, 65536)]) },
        Scenario("session keyring", .script("/guest report | grep '\"keyring\"' | cut -d';' -f1-4")) { _ in },
        Scenario("unknown properties", .refusal) { $0.config.set("linux.unheardOf", ["a": 1]) },
        Scenario("a namespace twice", .refusal) { $0.config.append("linux.namespaces", ["type": "ipc"]) },
    ]

    private static func without(_ type: String, _ bundle: Bundle) {
        bundle.config.removeAll("linux.namespaces") { $0["type"]?.string == type }
        // These can only be mounted by the owner of their namespace.
        if type == "network" || type == "ipc" {
            bundle.config.removeAll("mounts") { $0["destination"]?.string == (type == "ipc" ? "/dev/mqueue" : "/sys") }
            bundle.config.removeAll("linux.maskedPaths") { $0.string?.hasPrefix("/sys") == true }
        }
    }

    private static func giveUsers(_ bundle: Bundle, _ mappings: [JSON]) throws {
        bundle.config.append("linux.namespaces", ["type": "user"])
        bundle.config.set("linux.uidMappings", .array(mappings))
        bundle.config.set("linux.gidMappings", .array(mappings))
        let owner = mappings[0]["hostID"]?.int ?? 0
        try tool("chown", "-R", "\(owner):\(owner)", bundle.path("rootfs"))
    }
}
