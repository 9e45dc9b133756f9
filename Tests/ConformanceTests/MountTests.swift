import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// config.md, Mounts, and the rootfs' propagation of config-linux.md.
@Suite(.enabled(if: BlackBox.isEnabled), .timeLimit(.minutes(20))) struct MountTests {
    let bundle: Bundle
    init() throws { bundle = try Bundle() }

    @Test(.must("config.md#mounts", "Mounts are made in the listed order."))
    func mountsAreMadeInOrder() throws {
        try bundle.write("source/file", "source")
        bundle.config.append("mounts", .mount("/a", "tmpfs", "tmpfs", []))
        bundle.config.append("mounts", .bind(bundle.path("source"), "/a/b"))
        bundle.config.append("mounts", .bind(bundle.path("source"), "/c"))
        bundle.config.append("mounts", .mount("/c", "tmpfs", "tmpfs", []))
        #expect(try bundle.run(script: "cat /a/b/file; ls /c").out == "source")
    }

    @Test(.must("config.md#mounts", "A relative destination is relative to /."))
    func aRelativeDestination() throws {
        bundle.config.append("mounts", .mount("some/where", "tmpfs", "tmpfs", []))
        #expect(try bundle.report().mount("/some/where")?["type"]?.string == "tmpfs")
    }

    @Test(.must("config.md#mounts", "A relative source of a bind mount is relative to the bundle."))
    func aRelativeSource() throws {
        try bundle.write("source/file", "here")
        bundle.config.append("mounts", .bind("source", "/x"))
        #expect(try bundle.run(script: "cat /x/file").out == "here")
    }

    @Test(.must("config.md#mounts", "A file can be bound."))
    func aFileIsBound() throws {
        try bundle.write("file", "content")
        bundle.config.append("mounts", .bind(bundle.path("file"), "/new/place"))
        #expect(try bundle.run(script: "cat /new/place").out == "content")
    }

    @Test(
        .must("config.md#linux-mount-options", "bind does not take what is mounted below, rbind does."),
        arguments: ["bind", "rbind"]
    )
    func bindAndRecursiveBind(option: String) throws {
        try bundle.makeFolder("tree/below")
        try bundle.mount("-t", "tmpfs", "tmpfs", on: "tree/below")
        try bundle.write("tree/below/file", "x")
        bundle.config.append("mounts", .mount("/t", "none", bundle.path("tree"), [option]))
        let report = try bundle.report("/t/below/file")
        #expect((report["paths"]["/t/below/file"]?["type"]?.string == "file") == (option == "rbind"))
        #expect((report.mount("/t/below") != nil) == (option == "rbind"))
    }

    /// Option, and what it does to a tmpfs: the mount's options, or with "super:" the file system's.
    static let options: [(String, has: [String], lacks: [String])] = [
        ("async", [], ["super:sync"]), ("atime", [], ["noatime"]),
        ("defaults", ["rw"], ["ro", "nosuid", "nodev", "noexec"]),
        ("dev", [], ["nodev"]), ("diratime", [], ["nodiratime"]), ("dirsync", ["super:dirsync"], []),
        ("exec", [], ["noexec"]),
        ("iversion", [], []), ("lazytime", [], []), ("loud", [], []), ("noatime", ["noatime"], []),
        ("nodev", ["nodev"], []), ("nodiratime", ["nodiratime"], []), ("noexec", ["noexec"], []),
        ("noiversion", [], []),
        ("nolazytime", [], []), ("norelatime", [], []), ("nostrictatime", [], []), ("nosuid", ["nosuid"], []),
        ("relatime", ["relatime"], []), ("ro", ["ro"], ["rw"]), ("rw", ["rw"], ["ro"]), ("silent", [], []),
        ("strictatime", [], ["relatime", "noatime"]), ("suid", [], ["nosuid"]), ("sync", ["super:sync"], []),
        ("mand", [], []), ("nomand", [], []), ("nosymfollow", ["nosymfollow"], []), ("symfollow", [], ["nosymfollow"]),
    ]

    @Test(
        .must("config.md#linux-mount-options", "Every option of the table is known and does what mount(8) says."),
        arguments: options
    )
    func mountOptions(option: String, has: [String], lacks: [String]) throws {
        bundle.config.append("mounts", .mount("/o", "tmpfs", "tmpfs", [option]))
        let unknown = ["iversion", "noiversion", "loud", "silent", "nosymfollow", "symfollow"]
        try known(.crun, because: "not in its table", if: unknown.contains(option)) {
            try known(.runc, because: "hands it to the file system, which refuses it", if: option == "defaults") {
                let report = try bundle.report()
                let others = report.mount("/o")?["super_options"]?.string?.split(separator: ",") ?? []
                let all = report.options("/o") + others.map { "super:\($0)" }
                #expect(Set(has).isSubset(of: all) && Set(lacks).isDisjoint(with: all), "\(option): \(all)")
            }
        }
    }

    @Test(
        .must(
            "config.md#linux-mount-options",
            "Of two options that exclude each other the last counts.",
            crun: "adds them up"
        )
    )
    func theLastOptionCounts() throws {
        bundle.config.append("mounts", .mount("/o", "tmpfs", "tmpfs", ["ro", "rw", "nosuid", "suid", "dev", "nodev"]))
        let options = try bundle.report().options("/o")
        #expect(options.contains("rw") && options.contains("nodev") && !options.contains("nosuid"), "\(options)")
    }

    @Test(.must("config.md#linux-mount-options", "A bind mount takes the options of its entry."))
    func optionsOfABindMount() throws {
        try bundle.makeFolder("source")
        bundle.config.append("mounts", .bind(bundle.path("source"), "/o", "ro", "nosuid", "nodev", "noexec", "noatime"))
        let report = try bundle.report("/o")
        #expect(Set(["ro", "nosuid", "nodev", "noexec", "noatime"]).isSubset(of: report.options("/o")))
        #expect(report["paths"]["/o"]?["writing"]?.string == "EROFS")
    }

    @Test(
        .must("config.md#linux-mount-options", "The r… options (SHOULD) also change what is mounted below."),
        arguments: [
            ("rro", "ro"), ("rnosuid", "nosuid"), ("rnodev", "nodev"), ("rnoexec", "noexec"), ("rnoatime", "noatime"),
            ("rnodiratime", "nodiratime"),
        ]
    )
    func recursiveOptions(option: String, effect: String) throws {
        try bundle.makeFolder("tree/below")
        try bundle.mount("-t", "tmpfs", "tmpfs", on: "tree/below")
        bundle.config.append("mounts", .bind(bundle.path("tree"), "/t", "rbind", option))
        try known(.crun, because: "not in its table", if: ["rnoatime", "rnodiratime"].contains(option)) {
            let report = try bundle.report()
            #expect(report.options("/t").contains(effect) && report.options("/t/below").contains(effect))
        }
    }

    @Test(
        .must(
            "config.md#linux-mount-options",
            "private, slave, shared, unbindable and their r… forms set the propagation."
        ),
        arguments: ["private", "slave", "shared", "unbindable", "rprivate", "rslave", "rshared", "runbindable"]
    )
    func propagation(option: String) throws {
        try bundle.makeFolder("source")
        bundle.config.set("linux.rootfsPropagation", "slave")
        bundle.config.append("mounts", .bind(bundle.path("source"), "/p", "rbind", option))
        let seen = try bundle.report().mount("/p")?["propagation"]?.string ?? "none"
        let wanted = option.hasPrefix("r") ? String(option.dropFirst()) : option
        switch wanted {
        case "shared": #expect(seen.hasPrefix("shared:"), "\(seen)")
        case "unbindable": #expect(seen == "unbindable", "\(seen)")
        // A slave of a mount that is not shared is private.
        default: #expect(seen == "private" || seen.hasPrefix("master:"), "\(seen)")
        }
    }

    @Test(.must("config.md#linux-mount-options", "remount changes the options of what is mounted there."))
    func remount() throws {
        bundle.config.append("mounts", .mount("/o", "tmpfs", "tmpfs", ["size=64k"]))
        bundle.config.append("mounts", .mount("/o", "tmpfs", "tmpfs", ["remount", "ro", "nosuid"]))
        let options = try bundle.report().options("/o")
        #expect(options.contains("ro") && options.contains("nosuid"), "\(options)")
    }

    @Test(.must("config.md#linux-mount-options", "What is no option is data for the file system."))
    func unknownOptionsAreData() throws {
        bundle.config.append("mounts", .mount("/o", "tmpfs", "tmpfs", ["size=64k", "mode=711", "nr_inodes=77"]))
        let report = try bundle.report("/o")
        #expect(report.mount("/o")?["super_options"]?.string?.contains("size=64k,nr_inodes=77,mode=711") == true)
        #expect(report["paths"]["/o"]?["mode"]?.string == "0711")
    }

    @Test(.must("config.md#linux-mount-options", "Data that the file system refuses is an error."))
    func refusedDataIsAnError() throws {
        bundle.config.append("mounts", .mount("/o", "tmpfs", "tmpfs", ["no-such-option"]))
        expectError(try bundle.create())
        #expect(bundle.status() == "absent")
    }

    @Test(.must("config.md#linux-mount-options", "tmpcopyup (MAY) copies what lies below into the tmpfs."))
    func copyUp() throws {
        try bundle.write("rootfs/data/file", "kept")
        bundle.config.append("mounts", .mount("/data", "tmpfs", "tmpfs", ["tmpcopyup"]))
        #expect(try bundle.run(script: "cat /data/file; echo x > /data/new").out == "kept")
        #expect(!FileStatus.exists(bundle.path("rootfs/data/new")))
    }

    /// However deep the folder is: a frame or a descriptor for each level would end the one or the other.
    @Test(arguments: [1, 30, 300, 1000])
    func copyUpOfFoldersInFolders(depth: Int) throws {
        let inner = String(repeating: "/d", count: depth)
        try bundle.write("rootfs/data\(inner)/file", "kept")
        bundle.config.append("mounts", .mount("/data", "tmpfs", "tmpfs", ["tmpcopyup"]))
        bundle.config.set(
            "process.args",
            ["/bin/sh", "-c", .string("cat /data\(inner)/file; stat -c %a /data\(inner)")]
        )
        try bundle.writeConfiguration()
        let launched = try Launched(
            ["prlimit", "--nofile=64:1024", "--"] + bundle.command(["run", "--bundle", bundle.folder, bundle.id])
        )
        launched.closeInput()
        try launched.wait()
        try launched.readToEnd()
        #expect(launched.outText == "kept755\n", "\(launched.errText)")
    }

    /// What a file says that it has costs nothing: a hole stays one.
    @Test func copyUpOfAHole() throws {
        try bundle.write("rootfs/data/sparse", "begin")
        try retrying("truncate") { truncate(bundle.path("rootfs/data/sparse"), 1 << 36) }
        try bundle.write("rootfs/data/behind", "x")
        bundle.config.append("mounts", .mount("/data", "tmpfs", "tmpfs", ["tmpcopyup", "size=1m"]))
        let outcome = try bundle.run(script: "stat -c %s /data/sparse; head -c 5 /data/sparse; cat /data/behind")
        #expect(outcome.out == "68719476736\nbeginx", "\(outcome)")
    }

    /// A file whose place a FIFO takes and gives back all the time, as another user of a volume could do (CVE-2026-133553): nobody
    /// waits for who writes to it.
    @Test func copyUpWhileAFIFOTakesAFilesPlace() throws {
        for number in 0..<40 { try bundle.write("rootfs/data/\(number)", "content") }
        let file = bundle.path("rootfs/data/20"), fifo = bundle.path("rootfs/data/fifo")
        try retrying("mkfifo") { mkfifo(fifo, 0o600) }
        bundle.config.append("mounts", .mount("/data", "tmpfs", "tmpfs", ["tmpcopyup"]))
        let swapper = try Launched([GuestProgram.path, "exchange", file, fifo])
        try swapper.expect("ready")
        for _ in 0..<25 {
            let outcome = try bundle.run(script: "test -f /data/20 -o -p /data/20 && echo there")
            #expect(outcome.code == 0 && outcome.out == "there\n", "\(outcome)")
        }
        swapper.closeInput()
        try swapper.wait()
    }

    @Test(
        .must("config.md#linux-mount-options", "idmap without mappings and without a user namespace is an error."),
        arguments: ["idmap", "ridmap"]
    )
    func idmapNeedsMappings(option: String) throws {
        try bundle.makeFolder("source")
        bundle.config.append("mounts", .bind(bundle.path("source"), "/m", "rbind", option))
        let reason = "does not know it and does not say so"
        try known(.crun, because: reason, if: option == "ridmap") {
            try known(.runc, because: reason) { expectError(try bundle.create()) }
        }
    }

    @Test(
        .must("config.md#posix-platform-mounts", "uidMappings come with gidMappings, or it is an error."),
        arguments: ["uidMappings", "gidMappings"]
    )
    func mappingsComeInPairs(only: String) throws {
        try bundle.makeFolder("source")
        var mount = JSON.bind(bundle.path("source"), "/m", "rbind", "idmap")
        mount.set(only, [.mapping(0, 1000, 10)])
        bundle.config.append("mounts", mount)
        try known(.runc, because: "does not know them and does not say so") { expectError(try bundle.create()) }
    }

    @Test(
        .must(
            "config.md#posix-platform-mounts",
            "uidMappings and gidMappings map the owners of a mount.",
            runc: "newer than it"
        )
    )
    func idmappedMount() throws {
        try bundle.write("source/file", "x")
        var mount = JSON.bind(bundle.path("source"), "/m", "rbind", "idmap")
        mount.set("uidMappings", [.mapping(0, 1000, 10)])
        mount.set("gidMappings", [.mapping(0, 2000, 10)])
        bundle.config.append("mounts", mount)
        let file = try bundle.report("/m/file")["paths"]["/m/file"]
        #expect(file?["uid"]?.int == 1000 && file?["gid"]?.int == 2000, "\(file?.text() ?? "")")
    }

    /// However far behind in the list of mounts it stands.
    @Test(
        .must("config.md#posix-platform-mounts", "An id-mapped mount may be the 600th."),
        arguments: [505, 512, 600]
    )
    func anIDMappedMountBehindManyOthers(others: Int) throws {
        try bundle.write("source/file", "x")
        for number in 0..<others { bundle.config.append("mounts", .bind(bundle.path("source"), "/others/\(number)")) }
        var mount = JSON.bind(bundle.path("source"), "/m", "rbind", "idmap")
        mount.set("uidMappings", [.mapping(0, 1000, 10)])
        mount.set("gidMappings", [.mapping(0, 2000, 10)])
        bundle.config.append("mounts", mount)
        let file = try bundle.report("/m/file")["paths"]["/m/file"]
        known(.runc, because: "newer than it") {
            #expect(file?["uid"]?.int == 1000 && file?["gid"]?.int == 2000, "\(file?.text() ?? "")")
        }
    }

    /// A folder that another mount of the same configuration has brought: what is mapped is that, not what it covers.
    @Test(
        .must("config.md#mounts", "The source of an id-mapped mount may lie in a mount before it."),
        arguments: ["bind", "tmpfs"]
    )
    func anIDMappedMountOfAnEarlierOne(kind: String) throws {
        try bundle.write("rootfs/first/inner/file", "covered")
        try bundle.write("source/inner/file", "x")
        if kind == "bind" {
            bundle.config.append("mounts", .bind(bundle.path("source"), "/first"))
        } else {
            bundle.config.append("mounts", .mount("/first", "tmpfs", "tmpfs", []))
            bundle.config.append("mounts", .bind(bundle.path("source/inner"), "/first/inner"))
        }
        var mount = JSON.bind(bundle.path("rootfs/first/inner"), "/m", "rbind", "idmap")
        mount.set("uidMappings", [.mapping(0, 1000, 10)])
        mount.set("gidMappings", [.mapping(0, 2000, 10)])
        bundle.config.append("mounts", mount)
        let outcome = try bundle.run(script: "cat /m/file; stat -c ' %u:%g' /m/file")
        known(.crun, because: "opens the source before it mounts") {
            known(.runc, because: "newer than it") { #expect(outcome.out == "x 1000:2000\n", "\(outcome)") }
        }
    }

    /// The root of a user namespace cannot map what the host's file systems have, and what it mounts itself is not there before
    /// it: that mount is made whole, or is an error, and is never another.
    @Test(.must("config.md#mounts", "With a user namespace it is that, too, or an error, but never what is covered."))
    func anIDMappedMountOfAnEarlierOneWithAUserNamespace() throws {
        bundle.config.append("linux.namespaces", ["type": "user"])
        bundle.config.set("linux.uidMappings", [.mapping(0, 100_000, 65_536)])
        bundle.config.set("linux.gidMappings", [.mapping(0, 100_000, 65_536)])
        try bundle.write("rootfs/first/inner/file", "covered")
        try bundle.write("source/inner/file", "x")
        bundle.config.append("mounts", .bind(bundle.path("source"), "/first"))
        var mount = JSON.bind(bundle.path("rootfs/first/inner"), "/m", "rbind", "idmap")
        mount.set("uidMappings", [.mapping(0, 100_000, 10)])
        mount.set("gidMappings", [.mapping(0, 100_000, 10)])
        bundle.config.append("mounts", mount)
        try tool("chown", "-R", "100000:100000", bundle.path("rootfs"))
        let outcome = try bundle.run(script: "cat /m/file")
        known(.crun, because: "opens the source before it mounts") {
            #expect(outcome.out == "x" || outcome.code != 0 && outcome.out.isEmpty, "\(outcome)")
        }
    }

    /// Options of more than a page: taken as they are or refused, never cut. The last of them counts.
    @Test(
        .must("config.md#linux-mount-options", "Options of a tmpfs are taken whole, or it is an error."),
        arguments: [1, 400, 1000]
    )
    func manyOptionsOfATmpfs(count: Int) throws {
        let options = [String](repeating: "size=1024k", count: count)
        bundle.config.append("mounts", .mount("/etc", "tmpfs", "tmpfs", options))
        bundle.config.append("mounts", .mount("/new", "tmpfs", "tmpfs", options + ["mode=0710"]))
        let outcome = try bundle.run(script: "stat -c %a /etc /new")
        let reason = "mount(2) has a page for them"
        known(.crun, because: "\(reason), and the folder's own mode is not a tmpfs's") {
            known(.runc, because: reason, if: count > 1) { #expect(outcome.out == "755\n710\n", "\(outcome)") }
        }
    }

    @Test(
        .must("config-linux.md#rootfs-mount-propagation", "rootfsPropagation sets the propagation of the root."),
        arguments: ["shared", "slave", "private", "unbindable"]
    )
    func rootfsPropagation(value: String) throws {
        bundle.config.set("linux.rootfsPropagation", .string(value))
        let reason = "sets it on the host's root before it binds the container's"
        try known(.runc, because: reason, if: ["shared", "unbindable"].contains(value)) {
            let seen = try bundle.report().mount("/")?["propagation"]?.string ?? "none"
            switch value {
            case "shared": #expect(seen.hasPrefix("shared:"), "\(seen)")
            case "unbindable": #expect(seen == "unbindable", "\(seen)")
            default: #expect(seen == "private" || seen.hasPrefix("master:"), "\(seen)")
            }
        }
    }

    @Test(.must("config-linux.md#default-filesystems", "A mount that the container makes is not seen on the host."))
    func mountsStayInside() throws {
        bundle.config.set(
            "process.capabilities",
            ["bounding": ["CAP_SYS_ADMIN"], "effective": ["CAP_SYS_ADMIN"], "permitted": ["CAP_SYS_ADMIN"]]
        )
        bundle.config.set(
            "process.args",
            ["/bin/sh", "-c", "mount -t tmpfs x /tmp && echo ready; exec /guest sleep forever"]
        )
        expectSuccess(try bundle.create())
        expectSuccess(try bundle.start())
        try bundle.created?.expect("ready")
        #expect(HostProcesses.mounts(below: bundle.folder).isEmpty)
    }
}
