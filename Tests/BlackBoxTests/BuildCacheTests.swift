import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// The build cache as a person meets it: `builder prune`, and what `system df` and `system prune` say of it.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct BuildCacheTests {
    let minirun: Minirun

    init() throws {
        minirun = try Minirun()
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
    }

    private func build(_ dockerfile: String, _ options: String...) throws -> Outcome {
        try minirun.write("context/Dockerfile", dockerfile)
        let outcome = try minirun.invoke(["build", "--progress=plain"] + options + [minirun.path("context")])
        #expect(outcome.code == 0, "\(outcome)")
        return outcome
    }

    private var caches: [String] { (try? Files.list("\(minirun.root)/build/cache-mounts")) ?? [] }
    private var steps: [String] { (try? Files.list("\(minirun.root)/build/steps")) ?? [] }

    private func row(_ verb: String...) throws -> JSON {
        let lines = try minirun("system", "df", "--format", "json").lines
        return try lines.map { try JSON.parse(Array($0.utf8)) }.first { $0["Type"] == "Build Cache" } ?? .null
    }

    /// The content of one cache never comes out of another step's record.
    @Test func cachesOfDifferentNamesAreDifferent() throws {
        func mount(_ words: String) -> String { "RUN --mount=type=cache,target=/c\(words)" }
        try Files.makeDirectories(minirun.path("context"))
        for name in ["one", "two"] { _ = try build("FROM busybox\n\(mount(",id=\(name)")) echo \(name) > /c/file\n") }
        for name in ["one", "two"] {
            _ = try build("FROM busybox\n\(mount(",id=\(name)")) cat /c/file > /made\n", "-t", name)
            #expect(try minirun("run", "--rm", name, "cat", "/made").out == "\(name)\n")
        }
        for (words, owner) in [(",id=x,uid=7,gid=8,mode=0750", "7:8 750"), (",id=x", "0:0 755")] {
            let outcome = try build("FROM busybox\n\(mount(words)) stat -c '%u:%g %a' /c > /made\n", "-t", "owner")
            // The base alone.
            #expect(outcome.err.components(of: "CACHED") == 1)
            #expect(try minirun("run", "--rm", "owner", "cat", "/made").out == "\(owner)\n")
        }
        // What is read-only cannot be written, and is another step.
        let script = "sh -c 'touch /c/x 2>/dev/null && echo rw > /made || echo ro > /made'"
        for (words, expected) in [(",rw", "rw\n"), (",ro", "ro\n")] {
            _ = try build("FROM busybox\n\(mount(words)) \(script)\n", "-t", "mode")
            #expect(try minirun("run", "--rm", "mode", "cat", "/made").out == expected)
        }
    }

    /// Options of the build that a step sees.
    @Test func optionsThatAStepSeesMakeItAnother() throws {
        let dockerfile = "FROM busybox\nRUN ulimit -n > /made; df -k /dev/shm | tail -1 | awk '{print $2}' >> /made\n"
        var seen: Set<String> = []
        for options in [[], ["--ulimit", "nofile=99:99"], ["--shm-size", "1m"], ["--shm-size", "2m"]] {
            try minirun.write("context/Dockerfile", dockerfile)
            let outcome = try minirun.invoke(["build", "-t", "seen"] + options + [minirun.path("context")])
            #expect(outcome.code == 0 && outcome.err.components(of: "CACHED") == 1, "\(outcome)")
            seen.insert(try minirun("run", "--rm", "seen", "cat", "/made").out)
            #expect(
                try minirun.invoke(["build"] + options + [minirun.path("context")]).err.components(of: "CACHED") == 2
            )
        }
        #expect(seen.count == 4)
    }

    @Test func pruneTakesTheCache() throws {
        let dockerfile =
            "FROM busybox\nRUN --mount=type=cache,target=/c dd if=/dev/zero of=/c/big bs=1M count=4\nRUN echo made > /made\n"
        _ = try build(dockerfile, "-t", "kept")
        #expect(caches.count == 1 && steps.count == 2)
        let before = try row()
        #expect(before["TotalCount"] == "3" && before["Active"] == "0", "\(before.text())")
        #expect(before["ReclaimableBytes"]?.int ?? 0 > 4 << 20)
        #expect(try minirun("system", "df", "-v").out.contains("exec.cachemount"))

        // Nothing without a yes.
        let asked = try minirun("builder", "prune", input: "n\n")
        #expect(asked.code == 0 && asked.out.hasPrefix("WARNING! This will remove all dangling build cache."))
        #expect(caches.count == 1 && steps.count == 2)

        // Filters.
        #expect(try minirun("builder", "prune", "-af", "--filter", "until=1h").out == "Total reclaimed space: 0B\n")
        #expect(try minirun("builder", "prune", "-af", "--filter", "nosuch=1").code == 1)
        #expect(caches.count == 1 && steps.count == 2)

        // Steps of an image stay without -a; a cache nobody has goes.
        let first = try minirun("builder", "prune", "-f")
        #expect(first.out.hasPrefix("Deleted build cache objects:\n"), "\(first)")
        #expect(
            first.out.hasSuffix("Total reclaimed space: 4.206MB\n") || first.out.contains("Total reclaimed space: 4.")
        )
        #expect(caches.isEmpty && steps.count == 2)
        let all = try minirun("buildx", "prune", "--all", "--force")
        #expect(all.out.hasPrefix("ID ") && all.out.contains("Total:\t"), "\(all)")
        #expect(steps.isEmpty)
        let after = try row()
        #expect(after["TotalCount"] == "0" && after["ReclaimableBytes"]?.int == 0, "\(after.text())")
        // The image is whole.
        #expect(try minirun("run", "--rm", "kept", "cat", "/made").out == "made\n")
        #expect(try minirun("system", "check").code == 0)
        #expect(try minirun("buildx", "prune", "-f").out == "Total:\t0B\n")
    }

    @Test func pruneKeepsAsMuchAsItIsTold() throws {
        for name in ["a", "b", "c"] {
            _ = try build("FROM busybox\nRUN dd if=/dev/urandom of=/big bs=1M count=3; echo \(name)\n")
        }
        #expect(try minirun("image", "prune", "-f").code == 0)
        // Each takes three megabytes as a blob and three as a folder.
        #expect(try minirun("builder", "prune", "-f", "--keep-storage", "100MB").out == "Total reclaimed space: 0B\n")
        #expect(steps.count == 3)
        #expect(try minirun("builder", "prune", "-f", "--keep-storage", "8MB").code == 0)
        #expect(steps.count == 1)
        #expect(try minirun("builder", "prune", "-f", "--keep-storage", "0").code == 0)
        #expect(steps.isEmpty)
    }

    /// A cache that a step has just now stays, and so do its content and its lock.
    @Test func pruneLeavesWhatAStepHas() throws {
        let mark = "MARK=\(minirun.folder)"
        let mount = "RUN --mount=type=cache,target=/c,id=x"
        try minirun.write("context/Dockerfile", "FROM busybox\nENV \(mark)\n\(mount) echo here > /c/file; sleep 1000\n")
        let session = try Session(minirun, ["build", minirun.path("context")])
        #expect(eventually(15_000) { !HostProcesses.marked(mark).isEmpty })
        #expect(try row()["Active"] == "1")
        #expect(try minirun("builder", "prune", "-af").out == "Total reclaimed space: 0B\n")
        #expect(try minirun("system", "prune", "-af").code == 0)
        #expect(caches.count == 1)
        session.signal(SIGTERM)
        _ = try session.wait()
        #expect(try minirun("load", "-i", "\(Fixtures.folder)/busybox.docker.tar").code == 0)
        _ = try build("FROM busybox\n\(mount) cat /c/file > /made\n", "-t", "made")
        #expect(try minirun("run", "--rm", "made", "cat", "/made").out == "here\n")
        #expect(try minirun("system", "prune", "-af").out.contains("Deleted build cache objects:"))
        #expect(caches.isEmpty)
    }
}
