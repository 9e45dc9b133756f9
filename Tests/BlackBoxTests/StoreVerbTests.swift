import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// The verbs that look after the store.
@Suite(.enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct StoreVerbTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private func load(_ name: String, number: Int = 0, layers: Int = 2) throws {
        let outcome = try minirun("load", "-i", minirun.archive(name, number: number, layers: layers))
        #expect(outcome.code == 0, "\(outcome)")
    }

    private func build(_ dockerfile: String, tag: String, _ options: String...) throws {
        let context = try minirun.makeFolder("context")
        try minirun.write("context/Dockerfile", dockerfile)
        try minirun.write("context/file", "content\n")
        let outcome = try minirun.invoke(["build", "-q", "-t", tag] + options + [context])
        #expect(outcome.code == 0, "\(outcome)")
    }

    private func du() throws -> Int64 {
        Int64(try tool("du", "-s", "-B1", minirun.root).prefix { $0 != "\t" }) ?? -1
    }

    private func sizes() throws -> [String: Int64] {
        let rows = try minirun("system", "df", "--format", "json").lines.map { try JSON.parse(Array($0.utf8)) }
        return Dictionary(
            uniqueKeysWithValues: rows.map { ($0["Type"]?.string ?? "", Int64($0["SizeBytes"]?.int ?? -1)) }
        )
    }

    // MARK: system df

    @Test func sizesAddUpToWhatDuSays() throws {
        try load("one", number: 1)
        try load("two", number: 2)
        try build("FROM one\nRUN echo hello > /hello; ln /hello /hello2\nCOPY file /file\n", tag: "built")
        let before = try sizes()
        #expect(try before.values.reduce(0, +) == du())
        #expect(before["Leftovers"] == nil)
        #expect(try minirun("run", "--name", "kept", "built", "sh", "-c", "head -c 100000 /dev/zero > /big").code == 0)
        try minirun.write("root/tmp/left", String(repeating: "x", count: 10_000))
        try minirun.write("root/partial/\(String(repeating: "a", count: 64))", String(repeating: "x", count: 10_000))
        let after = try sizes()
        #expect(try after.values.reduce(0, +) == du())
        #expect(after["Leftovers"] ?? 0 >= 20_000)
        #expect((after["Containers"] ?? 0) - (before["Containers"] ?? 0) > 100_000)
        // What two images share is there once.
        #expect((after["Images"] ?? 0) < 2 * (try FileStatus.of(minirun.archive("one", number: 1)).size) * 2)
    }

    @Test func theTableIsDockers() throws {
        try load("one")
        let outcome = try minirun("system", "df")
        #expect(outcome.code == 0)
        #expect(outcome.lines.first == "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE")
        #expect(
            outcome.lines.dropFirst().map { $0.prefix { $0 != "0" && $0 != "1" } }.map { String($0).trimmingBlanks }
                == [
                    "Images", "Containers", "Local Volumes", "Build Cache",
                ]
        )
        let verbose = try minirun("system", "df", "-v")
        for title in [
            "Images space usage:", "Containers space usage:", "Local Volumes space usage:", "Build cache usage: ",
        ] {
            #expect(verbose.out.contains(title))
        }
    }

    // MARK: prune

    @Test func pruneTakesOnlyWhatNothingUses() throws {
        try load("used", number: 1)
        try load("named", number: 2)
        try load("same", number: 3)
        try load("same", number: 4)
        #expect(try minirun("run", "--name", "c1", "used").out == "ok\n")
        let asked = try minirun("image", "prune", input: "n\n")
        #expect(asked.code == 0)
        #expect(
            asked.out
                == "WARNING! This will remove all dangling images.\nAre you sure you want to continue? [y/N] "
        )
        #expect(try minirun.imageNames() == ["<none>:<none>", "named:latest", "same:latest", "used:latest"])
        let dangling = try minirun("image", "prune", "-f")
        #expect(
            dangling.lines.first == "Deleted Images:"
                && dangling.lines.last?.hasPrefix("Total reclaimed space: ") == true
        )
        #expect(dangling.lines.last != "Total reclaimed space: 0B")
        #expect(try minirun.imageNames() == ["named:latest", "same:latest", "used:latest"])
        let all = try minirun("image", "prune", "-a", input: "y\n")
        #expect(all.out.contains("untagged: named:latest\n") && all.out.contains("untagged: same:latest\n"))
        #expect(try minirun.imageNames() == ["used:latest"])
        #expect(try minirun("image", "prune", "-af").out == "Total reclaimed space: 0B\n")
        try minirun.expectSound()
    }

    @Test func whatPruneSaysIsWhatTheDiskGets() throws {
        try load("one", number: 1)
        // The folders and locks that a first prune makes are no part of what the second frees.
        #expect(try minirun("system", "prune", "-f").code == 0)
        let before = try du()
        let outcome = try minirun("system", "prune", "-af")
        #expect(outcome.out.contains("untagged: one:latest"))
        // The empty root stays.
        let freed = before - (try du())
        #expect(freed > 300_000)
        #expect(outcome.lines.last == "Total reclaimed space: \(human(freed))", "\(outcome) \(freed)")
    }

    private func human(_ bytes: Int64) -> String {
        let value = Double(bytes) / 1e6
        let text = "\(Double(Int(value * 1000 + 0.5)) / 1000)"
        return (text.hasSuffix(".0") ? String(text.dropLast(2)) : text) + "MB"
    }

    @Test func filtersOfPrune() throws {
        try load("one", number: 1)
        #expect(try minirun("image", "prune", "-af", "--filter", "label=x").out == "Total reclaimed space: 0B\n")
        #expect(try minirun("image", "prune", "-af", "--filter", "label!=x").out.contains("untagged: one:latest"))
        try build("FROM scratch\nLABEL keep=yes\nCOPY file /\n", tag: "labelled")
        #expect(try minirun("image", "prune", "-af", "--filter", "label!=keep").out == "Total reclaimed space: 0B\n")
        #expect(try minirun("image", "prune", "-af", "--filter", "until=10h").out == "Total reclaimed space: 0B\n")
        let wrong = try minirun("image", "prune", "-af", "--filter", "colour=red")
        #expect(wrong.code == 1 && wrong.err == "minirun: invalid filter 'colour'\n", "\(wrong)")
    }

    @Test func systemPruneSaysWhatItWillDo() throws {
        let outcome = try minirun("system", "prune", "--filter", "until=24h", input: "n\n")
        let lines = [
            "WARNING! This will remove:", "  - all stopped containers",
            "  - all networks not used by at least one container", "  - all dangling images", "  - unused build cache",
            "", "  Items to be pruned will be filtered with:", "  - until=24h", "",
            "Are you sure you want to continue? [y/N] ",
        ]
        #expect(outcome.code == 0 && outcome.out == lines.joined(separator: "\n"), "\(outcome)")
    }

    @Test func untilDoesNotGoWithVolumes() throws {
        let outcome = try minirun("system", "prune", "-f", "--volumes", "--filter", "until=1h")
        #expect(outcome.code == 1)
        #expect(outcome.err == "minirun: The \"until\" filter is not supported with \"--volumes\"\n")
    }

    // MARK: names

    @Test func theTimeOfTheLastTagIsKept() throws {
        let before = Clock.realtime
        func time() throws -> String {
            try minirun("image", "inspect", "--format", "{{.Metadata.LastTagTime}}", "one").line
        }
        try load("one")
        let loaded = try time()
        #expect(Timestamp.nanoseconds(rfc3339: loaded) ?? 0 >= before, "\(loaded)")
        #expect(try minirun("tag", "one", "other").code == 0)
        let tagged = try time()
        #expect(Timestamp.nanoseconds(rfc3339: tagged) ?? 0 > Timestamp.nanoseconds(rfc3339: loaded) ?? .max)
        // It is the store's, and leaves it with no archive.
        #expect(try minirun("save", "-o", minirun.path("saved.tar"), "one").code == 0)
        #expect(try !tool("tar", "xOf", minirun.path("saved.tar"), "index.json").contains("tagged"))
    }

    @Test func onlyLinuxIsImported() throws {
        try tool("tar", "cf", minirun.path("empty.tar"), "-C", minirun.folder, "--files-from=/dev/null")
        let outcome = try minirun("import", "--platform", "windows/amd64", minirun.path("empty.tar"))
        #expect(
            outcome.code == 1 && outcome.err == "minirun: operating system is not supported: windows\n",
            "\(outcome)"
        )
    }

    @Test func systemPruneTakesContainersAndCache() throws {
        try load("one", number: 1)
        try build("FROM one\nRUN echo 1 > /x\n", tag: "built")
        #expect(try minirun("run", "--name", "c1", "one", "sh", "-c", "true").code == 0)
        #expect(try minirun("rmi", "built").code == 0)
        let outcome = try minirun("system", "prune", "-f")
        #expect(outcome.out.contains("Deleted Containers:\n") && outcome.out.contains("Deleted build cache objects:\n"))
        #expect(minirun.containers.isEmpty && minirun.names.isEmpty)
        #expect(try minirun.imageNames() == ["one:latest"])
        #expect(try Files.list("\(minirun.root)/build/steps").isEmpty)
        try minirun.expectSound()
    }

    // MARK: rm and rmi give back what they can

    @Test func theLastContainerOfARemovedImageTakesItsLayers() throws {
        try load("one", number: 1)
        #expect(try minirun("run", "--name", "c1", "one", "sh", "-c", "true").code == 0)
        #expect(try minirun("rmi", "-f", "one").code == 0)
        #expect(minirun.blobs.isEmpty && minirun.layers.count == 2)
        #expect(try minirun("rm", "c1").code == 0)
        #expect(minirun.layers.isEmpty)
        try minirun.expectSound()
    }

    /// A run holds a lease until its container's record names its layers; what is removed meanwhile goes later.
    @Test func whatIsRemovedWhileTheStoreIsInUseGoesAfterwards() throws {
        try load("one", number: 1)
        let lock = try FileDescriptor.open("\(minirun.root)/lock")
        #expect(flock(lock.raw, LOCK_SH) == 0)
        #expect(try minirun("rmi", "one").code == 0)
        #expect(!minirun.blobs.isEmpty)
        #expect(flock(lock.raw, LOCK_UN) == 0)
        try load("two", number: 2)
        #expect(minirun.blobs.count == 4 && minirun.layers.count == 2)
        try minirun.expectSound()
    }

    // MARK: diff

    @Test func diffSaysWhatIsOther() throws {
        try load("one", number: 1)
        try build(
            """
            FROM one
            ENV COLOUR=red
            COPY --chmod=600 file /data/0/0
            RUN rm /data/1/3; mkdir /new; ln -s x /new/link
            """,
            tag: "two"
        )
        let text = try minirun("image", "diff", "one", "two")
        #expect(text.code == 0)
        for line in [
            "D /data/1/3  file, 0644, 0:0, 40kB", "A /new  folder, 0755, 0:0", "A /new/link  link to x, 0777, 0:0",
        ] {
            #expect(text.lines.contains(line), "\(text)")
        }
        #expect(text.lines.contains("C /data/0/0  mode 0644 -> 0600, size 40kB -> 8B"), "\(text)")
        #expect(!text.out.contains("/data/0/1"))
        #expect(text.lines.contains { $0.hasPrefix("  = 2 shared, ") }, "\(text)")
        let json = try JSON.parse(Array(minirun("image", "diff", "--format", "json", "one", "two").out.utf8))
        #expect(json["Config"]?.array?.first?["Name"]?.string == "Env")
        #expect(json["Layers"]?["Shared"]?.int == 2)
        #expect(json["Files"]?.array?.contains { $0["Path"]?.string == "/new" && $0["Kind"]?.string == "A" } == true)
        let same = try minirun("image", "diff", "one", "one")
        #expect(same.lines.first == "Layers:" && !same.out.contains("C /"))
    }
}

extension String {
    /// Without blanks at the end.
    fileprivate var trimmingBlanks: String {
        var text = self[...]
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
