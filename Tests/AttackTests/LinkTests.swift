import LinuxSystem
import OCI
import TestSupport
import Testing

extension Attacks {
    /// Links in the image, at every name that whoever makes a container touches in its root.
    @Suite struct LinkTests {
        /// Where a link leads: what of it is resolved outside of the root would be the host's.
        static let forms = ["absolute", "up and out", "dangling", "loop"]

        private func target(_ form: String, _ path: String, from place: String, _ victim: Victim) -> String {
            switch form {
            case "absolute": path
            case "up and out": Victim.up(path)
            case "dangling": victim.absent
            default: place.split(separator: "/").last.map(String.init) ?? place
            }
        }

        private let noDevices: [Edit] = [.unmount("/dev")]
        /// /dev itself is the image's; what lies below it is mounted there.
        private let onlyPoints: [Edit] = [.uncover("/dev"), .uncover("/dev/mqueue")]

        @Test(
            .row(
                "CVE-2026-41579",
                "The image's /dev is a link and nothing is mounted there: no node and no link is made behind it.",
                runc: "the nodes and links of /dev are made before the root is changed",
                crun: "the nodes and links of /dev are made through the link"
            ),
            arguments: Target.runtimes
        )
        func CVE_2026_41579(target: Target) throws {
            try expectHarmless(target, Self.forms) { form, stage in
                let to = self.target(form, stage.victim.inner, from: "dev", stage.victim)
                return Attack(root: [.link("dev", to: to)], edits: noDevices)
            }
        }

        @Test(
            .row(
                "CVE-2026-47766",
                "The same with devices that the configuration asks for, and a root that is read-only.",
                runc: "the nodes and links of /dev are made before the root is changed",
                crun: "the nodes and links of /dev are made through the link"
            ),
            arguments: Target.runtimes
        )
        func CVE_2026_47766(target: Target) throws {
            let device: JSON = ["type": "c", "path": "/dev/extra", "major": 1, "minor": 3, "fileMode": 0o666]
            try expectHarmless(target, [false, true].flatMap { only in Self.forms.map { (only, $0) } }) {
                variant,
                stage in
                let to = self.target(variant.1, stage.victim.inner, from: "dev", stage.victim)
                let edits: [Edit] = [.append("linux.devices", device), .set("root.readonly", .bool(variant.0))]
                return Attack(root: [.link("dev", to: to)], edits: noDevices + edits)
            }
        }

        @Test(
            .row(
                "CVE-2026-88264",
                "/dev/console is a link and nothing is mounted on /dev: no file is made behind it.",
                crun: "the file for the terminal is made through the link"
            ),
            arguments: Target.runtimes
        )
        func CVE_2026_88264(target: Target) throws {
            try expectHarmless(target, [false, true].flatMap { only in Self.forms.map { (only, $0) } }) {
                variant,
                stage in
                let to = self.target(variant.1, stage.victim.file, from: "dev/console", stage.victim)
                return Attack(
                    root: [.link("dev/console", to: to)],
                    edits: onlyPoints + [.set("root.readonly", .bool(variant.0))],
                    terminal: true
                )
            }
        }

        @Test(
            .row(
                "CVE-2025-52565",
                "/dev/console is a link: the terminal is mounted on no file that the link names.",
                podman: "crun's: the terminal is bound by its path, through the link",
                runc: "the terminal is bound by its path, through the link",
                crun: "the terminal is bound by its path, through the link"
            ),
            arguments: Target.all
        )
        func CVE_2025_52565(target: Target) throws {
            try expectHarmless(target, ["", ".."]) { up, stage in
                let covered = stage.victim.absent
                return Attack(
                    root: [.file(covered, "own\n"), .link("dev/console", to: up + covered)],
                    edits: onlyPoints,
                    program: ["/bin/sh", "-c", "grep -q ' \(covered) ' /proc/self/mountinfo && echo is-covered"],
                    terminal: true,
                    proof: { $0.out.contains("is-covered") ? "the terminal lies on a file of the link's choice" : nil }
                )
            }
        }

        @Test(
            .row(
                "CVE-2025-31133",
                "/dev/null is a link, a file, another device or absent: what is to be masked is masked, or nothing starts.",
                runc: "what lies at /dev/null covers the masked path, and where nothing does the mask is left out"
            ),
            arguments: Target.all
        )
        func CVE_2025_31133(target: Target) throws {
            let variants: [(Victim) -> Entry] = [
                { .link("dev/null", to: $0.absent) }, { _ in .link("dev/null", to: "/proc/timer_list") },
                { _ in .file("dev/null", "hidden\n") }, { _ in .device("dev/null", major: 1, minor: 5) },
                { _ in .folder("dev") },
            ]
            try expectHarmless(target, Array(variants.indices)) { variant, stage in
                let masked = stage.victim.absent
                return Attack(
                    root: [.file(masked, "hidden\n"), variants[variant](stage.victim)],
                    edits: onlyPoints + [.append("linux.maskedPaths", .string(masked))],
                    program: [
                        "/bin/sh", "-c",
                        // An engine masks no file of an image; it masks this one.
                        target.form == .engine
                            ? "head -c 1 /proc/timer_list | grep . && echo is-read" : "head -c 6 \(masked)",
                    ],
                    proof: {
                        $0.out.contains("hidden") || $0.out.contains("is-read") || $0.out.contains("\0")
                            ? "a masked file is read" : nil
                    }
                )
            }
        }

        @Test(
            .row(
                "CVE-2019-19921, CVE-2023-27561, CVE-2025-54867",
                "/proc or /sys is a link: what is mounted lies where it belongs, or nothing starts."
            ),
            arguments: Target.all
        )
        func CVE_2019_19921(target: Target) throws {
            try expectHarmless(target, ["proc", "sys"].flatMap { name in Self.forms.map { (name, $0) } }) {
                variant,
                stage in
                let to = self.target(variant.1, stage.victim.inner, from: variant.0, stage.victim)
                return Attack(
                    root: [.link(variant.0, to: to)],
                    program: ["/guest", "report"],
                    proof: { outcome in
                        guard outcome.code == 0, let report = try? GuestReport(outcome) else { return nil }
                        return report.mount("/\(variant.0)") == nil ? "/\(variant.0) is not mounted" : nil
                    }
                )
            }
        }

        @Test(
            .row(
                "CVE-2019-16884",
                "What is not procfs is not mounted over /proc, nor on a link of the image that leads there.",
                podman: "folders below /proc/self are mounted on"
            ),
            arguments: Target.engines
        )
        func CVE_2019_16884(target: Target) throws {
            let places = ["/proc", "/proc/self/attr", "/link", "/link/self/attr", "/link/sys"]
            try expectHarmless(target, places) { place, stage in
                Attack(
                    root: [.link("link", to: "/proc")],
                    options: ["-v", "\(stage.victim.inner):\(place)"],
                    program: ["/bin/stat", "-f", "-c", "%T", "/proc", "/proc/self/attr", "/proc/sys"],
                    proof: { $0.code == 0 && $0.out != "proc\nproc\nproc\n" ? "another file system is there" : nil }
                )
            }
        }

        @Test(
            .row(
                "CVE-2025-52881",
                "Settings of the kernel are written to a procfs, not to what is mounted in its place.",
                podman: "what is mounted on /proc/sys is taken for it"
            ),
            arguments: Target.all
        )
        func CVE_2025_52881(target: Target) throws {
            try expectHarmless(target, ["folder", "link"]) { form, stage in
                // Stands for /proc/sys.
                let fake = try stage.bundle.makeFolder("fake")
                try stage.bundle.write("fake/kernel/msgmax", "old\n")
                let place = form == "link" ? "/link" : "/proc/sys"
                return Attack(
                    root: [.link("link", to: "/proc/sys")],
                    options: ["-v", "\(fake):\(place)", "--sysctl", "kernel.msgmax=12345"],
                    edits: [
                        .append("mounts", .bind(fake, place)),
                        .set("linux.sysctl", .object([(key: "kernel.msgmax", value: "12345")])),
                    ],
                    program: ["/bin/cat", "/proc/sys/kernel/msgmax"],
                    proof: { outcome in
                        if (try? Files.readText("\(fake)/kernel/msgmax")) != "old\n" {
                            return "written to a file of the host's"
                        }
                        return outcome.code == 0 && outcome.out != "12345\n" ? "it was not set" : nil
                    }
                )
            }
        }

        /// What an engine writes or mounts on in a root.
        static let names = [
            "etc/passwd", "etc/group", "etc/hosts", "etc/resolv.conf", "etc/hostname", "etc/mtab", "dev/ptmx",
            "dev/pts",
            "dev/shm", "dev/mqueue", "dev/fd", "dev/stdin", "run", "on/tmpfs", "on/bind", "on/file", "made",
            ".dockerenv",
            "run/.containerenv", "etc", "dev", "run/secrets", "sys/fs/cgroup", "on", "var/run",
        ]

        @Test(
            .row(
                "CVE-2025-24965",
                "A link at a name that the engine writes, mounts on or makes in the root leads to no file of the host's.",
                podman: "crun's: the nodes and links of /dev are made through the link",
                runc: "the nodes and links of /dev are made before the root is changed"
            ),
            arguments: Target.all
        )
        func CVE_2025_24965(target: Target) throws {
            let variants = Self.names.flatMap { name in Self.forms.map { (name, $0) } }
            // One image for each form with all names but the folders of others, and one for each of those.
            let folders = ["etc", "dev", "run", "on"]
            let sets =
                Self.forms.map { form in (variants.filter { $0.1 == form && !folders.contains($0.0) }.map(\.0), form) }
                + ["absolute", "up and out"].flatMap { form in folders.map { ([$0], form) } }
            try expectHarmless(target, sets) { set, stage in
                let victim = stage.victim
                let isFile = { (name: String) in
                    !["run", "on", "etc", "dev", "pts", "shm"].contains { name.hasSuffix($0) }
                }
                let entries = set.0.filter { $0 != "run/.containerenv" && $0 != "run/secrets" || set.0.count == 1 }.map
                {
                    Entry.link($0, to: self.target(set.1, isFile($0) ? victim.file : victim.inner, from: $0, victim))
                }
                let source = try stage.bundle.makeFolder("source")
                let file = try stage.bundle.write("source-file", "mine\n")
                return Attack(
                    root: entries,
                    image: [("WorkingDir", "/made")],
                    options: [
                        "--tmpfs", "/on/tmpfs", "-v", "\(source):/on/bind", "-v", "\(file):/on/file", "--hostname",
                        "attacked",
                    ],
                    edits: [
                        .append("mounts", .mount("/on/tmpfs", "tmpfs", "tmpfs", [])),
                        .append("mounts", .bind(source, "/on/bind")), .append("mounts", .bind(file, "/on/file")),
                        .append("mounts", .bind(file, "/etc/hosts")),
                        .append("mounts", .bind(file, "/etc/resolv.conf")),
                        .append("mounts", .bind(file, "/etc/hostname")), .append("mounts", .bind(source, "/run")),
                    ]
                )
            }
        }

        @Test(
            .row(
                "CVE-2026-55686",
                "The working folder is made in the root, whatever links lead to it.",
                podman: "the folder is made, and gets an owner, behind the link"
            ),
            arguments: Target.all
        )
        func CVE_2026_55686(target: Target) throws {
            let places = ["/link", "/link/made", "/link/../made/below"]
            try expectHarmless(target, places.flatMap { place in [true, false].map { (place, $0) } }) {
                variant,
                stage in
                let inner = stage.victim.inner
                return Attack(
                    root: [.link("link", to: variant.1 ? inner : Victim.up(inner))],
                    image: [("WorkingDir", .string(variant.0)), ("User", "1000")],
                    edits: [
                        .set("process.cwd", .string(variant.0)), .set("process.user", ["uid": 1000, "gid": 1000]),
                    ],
                    program: ["/bin/ls"],
                    proof: { $0.out.contains("file") ? "the host's folder is the working folder" : nil }
                )
            }
        }

        @Test(
            .row(
                "CVE-2026-88265",
                "Standard streams are not opened anew by the image's /dev/null, and no file but a device gets another owner."
            ),
            arguments: Target.runtimes
        )
        func CVE_2026_88265(target: Target) throws {
            try expectHarmless(target, [0, 1000]) { user, stage in
                Attack(
                    root: [.link("dev/null", to: stage.victim.absent)],
                    edits: onlyPoints + [
                        .append("mounts", .bind(stage.victim.file, stage.victim.absent, "ro")),
                        .remove("linux.maskedPaths"),
                        .set("process.user", ["uid": .number(user), "gid": .number(user)]),
                    ],
                    program: ["/bin/sh", "-c", "stat -L -c %F /proc/self/fd/0"],
                    silent: true,
                    proof: { $0.out.contains("regular") ? "standard input is a file of the host's" : nil }
                )
            }
        }

        @Test(
            .row(
                "CVE-2026-115521",
                "A /proc of the image's own does not mislead the step that makes the root read-only."
            ),
            arguments: Target.runtimes
        )
        func CVE_2026_115521(target: Target) throws {
            try expectHarmless(target, [true, false]) { isThere, stage in
                let to = isThere ? stage.victim.inner : stage.victim.absent
                return Attack(
                    root: [.folder(to)] + (3..<40).map { .link("proc/self/fd/\($0)", to: to) }
                        + (3..<40).map { .link("proc/thread-self/fd/\($0)", to: to) },
                    edits: [
                        .unmount("/proc"), .set("root.readonly", true), .remove("linux.maskedPaths"),
                        .remove("linux.readonlyPaths"),
                    ],
                    program: ["/guest", "write", "/made", "x"],
                    proof: { $0.out == "ok\n" ? "the root is writable" : nil }
                )
            }
        }
    }
}
