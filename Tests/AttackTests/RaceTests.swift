import LinuxSystem
import OCI
import TestSupport
import Testing

extension Attacks {
    /// Somebody who shares a folder exchanges a folder for a link while a container is made.
    @Suite struct RaceTests {
        private static let rounds = 15

        /// `shared/a` is a folder, `shared/b` a link to the victim's, and both change places at full speed.
        private func exchange(_ target: Target, _ attack: (Stage) throws -> Attack) throws {
            try expectSafe(target, [0]) { _, stage in
                try stage.bundle.makeFolder("shared/a")
                try stage.bundle.write("shared/a/file", "mine\n")
                try Link.create(stage.bundle.path("shared/b"), to: Victim.up(stage.victim.inner))
                let swapper = try Launched(
                    [GuestProgram.path, "exchange", stage.bundle.path("shared/a"), stage.bundle.path("shared/b")]
                )
                try swapper.expect("ready")
                let attack = try attack(stage)
                var worst = Verdict.refused
                for _ in 0..<Self.rounds { worst = worst.worse(try stage.again(attack)) }
                swapper.closeInput()
                try swapper.wait()
                return stage.judged(worst)
            }
        }

        @Test(
            .row(
                "CVE-2021-30465, CVE-2024-45310",
                "A mount's target, whose parent is exchanged for a link, lies in the root, and nothing is made outside.",
                runc: "files and folders for mounts are made through the link",
                sometimes: true
            ),
            arguments: Target.all
        )
        func CVE_2024_45310(target: Target) throws {
            try exchange(target) { stage in
                let source = try stage.bundle.makeFolder("source")
                let file = try stage.bundle.write("source-file", "mine\n")
                let shared = stage.bundle.path("shared")
                return Attack(
                    options: ["-v", "\(shared):/s", "-v", "\(source):/s/a/deep/1", "-v", "\(file):/s/a/2"],
                    edits: [
                        .append("mounts", .bind(shared, "/s")), .append("mounts", .bind(source, "/s/a/deep/1")),
                        .append("mounts", .bind(file, "/s/a/2")),
                    ]
                )
            }
        }

        @Test(
            .row(
                "CVE-2026-133553, exchanged",
                "What is copied into a tmpfs is written to no folder that its place was exchanged for.",
                runc: "the copy is written by its path",
                crun: "the copy is written by its path",
                sometimes: true
            ),
            arguments: Target.runtimes
        )
        func copyIntoMemory(target: Target) throws {
            try exchange(target) { stage in
                Attack(edits: [
                    .append("mounts", .bind(stage.bundle.path("shared"), "/s")),
                    .append("mounts", .mount("/s/a", "tmpfs", "tmpfs", ["tmpcopyup"])),
                ])
            }
        }

        @Test(
            .row(
                "CVE-2026-55686, exchanged",
                "The working folder that is made lies in the root, though its parent is exchanged for a link."
            ),
            arguments: Target.all
        )
        func workingFolder(target: Target) throws {
            try exchange(target) { stage in
                Attack(
                    options: ["-v", "\(stage.bundle.path("shared")):/s", "-w", "/s/a/made"],
                    edits: [
                        .append("mounts", .bind(stage.bundle.path("shared"), "/s")), .set("process.cwd", "/s/a/made"),
                    ]
                )
            }
        }
    }
}
