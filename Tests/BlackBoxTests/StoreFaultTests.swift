import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Full and read-only disks, kills at any moment, bombs: one clear line, nothing half-visible, and the next command works.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct StoreFaultTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private static var rounds: Int { Minirun.isLong ? 120 : 16 }

    /// Failed with one line, of this text.
    private func expectRefusal(
        _ outcome: Outcome,
        _ text: String,
        _ comment: String = "",
        _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(outcome.code != 0 && outcome.code < 128, "\(comment) \(outcome)", sourceLocation: location)
        let lines = outcome.err.split(separator: "\n").filter { !$0.hasPrefix("hint: ") }
        #expect(lines.count == 1 && outcome.err.contains(text), "\(comment) \(outcome)", sourceLocation: location)
    }

    // MARK: Full

    static let disks: [SmallDisk.Kind] = [.ext4, .tmpfs]

    /// From no room at all to almost enough: a load fails as a whole, the image before it stays, and with room it works.
    @Test(arguments: disks) func aFullDisk(kind: SmallDisk.Kind) throws {
        let disk = try SmallDisk(in: minirun, megabytes: 32, kind)
        #expect(try minirun("load", "-i", minirun.archive("one", number: 1)).code == 0)
        let second = try minirun.archive("two", number: 2, layers: 3, size: 200_000)
        let (blobs, layers) = (minirun.blobs, minirun.layers)
        var refusals = 0
        for room in stride(from: 0, through: 8_000_000, by: 500_000) {
            try disk.fill(leaving: room)
            let outcome = try minirun("load", "-i", second)
            try disk.empty()
            if outcome.code == 0 { break }
            refusals += 1
            expectRefusal(outcome, "No space left on device", "\(room) bytes")
            #expect(try minirun.imageNames() == ["one:latest"])
            #expect(minirun.temporaries.isEmpty, "\(room) bytes: \(minirun.temporaries)")
            // What was stored before the disk was full is whole, and goes with the next collection.
            #expect(try minirun("system", "prune", "-f").code == 0)
            #expect(minirun.blobs == blobs && minirun.layers == layers, "\(room) bytes")
            try minirun.expectSound("\(room) bytes")
        }
        #expect(refusals > 3)
        #expect(try minirun("load", "-i", second).code == 0)
        #expect(try minirun("run", "--rm", "two").out == "ok\n")
        try minirun.expectSound()
    }

    static let removals: [(kind: SmallDisk.Kind, words: [[String]])] = disks.flatMap { kind in
        [
            (kind, [["image", "prune", "-af"]]), (kind, [["system", "prune", "-af"]]), (kind, [["rmi", "one", "two"]]),
            (kind, [["rmi", "one"], ["rmi", "two"]]),
        ]
    }

    /// On a disk without a single free block images can be removed, and what they took is free again.
    @Test(arguments: removals) func roomCanBeMade(removal: (kind: SmallDisk.Kind, words: [[String]])) throws {
        let disk = try SmallDisk(in: minirun, megabytes: 32, removal.kind)
        #expect(try minirun("load", "-i", minirun.archive("one", number: 1)).code == 0)
        #expect(try minirun("load", "-i", minirun.archive("two", number: 2)).code == 0)
        #expect(try minirun("run", "--name", "ended", "two").code == 0)
        #expect(try minirun("tag", "one", "third").code == 0)
        for words in [["rm", "ended"], ["rmi", "third"]] + removal.words {
            try disk.fillEveryBlock()
            let outcome = try minirun.invoke(words)
            #expect(outcome.code == 0 && outcome.err == "", "\(words): \(outcome)")
        }
        #expect(minirun.blobs.isEmpty && minirun.layers.isEmpty)
        try minirun.expectSound()
        try disk.empty()
        #expect(try minirun("load", "-i", minirun.archive("one", number: 1)).code == 0)
    }

    /// A container that filled the disk, and whose engine was then killed, is not running, and goes with every prune.
    @Test(arguments: [["container", "prune", "-f"], ["system", "prune", "-f"], ["rm", "filling"]])
    func whatFilledTheDiskCanGo(removal: [String]) throws {
        let disk = try SmallDisk(in: minirun, megabytes: 32, .tmpfs)
        let session = try Session(
            minirun.command(["run", "--name", "filling", Fixtures.busybox, "sh", "-c", "echo ready; exec sleep 600"]),
            environment: Minirun.environment()
        )
        session.expect("ready")
        try disk.fillEveryBlock()
        kill(session.pid, SIGKILL)
        _ = try session.wait()
        #expect(try minirun("ps", "-a", "--format", "{{.Status}}").line.hasPrefix("Exited (137)"))
        let repair = try minirun("system", "check", "--repair")
        #expect(repair.code == 1 && !repair.out.contains("settled"), "\(repair)")
        let outcome = try minirun.invoke(removal)
        #expect(outcome.code == 0, "\(outcome)")
        #expect(minirun.containers.isEmpty && minirun.active.isEmpty && minirun.names.isEmpty)
    }

    /// A limit on files' sizes is an error of the write, and not the end of the command in the midst of its work.
    @Test func aLimitOnFiles() throws {
        #expect(try minirun("load", "-i", minirun.archive("one", number: 1)).code == 0)
        let saved = minirun.path("saved.tar")
        for words in [["image", "verify", "one"], ["system", "check"], ["save", "-o", saved, "one"]] {
            for limit in [0, 1, 4096] {
                let run = try Subprocess.run(
                    ["prlimit", "--fsize=\(limit)"] + minirun.command(words),
                    environment: Minirun.environment(),
                    timeout: 60_000
                )
                let comment = "\(words) with \(limit): \(run.status) \(run.outputText)\(run.errorText)"
                #expect(run.status == .exited(1) && comment.contains("File too large"), "\(comment)")
                // A check that could not be made is no good news.
                #expect(!comment.contains("Nothing is wrong"), "\(comment)")
                let left = try Files.list("\(minirun.root)/tmp").filter { !$0.hasSuffix(".lock") }
                #expect(left.isEmpty, "\(comment)")
            }
        }
        // A container's programs get the signal as ever.
        let run = try minirun.shell("head -c 2000 /dev/zero > /x; echo $?", "--ulimit", "fsize=1024")
        #expect(run.lines.last == "\(128 + SIGXFSZ)", "\(run)")
        try minirun.expectSound()
    }

    @Test(arguments: disks) func aBuildOnAFullDisk(kind: SmallDisk.Kind) throws {
        let disk = try SmallDisk(in: minirun, megabytes: 48, kind)
        #expect(try minirun("load", "-i", minirun.archive("one", number: 1)).code == 0)
        let context = try minirun.makeFolder("context")
        try minirun.write("context/Dockerfile", "FROM one\nCOPY big /big\nRUN echo x > /x\n")
        try tool("dd", "if=/dev/urandom", "of=\(context)/big", "bs=1M", "count=4", "status=none")
        for room in stride(from: 0, through: 9_000_000, by: 1_500_000) {
            try disk.fill(leaving: room)
            let outcome = try minirun("build", "-q", "-t", "built", context)
            try disk.empty()
            if outcome.code == 0 { break }
            #expect(outcome.code == 1 && outcome.err.contains("No space left on device"), "\(room) bytes: \(outcome)")
            #expect(try minirun.imageNames() == ["one:latest"])
            #expect(try minirun("system", "prune", "-f").code == 0)
            try minirun.expectSound("\(room) bytes")
        }
        #expect(try minirun("build", "-q", "-t", "built", context).code == 0)
        try minirun.expectSound()
    }

    // MARK: Read-only

    @Test func aReadOnlyStore() throws {
        let disk = try SmallDisk(in: minirun, megabytes: 32)
        let archive = try minirun.archive("one", number: 1)
        #expect(try minirun("load", "-i", archive).code == 0)
        try disk.remount(readOnly: true)
        expectRefusal(try minirun("load", "-i", minirun.archive("two", number: 2)), "Read-only file system")
        expectRefusal(try minirun("rmi", "one"), "Read-only file system")
        expectRefusal(try minirun("tag", "one", "other"), "Read-only file system")
        expectRefusal(try minirun("image", "prune", "-af"), "Read-only file system")
        expectRefusal(try minirun("system", "limits", "--images", "1GB"), "Read-only file system")
        #expect(try minirun("images", "-q").lines.count == 1)
        #expect(try minirun("image", "verify", "--all").code == 0)
        #expect(try minirun("system", "df").code == 0)
        #expect(try minirun("system", "check").code == 0)
        #expect(try minirun("save", "-o", minirun.path("saved.tar"), "one").code == 0)
        try disk.remount(readOnly: false)
        try minirun.expectSound()
    }

    // MARK: Kills

    /// Starts a command, kills it after a random time, and lets the next ones find what it left.
    private func killed(_ arguments: [String], within microseconds: useconds_t, _ random: inout SeededRandom) throws
        -> String
    {
        let pid = try minirun.start(arguments)
        let delay = useconds_t.random(in: 0...microseconds, using: &random)
        usleep(delay)
        kill(pid, SIGKILL)
        _ = try Subprocess.wait(for: pid)
        return "\(arguments.joined(separator: " ")) killed after \(delay) µs (seed \(CrashTests.seed))"
    }

    /// The next command works, a repair finds all that was left, and then all is whole.
    private func expectRecovery(_ comment: String) throws {
        let listed = try minirun("images")
        #expect(listed.code == 0, "\(comment): \(listed)")
        let verify = try minirun("image", "verify", "--all")
        #expect(verify.code == 0, "\(comment): \(verify)")
        let repair = try minirun("system", "check", "--repair")
        #expect(repair.code == 0, "\(comment): \(repair)")
        let check = try minirun("system", "check")
        #expect(check.code == 0, "\(comment): \(check)")
    }

    @Test func aLoadKilledAtAnyMoment() throws {
        var random = SeededRandom(CrashTests.seed &+ 10)
        let archives = try (0..<3).map { try minirun.archive("image\($0)", number: $0, layers: 3, size: 100_000) }
        for round in 0..<Self.rounds {
            let archive = archives[round % archives.count]
            try expectRecovery(try killed(["load", "-i", archive], within: 120_000, &random))
            if round % 4 == 3 { _ = try minirun("rmi", "-f", "image0", "image1", "image2") }
        }
        for archive in archives { #expect(try minirun("load", "-i", archive).code == 0) }
        #expect(try minirun("run", "--rm", "image2").out == "ok\n")
        try minirun.expectSound()
    }

    @Test func removalsKilledAtAnyMoment() throws {
        var random = SeededRandom(CrashTests.seed &+ 11)
        let archives = try (0..<2).map { try minirun.archive("image\($0)", number: $0, layers: 3, size: 100_000) }
        for round in 0..<Self.rounds {
            for archive in archives { #expect(try minirun("load", "-i", archive).code == 0) }
            let words = [["rmi", "image0"], ["image", "prune", "-af"], ["system", "prune", "-af"]][round % 3]
            let comment = try killed(words, within: 30_000, &random)
            try expectRecovery(comment)
            for name in try minirun.imageNames() {
                #expect(try minirun("run", "--rm", name).out == "ok\n", "\(comment): \(name)")
            }
        }
        #expect(try minirun("system", "prune", "-af").code == 0)
        #expect(minirun.blobs.isEmpty && minirun.layers.isEmpty)
        try minirun.expectSound()
    }

    @Test func aBuildKilledAtAnyMoment() throws {
        var random = SeededRandom(CrashTests.seed &+ 12)
        #expect(try minirun("load", "-i", minirun.archive("one", number: 1)).code == 0)
        let context = try minirun.makeFolder("context")
        for round in 0..<Self.rounds {
            try minirun.write(
                "context/Dockerfile",
                "FROM one\nCOPY file /file\nRUN head -c 300000 /dev/urandom > /x; echo \(round)\nRUN rm /file\n"
            )
            try minirun.write("context/file", "\(round / 3)\n")
            let comment = try killed(["build", "-q", "-t", "built", context], within: 250_000, &random)
            try expectRecovery(comment)
        }
        let outcome = try minirun("build", "-q", "-t", "built", context)
        #expect(outcome.code == 0, "\(outcome)")
        #expect(try minirun("run", "--rm", "built").out == "ok\n")
        try minirun.expectSound()
    }

    /// A file that was asked for appears whole or not at all, and nothing else does.
    @Test func aSaveKilledAtAnyMoment() throws {
        var random = SeededRandom(CrashTests.seed &+ 13)
        #expect(try minirun("load", "-i", minirun.archive("one", number: 1, size: 400_000)).code == 0)
        let folder = try minirun.makeFolder("out")
        for _ in 0..<Self.rounds {
            let comment = try killed(["save", "-o", "\(folder)/saved.tar", "one"], within: 40_000, &random)
            let names = try Files.list(folder)
            #expect(names.isEmpty || names == ["saved.tar"], "\(comment): \(names)")
            if names.contains("saved.tar") { try tool("tar", "-tf", "\(folder)/saved.tar") }
            try Files.remove("\(folder)/saved.tar")
        }
        try minirun.expectSound()
    }

    // MARK: Bombs

    private func bomb(_ name: String, _ python: String) throws -> String {
        let file = minirun.path(name)
        try tool("python3", "-c", "import sys, tarfile, io, gzip, zlib, subprocess\nout = sys.argv[1]\n" + python, file)
        return file
    }

    @Test func aLayerThatExpandsTooFar() throws {
        // 60 MB of zeros in 60 kB.
        let file = try bomb(
            "zeros.tar.gz",
            """
            with tarfile.open(out, 'w:gz') as t:
                i = tarfile.TarInfo('zeros'); i.size = 60_000_000
                t.addfile(i, io.BytesIO(bytes(i.size)))
            """
        )
        let refused = try minirun("import", "--max-layer-size", "50MB", file, "bomb")
        expectRefusal(refused, "a layer expands to more than 50000000 bytes")
        #expect(refused.err.contains("hint: if it is no tar bomb, allow it with --max-layer-size"))
        let byEnvironment = try minirun("import", file, environment: ["MINIRUN_MAX_LAYER_SIZE": "50MB"])
        expectRefusal(byEnvironment, "a layer expands to more than 50000000 bytes")
        #expect(minirun.blobs.isEmpty && minirun.temporaries.isEmpty)
        #expect(try minirun("import", "--max-layer-size", "100MB", file, "large").code == 0)
        try minirun.expectSound()
    }

    /// A disk's worth of gzip in gzip: five gigabytes in a few megabytes, a thousand to one.
    @Test func aLayerThatIsOnlyZeros() throws {
        let file = try bomb(
            "bomb.tar.gz",
            """
            with gzip.open(out, 'wb', 9) as g:
                i = tarfile.TarInfo('zeros'); i.size = 5 << 30
                g.write(i.tobuf(tarfile.GNU_FORMAT))
                piece = bytes(16 << 20)
                for _ in range(i.size // len(piece)): g.write(piece)
                g.write(bytes(1024))
            """
        )
        let outcome = try minirun("import", file, "bomb", timeout: 120)
        expectRefusal(outcome, "a layer expands to more than 250 times its size")
        #expect(minirun.blobs.isEmpty && minirun.temporaries.isEmpty)
        try minirun.expectSound()
    }

    @Test func aLayerOfTooManyFiles() throws {
        let file = try bomb(
            "many.tar",
            """
            with tarfile.open(out, 'w') as t:
                for n in range(2000): t.addfile(tarfile.TarInfo(f'f{n}'))
            """
        )
        expectRefusal(
            try minirun("import", "--max-layer-entries", "1000", file, "many"),
            "the archive has more than 1000 entries"
        )
        #expect(minirun.blobs.isEmpty && minirun.temporaries.isEmpty)
        #expect(try minirun("import", file, "many").code == 0)
        try minirun.expectSound()
    }

    /// Refused unless it is allowed, and then everything can be done with it.
    @Test(arguments: ["dir", "erofs"]) func aLayerOfDeepFolders(driver: String) throws {
        let file = try bomb(
            "deep.tar",
            """
            with tarfile.open(out, 'w') as t:
                t.addfile(tarfile.TarInfo('d/' * 1900 + 'file'))
            """
        )
        expectRefusal(try minirun("import", file, "deep"), "the archive has a name of more than 512 folders")
        #expect(minirun.blobs.isEmpty && minirun.temporaries.isEmpty)
        let allowed = try minirun("--storage-driver", driver, "import", "--max-layer-depth", "2000", file, "deep")
        #expect(allowed.code == 0, "\(allowed)")
        let saved = minirun.path("saved.tar")
        for words in [
            ["image", "verify", "--all"], ["system", "df"], ["save", "-o", saved, "deep"], ["rmi", "deep"],
            ["--storage-driver", driver, "load", "--max-layer-depth", "2000", "-i", saved], ["rmi", "deep"],
        ] {
            let outcome = try minirun.invoke(words)
            #expect(outcome.code == 0, "\(words): \(outcome)")
        }
        try minirun.expectSound()
    }
}
