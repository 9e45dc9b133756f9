import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Whatever stands where a build reads a file: nothing waits, nothing of the machine gets in, nothing is without limit
/// (CVE-2026-93320), and the context stays as it was (CVE-2025-4953).
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct BuildSpecialFileTests {
    let minirun: Minirun
    private static let secret = "of-the-machine-alone"

    init() throws {
        minirun = try Minirun()
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        try minirun.write("secret", "FROM busybox\n\(Self.secret) here\n")
    }

    /// What stands there.
    enum Kind: String, CaseIterable, Sendable {
        case pipe, device, socket, folder, linkOut, linkOutUpwards, linkToDevice, linkToItself, hugeHole
    }

    private func make(_ kind: Kind, _ name: String) throws {
        let path = minirun.path("context/\(name)")
        try Files.makeDirectories(Files.parent(of: path))
        switch kind {
        case .pipe: try retrying("mkfifo") { mkfifo(path, 0o644) }
        // /dev/zero: it never ends.
        case .device: try retrying("mknod") { mknod(path, mode_t(S_IFCHR) | 0o644, linux_makedev(1, 5)) }
        case .socket: try retrying("mknod") { mknod(path, mode_t(S_IFSOCK) | 0o644, 0) }
        case .folder: try Files.makeDirectories("\(path)/below")
        case .linkOut: try retrying("symlink") { symlink(minirun.path("secret"), path) }
        case .linkOutUpwards:
            let up = String(repeating: "../", count: 2 + name.split(separator: "/").count)
            try retrying("symlink") { symlink("\(up)\(minirun.path("secret"))", path) }
        case .linkToDevice: try retrying("symlink") { symlink("/dev/zero", path) }
        case .linkToItself: try retrying("symlink") { symlink(Files.parent(of: "/\(name)") == "/" ? name : "x", path) }
        case .hugeHole:
            let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT)
            try retrying("ftruncate") { ftruncate(file.raw, 1 << 40) }
        }
    }

    private func build(_ options: String...) throws -> Outcome {
        let outcome = try minirun.invoke(
            ["build", "--progress=plain"] + options + [minirun.path("context")],
            timeout: 30
        )
        // Nobody had to end it.
        #expect(outcome.code <= 1, "\(outcome)")
        #expect(!outcome.err.contains(Self.secret) && !outcome.out.contains(Self.secret), "\(outcome)")
        return outcome
    }

    @Test(arguments: Kind.allCases) func aDockerfile(kind: Kind) throws {
        try make(kind, "Dockerfile")
        #expect(try build().code == 1)
        try make(kind, "sub/other")
        #expect(try build("-f", minirun.path("context/sub/other")).code == 1)
        // By another path to the same place.
        try retrying("symlink") { symlink(minirun.path("context"), minirun.path("alias")) }
        #expect(try build("-f", minirun.path("alias/sub/other")).code == 1)
    }

    /// What lies inside may be linked, and what the caller names elsewhere is the caller's word.
    @Test func aDockerfileElsewhere() throws {
        try minirun.write("context/common/it", "FROM busybox\n")
        try minirun.makeFolder("context/sub")
        try retrying("symlink") { symlink("../common/it", minirun.path("context/sub/Dockerfile")) }
        #expect(try build("-f", minirun.path("context/sub/Dockerfile")).code == 0)
        try retrying("symlink") { symlink("common/it", minirun.path("context/Dockerfile")) }
        #expect(try build().code == 0)
        try minirun.write("elsewhere", "FROM busybox\n")
        try retrying("symlink") { symlink("elsewhere", minirun.path("link")) }
        #expect(try build("-f", minirun.path("link")).code == 0)
        let command = minirun.command(["build", "-f", "/dev/stdin", minirun.path("context")]).joined(separator: " ")
        let piped = try Subprocess.run(
            ["sh", "-c", "echo 'FROM busybox' | \(command)"],
            environment: Minirun.environment(),
            timeout: 30_000
        )
        #expect(piped.status.code == 0, "\(piped.errorText)")
    }

    @Test(arguments: Kind.allCases) func anIgnoreFile(kind: Kind) throws {
        try minirun.write("context/Dockerfile", "FROM busybox\nCOPY keep /\n")
        try minirun.write("context/keep", "kept")
        try make(kind, ".dockerignore")
        // A pipe is no ignore file; a link that leads nowhere inside must not pass for "nothing to leave out".
        let expected: Int32 = [.pipe, .device, .socket].contains(kind) ? 0 : 1
        #expect(try build().code == expected)
        try make(kind, "Dockerfile.dockerignore")
        #expect(try build().code == expected)
    }

    /// What steps take of the context, whole or by name.
    @Test(
        arguments: Kind.allCases,
        [
            "COPY odd /x", "COPY odd/ /x/", "ADD odd /x", "COPY . /x/", "COPY o* /x/", "COPY --parents ./odd /x/",
            "RUN --mount=type=bind,source=odd,target=/m cat /m/* /m > /made 2>/dev/null < /dev/null & sleep 0.3; kill $! 2>/dev/null; true",
            "RUN --mount=type=bind,target=/m ls -l /m",
        ]
    ) func aSource(kind: Kind, instruction: String) throws {
        try minirun.write("context/Dockerfile", "FROM busybox\n\(instruction)\n")
        try make(kind, "odd")
        let outcome = try build("-t", "made")
        if [.socket, .linkOut, .linkOutUpwards, .linkToDevice, .linkToItself, .hugeHole].contains(kind),
            // With --parents a link stays one.
            !instruction.contains("--parents") || [.socket, .hugeHole].contains(kind),
            instruction.contains("odd ") || instruction.contains("=odd")
        {
            #expect(outcome.code == 1, "\(outcome)")
        }
        guard outcome.code == 0 else { return }
        let found = try minirun(
            "run",
            "--rm",
            "made",
            "sh",
            "-c",
            "find /x /made /m -type f 2>/dev/null | xargs grep -s \(Self.secret)"
        )
        #expect(found.out.isEmpty)
    }

    /// The same things in another stage.
    @Test func aStageWithOddFiles() throws {
        try minirun.write(
            "context/Dockerfile",
            """
            FROM busybox AS odd
            RUN mkdir /o && mkfifo /o/pipe && ln -s /etc/passwd /o/out && ln -s ../../../../etc/shadow /o/up && mkdir /o/folder
            FROM busybox
            COPY --from=odd /o /x
            COPY --from=odd /o/pipe /y
            RUN --mount=type=bind,from=odd,source=/o/pipe,target=/m test -p /m

            """
        )
        #expect(try build("-t", "made").code == 0)
        #expect(
            try minirun(
                "run",
                "--rm",
                "made",
                "sh",
                "-c",
                "test -p /x/pipe && test -p /y && readlink /x/up"
            ).code == 0
        )
    }

    @Test(arguments: ["--iidfile", "--metadata-file"]) func aResultFile(option: String) throws {
        try minirun.write("context/Dockerfile", "FROM busybox\nRUN echo made > /made\n")
        for kind in [Kind.pipe, .socket, .folder, .linkOut] {
            try make(kind, "result-\(kind)")
            let outcome = try build(option, minirun.path("context/result-\(kind)"))
            // Before anything is built.
            #expect(outcome.code == 1 && !outcome.err.contains("RUN"), "\(kind): \(outcome)")
        }
        #expect(try Files.readText(minirun.path("secret")).contains(Self.secret))
        #expect(try build(option, minirun.path("nosuch/file")).code == 1)
        let file = try minirun.write("result", "old")
        #expect(try build(option, file).code == 0)
        let text = try Files.readText(file)
        #expect(text.contains("sha256:") && !text.contains("old"))
        #expect(option == "--iidfile" || text.contains("\"containerimage.config.digest\": \"sha256:"))
        // No result of an earlier build is taken for this one's.
        try minirun.write("context/Dockerfile", "FROM busybox\nRUN false\n")
        #expect(try build(option, file).code == 1)
        #expect(!FileStatus.exists(file))
    }

    /// Names, kinds, modes, owners, times, inodes and contents.
    private func picture(of folder: String) throws -> String {
        try tool(
            "sh",
            "-c",
            "find . -printf '%p %y %m %U:%G %T@ %i %n %l\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; getfattr -dR -m - . 2>/dev/null || true",
            directory: folder
        )
    }

    @Test func theContextStaysAsItWas() throws {
        try minirun.write(
            "context/Dockerfile",
            """
            FROM busybox
            COPY . /all/
            RUN --mount=type=bind,rw,target=/src cd /src && echo new > new && echo changed > file && rm -r folder && chmod 777 . && ln -sf x link
            RUN --mount=type=bind,readwrite,source=file,target=/one echo changed > /one && chmod 777 /one
            RUN --mount=type=bind,target=/src touch /src/file; test $? -ne 0
            RUN --mount=type=bind,rw,target=/src,source=folder find /src -delete; true
            ADD file folder /x/

            """
        )
        try minirun.write("context/file", "as it was")
        try minirun.write("context/folder/below/deep", "as it was", mode: 0o600)
        try retrying("symlink") { symlink("file", minirun.path("context/link")) }
        let before = try picture(of: minirun.path("context"))
        #expect(try build().code == 0)
        #expect(try picture(of: minirun.path("context")) == before)
        try minirun.write(
            "context/other",
            "FROM busybox\nRUN --mount=type=bind,rw,target=/src rm -rf /src/* && false\n"
        )
        let second = try picture(of: minirun.path("context"))
        #expect(try build("-f", minirun.path("context/other")).code == 1)
        #expect(try picture(of: minirun.path("context")) == second)
    }
}
