import LinuxSystem
import OCI
import TestSupport
import Testing

/// Arguments, environment, paths and names that are no UTF-8 arrive byte for byte.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(5))) struct ByteTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    /// All that an argument can hold; the scalars that stand for such bytes inside of the engine; what begins and is not finished;
    /// a mark that makes another character of the "=" before it.
    static let values: [[UInt8]] = [
        Array(1...255), [0xFF], [0xF4, 0x8F, 0xBE, 0x80, 0xF4, 0x8F, 0xBF, 0xBF], [0x61, 0xE2, 0x82],
        [0xCC, 0x81, 0x78],
    ]
    private static let show = "printf %s \"$V\" | od -An -v -tx1 | tr -d ' \\n'"
    private static let ff = String(rawBytes: [0xFF])

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test(arguments: values) func argumentsAndEnvironment(_ bytes: [UInt8]) throws {
        let text = String(rawBytes: bytes)
        let argument = try minirun("run", "--rm", Fixtures.busybox, "sh", "-c", "V=$1; \(Self.show)", "sh", text)
        #expect(argument.out == hex(bytes), "\(argument)")
        let option = try minirun("run", "--rm", "-e", "V=\(text)", Fixtures.busybox, "sh", "-c", Self.show)
        #expect(option.out == hex(bytes), "\(option)")
        let replaced = try minirun(
            "run",
            "--rm",
            "-e",
            "V=old",
            "-e",
            "V=\(text)",
            Fixtures.busybox,
            "sh",
            "-c",
            Self.show
        )
        #expect(replaced.out == hex(bytes), "\(replaced)")
        let caller = try minirun.invoke(
            ["run", "--rm", "-e", "V", Fixtures.busybox, "sh", "-c", Self.show],
            environment: ["V": text]
        )
        #expect(caller.out == hex(bytes), "\(caller)")
    }

    /// A file of variables has to be UTF-8, with us as with docker; what is UTF-8 arrives, and its own path may be anything.
    @Test func fileOfVariables() throws {
        let scalar: [UInt8] = [0xF4, 0x8F, 0xBE, 0x80]
        let file = minirun.path("env\(Self.ff)")
        try Files.write(file, Array("V=".utf8) + scalar + [0x0A])
        let outcome = try minirun("run", "--rm", "--env-file", file, Fixtures.busybox, "sh", "-c", Self.show)
        #expect(outcome.out == hex(scalar), "\(outcome)")
        try Files.write(file, Array("V=".utf8) + [0xFF, 0x0A])
        let refused = try minirun("run", "--rm", "--env-file", file, Fixtures.busybox, "true")
        #expect(refused.code == 125 && refused.err.contains("invalid utf8 bytes at line 1"), "\(refused)")
        #expect(refused.err.contains("env\\xff"))
    }

    @Test func paths() throws {
        let name = String(rawBytes: Array(0x80...0xFF))
        let folder = try minirun.makeFolder("bind\(name)")
        try Files.write("\(folder)/\(name)", Array("#!/bin/sh\nprintf 'ran in '; pwd\n".utf8), mode: 0o755)
        let outcome = try minirun(
            "run",
            "--rm",
            "-v",
            "\(folder):/x\(name)",
            "-w",
            "/x\(name)/.",
            "--entrypoint",
            "./\(name)",
            Fixtures.busybox
        )
        #expect(outcome.out == "ran in /x\(name)\n", "\(outcome)")
        let mounted = try minirun(
            "run",
            "--rm",
            "--mount",
            "type=bind,source=\(folder),target=/y\(name)",
            "--tmpfs",
            "/t\(name)",
            "-w",
            "/new\(name)",
            Fixtures.busybox,
            "sh",
            "-c",
            "cd /y*; printf '%s\\n' *; cd -; grep -c ^tmpfs./t /proc/mounts"
        )
        #expect(mounted.out == "\(name)\n/new\(name)\n1\n", "\(mounted)")
        let missing = try minirun("run", "--rm", Fixtures.busybox, "/no\(name)")
        #expect(missing.code == 127 && missing.err.contains("/no"), "\(missing)")
        let file = minirun.path("cid\(name)")
        #expect(try minirun("run", "--rm", "--cidfile", file, Fixtures.busybox, "true").code == 0)
        #expect(try Files.read(file).count == 64)
        let report = minirun.path("report\(name)")
        #expect(try minirun("run", "--rm", "--report=\(report)", Fixtures.busybox, "true").code == 0)
        #expect(FileStatus.exists(report))
    }

    /// The engine's own folders.
    @Test func rootAndState() throws {
        let own = try minirun.makeFolder("own\(Self.ff)")
        func engine(_ words: String...) throws -> Outcome {
            Outcome(
                try Subprocess.run(
                    [Minirun.program] + words,
                    environment: Minirun.environment(["MINIRUN_ROOT": "\(own)/root", "MINIRUN_STATE": "\(own)/state"]),
                    timeout: 60_000
                )
            )
        }
        let archive = try minirun.makeFolder("in\(Self.ff)") + "/busybox.tar"
        try tool("cp", "\(Fixtures.folder)/busybox.docker.tar", archive)
        #expect(try engine("load", "-i", archive).code == 0)
        #expect(try engine("run", "--name", "kept", "busybox", "echo", Self.ff).out == "\(Self.ff)\n")
        #expect(try Files.list(own).sorted() == ["root", "state"])
        // What is JSON is UTF-8, and says which byte it was.
        let inspected = try engine("inspect", "kept")
        #expect(!inspected.out.rawBytes.contains(0xFF) && inspected.out.contains(#""\udcff""#), "\(inspected)")
        #expect(try engine("rm", "kept").code == 0)
        let saved = "\(own)/saved\(Self.ff)"
        #expect(try engine("save", "-o", saved, "busybox").code == 0)
        #expect(try FileStatus.of(saved).size > 0)
    }

    @Test func aTerminalShowsThem() throws {
        let session = try Session(
            onTerminal: minirun.command(["run", "--rm", Fixtures.busybox, "/no\(Self.ff)"]),
            environment: Minirun.environment()
        )
        session.expect("/no\\xff")
        #expect(try session.wait() == .exited(127))
    }

    @Test func builds() throws {
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        let name = String(rawBytes: [0xFF, 0xC3, 0x2B, 0xF4, 0x8F, 0xBE, 0x80, 0xFE])
        let context = try minirun.makeFolder("context\(name)")
        try Files.makeDirectories("\(context)/folder\(name)")
        try Files.write("\(context)/folder\(name)/file\(name)", Array("content\n".utf8))
        try Files.write("\(context)/left-out\(name)", [])
        try Files.write("\(context)/.dockerignore", "left-*\(name)\n".rawBytes)
        let dockerfile = """
            FROM busybox AS first
            ARG GIVEN
            ENV V=\(name)
            COPY . /all
            COPY folder\(name)/file\(name) /file\(name)
            WORKDIR /work\(name)
            RUN printf %s "$GIVEN$V" > given; ln -s /file\(name) /link\(name); ln -s /folder\(name) /links; echo said\(name)
            RUN mkdir /folder\(name) && echo below > /folder\(name)/below\(name)
            FROM busybox
            COPY --from=first /link\(name) /copied\(name)
            COPY --from=first /links/ /copies\(name)/
            COPY --from=first /link* /matches/
            COPY --from=first /all /all
            COPY --from=first /work\(name)/given /given
            RUN --mount=type=bind,from=first,source=/folder\(name),target=/m\(name) cat /m\(name)/*
            ENV V=\(name)
            WORKDIR /work\(name)
            CMD pwd; cd /all; printf '%s\\n' * */*; cat /all/*/*; cat "/copied$V" "/copies$V/below$V" "/matches/link$V" /given; echo; echo "$V"
            """
        try Files.write("\(context)/Dockerfile", dockerfile.rawBytes)
        let given = String(rawBytes: [0xE2, 0x82])
        let file = minirun.path("iid\(name)")
        let built = try minirun(
            "build",
            "-t",
            "bytes",
            "--progress=plain",
            "--build-arg",
            "GIVEN=\(given)",
            "--iidfile",
            file,
            context
        )
        #expect(built.code == 0, "\(built)")
        #expect(built.err.contains("said\(name)"), "\(built)")
        let run = try minirun("run", "--rm", "bytes")
        for part in [
            "/work\(name)\n", "folder\(name)\n", "file\(name)\n",
            "content\ncontent\nbelow\ncontent\n\(given)\(name)\n\(name)\n",
        ] { #expect(run.out.contains(part), "\(part) is missing in \(run)") }
        #expect(!run.out.contains("left-out"))
        #expect(try Files.read(file).count == 71)
        // Once more: all of it is found in the cache, of which a byte more or less is another key.
        let again = try minirun("build", "--progress=plain", "--build-arg", "GIVEN=\(given)", context)
        #expect(again.err.components(of: "CACHED") >= 10, "\(again)")
        let other = try minirun("build", "--progress=plain", "--build-arg", "GIVEN=\(given)\(Self.ff)", context)
        #expect(other.code == 0 && other.err.components(of: "CACHED") < again.err.components(of: "CACHED"), "\(other)")
    }
}
