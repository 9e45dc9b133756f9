import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Damage of every kind is found, named, and mended where it can be.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct StoreDamageTests {
    let minirun: Minirun
    init() throws {
        minirun = try Minirun()
        let outcome = try minirun("load", "-i", minirun.archive("one", number: 1))
        #expect(outcome.code == 0, "\(outcome)")
    }

    private var top: String {
        get throws {
            let layers = minirun.layers.map { "\(minirun.root)/layers/dir/\($0)" }
            return try #require(
                layers.first { (try? JSON.parse(Files.read("\($0)/layer.json")))?["parent"]?.string != nil }
            )
        }
    }

    // MARK: verify

    /// Unpacked layers are not synced: a file that a power cut found on its way may be empty.
    @Test func aLayerThatAPowerCutEmptiedIsNoFaultOfAnImage() throws {
        try tool("sh", "-ec", ": > layer.json; : > fs/data/1/0", directory: top)
        #expect(try minirun("image", "verify", "--all").code == 0)
        let check = try minirun("system", "check")
        #expect(check.code == 1 && check.out.contains("has no record that can be read"), "\(check)")
        #expect(try minirun("system", "check", "--repair").code == 0)
        try minirun.expectSound()
        #expect(try minirun("run", "--rm", "one", "sh", "-c", "wc -c < /data/1/0").line == "40001")
    }

    /// What is done to an unpacked layer, and the line that must come of it.
    static let changes: [(String, String)] = [
        ("rm fs/data/1/0", "/data/1/0: missing"),
        ("printf X | dd of=fs/data/1/0 bs=1 conv=notrunc status=none", "/data/1/0: content differs"),
        ("echo more >> fs/data/1/0", "/data/1/0: has 40006 bytes instead of 40001"),
        ("chmod 4755 fs/data/1/0", "/data/1/0: mode is 4755 instead of 0644"),
        ("chown 1:2 fs/data/1/0", "/data/1/0: owner is 1:2 instead of 0:0"),
        ("rm fs/data/1/0; ln -s x fs/data/1/0", "/data/1/0: is a link instead of a file"),
        ("rm fs/data/1/0; mkdir fs/data/1/0", "/data/1/0: is a folder instead of a file"),
        ("touch fs/data/evil", "/data/evil: extra"),
        (
            #"python3 -c "import os; os.setxattr('fs/data/1/0', 'user.x', b'y')""#,
            "/data/1/0: attribute user.x is extra"
        ),
        ("setcap cap_net_raw+ep fs/data/1/0", "/data/1/0: attribute security.capability is extra"),
        (
            #"python3 -c "import os; os.setxattr('fs/data', 'trusted.overlay.opaque', b'y')""#,
            "/data: attribute trusted.overlay.opaque is extra"
        ),
        ("rm fs/data/1/0; mknod fs/data/1/0 c 0 0", "/data/1/0: is a character device instead of a file"),
        ("mknod fs/data/gone c 0 0", "/data/gone: extra"),
        ("chmod 700 fs", "/: mode is 0700 instead of 0755"),
        ("touch -d @1000000000 fs/data/1/0", "/data/1/0: time is 2001-09-09T01:46:40Z instead of "),
        ("touch -d @1000000000 fs/data/1", "/data/1: time is 2001-09-09T01:46:40Z instead of "),
    ]

    @Test(arguments: changes) func anUnpackedFile(change: (script: String, line: String)) throws {
        try tool("sh", "-ec", change.script, directory: top)
        let outcome = try minirun("image", "verify", "one")
        #expect(outcome.code == 1)
        #expect(outcome.lines.count == 1, "\(outcome)")
        #expect(
            outcome.line.hasPrefix("one:latest: layer sha256:") && outcome.line.contains(": \(change.line)"),
            "\(outcome)"
        )
        #expect(outcome.err.hasPrefix("minirun: 1 faults in "))
        #expect(try minirun("image", "verify", "--all").code == 1)
        // The check says the same, of the image, and the repair makes it of the blob.
        let check = try minirun("system", "check")
        #expect(check.code == 1 && check.out.hasPrefix("one:latest: its unpacked layer sha256:"), "\(check)")
        #expect(check.out.contains(change.line), "\(check)")
        let repair = try minirun("system", "check", "--repair")
        #expect(repair.code == 0 && repair.out.hasSuffix(": unpacked anew\n"), "\(repair)")
        try minirun.expectSound(change.script)
        #expect(try minirun("run", "--rm", "one").out == "ok\n")
        #expect(try Files.list("\(minirun.root)/quarantine").isEmpty)
    }

    /// Whoever brings an image brings a whole one.
    @Test(arguments: changes) func aLoadMendsAnUnpackedFile(change: (script: String, line: String)) throws {
        try tool("sh", "-ec", change.script, directory: top)
        #expect(try minirun("image", "verify", "one").code == 1)
        #expect(try minirun("load", "-i", minirun.archive("one", number: 1)).code == 0)
        try minirun.expectSound(change.script)
    }

    /// A byte of a layer's blob, with the unpacked layer whole: the image stays, runs, and is mended by what brings it.
    @Test(arguments: [true, false]) func aFlippedByteOfALayerCostsNoImage(isBuilt: Bool) throws {
        // A compressed layer cannot be packed anew to the byte.
        let archive = minirun.path("saved.tar")
        if !isBuilt {
            try minirun.write("compress.py", Self.compress)
            try tool("python3", minirun.path("compress.py"), minirun.archive("one", number: 1), archive)
            #expect(try minirun("rmi", "one").code == 0)
            #expect(try minirun("load", "-i", archive).code == 0)
        }
        let folder = "\(minirun.root)/images/blobs/sha256"
        let before = minirun.blobs
        let sizes = try before.map { (name: $0, size: try FileStatus.of("\(folder)/\($0)").size) }
        let blob = try #require(sizes.max { $0.size < $1.size }).name
        let bytes = try Files.read("\(folder)/\(blob)")
        let flipped = bytes.prefix(1500) + [bytes[1500] ^ 1] + bytes.dropFirst(1501)
        try Files.write("\(folder)/\(blob)", Array(flipped))
        let check = try minirun("system", "check")
        #expect(check.code == 1 && check.out.contains(blob) && check.out.contains("one:latest"), "\(check)")
        let repair = try minirun("system", "check", "--repair")
        // A layer that was a plain tar of ours is packed anew; the other is lost, which is said, and by the exit code.
        #expect(try minirun.imageNames() == ["one:latest"], "\(repair)")
        #expect(repair.out.contains("one:latest"), "\(repair)")
        #expect(try minirun("run", "--rm", "one").out == "ok\n")
        let isWhole = minirun.blobs == before
        #expect(repair.code == (isWhole ? 0 : 1), "\(repair)")
        if !isWhole {
            #expect(Set(before).subtracting(minirun.blobs) == [blob], "\(repair)")
            let again = try minirun("system", "check")
            #expect(again.code == 1 && again.out.contains("one:latest: its layer sha256:\(blob)"), "\(again)")
            // After a boot, too.
            minirun.unmountLayers()
            try tool(
                "sh",
                "-ec",
                #"sed -i -E 's/"bootID":"[^"]*"/"bootID":"another"/' layers/dir/*/layer.json"#,
                directory: minirun.root
            )
            #expect(try minirun("run", "--rm", "one").out == "ok\n")
        }
        #expect(try minirun("load", "-i", isBuilt ? minirun.archive("one", number: 1) : archive).code == 0)
        try minirun.expectSound()
        // And without a repair before.
        try Files.write("\(folder)/\(blob)", Array(flipped))
        #expect(try minirun("load", "-i", isBuilt ? minirun.archive("one", number: 1) : archive).code == 0)
        #expect(try Files.read("\(folder)/\(blob)") == bytes)
        try minirun.expectSound()
    }

    /// A docker archive with its layers compressed.
    private static let compress = """
        import sys, tarfile, io, gzip
        with tarfile.open(sys.argv[1]) as a, tarfile.open(sys.argv[2], 'w') as b:
            for m in a:
                data = a.extractfile(m).read()
                if m.name.endswith('.tar'): data = gzip.compress(data, 5, mtime=1)
                i = tarfile.TarInfo(m.name); i.size = len(data); b.addfile(i, io.BytesIO(data))
        """

    @Test func aBlob() throws {
        for blob in minirun.blobs {
            let path = "\(minirun.root)/images/blobs/sha256/\(blob)"
            let bytes = try Files.read(path)
            for damage in [Array(bytes.dropLast()), [bytes[0] ^ 1] + bytes.dropFirst(), nil] {
                if let damage { try Files.write(path, damage) } else { try Files.remove(path) }
                let outcome = try minirun("image", "verify", "one")
                #expect(outcome.code == 1 && outcome.out.contains(blob), "\(outcome)")
                #expect(outcome.lines.count == 1, "\(outcome)")
                let check = try minirun("system", "check")
                #expect(check.code == 1 && check.out.contains(blob), "\(check)")
                try Files.write(path, bytes)
            }
        }
        try minirun.expectSound()
    }

    /// `system df` counts what it cannot understand as nobody's, and says so.
    @Test func aDocumentIsCounted() throws {
        for blob in minirun.blobs {
            let path = "\(minirun.root)/images/blobs/sha256/\(blob)"
            let bytes = try Files.read(path)
            if bytes.count > 9999 { continue }
            try Files.write(path, [bytes[0] ^ 1] + bytes.dropFirst())
            let outcome = try minirun("system", "df", "--format", "json")
            #expect(outcome.code == 0, "\(outcome)")
            #expect(outcome.err.split(separator: "\n").count == 1, "\(outcome)")
            #expect(outcome.err.hasPrefix("WARNING: sha256:") && outcome.err.contains("is damaged"), "\(outcome)")
            let rows = try outcome.lines.map { try JSON.parse(Array($0.utf8)) }
            #expect(rows.contains { $0["Type"]?.string == "Leftovers" }, "\(outcome)")
            let sum = rows.reduce(0) { $0 + ($1["SizeBytes"]?.int ?? 0) }
            let taken = try tool("du", "-s", "-B1", minirun.root).prefix { $0 != "\t" }
            #expect("\(sum)" == taken, "\(outcome)")
            try Files.write(path, bytes)
        }
        #expect(try minirun("system", "df").err.isEmpty)
    }

    @Test func aUserIsToldWhatNeedsRoot() throws {
        try tool("chown", "-R", "65534:65534", minirun.folder)
        let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        let words = user + minirun.command(["image", "verify", "--all"])
        let right = Outcome(try Subprocess.run(words, environment: Minirun.environment(), timeout: 60_000))
        #expect(right.code == 0 && right.out.hasSuffix(" 2 layers, 0 unpacked files\n"), "\(right)")
        #expect(right.err == "WARNING: unpacked files were not compared: that needs root, try again with sudo\n")
        let blob = try #require(minirun.blobs.first)
        try tool("sh", "-c", "echo >> \(minirun.root)/images/blobs/sha256/\(blob)")
        let wrong = Outcome(try Subprocess.run(words, environment: Minirun.environment(), timeout: 60_000))
        #expect(wrong.code == 1 && wrong.out.contains(blob), "\(wrong)")
    }

    @Test func unknownImagesAndNoNames() throws {
        let outcome = try minirun("image", "verify", "nothing")
        #expect(outcome.code == 1 && outcome.err == "minirun: No such image: nothing:latest\n")
        #expect(try minirun("image", "verify").code == 1)
        let right = try minirun("image", "verify", "one")
        #expect(right.code == 0 && right.out.hasPrefix("All is right: 4 blobs, 2 layers, "), "\(right)")
    }

    // MARK: check

    /// What a repair can do.
    enum Mending {
        /// Everything is as it was.
        case whole
        /// The image stays and runs, and a layer's blob is missing until the image comes again.
        case part
        /// The image or its name is lost, and nothing is wrong any more.
        case lost
    }

    /// What is done to the store, and what becomes of its image.
    static let damages: [(script: String, mending: Mending)] = [
        ("mkdir -p tmp/build-dead/1; touch tmp/blob.1.2 images/index.json.12ab.tmp build/steps.tmp", .whole),
        ("touch images/blobs/sha256/nonsense", .whole),
        ("cp version images/blobs/sha256/\(String(repeating: "ab", count: 32))", .whole),
        ("mkdir layers/dir/\(String(repeating: "cd", count: 32))", .whole),
        ("mkdir -p layers/dir/nonsense/fs", .whole),
        ("rm layers/dir/*/layer.json", .whole),
        ("for l in layers/dir/*; do echo '{' > $l/layer.json; done", .whole),
        ("rm -r layers/dir/*/fs", .whole),
        ("rm images/oci-layout", .whole),
        ("rm -r tmp", .whole),
        ("mkdir -p partial; touch partial/x partial/$(ls images/blobs/sha256 | head -n 1)", .whole),
        ("mkdir -p build/steps; echo '{' > build/steps/\(String(repeating: "ef", count: 32))", .whole),
        ("mkdir -p containers/\(String(repeating: "12", count: 32))/upper", .whole),
        ("mkdir -p containers/names; ln -s \(String(repeating: "34", count: 32)) containers/names/lost", .whole),
        ("mkdir -p tmp/m; mount -t tmpfs none tmp/m", .whole),
        ("echo '{' > limits.json", .whole),
        ("mkfifo images/blobs/sha256/\(String(repeating: "5", count: 64))", .whole),
        ("mkdir images/blobs/sha256/\(String(repeating: "5", count: 64))", .whole),
        ("chown -R 1234 images", .whole), ("chmod 777 images layers tmp", .whole),
        ("l=$(ls -d layers/dir/* | head -n 1); rm -r $l/fs; touch $l/fs", .whole),
        ("l=$(ls -d layers/dir/* | head -n 1); rm $l/layer.json; mkfifo $l/layer.json", .whole),
        ("rm images/index.json; mkfifo images/index.json", .lost), ("mkfifo limits.json", .whole),
        ("mkdir uncollected", .whole), ("rm -r build; touch build", .whole),
        ("rm images/oci-layout; mkfifo images/oci-layout", .whole),
        (#"echo '{"version":1,"images":-9223372036854775808}' > limits.json"#, .whole),
        ("rm -r layers/dir; touch layers/dir", .whole),
        ("rm -rf build/steps; mkdir -p build; ln -s / build/steps", .whole),
        ("touch containers/odd", .whole), ("mkdir -p containers/names; touch containers/names/odd", .whole),
        ("c=containers/\(String(repeating: "6", count: 64)); mkdir $c; echo '{' > $c/state.json", .whole),
        ("mkdir -p build/steps/\(String(repeating: "7", count: 64))", .whole),
        ("b=$(ls -S images/blobs/sha256 | head -n 1); rm images/blobs/sha256/$b; mkfifo images/blobs/sha256/$b", .part),
        ("for b in images/blobs/sha256/*; do [ $(stat -c %s $b) -gt 9999 ] && rm $b; done; true", .part),
        ("echo '{' > images/index.json", .lost), ("rm images/index.json", .lost),
        ("for b in images/blobs/sha256/*; do [ $(stat -c %s $b) -lt 9999 ] && echo x > $b; done; true", .lost),
    ]

    /// What is removed from the store's own folders is never removed from wherever a link in their place leads.
    @Test(arguments: ["tmp", "partial", "layers/dir", "containers", "build/steps", "images/blobs/sha256", "quarantine"])
    func aLinkInAFoldersPlaceIsNotFollowed(folder: String) throws {
        try minirun.write("outside/precious", "kept\n")
        try minirun.write("outside/\(String(repeating: "8", count: 64))", "kept\n")
        try tool(
            "touch",
            "-d",
            "@1000000000",
            minirun.path("outside/precious"),
            "\(minirun.path("outside"))/\(String(repeating: "8", count: 64))"
        )
        try tool(
            "sh",
            "-ec",
            "rm -rf \(folder); mkdir -p $(dirname \(folder)); ln -s \(minirun.path("outside")) \(folder)",
            directory: minirun.root
        )
        for words in [
            ["image", "prune", "-f"], ["system", "prune", "-f"], ["rmi", "nothing"], ["system", "check"],
            ["system", "check", "--repair"],
        ] { _ = try minirun.invoke(words) }
        #expect(try Files.list(minirun.path("outside")).count == 2)
        #expect(try minirun("system", "check").code == 0)
        #expect(try minirun("load", "-i", minirun.archive("one", number: 1)).code == 0)
        #expect(try minirun("run", "--rm", "one").out == "ok\n")
        #expect(try Files.list(minirun.path("outside")).count == 2)
    }

    @Test(arguments: damages) func isFoundAndMended(damage: (script: String, mending: Mending)) throws {
        try tool("sh", "-ec", damage.script, directory: minirun.root)
        let found = try minirun("system", "check")
        #expect(found.code == 1, "\(found)")
        #expect(!found.lines.isEmpty && found.err.hasSuffix("hint: minirun system check --repair\n"), "\(found)")
        // A look changes nothing.
        let again = try minirun("system", "check")
        #expect(again.code == 1 && again.out == found.out, "\(again)")
        let repaired = try minirun("system", "check", "--repair")
        #expect(repaired.code == (damage.mending == .whole ? 0 : 1), "\(repaired)")
        let after = try minirun("system", "check")
        if damage.mending == .part {
            #expect(after.code == 1 && after.lines.allSatisfy { $0.hasPrefix("one:latest: its layer ") }, "\(after)")
        } else {
            #expect(after.code == 0 && after.out == "Nothing is wrong.\n", "\(after)")
            try minirun.expectSound(damage.script)
        }
        if damage.mending != .lost {
            #expect(try minirun.imageNames() == ["one:latest"])
            #expect(try minirun("run", "--rm", "one").out == "ok\n")
        }
        #expect(try minirun("load", "-i", minirun.archive("one", number: 1)).code == 0)
        #expect(try minirun("run", "--rm", "one").out == "ok\n")
        try minirun.expectSound(damage.script)
    }

    @Test func aPipeInALocksPlaceKeepsNobodyWaiting() throws {
        try tool("sh", "-ec", "rm -f lock index.lock; mkfifo lock index.lock", directory: minirun.root)
        #expect(try minirun("run", "--rm", "one").out == "ok\n")
        #expect(try minirun("load", "-i", minirun.archive("one", number: 2)).code == 0)
    }

    @Test(arguments: ["version", "spare", "uncollected"])
    func aPipeInAFilesPlaceKeepsNobodyWaiting(name: String) throws {
        try tool("sh", "-ec", "rm -f \(name); mkfifo \(name)", directory: minirun.root)
        #expect(try minirun("images", "-q").code == 0)
        #expect(try minirun("load", "-i", minirun.archive("two", number: 2, size: 50_000)).code == 0)
        #expect(try minirun("rmi", "two").code == 0)
        #expect(try minirun("run", "--rm", "one").out == "ok\n")
    }

    /// Nothing is written or made where links in the places of the store's files lead, nor in a file that has another name.
    @Test(arguments: [
        "rm -f lock; ln -s OUT/nothing lock", "rm -f index.lock; ln -s OUT/nothing index.lock",
        "rm -f uncollected; ln -s OUT/precious uncollected", "ln -s OUT/nothing uncollected",
        "rm -f spare; ln -s OUT/precious spare", "rm -f spare; ln OUT/precious spare",
        "rm images/oci-layout; ln -s OUT/precious images/oci-layout",
        "l=$(ls -d layers/dir/* | head -n 1); rm -r $l; ln -s OUT $l",
    ]) func nothingIsWrittenThroughALink(script: String) throws {
        try minirun.write("outside/precious", "kept\n")
        try tool("sh", "-ec", script.replacing("OUT", with: minirun.path("outside")), directory: minirun.root)
        let archive = try minirun.archive("two", number: 2)
        for words in [
            ["system", "limits", "--images", "1GB"], ["load", "-i", archive], ["rmi", "one"], ["image", "prune", "-f"],
            ["system", "check"], ["system", "check", "--repair"],
        ] {
            let outcome = try minirun.invoke(words)
            #expect((0...1).contains(outcome.code), "\(outcome)")
            #expect(outcome.err.split(separator: "\n").count <= 2, "\(outcome)")
        }
        #expect(try Files.readText(minirun.path("outside/precious")) == "kept\n")
        #expect(try Files.list(minirun.path("outside")) == ["precious"])
    }

    /// What a layer takes on the disk is noted in its folder once it was measured.
    @Test(arguments: ["9223372036854775807", "-9223372036854775808", "x"])
    func aNoteThatCannotBeTrue(note: String) throws {
        try tool("sh", "-ec", "for l in layers/dir/*; do echo '\(note)' > $l/allocated; done", directory: minirun.root)
        #expect(try minirun("system", "limits", "--images", "1GB").code == 0)
        #expect(try minirun("load", "-i", minirun.archive("two", number: 2)).code == 0)
        #expect(try minirun.imageNames() == ["one:latest", "two:latest"])
    }

    /// The layers that builds make are the same whenever they are packed.
    @Test func aBuiltLayerIsPackedAnew() throws {
        try minirun.write("context/Dockerfile", "FROM scratch\nCOPY bin /bin\nCOPY x /x\n")
        try minirun.write("context/x", String(repeating: "x", count: 20_000))
        try Files.makeDirectories(minirun.path("context/bin"))
        try tool("cp", "/bin/busybox", minirun.path("context/bin/sh"))
        let outcome = try minirun("build", "-q", "-t", "built", minirun.path("context"))
        #expect(outcome.code == 0, "\(outcome)")
        #expect(try minirun("rmi", "one").code == 0)
        for damage in ["rm $b", "echo x >> $b", "printf X | dd of=$b conv=notrunc status=none"] {
            let script = "for b in images/blobs/sha256/*; do if [ $(stat -c %s $b) -gt 9999 ]; then \(damage); fi; done"
            try tool("sh", "-ec", script, directory: minirun.root)
            #expect(try minirun("image", "verify", "built").lines.count == 2)
            let repaired = try minirun("system", "check", "--repair")
            #expect(repaired.code == 0, "\(repaired)")
            #expect(try minirun("run", "--rm", "built", "/bin/sh", "-c", "echo ok").out == "ok\n")
            try minirun.expectSound(damage)
        }
    }

    @Test func aContainerWithoutAnEngine() throws {
        let pid = try minirun.start(["run", "--name", "c1", "one", "sh", "-c", "sleep 1000"])
        #expect(eventually(5000) { !minirun.active.isEmpty && minirun.containers.count == 1 })
        #expect(eventually(5000) { (try? minirun("ps", "-q").lines.count) == 1 })
        #expect(try minirun("system", "check").code == 0)
        kill(pid, SIGKILL)
        _ = try Subprocess.wait(for: pid)
        let found = try minirun("system", "check")
        #expect(found.code == 1 && found.out.contains("its engine is gone"), "\(found)")
        #expect(try minirun("system", "check", "--repair").code == 0)
        #expect(try minirun("system", "check").code == 0)
        #expect(try minirun("ps", "-aq").lines.count == 1)
        #expect(minirun.active.isEmpty)
    }

    /// What is being made is no damage.
    @Test func whatIsInUseIsLeftAlone() throws {
        try minirun.write("root/tmp/new/file", "x")
        let lock = try FileDescriptor.open("\(minirun.root)/lock")
        #expect(flock(lock.raw, LOCK_SH) == 0)
        let outcome = try minirun("system", "check", "--repair")
        #expect(outcome.code == 0 && outcome.err.hasPrefix("The store is in use"), "\(outcome)")
        #expect(minirun.temporaries == ["new"])
        #expect(flock(lock.raw, LOCK_UN) == 0)
        #expect(try minirun("system", "check").code == 1)
    }
}
