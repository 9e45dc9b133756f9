import CLinux
import Images
import LinuxSystem
import OCI
import Runner
import Testing

@testable import Build

extension ExecutionTests {
    /// By the Dockerfile reference's rules, and BuildKit's where it says nothing.
    @Suite("COPY and ADD")
    struct CopyAndAdd {
        @Test(arguments: CopyRow.table)
        func destinations(_ row: CopyRow) throws {
            let setup = row.setup.isEmpty ? "" : "RUN \(row.setup)\n"
            let trial = try BuildTrial("FROM busybox\n\(setup)\(row.line)\n", files: copyFiles)
            let image = try trial.build()
            let entries = try trial.topEntries(of: image)
            #expect(entries.keys.sorted() == row.entries.map { $0 }.sorted())
            #expect(entries.values.allSatisfy { $0.uid == 0 && $0.gid == 0 })
            if row.setup.isEmpty {
                #expect(entries.filter { $0.key != "etc/" }.values.allSatisfy { $0.mtime == 315_532_800 })
            }
        }

        @Test(arguments: CopyRefusal.table)
        func refusals(_ row: CopyRefusal) throws {
            let trial = try BuildTrial("FROM busybox\n\(row.lines)\n", files: copyFiles)
            let failure = try #require(trial.failure())
            #expect(failure.message == row.message)
            #expect(failure.excerpt.contains(">>> \(row.lines.split(separator: "\n").last ?? "")"))
        }

        @Test func modesAndOwners() throws {
            let trial = try BuildTrial(
                """
                FROM busybox
                RUN echo 'u:x:1234:55::/:/bin/sh' >> /etc/passwd && echo 'g:x:77:' >> /etc/group
                COPY --chown=u a.txt /1/
                COPY --chown=u:g a.txt /2/a
                COPY --chown=9:8 --chmod=640 dir /3
                COPY --chown=7 --chmod=u=rwX,go=rX dir /4
                COPY run.sh /5/
                """,
                files: copyFiles
            )
            try trial.write("run.sh", "#!/bin/sh\n", mode: 0o4755)
            let root = try trial.root(of: try trial.build())
            func look(_ path: String) throws -> String {
                guard let status = try root.lookup(path)?.status else { return "nothing" }
                return "\(String(status.mode, radix: 8)) \(status.owner):\(status.group)"
            }
            #expect(try look("/1") == "755 1234:55")
            #expect(try look("/1/a.txt") == "644 1234:55")
            #expect(try look("/2/a") == "644 1234:77")
            #expect(try look("/3") == "755 9:8")
            #expect(try look("/3/sub") == "640 9:8")
            #expect(try look("/3/x.txt") == "640 9:8")
            #expect(try look("/4/sub") == "755 7:7")
            #expect(try look("/4/x.txt") == "644 7:7")
            #expect(try look("/5/run.sh") == "4755 0:0")
        }

        @Test func foldersBelowKeepWhatTheyAre() throws {
            let trial = try BuildTrial(
                "FROM busybox\nRUN mkdir -m 1777 /n && mkdir -m 700 /n/deep && chown 5:6 /n/deep\nCOPY a.txt /n/deep/\n",
                files: copyFiles
            )
            let image = try trial.build()
            let entries = try trial.topEntries(of: image)
            #expect(entries["n/"]?.mode == 0o1777)
            #expect(entries["n/deep/"]?.mode == 0o700)
            #expect(entries["n/deep/"]?.uid == 5)
        }

        @Test func ignoreFile() throws {
            let trial = try BuildTrial("FROM busybox\nCOPY . /n/\n", files: copyFiles)
            try trial.write(".dockerignore", "*\n!dir/sub/y.txt\n!a.*\n")
            #expect(
                try trial.topLayer(of: trial.build()) == ["n/", "n/a.txt", "n/dir/", "n/dir/sub/", "n/dir/sub/y.txt"]
            )
            try trial.write("Dockerfile.dockerignore", "dir\n.d*\nD*\n")
            #expect(
                try trial.topLayer(of: trial.build())
                    == ["n/", "n/a.txt", "n/b.txt", "n/c.md", "n/other/", "n/other/x.txt"]
            )
            try trial.write("Dockerfile", "FROM busybox\nCOPY dir/x.txt /n/\n")
            #expect(trial.failure()?.message.hasSuffix("\"/dir/x.txt\": not found") == true)
        }

        @Test func linksStayLinks() throws {
            let trial = try BuildTrial("FROM busybox\nCOPY . /n/\nCOPY out /m\nCOPY in /o\n", files: copyFiles)
            try Link.create("\(trial.context)/out", to: "/a.txt")
            try Link.create("\(trial.context)/in", to: "dir/x.txt")
            try Link.create("\(trial.context)/dangling", to: "../../../etc/shadow")
            let image = try trial.build()
            #expect(try trial.root(of: image).lookup("/n/dangling", followLast: false)?.status.kind == .symbolicLink)
            // A source that is a link is followed, with the context as the root.
            #expect(try trial.read("/m", in: image) == "A")
            #expect(try trial.read("/o", in: image) == "X")
        }

        @Test func hostileContext() throws {
            let secret = "/tmp/minirun-secret.\(getpid())"
            try Files.write(secret, Array("secret".utf8))
            defer { unlink(secret) }
            for (target, line) in [
                (secret, "COPY l /n"), ("/tmp", "COPY l/minirun-secret.\(getpid()) /n"),
                ("../../../../../..\(secret)", "COPY l /n"), ("/proc/1/root", "COPY l/etc/passwd /n"),
            ] {
                let trial = try BuildTrial("FROM busybox\n\(line)\n")
                try Link.create("\(trial.context)/l", to: target)
                #expect(trial.failure()?.message.contains("not found") == true, "\(target) \(line)")
            }
        }

        @Test func socketsAreSkipped() throws {
            let trial = try BuildTrial("FROM busybox\nCOPY . /n/\n")
            #expect(mknod("\(trial.context)/socket", mode_t(S_IFSOCK) | 0o600, 0) == 0)
            #expect(mkfifo("\(trial.context)/pipe", 0o600) == 0)
            #expect(try trial.topLayer(of: trial.build()) == ["n/", "n/Dockerfile", "n/pipe"])
        }

        @Test func heredocs() throws {
            let trial = try BuildTrial(
                "FROM busybox\nARG who=you\nCOPY --chmod=750 <<one <<\"two\" /n/\nhi $who\none\nhi $who\ntwo\nCOPY <<EOF /m\nx\nEOF\n"
            )
            let image = try trial.build()
            #expect(try trial.read("/n/one", in: image) == "hi you\n")
            #expect(try trial.read("/n/two", in: image) == "hi $who\n")
            #expect(try trial.read("/m", in: image) == "x\n")
            #expect(try trial.root(of: image).lookup("/n/one")?.status.mode == 0o750)
            #expect(try trial.root(of: image).lookup("/m")?.status.mode == 0o644)
        }

        @Test func archives() throws {
            let trial = try BuildTrial(
                """
                FROM busybox
                ADD plain.tar /p/
                ADD a.tgz a.tzst a.txz a.tbz /c
                ADD --chown=3:4 plain.tar /o
                ADD --unpack=false plain.tar /raw/
                ADD notes.txt /
                COPY a.tgz /copied/
                """,
                files: ["notes.txt": "plain text", "in/f": "1", "in/d/g": "22"]
            )
            try Link.create("\(trial.context)/in/l", to: "/etc")
            let formats = ["plain.tar": "", "a.tgz": "-z", "a.txz": "-J", "a.tbz": "-j", "a.tzst": "--zstd"]
            for (name, flag) in formats {
                let flags = flag.isEmpty ? [] : [flag]
                try tool(
                    ["tar", "-C", "\(trial.context)/in", "--mtime=@1000000000"] + flags + [
                        "-cf", "\(trial.context)/\(name)", ".",
                    ]
                )
            }
            let image = try trial.build()
            let root = try trial.root(of: image)
            #expect(try trial.read("/p/d/g", in: image) == "22")
            #expect(try root.lookup("/p/d/g")?.status.modified.tv_sec == 1_000_000_000)
            #expect(try trial.read("/c/f", in: image) == "1")
            #expect(try root.lookup("/o/d/g")?.status.owner == 3)
            #expect(try root.lookup("/p/l", followLast: false)?.status.kind == .symbolicLink)
            #expect(try root.lookup("/raw/plain.tar")?.status.kind == .file)
            #expect(try root.lookup("/copied/a.tgz")?.status.kind == .file)
            #expect(try trial.read("/notes.txt", in: image) == "plain text")
        }

        @Test func hostileArchive() throws {
            let trial = try BuildTrial("FROM busybox\nADD evil.tar /n/\n")
            let sink = MemorySink()
            let writer = TarWriter(sink)
            var link = TarEntry(path: "l", kind: .symlink)
            link.linkTarget = Array("/etc".utf8)
            try writer.append(link)
            for path in ["l/inside", "../up", "/absolute"] {
                var entry = TarEntry(path: path, kind: .file)
                entry.size = 1
                try writer.append(entry, content: MemorySource([0x21]))
            }
            try writer.finish()
            try Files.write("\(trial.context)/evil.tar", sink.bytes)
            let image = try trial.build()
            // All of it stays below the destination, in the archive's own tree.
            let entries = try trial.topLayer(of: image)
            #expect(entries == ["n/", "n/absolute", "n/etc/", "n/etc/inside", "n/l", "n/up"])
        }

        @Test func keepsSparseFilesAndAttributes() throws {
            let trial = try BuildTrial("FROM scratch\nCOPY big cap /\n", files: ["cap": "x"])
            let big = try FileDescriptor.open("\(trial.context)/big", O_RDWR | O_CREAT, mode: 0o600)
            #expect(ftruncate(big.raw, 50 << 20) == 0)
            let capability: [UInt8] = [0, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            #expect(setxattr("\(trial.context)/cap", "security.capability", capability, 20, 0) == 0)
            let image = try trial.build()
            let root = try trial.root(of: image)
            let found = try #require(try root.lookup("/big"))
            #expect(found.status.size == 50 << 20)
            #expect(found.status.allocated < 1 << 20)
            #expect(try trial.topEntries(of: image)["cap"]?.xattrs.map(\.name) == ["security.capability"])
            #expect(image.configuration.diffIDs.count == 1)
        }
    }
}

/// Runs one of the machine's tools.
private func tool(_ arguments: [String]) throws {
    let result = try Subprocess.run(arguments)
    guard result.status.code == 0 else { throw EngineError(.failed, "\(arguments): \(result.errorText)") }
}

/// A context for the tables.
private let copyFiles = [
    "a.txt": "A", "b.txt": "B", "c.md": "C", "dir/x.txt": "X", "dir/sub/y.txt": "Y", "dir/sub/z.md": "Z",
    "other/x.txt": "O",
]

struct CopyRow: CustomTestStringConvertible, Sendable {
    let line: String
    /// The layer's own entries.
    let entries: [String]
    var setup = ""
    var testDescription: String { line }

    static let table = [
        CopyRow(line: "COPY a.txt /", entries: ["a.txt"]),
        CopyRow(line: "COPY a.txt /n", entries: ["n"]),
        CopyRow(line: "COPY a.txt /n/", entries: ["n/", "n/a.txt"]),
        CopyRow(line: "COPY a.txt /n/m", entries: ["n/", "n/m"]),
        CopyRow(line: "COPY a.txt /etc", entries: ["etc/", "etc/a.txt"]),
        CopyRow(line: "COPY a.txt b.txt /n/", entries: ["n/", "n/a.txt", "n/b.txt"]),
        CopyRow(line: "COPY dir /n", entries: ["n/", "n/sub/", "n/sub/y.txt", "n/sub/z.md", "n/x.txt"]),
        CopyRow(line: "COPY dir /n/", entries: ["n/", "n/sub/", "n/sub/y.txt", "n/sub/z.md", "n/x.txt"]),
        CopyRow(line: "COPY dir/ /", entries: ["sub/", "sub/y.txt", "sub/z.md", "x.txt"]),
        CopyRow(line: "COPY dir/sub dir/x.txt /n/", entries: ["n/", "n/x.txt", "n/y.txt", "n/z.md"]),
        CopyRow(line: "COPY *.txt /n/", entries: ["n/", "n/a.txt", "n/b.txt"]),
        CopyRow(line: "COPY [ab].* /n/", entries: ["n/", "n/a.txt", "n/b.txt"]),
        CopyRow(line: "COPY dir/*/y.* /n/", entries: ["n/", "n/y.txt"]),
        CopyRow(line: "COPY di? /n/", entries: ["n/", "n/sub/", "n/sub/y.txt", "n/sub/z.md", "n/x.txt"]),
        CopyRow(line: "COPY *.none /n/", entries: []),
        CopyRow(line: "COPY ../a.txt /n", entries: ["n"]),
        CopyRow(line: "COPY dir/../a.txt /n", entries: ["n"]),
        CopyRow(
            line: "COPY . /n/",
            entries: [
                "n/", "n/Dockerfile", "n/a.txt", "n/b.txt", "n/c.md", "n/dir/", "n/dir/sub/", "n/dir/sub/y.txt",
                "n/dir/sub/z.md", "n/dir/x.txt", "n/other/", "n/other/x.txt",
            ]
        ),
        CopyRow(line: "COPY --exclude=*.md dir/sub /n/", entries: ["n/", "n/y.txt"]),
        CopyRow(
            line: "COPY --exclude=**/*.md --exclude=b.* dir *.txt /n/",
            entries: [
                "n/", "n/a.txt", "n/sub/", "n/sub/y.txt", "n/x.txt",
            ]
        ),
        CopyRow(
            line: "COPY --parents dir/sub/y.txt a.txt /n/",
            entries: [
                "n/", "n/a.txt", "n/dir/", "n/dir/sub/", "n/dir/sub/y.txt",
            ]
        ),
        CopyRow(line: "COPY --parents dir/./sub/*.md /n/", entries: ["n/", "n/sub/", "n/sub/z.md"]),
        CopyRow(
            line: "COPY --parents **/*.md /n/",
            entries: ["n/", "n/c.md", "n/dir/", "n/dir/sub/", "n/dir/sub/z.md"]
        ),
        CopyRow(line: "COPY --link a.txt /n/", entries: ["n/", "n/a.txt"]),
        // `--link` takes paths as they are written.
        CopyRow(
            line: "COPY --link a.txt /l/",
            entries: ["l/", "l/a.txt"],
            setup: "mkdir /real; ln -s real /l"
        ),
        // Through the links of the image, never in their place.
        CopyRow(line: "COPY a.txt /l/", entries: ["real/", "real/a.txt"], setup: "mkdir /real; ln -s real /l"),
        CopyRow(
            line: "COPY a.txt /l/new/",
            entries: ["real/", "real/new/", "real/new/a.txt"],
            setup: "mkdir /real; ln -s /real /l"
        ),
        CopyRow(line: "COPY a.txt /l", entries: ["real"], setup: "echo old > /real; ln -s real /l"),
        CopyRow(line: "COPY a.txt /d/", entries: ["d/", "d/a.txt"], setup: "mkdir /d; ln -s /etc/passwd /d/a.txt"),
        CopyRow(line: "COPY a.txt /l", entries: ["nowhere"], setup: "ln -s /nowhere /l"),
        CopyRow(line: "COPY a.txt /l/x", entries: ["x"], setup: "ln -s ../../.. /l"),
    ]
}

struct CopyRefusal: CustomTestStringConvertible, Sendable {
    let lines: String
    let message: String
    var testDescription: String { lines }

    static let table = [
        CopyRefusal(
            lines: "COPY nope /",
            message: "failed to compute cache key: failed to calculate checksum of ref: \"/nope\": not found"
        ),
        CopyRefusal(lines: "COPY dir /etc/passwd", message: "cannot copy to non-directory: /etc/passwd"),
        CopyRefusal(lines: "COPY a.txt /etc/passwd/x", message: "cannot copy to non-directory: /etc/passwd"),
        CopyRefusal(
            lines: "RUN mkdir -p /n/a.txt\nCOPY a.txt /n/",
            message: "cannot replace to directory /n/a.txt with file"
        ),
        CopyRefusal(
            lines: "RUN mkdir /n && touch /n/sub\nCOPY dir /n/",
            message: "cannot copy to non-directory: /n/sub"
        ),
        CopyRefusal(
            lines: "RUN mkdir /n && ln -s /etc /n/sub\nCOPY dir /n/",
            message: "cannot copy to non-directory: /n/sub"
        ),
        CopyRefusal(
            lines: "COPY *.txt /n",
            message:
                "When using COPY with more than one source file, the destination must be a directory and end with a /"
        ),
        CopyRefusal(
            lines: "COPY --chown=nobodyatall a.txt /",
            message: "unable to find user nobodyatall: no matching entries in passwd file"
        ),
        CopyRefusal(
            lines: "ADD https://example.com/x /",
            message: "ADD https://example.com/x: downloads are not supported yet"
        ),
        CopyRefusal(
            lines: "RUN ln -s /loop /loop\nCOPY a.txt /loop/",
            message: "resolving /loop/: Too many levels of symbolic links"
        ),
    ]
}
