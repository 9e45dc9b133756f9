import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// A default container beside one of podman's (Debian's, as root): nothing of ours may be weaker.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct IsolationTests {
    let ours: GuestReport
    let theirs: GuestReport

    init() throws {
        let minirun = try Minirun()
        let podman = try Podman(minirun.makeFolder("podman"))
        ours = try minirun.report("--network", "none")
        theirs = try podman.report()
    }

    /// What is known to differ, and why it may.
    static let known: [String: String] = [
        "CAP_MKNOD":
            "docker's default, podman's until 4.4; the device rules of the control group decide what can be opened",
        "CAP_NET_RAW": "docker's default", "CAP_AUDIT_WRITE": "docker's default",
        "/etc/resolv.conf": "podman makes none without a network; docker does",
        "group 0":
            "docker's too: the primary group among the others, so that a negative permission holds (CVE-2022-36109)",
        "/sys/dev/block":
            "podman covers it, docker does not; its links only name devices, which the device rules keep closed",
        "/dev noexec": "docker's /dev has no noexec either",
    ]

    @Test func sideBySide() throws {
        var rows: [(String, String, String)] = []
        for set in ["effective", "bounding", "inheritable", "ambient"] {
            let (mine, other) = (Set(ours.capabilities(set)), Set(theirs.capabilities(set)))
            rows.append(("\(set) capabilities", "\(mine.count)", "\(other.count)"))
            for more in mine.subtracting(other).sorted() {
                #expect(Self.known[more] != nil, "\(set): \(more) is ours alone")
            }
        }
        for key in ["seccomp", "seccomp_filters", "no_new_privs"] {
            rows.append((key, ours[key].text(), theirs[key].text()))
            #expect(try #require(ours[key].int) >= (try #require(theirs[key].int)), "\(key)")
        }
        rows += try namespaces() + masks() + writable() + devicesAndDescriptors() + mounts()
        show(rows)
    }

    private func namespaces() throws -> [(String, String, String)] {
        try ["cgroup", "ipc", "mnt", "net", "pid", "uts", "user", "time"].map { kind in
            let host = try Link.target("/proc/self/ns/\(kind)")
            let isOwn = { (report: GuestReport) in report["namespaces"][kind]?.string.map { $0 != host } ?? false }
            #expect(isOwn(ours) || !isOwn(theirs), "\(kind) is the host's")
            return ("\(kind) namespace", isOwn(ours) ? "own" : "host", isOwn(theirs) ? "own" : "host")
        }
    }

    private func masks() -> [(String, String, String)] {
        (theirs["masked"].object ?? []).map { path, value in
            let mine = ours["masked"][path]?.string ?? "?"
            #expect(mine != "readable" || value.string == "readable", "\(path) is not masked")
            return ("masked \(path)", mine, value.string ?? "?")
        }
    }

    private func writable() -> [(String, String, String)] {
        (theirs["writable"].object ?? []).map { path, value in
            let (mine, other) = (ours["writable"][path]?["result"]?.string ?? "?", value["result"]?.string ?? "?")
            #expect(mine != "ok" || other == "ok" || Self.known[path] != nil, "\(path) can be written to")
            if value["read_only"]?.bool == true {
                #expect(ours["writable"][path]?["read_only"]?.bool == true, "\(path) is not read-only")
            }
            return ("write \(path)", mine, other)
        }
    }

    private func devicesAndDescriptors() -> [(String, String, String)] {
        let nodes = { (report: GuestReport) in report["devices"].array?.compactMap { $0["name"]?.string }.sorted() ?? []
        }
        #expect(Set(nodes(ours)).isSubset(of: nodes(theirs)), "\(nodes(ours))")
        let open = { (report: GuestReport) in
            report["descriptors"].array?.compactMap { $0["number"]?.int }.sorted() ?? []
        }
        #expect(open(ours) == [0, 1, 2])
        #expect(Set(ours.groups).isSubset(of: theirs.groups + [0]), "groups \(ours.groups)")
        let device = ours["devices"].array?.first { $0["type"]?.string == "b" }
        #expect(device == nil)
        return [
            ("device nodes", nodes(ours).joined(separator: " "), nodes(theirs).joined(separator: " ")),
            ("descriptors", "\(open(ours))", "\(open(theirs))"), ("groups", "\(ours.groups)", "\(theirs.groups)"),
        ]
    }

    /// Where both mount something, ours has every restriction that theirs has.
    private func mounts() -> [(String, String, String)] {
        var rows: [(String, String, String)] = []
        for path in [
            "/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/proc/bus", "/proc/fs", "/proc/irq",
            "/proc/sys", "/sys/firmware",
        ] {
            let (mine, other) = (Set(ours.options(path)), Set(theirs.options(path)))
            for word in ["ro", "nosuid", "nodev", "noexec"] where other.contains(word) {
                #expect(
                    mine.contains(word) || Self.known["\(path) \(word)"] != nil,
                    "\(path) is without \(word): \(mine.sorted())"
                )
            }
            rows.append(
                (
                    "mount \(path)", ours.options(path).joined(separator: ","),
                    theirs.options(path).joined(separator: ",")
                )
            )
        }
        return rows
    }

    private func show(_ rows: [(String, String, String)]) {
        let width = rows.map(\.0.count).max() ?? 0
        let second = rows.map(\.1.count).max() ?? 0
        let pad = { (text: String, width: Int) in text + String(repeating: " ", count: max(0, width - text.count) + 2) }
        print(pad("isolation", width) + pad("minirun", second) + "podman")
        for row in rows { print(pad(row.0, width) + pad(row.1, second) + row.2) }
        for (name, reason) in Self.known.sorted(by: { $0.key < $1.key }) { print("known: \(name): \(reason)") }
    }
}

/// podman with a store of the test's own, in a mount namespace of its own, so that no mount of its store is left behind.
private struct Podman {
    let folder: String

    init(_ folder: String) throws {
        self.folder = folder
        for name in ["tmp", "vol", "net"] { try Files.makeDirectories("\(folder)/\(name)") }
        let configuration = """
            [containers]
            default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
            [engine]
            runtime = "crun"
            cgroup_manager = "cgroupfs"
            events_logger = "none"
            tmp_dir = "\(folder)/tmp"
            volume_path = "\(folder)/vol"
            [network]
            network_config_dir = "\(folder)/net"

            """
        try Files.write("\(folder)/containers.conf", Array(configuration.utf8))
        let storage = "[storage]\ndriver = \"overlay\"\ngraphroot = \"\(folder)/root\"\nrunroot = \"\(folder)/run\"\n"
        try Files.write("\(folder)/storage.conf", Array(storage.utf8))
    }

    func report() throws -> GuestReport {
        // On a hybrid machine Debian's crun takes the unified hierarchy for a place to delegate to and fails.
        let script = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\""
        let before = Self.groups
        let result = try Subprocess.run(
            [
                "unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", "podman", "run", "--rm",
                "--network", "none", Fixtures.guest, "report",
            ],
            environment: Minirun.environment([
                "CONTAINERS_CONF": "\(folder)/containers.conf", "CONTAINERS_STORAGE_CONF": "\(folder)/storage.conf",
                "HOME": folder,
            ]),
            timeout: 120_000
        )
        for group in Self.groups.subtracting(before) { rmdir(group) }
        return try GuestReport(Outcome(result))
    }

    /// podman leaves its empty control groups.
    private static var groups: Set<String> {
        let roots = ((try? Files.list("/sys/fs/cgroup")) ?? []).map { "/sys/fs/cgroup/\($0)/libpod_parent" }
        return Set((roots + ["/sys/fs/cgroup/libpod_parent"]).filter(FileStatus.exists))
    }
}
