import LinuxSystem
import OCI
import TestSupport
import Testing

extension Attacks {
    /// Archives that lead out of their folder, lie about what they hold, or grow: `load` of every engine.
    @Suite struct ArchiveTests {
        /// Loads an archive with members that python adds (`ImageArchive`), and runs what came of it.
        private func load(
            _ stage: Stage,
            _ attack: Attack = Attack(),
            extra: String = "",
            diffID: String? = nil,
            layer: String? = nil,
            seconds: Int = 30
        ) throws -> Verdict {
            try stage.prepare(attack)
            let archive = try ImageArchive(of: stage.bundle, attack, diffID: diffID, layer: layer, extra: extra)
            let engine = try stage.engine()
            let loaded = try engine(["load", "-i", archive.path], seconds: seconds)
            var verdict = Verdict(loaded, mustWork: attack.mustWork, proof: attack.proof)
            if loaded.status == .exited(0) {
                let run = try engine(["run", "--rm", archive.name] + attack.program, seconds: seconds)
                verdict = verdict.worse(Verdict(run, mustWork: attack.mustWork, proof: attack.proof))
            }
            return stage.judged(verdict)
        }

        @Test(
            .row(
                "CVE-2026-17106, CVE-2025-11395, CVE-2026-20613",
                "Members of an image's archive that name, or are links to, what lies outside write and show nothing of it.",
                podman: "a link of the archive is followed, and the file behind it written"
            ),
            arguments: Target.engines
        )
        func CVE_2026_17106(target: Target) throws {
            let variants = [
                "text('UP/made', b'x')", "text('VICTIM/made', b'x')", "text('VICTIM/file', b'x')",
                "archive.addfile(member('out', type=tarfile.SYMTYPE, linkname='VICTIM')); text('out/made', b'x')",
                "archive.addfile(member('out', type=tarfile.SYMTYPE, linkname='UP')); text('out/made', b'x')",
                "archive.addfile(member('out', type=tarfile.LNKTYPE, linkname='VICTIM/file')); text('out', b'x')",
                "archive.addfile(member('config.json', type=tarfile.SYMTYPE, linkname='VICTIM/file'))",
                "archive.addfile(member('layer.tar', type=tarfile.SYMTYPE, linkname='VICTIM/file'))",
                "archive.addfile(member('manifest.json', type=tarfile.SYMTYPE, linkname='VICTIM/file'))",
                "archive.addfile(member('repositories', type=tarfile.LNKTYPE, linkname='VICTIM/file'))",
                "archive.addfile(member('layer.tar', type=tarfile.FIFOTYPE))",
                "archive.addfile(member('config.json', type=tarfile.CHRTYPE, devmajor=1, devminor=5))",
            ]
            try expectSafe(target, variants) { variant, stage in
                let up = Victim.up(stage.victim.folder)
                let extra = variant.replacing("VICTIM", with: stage.victim.folder).replacing("UP", with: up)
                return try load(stage, extra: extra)
            }
        }

        @Test(
            .row(
                "CVE-2026-17106, layers",
                "The same of a layer's members: names, links and what is written through them stay in the root."
            ),
            arguments: Target.engines
        )
        func layers(target: Target) throws {
            let variants = [
                "text('UP/made', b'x')", "text('VICTIM/made', b'x')",
                "link('out', 'VICTIM'); text('out/made', b'x')", "link('out', 'UP'); text('out/made', b'x')",
                "folder('swap'); link('swap', 'VICTIM'); text('swap/made', b'x'); folder('swap')",
                "hard('read', 'VICTIM/file')", "hard('read', 'UP/file')",
                "link('out', 'VICTIM'); hard('read', 'out/file')",
                "link('out', 'VICTIM'); text('out/.wh.file', b'')",
                "link('out', 'VICTIM'); text('out/.wh..wh..opq', b'')",
                "link('out', 'VICTIM/file'); hard('again', 'out'); text('again', b'x', mode=0o4755)",
                "link('out', 'VICTIM'); folder('out', mode=0o777, uid=1000)",
                "text('.wh...', b'')", "text('.wh..', b'')", "text('.wh.', b'')", "text('a/.wh...', b'')",
            ]
            try expectSafe(target, variants) { variant, stage in
                let up = Victim.up(stage.victim.folder)
                let extra = variant.replacing("VICTIM", with: stage.victim.folder).replacing("UP", with: up)
                return try load(
                    stage,
                    Attack(program: ["/bin/cat", "/read"], proof: { _ in nil }),
                    layer: try layer(stage, extra)
                )
            }
        }

        /// The bundle's root, and members that python adds.
        private func layer(_ stage: Stage, _ members: String, base: Bool = true) throws -> String {
            let path = stage.bundle.path("made-layer.tar")
            let script = """
                import io, sys, tarfile
                archive = tarfile.open(sys.argv[1], 'w', format=tarfile.PAX_FORMAT)
                def add(name, content=None, **fields):
                    info = tarfile.TarInfo(name)
                    for key, value in fields.items(): setattr(info, key, value)
                    if content is not None: info.size = len(content)
                    archive.addfile(info, io.BytesIO(content or b''))
                def text(name, content, **fields): add(name, content, **fields)
                def link(name, target): add(name, type=tarfile.SYMTYPE, linkname=target, mode=0o777)
                def hard(name, target): add(name, type=tarfile.LNKTYPE, linkname=target)
                def folder(name, mode=0o755, **fields): add(name, type=tarfile.DIRTYPE, mode=mode, **fields)
                if \(base ? "True" : "False"): archive.add(sys.argv[2], '.')
                \(members)
                archive.close()
                """
            try tool("python3", "-c", script, path, stage.bundle.path("rootfs"))
            return path
        }

        @Test(
            .row(
                "GHSA-697p-8837-37h3, GHSA-g3rx-2m58-rr63",
                "Names and attributes of any length and form end in an error, or work, and end no process."
            ),
            arguments: Target.engines
        )
        func GHSA_697p_8837_37h3(target: Target) throws {
            let attribute = { (key: String, value: String) in
                "add('x', b'', pax_headers={\(key): \(value)})"
            }
            let variants = [
                "text('a' * 255, b'')", "text('a' * 256, b'')", "text('a' * 4096, b'')", "text('a/' * 2047 + 'b', b'')",
                "text('b\\udcff\\udcfe', b'')", "text('', b'x')", "text('.', b'x')", "link('l', 'x' * 5000)",
                attribute("'SCHILY.xattr.user.'", "'x'"), attribute("'SCHILY.xattr.' + 'n' * 300", "'x'"),
                attribute("'SCHILY.xattr.user.big'", "'x' * 70000"),
                attribute("'SCHILY.xattr.security.capability'", "'x'"),
                attribute("'size'", "'-1'"), attribute("'size'", "'9223372036854775807'"),
                attribute("'mtime'", "'1e400'"),
                attribute("'mtime'", "'nan'"), attribute("'mtime'", "'253402300800.999999999'"),
                attribute("'uid'", "'4294967295'"),
                attribute("'gid'", "'18446744073709551616'"), attribute("'path'", "'x' * 5000"),
            ]
            try expectSafe(target, variants) { variant, stage in
                try load(stage, layer: try layer(stage, variant))
            }
        }

        @Test(
            .row(
                "CVE-2024-36620",
                "A configuration without history, time, root or with nulls in their places ends in an error, or works."
            ),
            arguments: Target.engines
        )
        func CVE_2024_36620(target: Target) throws {
            let documents: [(Int, (inout JSON) -> Void)] = [
                (1, { $0.set("history", .null) }), (2, { $0.set("config", .null) }), (3, { $0.set("created", .null) }),
                (4, { $0.set("rootfs", .null) }), (5, { $0.remove("rootfs") }),
                (6, { $0.set("history", [[:], [:], [:]]) }),
                (7, { $0.set("rootfs.diff_ids", .null) }), (8, { $0.set("rootfs.diff_ids", []) }), (9, { $0 = .null }),
                (10, { $0 = [] }), (11, { $0.set("config.Env", .null) }), (12, { $0.set("config.Entrypoint", "text") }),
                (13, { $0.set("config.ExposedPorts", ["x": .null]) }), (14, { $0.set("config.Volumes", [:]) }),
                (15, { $0.set("rootfs.diff_ids", ["sha256:../../x"]) }), (16, { $0.set("rootfs.diff_ids", [""]) }),
                (17, { $0.set("config.Healthcheck", ["Interval": .number("9223372036854775807")]) }),
                (18, { $0.set("config.StopSignal", "") }), (19, { $0.set("architecture", "") }),
            ]
            try expectSafe(target, documents) { variant, stage in
                try load(stage, Attack(document: variant.1))
            }
        }

        @Test(
            .row(
                "GHSA-f2v9-hprr-32q3",
                "A layer whose digest is not what its configuration says is refused, and stands for nobody's layer afterwards."
            ),
            arguments: Target.engines
        )
        func GHSA_f2v9_hprr_32q3(target: Target) throws {
            try expectSafe(target, [0]) { _, stage in
                let engine = try stage.engine()
                // The digest of a good layer, under which a bad one comes first.
                try stage.bundle.write("rootfs/who", "good \(stage.bundle.id)\n")
                let good = try layer(stage, "")
                let digest = try "sha256:" + tool("sha256sum", good).prefix(64)
                let kept = stage.bundle.path("good-layer.tar")
                try tool("cp", good, kept)
                let bad = try layer(stage, "text('who', b'bad\\n')")
                let first = try load(stage, Attack(program: ["/bin/cat", "/who"]), diffID: digest, layer: bad)
                let archive = try ImageArchive(of: stage.bundle, Attack(), layer: kept)
                let loaded = Verdict(try engine(["load", "-i", archive.path]), mustWork: true)
                let run = try engine(["run", "--rm", archive.name, "/bin/cat", "/who"])
                let second = Verdict(
                    run,
                    mustWork: true,
                    proof: { $0.out.hasPrefix("good") ? nil : "the bad layer took its place" }
                )
                return first.worse(loaded).worse(second)
            }
        }

        @Test(
            .row("CVE-2026-95838", "A hundred thousand opaque markers in one folder cost what one costs."),
            arguments: Target.engines
        )
        func CVE_2026_95838(target: Target) throws {
            let members = """
                for number in range(3000): text('n%d' % number, b'')
                for number in range(100000): text('.wh..wh..opq', b'')
                """
            try expectSafe(target, ["one layer"]) { _, stage in
                try load(stage, layer: try layer(stage, members), seconds: 60)
            }
        }

        @Test(
            .row(
                "CVE-2026-95838, attributes",
                "Twenty thousand global attributes cost once, not for each entry behind them."
            ),
            arguments: Target.engines
        )
        func globalAttributes(target: Target) throws {
            let members = """
                archive.pax_headers = {}
                archive.fileobj.write(tarfile.TarInfo.create_pax_global_header({'x%d' % n: 'y' for n in range(20000)}))
                for number in range(2000): text('n%d' % number, b'')
                """
            try expectSafe(target, [0]) { _, stage in
                try load(stage, layer: try layer(stage, members, base: false), seconds: 60)
            }
        }

        @Test(
            .row(
                "CVE-2026-53493",
                "Documents and names that multiply: an archive's tags, images and manifests are bounded."
            ),
            arguments: Target.engines
        )
        func CVE_2026_53493(target: Target) throws {
            let variants = [
                "import json; text('repositories', json.dumps({'n%d' % n: {'l': 'x'} for n in range(100000)}).encode())",
                "import json; text('manifest.json', json.dumps([{'Config': 'config.json', 'RepoTags': None, 'Layers': "
                    + "['layer.tar']}] * 20000).encode())",
                "import json; text('manifest.json', b'[' * 1000000)",
                "import json; text('index.json', b'[' * 1000000); text('oci-layout', b'{\"imageLayoutVersion\": \"1.0.0\"}')",
            ]
            try expectSafe(target, variants) { variant, stage in try load(stage, extra: variant, seconds: 60) }
        }

        @Test(
            .row("CVE-2026-53493, graph", "An index whose levels each name the next many times ends, or is refused."),
            arguments: Target.engines
        )
        func indexGraph(target: Target) throws {
            let script = """
                import hashlib, io, json, sys, tarfile
                archive = tarfile.open(sys.argv[1], 'w')
                def add(name, content):
                    info = tarfile.TarInfo(name); info.size = len(content); archive.addfile(info, io.BytesIO(content))
                def blob(document, kind):
                    content = json.dumps(document).encode(); digest = hashlib.sha256(content).hexdigest()
                    add('blobs/sha256/' + digest, content)
                    return {'mediaType': kind, 'digest': 'sha256:' + digest, 'size': len(content)}
                index = 'application/vnd.oci.image.index.v1+json'
                config = blob({'architecture': 'amd64', 'os': 'linux', 'config': {}, 'rootfs': {'type': 'layers', 'diff_ids': []}},
                              'application/vnd.oci.image.config.v1+json')
                below = blob({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json', 'config': config,
                              'layers': []}, 'application/vnd.oci.image.manifest.v1+json')
                for level in range(20):
                    below = blob({'schemaVersion': 2, 'mediaType': index, 'manifests': [below] * 100}, index)
                below = dict(below, annotations={'org.opencontainers.image.ref.name': 'graph:1'})
                add('index.json', json.dumps({'schemaVersion': 2, 'manifests': [below]}).encode())
                add('oci-layout', b'{"imageLayoutVersion": "1.0.0"}')
                archive.close()
                """
            try expectSafe(target, [0]) { _, stage in
                let path = stage.bundle.path("graph.tar")
                try tool("python3", "-c", script, path)
                return Verdict(try stage.engine()(["load", "-i", path], seconds: 30))
            }
        }

        @Test(
            .row(
                "GHSA-x7pf-2jmj-pgcq",
                "Ids and names with `..` and slashes are refused at every verb, and remove nothing.",
                crun: "`delete` takes the id for a path, and deletes what lies there"
            ),
            arguments: Target.all
        )
        func GHSA_x7pf_2jmj_pgcq(target: Target) throws {
            // Only what leads to the victim. An id of "/" made crun 1.8.1 delete the machine's root: `delete` opens it from its state
            // folder, and an absolute path is itself.
            let names = ["../victim", "x/../../victim", "a/b", "-x", "a\nb"]
            try expectSafe(target, names) { name, stage in
                try stage.prepare(Attack())
                if target.form == .engine {
                    let engine = try stage.engine()
                    var worst = try stage.verdict(of: Attack(options: ["--name=\(name)"]))
                    // "" is no name at all, and "-x" an option.
                    for words in [["rm", "-f", name], ["rmi", name]] where !name.isEmpty && !name.hasPrefix("-") {
                        worst = worst.worse(Verdict(try engine(words)))
                    }
                    return worst
                }
                try stage.bundle.writeConfiguration()
                var worst = Verdict.refused
                let verbs = [
                    ["run", "--bundle", stage.bundle.folder, name], ["state", name], ["delete", "--force", name],
                    ["kill", name],
                ]
                for words in verbs {
                    let result = try Subprocess.run(
                        stage.bundle.command(words),
                        environment: BlackBox.environment(),
                        timeout: 20_000
                    )
                    worst = worst.worse(Verdict(result))
                }
                return stage.judged(worst)
            }
        }
    }

    /// What peers broke with their cures: legitimate images and options that must go on working.
    @Suite struct RegressionTests {
        @Test(
            .row(
                "regressions of CVE-2026-17106",
                "Absolute links, hard links to links, accounts behind links (NixOS) and device nodes in an image work."
            ),
            arguments: Target.engines
        )
        func legitimateImages(target: Target) throws {
            let variants: [([Entry], [String])] = [
                (
                    [.hardLink("attack/busybox", to: "bin/busybox"), .link("usr/sh", to: "/attack/busybox")],
                    ["/usr/sh", "-c", "echo 1000"]
                ),
                ([.link("lib64", to: "/attack"), .folder("attack/x")], ["/bin/sh", "-c", "cd /lib64/x && echo 1000"]),
                (
                    [.link("etc/alias", to: "/etc/none"), .hardLink("etc/second", to: "bin/busybox")],
                    ["/bin/echo", "1000"]
                ),
                ([.device("nodes/null", major: 1, minor: 3)], ["/bin/sh", "-c", "test -c /nodes/null && echo 1000"]),
                (
                    [.file("nix/passwd", "app:x:1000:1000::/:/bin/sh\n"), .link("etc/passwd", to: "/nix/passwd")],
                    ["id", "-u"]
                ),
                (
                    [
                        .file("nix/passwd", "app:x:1000:1000::/:/bin/sh\n"),
                        .link("etc/passwd", to: "../../../nix/passwd"),
                    ], ["id", "-u"]
                ),
                (
                    [.file("nix/etc/passwd", "app:x:1000:1000::/:/bin/sh\n"), .link("etc", to: "/nix/etc")],
                    ["id", "-u"]
                ),
            ]
            try expectHarmless(target, variants) { variant, _ in
                let isUser = variant.1.first == "id"
                return Attack(
                    root: variant.0,
                    options: isUser ? ["--user", "app"] : [],
                    program: isUser ? ["/bin/id", "-u"] : variant.1,
                    mustWork: true,
                    proof: { $0.code == 0 && $0.out != "1000\n" ? "something else ran" : nil }
                )
            }
        }

        @Test(
            .row(
                "regressions of CVE-2025-31133, CVE-2025-52565, CVE-2025-52881",
                "Masks of what is not there, a terminal, settings of the kernel and a read-only root work.",
                crun:
                    "settings are written to the /proc/sys of the caller, which is read-only in the copy of the machine"
            ),
            arguments: Target.runtimes
        )
        func legitimateBundles(target: Target) throws {
            let variants: [([Edit], Bool)] = [
                ([.append("linux.maskedPaths", "/not/there"), .append("linux.readonlyPaths", "/not/there")], false),
                ([], true), ([.set("root.readonly", true)], true),
                ([.set("linux.sysctl", .object([(key: "kernel.msgmax", value: "12345")]))], false),
                ([.uncover("/dev/shm"), .uncover("/dev/mqueue")], false), ([.uncover("/sys")], false),
            ]
            try expectHarmless(target, variants) { variant, _ in
                Attack(
                    edits: variant.0,
                    program: ["/bin/echo", "it-runs"],
                    terminal: variant.1,
                    mustWork: true,
                    proof: { $0.code == 0 && !$0.out.contains("it-runs") ? "it says nothing" : nil }
                )
            }
        }

        @Test(
            .row(
                "grammars",
                "Colons, commas, quotes, backslashes and line feeds in paths are no separators of anything."
            ),
            arguments: Target.runtimes
        )
        func names(target: Target) throws {
            try expectHarmless(target, ["a:b", "a,b=c", "a\\b", "a b", "a\"b'c", "a%s$(x)", "ü"]) { name, stage in
                let source = try stage.bundle.makeFolder("source/\(name)")
                try Files.write("\(source)/mark", Array("it-is-there\n".utf8))
                return Attack(
                    root: [.folder("on/\(name)")],
                    edits: [.append("mounts", .bind(source, "/on/\(name)"))],
                    program: ["/bin/cat", "/on/\(name)/mark"],
                    mustWork: true,
                    proof: { $0.code == 0 && $0.out != "it-is-there\n" ? "something else is there" : nil }
                )
            }
        }

        @Test(
            .row(
                "CVE-2024-9407, grammars",
                "An option of a mount brings no other one with it: what follows a known word with a separator is an error."
            ),
            arguments: Target.engines
        )
        func CVE_2024_9407(target: Target) throws {
            let variants = [
                "type=bind,src=SOURCE,dst=/on,bind-propagation=rprivate:suid",
                "type=bind,src=SOURCE,dst=/on,bind-propagation=x",
                "type=tmpfs,dst=/on,tmpfs-mode=0755:uid=0", "type=tmpfs,dst=/on,tmpfs-size=1m:mode=0777",
                "type=nothing,dst=/on",
            ]
            try expectHarmless(target, variants) { variant, stage in
                let source = try stage.bundle.makeFolder("source")
                return Attack(
                    options: ["--mount", variant.replacing("SOURCE", with: source)],
                    program: ["/bin/echo", "it-runs"],
                    proof: { $0.out.contains("it-runs") ? "it runs" : nil }
                )
            }
        }
    }
}
