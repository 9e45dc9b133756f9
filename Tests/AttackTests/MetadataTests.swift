import LinuxSystem
import OCI
import TestSupport
import Testing

extension Attacks {
    /// What an image says of itself obeys nobody, and what a document says that nobody understands is no "off".
    @Suite struct MetadataTests {
        @Test(
            .row(
                "CVE-2026-57231",
                "An entry of the image's Env without a value, or with a pattern, takes none of the caller's environment.",
                podman: "an entry without a value takes the caller's"
            ),
            arguments: Target.engines
        )
        func CVE_2026_57231(target: Target) throws {
            try expectHarmless(target, ["CANARY", "CANARY*", "CAN*", "*", "=CANARY", "", "$CANARY", "X=$CANARY"]) {
                entry,
                _ in
                Attack(
                    image: [("Env", ["PATH=/bin", .string(entry)])],
                    program: ["/bin/env"],
                    environment: ["CANARY": Victim.secret]
                )
            }
        }

        /// Of each engine the labels that change what a container is, or start something.
        private func labels(_ victim: Victim) -> [(key: String, value: JSON)] {
            [
                ("containerd.io/restart.loguri", "binary://\(victim.program)"),
                ("containerd.io/restart.status", "running"),
                ("io.containers.autoupdate", "registry"), ("PODMAN_SYSTEMD_UNIT", "\(victim.program)"),
                ("io.podman.annotations.seccomp", "unconfined"), ("io.podman.annotations.label", "disable"),
                ("io.podman.annotations.privileged", "TRUE"), ("io.podman.annotations.checkpoint.runtime.name", "crun"),
                ("io.podman.annotations.userns", "host"), ("io.podman.annotations.pids-limit", "-1"),
                ("run.oci.handler", "krun"), ("run.oci.hooks.stdout", victim.absent),
                ("run.oci.keep_original_groups", "1"),
                ("run.oci.seccomp_fail_unknown_syscall", "0"), ("run.oci.seccomp_bpf_file", victim.file),
                ("org.criu.config", victim.file), ("io.kubernetes.cri-o.userns-mode", "auto"),
                ("io.kubernetes.cri-o.Devices", "/dev/kmsg"), ("io.buildah.version", "1"),
                ("run", "docker run --privileged IMAGE"),
                ("com.docker.network.bridge.name", "lo"), ("minirun.privileged", "true"),
                ("org.opencontainers.image.base.name", "../../../etc"), ("RUN", "podman run --privileged IMAGE"),
            ].map { (key: $0.0, value: .string($0.1)) }
        }

        @Test(
            .row(
                "CVE-2026-94603, CVE-2026-53488, CVE-2026-121885",
                "A container of an image with the labels that engines act upon is, in all that a program sees, as without them."
            ),
            arguments: Target.engines
        )
        func CVE_2026_94603(target: Target) throws {
            let keys = [
                "capabilities", "seccomp", "seccomp_filters", "no_new_privs", "uid_map", "rlimits", "devices", "masked",
                "ids",
                "writable", "oom_score_adj", "securebits", "device_links", "cwd",
            ]
            try expectSafe(target, [0]) { _, stage in
                let program = ["/guest", "report"]
                func report(_ members: [(String, JSON)]) throws -> (Verdict, [String: JSON]) {
                    var seen: [String: JSON] = [:]
                    let verdict = try stage.verdict(
                        of: Attack(
                            image: members,
                            document: { document in
                                for (key, value) in members { document.set("x-\(key)", value) }
                                document.set("container_config", .object([(key: "Privileged", value: true)]))
                            },
                            program: program,
                            proof: { outcome in
                                guard let report = try? GuestReport(outcome) else {
                                    return outcome.code == 0 ? "no report" : nil
                                }
                                for key in keys { seen[key] = report[key] }
                                return nil
                            }
                        )
                    )
                    return (verdict, seen)
                }
                let (_, plain) = try report([])
                guard !plain.isEmpty else { return .broken("no report without labels") }
                let (verdict, labelled) = try report([
                    ("Labels", .object(labels(stage.victim))), ("Annotations", .object(labels(stage.victim))),
                    ("Privileged", true), ("SecurityOpt", ["seccomp=unconfined"]), ("HostConfig", ["Privileged": true]),
                ])
                // To refuse the image is right, too.
                if verdict == .refused, labelled.isEmpty { return verdict }
                let different = keys.filter { plain[$0]?.text() != labelled[$0]?.text() }
                return different.isEmpty ? verdict : .escaped("\(different) differ")
            }
        }

        @Test(
            .row(
                "CVE-2025-23266",
                "The image's environment and working folder are no hook's: LD_PRELOAD, PATH, cwd."
            ),
            arguments: Target.runtimes
        )
        func CVE_2025_23266(target: Target) throws {
            try expectHarmless(target, ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]) {
                kind,
                stage in
                let said = try stage.bundle.write("said", "", mode: 0o666)
                let library = try stage.bundle.write("rootfs/evil.so", "")
                return Attack(
                    root: [.folder("work")],
                    edits: [
                        .append("process.env", .string("LD_PRELOAD=\(library)")),
                        .append("process.env", "CANARY=inside"),
                        .set("process.cwd", "/work"),
                        .set(
                            "hooks.\(kind)",
                            [.shellHook("(/usr/bin/env; readlink /proc/self/cwd) > \(said)")]
                        ),
                    ],
                    proof: { outcome in
                        let text = (try? Files.readText(said)) ?? ""
                        if outcome.code == 0 && text.isEmpty { return "the hook did not run" }
                        return ["LD_PRELOAD", "CANARY", "/work\n"].first(where: text.contains).map {
                            "the hook sees \($0)"
                        }
                    }
                )
            }
        }

        @Test(
            .row(
                "GHSA-7236-3392-c5c6",
                "A word of the configuration's that nobody knows is an error, never the same as none.",
                crun: "an unknown propagation, or kind of device, is left out"
            ),
            arguments: Target.runtimes
        )
        func GHSA_7236_3392_c5c6(target: Target) throws {
            let rule: (String, JSON) -> JSON = { action, arguments in
                [
                    "defaultAction": "SCMP_ACT_ALLOW",
                    "syscalls": [["names": ["getcwd"], "action": .string(action), "args": arguments]],
                ]
            }
            let edits: [Edit] = [
                .set("linux.seccomp", ["defaultAction": "SCMP_ACT_NOTHING"]),
                .set("linux.seccomp", rule("SCMP_ACT_NOTHING", [])),
                .set("linux.seccomp", rule("SCMP_ACT_ERRNO", [["index": 0, "value": 1, "op": "SCMP_CMP_NOTHING"]])),
                .set("linux.seccomp", rule("SCMP_ACT_ERRNO", [["index": 6, "value": 1, "op": "SCMP_CMP_EQ"]])),
                .set("linux.seccomp", ["defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_NOTHING"]]),
                .append("linux.namespaces", ["type": "nothing"]),
                .append("process.rlimits", ["type": "RLIMIT_NOTHING", "hard": 1, "soft": 1]),
                .set("linux.rootfsPropagation", "nothing"),
                .append("linux.devices", ["type": "x", "path": "/dev/x", "major": 1, "minor": 3]),
            ]
            try expectHarmless(target, edits) { edit, _ in
                Attack(
                    edits: [edit],
                    program: ["/bin/echo", "it-runs"],
                    proof: { $0.out.contains("it-runs") ? "it runs" : nil }
                )
            }
        }

        @Test(
            .row("GHSA-7236-3392-c5c6, options", "The same of an engine's options."),
            arguments: Target.engines
        )
        func unknownOptions(target: Target) throws {
            let variants = [
                "--security-opt=seccomp=/nonexistent", "--security-opt=no-such-thing=1", "--network=container:nobody",
                "--pid=nonsense", "--ipc=nonsense", "--cap-drop=NO_SUCH", "--cap-add=NO_SUCH", "--ulimit=nonsense=1",
                "--userns=nonsense", "--cgroupns=nonsense", "--memory=nonsense", "--volume=/a:/b:nonsense",
            ]
            try expectHarmless(target, variants) { option, _ in
                Attack(
                    options: [option],
                    program: ["/bin/echo", "it-runs"],
                    proof: { $0.out.contains("it-runs") ? "it runs" : nil }
                )
            }
        }

        @Test(
            .row(
                "CVE-2025-47291",
                "A limit holds, in a user namespace and without: as many processes as were allowed."
            ),
            arguments: Target.all
        )
        func CVE_2025_47291(target: Target) throws {
            try expectHarmless(target, target.form == .engine ? [false] : [false, true]) { inUserNamespace, stage in
                var edits: [Edit] = [.set("linux.resources.pids", ["limit": 12])]
                if inUserNamespace {
                    try tool("chown", "-R", "100000:100000", stage.bundle.path("rootfs"))
                    edits += [
                        .append("linux.namespaces", ["type": "user"]),
                        .set("linux.uidMappings", [.mapping(0, 100_000, 2000)]),
                        .set("linux.gidMappings", [.mapping(0, 100_000, 2000)]), .unmount("/dev/mqueue"),
                    ]
                }
                return Attack(
                    options: ["--pids-limit", "12"],
                    edits: edits,
                    program: ["/guest", "fork", "40"],
                    proof: { outcome in
                        let count = outcome.out.split { !$0.isNumber }.first.flatMap { Int($0) } ?? 0
                        return count > 12 ? "\(count) processes" : nil
                    }
                )
            }
        }

        @Test(
            .row(
                "runc 1.5.3",
                "A container without a mount namespace of its own leaves the host's mounts and their propagation, and none of its own.",
                runc: "the host's / becomes private, and the mount of the root stays"
            ),
            arguments: Target.runtimes
        )
        func noMountNamespace(target: Target) throws {
            let mounts: [JSON] = [
                .mount("/proc", "proc", "proc", []), .mount("/on/tmpfs", "tmpfs", "tmpfs", []),
                .bind("/usr", "/on/bind", "ro"),
            ]
            try expectSafe(target, [[], mounts]) { mounts, stage in
                try stage.prepare(Attack(edits: [.unmount("/")], program: ["/bin/true"]))
                stage.bundle.config.set("mounts", .array(mounts))
                stage.bundle.config.removeAll("linux.namespaces") { $0["type"]?.string == "mount" }
                stage.bundle.config.remove("linux.maskedPaths")
                stage.bundle.config.remove("linux.readonlyPaths")
                try stage.bundle.writeConfiguration()
                // In a namespace of the test's own, shared as systemd has it.
                // Other tests' mounts come and go.
                let (own, all) = (stage.bundle.folder, Files.parent(of: stage.bundle.folder))
                let script = """
                    mounts() { awk 'index($5, "\(all)/") != 1 || index($5, "\(own)/") == 1' /proc/self/mountinfo; }
                    mount --make-rshared /; before=$(mounts)
                    "$@"; code=$?; after=$(mounts)
                    [ "$before" = "$after" ] || { echo mounts-differ; echo "$after"; }
                    exit $code
                    """
                let words = stage.bundle.command(["run", "--bundle", stage.bundle.folder, stage.bundle.id])
                let result = try Subprocess.run(
                    ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"] + words,
                    environment: BlackBox.environment(),
                    timeout: 30_000
                )
                return Verdict(result, proof: { $0.out.contains("mounts-differ") ? "the host's mounts differ" : nil })
            }
        }
    }
}
