import LinuxSystem
import OCI
import TestSupport
import Testing

extension Attacks {
    /// What the default profile leaves of the kernel, and what a container's process may do and holds.
    @Suite struct SystemCallTests {
        /// AF_ALG and AF_VSOCK must not even be looked up: "not supported" would be the kernel's answer, or the filter's.
        private static func sockets(_ families: [Int]) -> [String] {
            let lines = families.map { "/guest syscall socket \($0) 2 0" }
            return ["/bin/sh", "-c", lines.joined(separator: "; ")]
        }
        private static let isReached: @Sendable (Outcome) -> String? = { outcome in
            outcome.lines.contains { $0 == "ok" || $0 == "EAFNOSUPPORT" } ? "the kernel was asked" : nil
        }

        @Test(
            .row(
                "CVE-2026-31431",
                "AF_ALG is refused.",
                docker: "its profile of 2022 has no rule for it",
                podman: "its profile of 2022 has no rule for it"
            ),
            arguments: Target.engines
        )
        func CVE_2026_31431(target: Target) throws {
            try expectHarmless(target, [38]) { family, _ in
                Attack(program: Self.sockets([family]), proof: Self.isReached)
            }
        }

        @Test(
            .row(
                "CVE-2026-123876",
                "A family above 2^32 is the one of its lower half: AF_ALG and AF_VSOCK are refused.",
                docker: "the rule compares 64 bits of what the kernel takes 32 of",
                podman: "the rule compares 64 bits of what the kernel takes 32 of"
            ),
            arguments: Target.engines
        )
        func CVE_2026_123876(target: Target) throws {
            try expectHarmless(target, [1 << 32, 1 << 40, 0xffff_ffff << 32]) { upper, _ in
                Attack(program: Self.sockets([38, 40].map { $0 | upper }), proof: Self.isReached)
            }
        }

        @Test(
            .row(
                "CVE-2026-123876, a given profile",
                "A rule of the caller's that compares a family with LT compares what the kernel reads."
            ),
            arguments: Target.runtimes
        )
        func givenProfile(target: Target) throws {
            let less: JSON = ["index": 0, "value": 41, "op": "SCMP_CMP_LT"]
            let profile: JSON = [
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [["names": ["socket"], "action": "SCMP_ACT_ERRNO", "args": [less]]],
            ]
            try expectHarmless(target, [0, 1 << 32, 0xffff_ffff << 32]) { upper, _ in
                Attack(
                    edits: [.set("linux.seccomp", profile)],
                    program: Self.sockets([40 | upper]),
                    proof: Self.isReached
                )
            }
        }

        @Test(
            .row(
                "CVE-2026-43284, CVE-2026-43500, CVE-2026-46300",
                "No new user namespace, no AF_RXRPC and no AF_KEY: what the page cache attacks of 2026 need.",
                docker: "AF_KEY and AF_RXRPC are open",
                podman: "its profile leaves new user namespaces to the program"
            ),
            arguments: Target.engines
        )
        func CVE_2026_43284(target: Target) throws {
            try expectHarmless(target, [0]) { _, _ in
                Attack(
                    program: ["/bin/sh", "-c", "/guest unshare-try; \(Self.sockets([15, 33, 44]).last ?? "")"],
                    proof: { outcome in
                        outcome.lines.contains { $0 == "ok" || $0.hasSuffix(": ok") } ? "a way is open" : nil
                    }
                )
            }
        }

        @Test(
            .row(
                "CVE-2022-0492",
                "No control group can be mounted and no release_agent set, with and without namespaces of the program's own."
            ),
            arguments: Target.engines
        )
        func CVE_2022_0492(target: Target) throws {
            let script = """
                /guest mount-try
                for f in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/release_agent; do
                    [ ! -e $f ] || echo "release_agent: $(/guest write $f /nothing)"
                done
                """
            try expectHarmless(target, [[], ["--user", "1000"], ["--cap-add", "SYS_PTRACE"]]) { options, _ in
                Attack(
                    options: options,
                    program: ["/bin/sh", "-c", script],
                    proof: { outcome in outcome.lines.contains { $0.hasSuffix(": ok") } ? "a way is open" : nil }
                )
            }
        }

        @Test(
            .row(
                "CVE-2022-24769, CVE-2022-29162, CVE-2025-27612",
                "The inheritable and the ambient set are empty, whoever the user is."
            ),
            arguments: Target.all
        )
        func CVE_2025_27612(target: Target) throws {
            try expectHarmless(target, [0, 1000]) { user, _ in
                Attack(
                    options: ["--user", "\(user)"],
                    edits: [.set("process.user", ["uid": .number(user), "gid": .number(user)])],
                    program: ["/guest", "report"],
                    proof: { outcome in
                        guard let report = try? GuestReport(outcome) else { return "no report" }
                        let sets = ["inheritable", "ambient"].flatMap { report.capabilities($0) }
                        return sets.isEmpty ? nil : "\(sets)"
                    }
                )
            }
        }

        @Test(
            .row(
                "CVE-2024-21626",
                "A working folder that is a descriptor of the engine's leads to no folder of the host's.",
                docker: "a control group's folder of the host stays open in the container's first process"
            ),
            arguments: Target.all
        )
        func CVE_2024_21626(target: Target) throws {
            let numbers = target.form == .engine ? Array(6...10) : Array(3...20)
            try expectHarmless(target, numbers.map { "/proc/self/fd/\($0)" } + ["/link"]) { folder, stage in
                Attack(
                    root: [.link("link", to: "/proc/self/fd/8")],
                    options: ["-w", folder],
                    edits: [.set("process.cwd", .string(folder))],
                    program: ["/guest", "read", Victim.up(stage.victim.file)]
                )
            }
        }

        @Test(
            .row(
                "CVE-2020-15257",
                "Nobody listens at a name without a path, where a container in the host's network would reach him."
            ),
            arguments: Target.engines
        )
        func CVE_2020_15257(target: Target) throws {
            try expectHarmless(target, [0]) { _, _ in
                Attack(
                    options: ["--network", "host"],
                    program: ["/bin/cat", "/proc/net/unix"],
                    proof: { outcome in
                        let names = ["@/containerd", "@minirun", "@docker", "@podman", "@/run/", "@conmon"]
                        return names.first(where: outcome.out.contains).map { "\($0) listens" }
                    }
                )
            }
        }

        @Test(
            .row(
                "CVE-2021-41091, CVE-2024-25621",
                "What images and containers have on the disk is closed to other users."
            ),
            arguments: Target.engines
        )
        func CVE_2021_41091(target: Target) throws {
            try expectSafe(target, [0]) { _, stage in
                let verdict = try stage.verdict(of: Attack())
                let engine = try stage.engine()
                let look = [
                    "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "find", engine.store, "-name",
                    "guest",
                ]
                let result = try Subprocess.run(engine.inside(look, seconds: 30), timeout: 40_000)
                // An engine that the suite does not know keeps its store elsewhere.
                return verdict.worse(result.output.isEmpty ? .contained : .escaped("others see \(result.outputText)"))
            }
        }

        @Test(
            .row("CVE-2026-53495", "A program that leaves somebody behind who holds its output keeps nobody waiting."),
            arguments: Target.all
        )
        func CVE_2026_53495(target: Target) throws {
            try expectHarmless(target, [0]) { _, _ in
                Attack(program: ["/bin/sh", "-c", "sleep 300 & echo left"], seconds: 15)
            }
        }

        @Test(
            .row(
                "runc 1.3 to 1.5",
                "Descriptors of the caller's that are open to its children are not the container's."
            ),
            arguments: Target.all
        )
        func inheritedDescriptors(target: Target) throws {
            try expectSafe(target, [0]) { _, stage in
                let attack = Attack(program: ["/bin/sh", "-c", "ls -l /proc/self/fd"])
                try stage.prepare(attack)
                let words: [String]
                if target.form == .engine {
                    let archive = try ImageArchive(of: stage.bundle, attack)
                    let engine = try stage.engine()
                    _ = try engine(["load", "-i", archive.path])
                    words = engine.words(["run", "--rm", archive.name] + attack.program, seconds: 30)
                } else {
                    try stage.bundle.writeConfiguration()
                    words = stage.bundle.command(["run", "--bundle", stage.bundle.folder, stage.bundle.id])
                }
                let script =
                    "exec 3< \(stage.victim.folder) 7< \(stage.victim.inner) 9<> \(stage.victim.file); exec \"$@\""
                let result = try Subprocess.run(
                    ["bash", "-c", script, "bash"] + words,
                    environment: BlackBox.environment(),
                    timeout: 30_000
                )
                return Verdict(
                    result,
                    proof: { $0.out.contains("victim") ? "the caller's files are open inside" : nil }
                )
            }
        }
    }
}
