import LinuxSystem
import OCI
import TestSupport
import Testing

extension Attacks {
    /// Numbers at and beyond their limits: no user becomes root who was not asked to be.
    @Suite struct NumberTests {
        private static let isRoot: @Sendable (Outcome) -> String? = {
            $0.lines.contains("0") || $0.out.contains("root") ? "is root" : nil
        }
        private static let numbers = [
            "4294967295", "2147483648", "4294967296", "-1", "18446744073709551616", "4294967295:1",
        ]

        @Test(
            .row(
                "CVE-2024-40635",
                "A user or group of -1, 2^31, 2^32 - 1, 2^32 or 2^64, of the command, the image or its passwd, is never root.",
                docker: "2^32 - 1 means \"leave it\" to the kernel",
                podman: "numbers are cut to 32 bits",
                crun: "2^32 - 1 means \"leave it\" to the kernel"
            ),
            arguments: Target.all
        )
        func CVE_2024_40635(target: Target) throws {
            let accounts = Self.numbers.prefix(3).map { "app:x:\($0):\($0)::/:/bin/sh\n" }
            if target.form == .engine {
                let variants = Self.numbers.map { ($0, "") } + accounts.map { ("app", $0) }
                try expectHarmless(target, variants) { variant, stage in
                    Attack(
                        root: [.file("etc/passwd", "root:x:0:0::/:/bin/sh\n\(variant.1)")],
                        image: [("User", .string(variant.0))],
                        program: ["/bin/id", "-u"],
                        proof: Self.isRoot
                    )
                }
            } else {
                let numbers: [JSON] = ["4294967295", "2147483648", "4294967296", "-1", "18446744073709551616"].map {
                    .number($0)
                }
                try expectHarmless(target, numbers.flatMap { number in ["uid", "gid"].map { (number, $0) } }) {
                    variant,
                    stage in
                    Attack(
                        edits: [
                            .set("process.user", ["uid": 1000, "gid": 1000]),
                            .set("process.user.\(variant.1)", variant.0),
                        ],
                        program: ["/bin/id", variant.1 == "uid" ? "-u" : "-g"],
                        proof: Self.isRoot
                    )
                }
            }
        }

        @Test(
            .row(
                "CVE-2024-40635, groups",
                "The same of additional groups: none becomes the group 0."
            ),
            arguments: Target.runtimes
        )
        func additionalGroups(target: Target) throws {
            try expectHarmless(target, ["4294967295", "4294967296", "-1"]) { number, stage in
                Attack(
                    edits: [
                        .set("process.user", ["uid": 1000, "gid": 1000, "additionalGids": .array([.number(number)])])
                    ],
                    program: ["/bin/id", "-G"],
                    proof: { outcome in
                        outcome.code == 0 && outcome.line.split(separator: " ").contains("0") ? "is in group 0" : nil
                    }
                )
            }
        }

        @Test(
            .row(
                "CVE-2026-46680",
                "A number too large for an id is refused, and is no account's name.",
                docker: "it is looked up as a name",
                podman: "it is looked up as a name"
            ),
            arguments: Target.engines
        )
        func CVE_2026_46680(target: Target) throws {
            try expectHarmless(target, ["2147483648", "4294967296", "99999999999999999999"]) { number, stage in
                Attack(
                    root: [
                        .file("etc/passwd", "\(number):x:0:0::/:/bin/sh\n"), .file("etc/group", "\(number):x:0:\n"),
                    ],
                    image: [("User", .string(number))],
                    program: ["/bin/id", "-u"],
                    proof: Self.isRoot
                )
            }
        }

        @Test(
            .row(
                "CVE-2026-30892",
                "A user or group that is a number is that id, whatever account has it as its name.",
                docker: "a number is looked up as a name first"
            ),
            arguments: Target.engines
        )
        func CVE_2026_30892(target: Target) throws {
            let passwd = Entry.file("etc/passwd", "1000:x:0:0::/:/bin/sh\n")
            let group = Entry.file("etc/group", "1000:x:0:\n")
            try expectHarmless(
                target,
                ["1000", "1000:1000", "01000"].flatMap { user in [true, false].map { (user, $0) } }
            ) {
                variant,
                stage in
                Attack(
                    root: [passwd, group],
                    image: variant.1 ? [("User", .string(variant.0))] : [],
                    options: variant.1 ? [] : ["--user", variant.0],
                    program: ["/bin/sh", "-c", variant.0.contains(":") ? "id -u; id -g" : "id -u"],
                    proof: Self.isRoot
                )
            }
        }

        @Test(
            .row(
                "CVE-2026-30892, exec",
                "What an exec's `--user` says is who it is: -1, 2^32 and words are not root.",
                runc: "2^32 is cut to 0",
                crun: "2^32 - 1 means \"leave it\" to the kernel"
            ),
            arguments: Target.runtimes
        )
        func users(target: Target) throws {
            let users = ["1", "1:1", "1000", "4294967295", "4294967296", "-1", "1x", "x", "1:4294967296", ""]
            try expectSafe(target, [0]) { _, stage in
                try stage.prepare(Attack(program: ["/guest", "sleep", "forever"]))
                expectSuccess(try stage.bundle.create())
                expectSuccess(try stage.bundle.start())
                var worst = Verdict.refused
                for user in users {
                    let words = ["exec", "--user", user, stage.bundle.id, "/bin/id", "-u"]
                    let result = try Subprocess.run(
                        stage.bundle.command(words),
                        environment: BlackBox.environment(),
                        timeout: 10_000
                    )
                    worst = worst.worse(
                        // No user at all is the container's own.
                        Verdict(result, proof: { !user.isEmpty && $0.out == "0\n" ? "--user \(user) is root" : nil })
                    )
                }
                return worst
            }
        }

        @Test(
            .row(
                "no number; moby, SwiftTrap",
                "A time of the image's that no clock shows (year 9999, 0, -1) ends no command of who has the image."
            ),
            arguments: Target.engines
        )
        func timesOfImages(target: Target) throws {
            let times = [
                "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2262-04-12T00:00:00Z", "1e400",
            ]
            try expectSafe(target, times) { time, stage in
                let attack = Attack(document: {
                    $0.set("created", .string(time))
                    $0.set("history", [["created": .string(time), "created_by": "x"]])
                })
                var worst = try stage.verdict(of: attack)
                let engine = try stage.engine()
                let name = try ImageArchive(of: stage.bundle, attack).name
                for words in [["images"], ["history", name], ["image", "inspect", name], ["system", "df"]] {
                    worst = worst.worse(Verdict(try engine(words)))
                }
                _ = try engine(["rmi", "-f", name])
                return worst
            }
        }
    }
}
