import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Users, times and numbers that an image or a caller gives, at and beyond the ends of what holds them.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct OutsideNumberTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private static let created = "9999-12-31T23:59:59Z"

    /// An image of the far future whose users are not what they seem.
    private func image() throws -> String {
        let tree = try Fixtures.tree(minirun)
        let number = "4294967295"
        try Files.write(
            "\(tree)/etc/passwd",
            Array(
                """
                root:x:0:0:root:/root:/bin/sh
                app:x:\(number):\(number)::/:/bin/sh
                group:x:8:\(number)::/:/bin/sh
                member:x:9:9::/:/bin/sh
                1000:x:0:0::/root:/bin/sh

                """.utf8
            )
        )
        try Files.write("\(tree)/etc/group", Array("root:x:0:\nbad:x:\(number):member\n1000:x:0:\n".utf8))
        return try Fixtures.image(from: tree, at: minirun.path("image"))
    }

    @Test func nobodyBecomesRootByANumber() throws {
        let image = try image()
        for user in ["app", "group", "member", "0:bad", "4294967295", "2147483648", "0:4294967295", "-1", "+0"] {
            let outcome = try minirun("run", "--rm", "-u", user, image, "/guest")
            #expect(outcome.code == 125 && outcome.out.isEmpty, "\(user): \(outcome)")
        }
        for group in ["bad", "4294967295", "-1"] {
            let outcome = try minirun("run", "--rm", "--group-add", group, image, "/guest")
            #expect(outcome.code == 125 && outcome.out.isEmpty, "\(group): \(outcome)")
        }
        let plain = try GuestReport(minirun("run", "--rm", "-u", "1000:1000", "--group-add", "1000", image, "/guest"))
        #expect(plain.id("uid") == 1000 && plain.id("gid") == 1000 && plain.groups == [1000])
        #expect(plain.environment.contains("HOME=/") && plain.capabilities("effective").isEmpty)
    }

    @Test(arguments: ["passwd", "group"]) func aFileOfTerabytesIsRefusedAtOnce(_ name: String) throws {
        let tree = try Fixtures.tree(minirun)
        let file = try FileDescriptor.open("\(tree)/etc/\(name)", O_WRONLY | O_CREAT, mode: 0o644)
        try retrying("making holes") { ftruncate(file.raw, 30 << 30) }
        // The archive says how large the file is, and has nothing of it.
        let image = try Fixtures.image(from: tree, at: minirun.path("image"))
        let outcome = try minirun("run", "--rm", "-u", "app", image, "/guest", timeout: 60)
        #expect(outcome.code == 125 && outcome.err.contains("/etc/\(name)"), "\(outcome)")
    }

    @Test(arguments: ["pipe", "device", "folder", "link"]) func whatIsNoFileHoldsNobodyUp(_ kind: String) throws {
        let tree = try Fixtures.tree(minirun)
        let path = "\(tree)/etc/passwd"
        switch kind {
        case "pipe": try retrying("mkfifo") { mkfifo(path, 0o666) }
        case "device": try retrying("mknod") { mknod(path, mode_t(S_IFCHR) | 0o666, linux_makedev(1, 5)) }
        case "folder": try Files.makeDirectories(path)
        default: try Link.create(path, to: "/dev/zero")
        }
        let image = try Fixtures.image(from: tree, at: minirun.path("image"))
        #expect(try minirun("run", "--rm", "-u", "app", image, "/guest").code == 125)
        #expect(try minirun("run", "--rm", "-u", "1000", image, "/guest").code == 0)
    }

    @Test func anImageOfTheYear9999IsShown() throws {
        let tree = try Fixtures.tree(minirun)
        try Fixtures.image(
            from: tree,
            at: minirun.path("image"),
            document: [
                ("created", .string(Self.created)),
                ("history", [["created": .string(Self.created), "created_by": "x"]]),
            ]
        )
        #expect(try minirun("load", "-i", minirun.path("image")).code == 0)
        for arguments in [
            ["images"], ["images", "--format", "json"], ["system", "df", "-v"],
            ["image", "prune", "-f", "--filter", "until=1h"],
        ] {
            let outcome = try minirun.invoke(arguments)
            #expect(outcome.code == 0, "\(arguments): \(outcome)")
        }
        let id = try minirun("images", "-q", "--no-trunc").line
        for arguments in [["history", id], ["history", "--format", "json", id], ["inspect", id]] {
            let outcome = try minirun.invoke(arguments)
            #expect(outcome.code == 0, "\(arguments): \(outcome)")
        }
    }

    @Test(arguments: [
        ("0", true), ("18446744073", true), ("18446744074", false), ("253402300800", false),
        ("9223372036854775807", false),
        ("-1", false), ("+1", false), ("1e3", false), ("18446744073709551616", false),
    ]) func sourceDateEpoch(_ text: String, _ isTaken: Bool) throws {
        let context = try minirun.makeFolder("context")
        try Files.write("\(context)/Dockerfile", Array("FROM scratch\nCOPY f /f\n".utf8))
        try Files.write("\(context)/f", Array("x".utf8))
        for outcome in [
            try minirun("build", "-t", "a", context, environment: ["SOURCE_DATE_EPOCH": text]),
            try minirun("build", "-t", "b", "--build-arg", "SOURCE_DATE_EPOCH=\(text)", context),
        ] {
            #expect((outcome.code == 0) == isTaken, "\(outcome)")
            #expect(isTaken || outcome.err.contains("invalid SOURCE_DATE_EPOCH"), "\(outcome)")
        }
        #expect(try minirun("images").code == 0)
    }

    @Test(arguments: [
        (["-m", "nan "], "invalid size: 'nan '"), (["--cpus", "-1"], "range of CPUs is from 0.01 to"),
        (["--cpu-shares", "-1"], "invalid CPU shares (-1)"), (["--stop-signal", "SIGFOO"], "invalid signal: SIGFOO"),
        (["--stop-timeout", "-5"], "invalid stop timeout: -5"), (["--explain=yaml"], "invalid argument \"yaml\""),
        (["-v", "~/:/x"], "includes invalid characters for a local volume name"),
        (["-m", "9223372036854775807b"], ""),
    ]) func valuesThatMeanNothing(_ options: [String], _ message: String) throws {
        let outcome = try minirun.invoke(["run", "--rm"] + options + [Fixtures.busybox, "true"])
        #expect(outcome.code == 125 && outcome.err.contains(message), "\(outcome)")
    }

    /// CVE-2026-57231: an entry without a value takes none from the host.
    @Test func theHostsEnvironmentStaysOutside() throws {
        let tree = try Fixtures.tree(minirun)
        let image = try Fixtures.image(
            from: tree,
            configuration: ["Env": ["SECRET", "SECRET*", "SEC*", "=x", "", "*", "${SECRET}", "A=$SECRET"]],
            at: minirun.path("image")
        )
        let outcome = try minirun.invoke(
            ["run", "--rm", image, "/guest"],
            environment: ["SECRET": "canary-of-the-host", "SECRETS": "canary-of-the-host"]
        )
        #expect(!outcome.out.contains("canary-of-the-host"), "\(outcome)")
        #expect(try GuestReport(outcome).environment.contains("A=$SECRET"))
    }
}
