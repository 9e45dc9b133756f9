import LinuxSystem
import OCI
import TestSupport
import Testing

extension Attacks {
    /// Special files where regular ones are expected: nothing blocks, and nothing is read without end.
    @Suite struct SpecialFileTests {
        /// What an engine that reads on may be given on a machine with other work to do: what blocks, not what never ends.
        private func kinds(_ path: String, for target: Target) -> [Entry] {
            let all: [Entry] = [
                .fifo(path), .link(path, to: "/attack/fifo"), .folder(path), .link(path, to: "/dev/null"),
            ]
            guard target.isOurs else { return all }
            return all + [
                .device(path, major: 1, minor: 5), .link(path, to: "/dev/zero"), .link(path, to: "/dev/stdin"),
                .holes(path, bytes: 1 << 40), .device(path, major: 5, minor: 0),
            ] + (target.form == .runtime ? [.socket(path)] : [])
        }

        @Test(
            .row(
                "CVE-2024-9676",
                "/etc/passwd or /etc/group is a FIFO, a device, a folder, a link to one or has no end: a user by name is not "
                    + "waited for.",
                docker: "the user's files are opened as they are, and a FIFO has no end",
                podman: "the user's files are opened as they are, and a FIFO has no end"
            ),
            arguments: Target.engines
        )
        func CVE_2024_9676(target: Target) throws {
            try expectHarmless(target, kinds("etc/passwd", for: target) + kinds("etc/group", for: target)) {
                entry,
                stage in
                let other: Entry =
                    entry.path == "etc/passwd"
                    ? .file("etc/group", "app:x:1000:\n") : .file("etc/passwd", "app:x:1000:1000::/:/bin/sh\n")
                return Attack(
                    root: [.fifo("attack/fifo"), other, entry],
                    options: ["--user", "app:app"],
                    program: ["/bin/id", "-u"],
                    seconds: 10,
                    proof: { $0.code == 0 && $0.out != "1000\n" ? "an account of no file" : nil }
                )
            }
        }

        @Test(
            .row(
                "CVE-2026-61801, CVE-2026-135844",
                "The same where only HOME is looked for: the user is a number.",
                docker: "the user's files are opened as they are, and a FIFO has no end",
                podman: "the user's files are opened as they are, and a FIFO has no end",
                runc: "the user's files are opened as they are, and a FIFO has no end",
                crun: "the user's files are opened as they are, and a FIFO has no end"
            ),
            arguments: Target.all
        )
        func CVE_2026_61801(target: Target) throws {
            try expectHarmless(target, kinds("etc/passwd", for: target) + kinds("etc/group", for: target)) {
                entry,
                stage in
                Attack(
                    root: [.fifo("attack/fifo"), entry],
                    options: ["--user", "1000"],
                    edits: [.set("process.user", ["uid": 1000, "gid": 1000])],
                    // Its own look at the accounts would wait as well.
                    program: ["/bin/grep", "^Uid:", "/proc/self/status"],
                    seconds: 10,
                    proof: { $0.code == 0 && !$0.out.hasPrefix("Uid:\t1000\t") ? "another user" : nil }
                )
            }
        }

        @Test(
            .row(
                "CVE-2026-47262, GHSA-72x6-4j93-7w86",
                "Accounts of hundreds of megabytes, in one line or in many, are bounded."
            ),
            arguments: Target.engines.filter(\.isOurs) + Target.runtimes.filter(\.isOurs)
        )
        func CVE_2026_47262(target: Target) throws {
            try expectHarmless(target, ["one line", "many lines"]) { form, stage in
                let line = form == "one line" ? String(repeating: "x", count: 1 << 20) : "a:x:1:1::/:/bin/sh\n"
                let text = String(repeating: line, count: form == "one line" ? 64 : 3_500_000)
                return Attack(
                    root: [.file("etc/passwd", text), .file("etc/group", text)],
                    options: ["--user", "app"],
                    edits: [.set("process.user", ["uid": 1000, "gid": 1000])],
                    program: ["/bin/id", "-u"],
                    seconds: 20,
                    proof: { $0.code == 0 && $0.out != "1000\n" ? "another user" : nil }
                )
            }
        }

        @Test(
            .row(
                "CVE-2026-93320",
                "A FIFO, a device or a folder where the engine puts its own files: nothing blocks and no device is written."
            ),
            arguments: Target.all
        )
        func CVE_2026_93320(target: Target) throws {
            let names = ["etc/hosts", "etc/resolv.conf", "etc/hostname", "etc/mtab"]
            let kinds: [(String) -> Entry] = [
                { .fifo($0) }, { .device($0, major: 1, minor: 7) }, { .folder($0) }, { .link($0, to: "/attack/fifo") },
            ]
            try expectHarmless(target, Array(kinds.indices)) { kind, stage in
                let file = try stage.bundle.write("source-file", "mine\n")
                return Attack(
                    root: [.fifo("attack/fifo")] + names.map { kinds[kind]($0) },
                    edits: names.dropLast().map { .append("mounts", .bind(file, "/\($0)")) },
                    seconds: 15
                )
            }
        }

        @Test(
            .row(
                "CVE-2026-133553",
                "A copy of the image's folder into a tmpfs waits for no FIFO and reads no holes to their end."
            ),
            arguments: Target.runtimes
        )
        func CVE_2026_133553(target: Target) throws {
            let all: [Entry] = [.fifo("copied/x"), .device("copied/x", major: 1, minor: 5)]
            try expectHarmless(target, all + (target.isOurs ? [.holes("copied/x", bytes: 1 << 40)] : [])) {
                entry,
                stage in
                Attack(
                    root: [entry],
                    edits: [.append("mounts", .mount("/copied", "tmpfs", "tmpfs", ["tmpcopyup"]))],
                    seconds: 15
                )
            }
        }
    }
}
