import CLinux
import Images
import LinuxSystem
import OCI
import Testing

@Suite(.enabled(if: isRoot, "not root")) struct LayerUnpackTests {
    @Test(arguments: LayerFixture.Form.allCases) func keepsModesOwnersTimesAndAttributes(form: LayerFixture.Form) throws
    {
        let fixture = try LayerFixture(form)
        let capability: [UInt8] = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let layer = try fixture.add { tar in
            try tar.folder("./", mode: 0o711) { ($0.uid, $0.mtime) = (7, 1000) }
            try tar.folder("bin/", mode: 0o2755) { $0.mtime = 2000 }
            try tar.file("bin/su", "text", mode: 0o6755) {
                ($0.uid, $0.gid, $0.mtime, $0.mtimeNanoseconds) = (12, 34, 3000, 500)
                $0.xattrs = [
                    ("security.capability", capability), ("user.note", [1, 2]), ("trusted.overlay.opaque", [0x79]),
                ]
            }
            try tar.link("sh", to: "bin/su")
            var device = TarEntry(path: "null", kind: .characterDevice)
            (device.major, device.minor, device.mode) = (1, 3, 0o666)
            try tar.append(device)
        }
        let root = try FileStatus.of(layer)
        #expect(root.mode == 0o711 && root.owner == 7 && root.modified.tv_sec == 1000)
        let folder = try FileStatus.of(layer + "/bin")
        #expect(folder.mode == 0o2755 && folder.modified.tv_sec == 2000)
        let file = try FileStatus.of(layer + "/bin/su")
        #expect(file.mode == 0o6755 && file.owner == 12 && file.group == 34)
        #expect(file.modified.tv_sec == 3000 && file.modified.tv_nsec == 500)
        let open = try FileDescriptor.open(layer + "/bin/su")
        #expect(try ExtendedAttributes.value("security.capability", of: open.raw) == capability)
        #expect(try ExtendedAttributes.value("user.note", of: open.raw) == [1, 2])
        #expect(try ExtendedAttributes.value("trusted.overlay.opaque", of: open.raw) == nil)
        #expect(try Files.linkTarget(layer + "/sh") == Array("bin/su".utf8))
        let null = try FileStatus.of(layer + "/null")
        #expect(null.kind == .characterDevice && null.major == 1 && null.minor == 3 && null.mode == 0o666)
    }

    @Test(arguments: LayerFixture.Form.allCases) func landsBehindALinkOfALowerLayer(form: LayerFixture.Form) throws {
        let fixture = try LayerFixture(form)
        try fixture.add { tar in
            try tar.folder("usr/", mode: 0o700) { $0.mtime = 50 }
            try tar.folder("usr/bin/", mode: 0o750) { ($0.uid, $0.mtime) = (3, 60) }
            try tar.link("bin", to: "usr/bin")
        }
        let layer = try fixture.add { try $0.file("bin/x", "new") }
        #expect(try Files.readText(layer + "/usr/bin/x") == "new")
        #expect(!FileStatus.exists(layer + "/bin"))
        let parent = try FileStatus.of(layer + "/usr/bin")
        #expect(parent.mode == 0o750 && parent.owner == 3 && parent.modified.tv_sec == 60)
        #expect(try fixture.text("bin/x") == "new")
        // An entry of its own turns the link into a folder; later names of the same archive land there.
        let replaced = try fixture.add { tar in
            try tar.file("bin/y", "behind")
            try tar.folder("bin/")
            try tar.file("bin/z", "inside")
        }
        #expect(try Files.readText(replaced + "/usr/bin/y") == "behind")
        #expect(try Files.readText(replaced + "/bin/z") == "inside")
    }

    @Test(arguments: LayerFixture.Form.allCases) func whiteoutsHideOnlyWhatLiesBelow(form: LayerFixture.Form) throws {
        let fixture = try LayerFixture(form)
        try fixture.add { tar in
            for name in ["a/old", "b/old", "c/old", "d/sub/old", "f"] { try tar.file(name, "lower") }
        }
        let layer = try fixture.add { tar in
            try tar.file("a/new", "upper")
            try tar.whiteout(".wh.a")
            try tar.whiteout(".wh.b")
            try tar.file("b/new", "upper")
            try tar.whiteout("c/.wh.old")
            try tar.whiteout("c/.wh..wh..opq")
            try tar.whiteout("d/sub/.wh.old")
            try tar.whiteout("d/.wh..wh..opq")
            try tar.file("f", "upper")
            try tar.whiteout(".wh.f")
            try tar.whiteout(".wh.never-there")
            try tar.whiteout("nor/this/.wh.x")
        }
        try fixture.mounted { (point: String) throws in
            #expect(try Files.list(point).sorted() == ["a", "b", "c", "d", "f"])
            #expect(try Files.list(point + "/a") == ["new"])
            #expect(try Files.list(point + "/b") == ["new"])
            #expect(try Files.list(point + "/c").isEmpty)
            #expect(try Files.list(point + "/d").isEmpty)
            #expect(try Files.readText(point + "/f") == "upper")
        }
        // A whiteout that hides nothing would show as a broken file.
        #expect(try Files.list(layer + "/c").isEmpty)
        #expect(!FileStatus.exists(layer + "/never-there") && !FileStatus.exists(layer + "/nor"))
    }

    @Test(arguments: LayerFixture.Form.allCases) func whiteoutOfAFolderInTheNextLayer(form: LayerFixture.Form) throws {
        let fixture = try LayerFixture(form)
        try fixture.add { try $0.file("a/b/c", "1") }
        try fixture.add { try $0.whiteout("a/.wh.b") }
        try fixture.add { try $0.file("a/b/d", "3") }
        #expect(try fixture.stack.list("a/b") == ["d"])
        try fixture.mounted { (point: String) throws in #expect(try Files.list(point + "/a/b") == ["d"]) }
    }

    @Test(arguments: LayerFixture.Form.allCases) func anOpaqueRootHidesEveryName(form: LayerFixture.Form) throws {
        let fixture = try LayerFixture(form)
        try fixture.add { tar in for name in ["a/x", "b/x", "c"] { try tar.file(name, "lower") } }
        try fixture.add { tar in
            try tar.file("a/y", "upper")
            try tar.whiteout(".wh..wh..opq")
            try tar.file("b/y", "upper")
        }
        try fixture.mounted { (point: String) throws in
            #expect(try Files.list(point).sorted() == ["a", "b"])
            #expect(try Files.list(point + "/a") == ["y"])
            #expect(try Files.list(point + "/b") == ["y"])
        }
    }

    @Test(arguments: LayerFixture.Form.allCases) func hardlinkToALowerFileCopiesIt(form: LayerFixture.Form) throws {
        let fixture = try LayerFixture(form)
        try fixture.add { tar in
            try tar.folder("lib/", mode: 0o700)
            try tar.file("lib/a", "text", mode: 0o4711) {
                ($0.uid, $0.mtime) = (9, 77)
                $0.xattrs = [("user.k", [5])]
            }
            try tar.link("lib/l", to: "a")
        }
        let layer = try fixture.add { tar in
            try tar.link("copy", to: "lib/a", kind: .hardlink)
            try tar.link("copied-link", to: "/lib/l", kind: .hardlink)
        }
        let copy = try FileStatus.of(layer + "/copy")
        #expect(copy.mode == 0o4711 && copy.owner == 9 && copy.modified.tv_sec == 77 && copy.links == 2)
        #expect(try FileStatus.of(layer + "/lib/a").inode == copy.inode)
        #expect(try FileStatus.of(layer + "/lib").mode == 0o700)
        let open = try FileDescriptor.open(layer + "/copy")
        #expect(try ExtendedAttributes.value("user.k", of: open.raw) == [5])
        #expect(try Files.linkTarget(layer + "/copied-link") == Array("a".utf8))
    }

    @Test(arguments: LayerFixture.Form.allCases) func replacesAndKeepsTheLast(form: LayerFixture.Form) throws {
        let fixture = try LayerFixture(form)
        try fixture.add { try $0.file("x/lower", "lower") }
        try fixture.add { tar in
            try tar.file("x", "a file")
            try tar.folder("x/")
            try tar.file("x/new", "upper")
        }
        // The file removed the lower folder's content, so the folder that came after it is empty but for its own.
        try fixture.mounted { (point: String) throws in #expect(try Files.list(point + "/x") == ["new"]) }
    }

    @Test(arguments: LayerFixture.Form.allCases) func writesSparseFilesSparse(form: LayerFixture.Form) throws {
        let fixture = try LayerFixture(form)
        let source = try fixture.folder.folder("source")
        let file = try FileDescriptor.open(source + "/big", O_WRONLY | O_CREAT)
        try retrying("growing") { ftruncate(file.raw, 100 << 20) }
        try retrying("writing") { pwrite(file.raw, "data", 4, 50 << 20) }
        let tar = try runTool(["tar", "-C", source, "--format=pax", "-S", "-cf", "-", "big"])
        let layer = try fixture.add(tar)
        #expect(try FileStatus.of(layer + "/big").size == 100 << 20)
        let stored = form == .erofs ? fixture.image(layer) : layer + "/big"
        #expect(try FileStatus.of(stored).allocated < 1 << 20)
        try runTool(["cmp", source + "/big", layer + "/big"])
    }

    @Test(
        arguments: [".wh.", ".wh..", ".wh...", "a/.wh.", "a/.wh..", "a/.wh...", "../.wh.."],
        LayerFixture.Form.allCases
    )
    func refusesWhiteoutsOfNothing(name: String, form: LayerFixture.Form) throws {
        let fixture = try LayerFixture(form)
        #expect(throws: EngineError.self) { try fixture.add { try $0.whiteout(name) } }
    }

    @Test(arguments: LayerFixture.Form.allCases) func refusesAWhiteoutInDisguiseAndSaysSoInOneLine(
        form: LayerFixture.Form
    ) throws {
        let fixture = try LayerFixture(form)
        let error = #expect(throws: EngineError.self) {
            try fixture.add { try $0.append(TarEntry(path: "dev/zero", kind: .characterDevice)) }
        }
        #expect(error?.message == "unpacking layer: dev/zero is a character device 0:0, which cannot be stored")
        let lines = #expect(throws: EngineError.self) {
            try LayerFixture(form).add { try $0.link("a\nb\u{1b}[2J", to: "") }
        }
        #expect(lines?.message.contains { $0 == "\n" || $0 == "\u{1b}" } == false)
        let long = String(repeating: "n", count: 300)
        let second = #expect(throws: EngineError.self) { try LayerFixture(form).add { try $0.file("d/" + long) } }
        #expect(second?.message == "unpacking layer: creating d/\(long): File name too long")
    }

    /// A link in the place of a folder that its target lies in, however deep; and one to a name that no file system has.
    @Test(
        arguments: [("a", "a/x"), ("a", "a/b/c/x"), ("a/b", "a/b/c/x"), ("y", String(repeating: "n", count: 300))],
        LayerFixture.Form.allCases
    )
    func refusesALinkToWhatItReplaces(link: (name: String, target: String), form: LayerFixture.Form) throws {
        let error = #expect(throws: EngineError.self) {
            try LayerFixture(form).add { tar in
                for path in ["a/x", "a/b/c/x"] { try tar.file(path) }
                try tar.link(link.name, to: link.target, kind: .hardlink)
            }
        }
        let text = "unpacking layer: \(link.name) is a hard link to \(link.target), which is not there or not a file"
        #expect(error?.message == text)
    }

    @Test func refusesAFolderThatIsNotEmpty() throws {
        let folder = try TemporaryFolder()
        _ = try folder.folder("x")
        #expect(throws: EngineError.self) {
            try LayerUnpacker.unpack(MemorySource([]), into: folder.path, over: LayerStack(directories: []))
        }
    }

    @Test(arguments: LayerFixture.Form.allCases) func keepsNamesThatAreNotText(form: LayerFixture.Form) throws {
        let fixture = try LayerFixture(form)
        let name: [UInt8] = [0x64, 0xff, 0x2f, 0xfe, 0x0a]
        let layer = try fixture.add { try $0.append(TarEntry(path: name, kind: .file)) }
        let directory = try FileDescriptor.open(layer)
        let found = try FileDescriptor.locate(directory.raw, name)?.status()
        #expect(found?.kind == .file)
    }

    /// An image that the kernel would not take as a folder is none as an EROFS image either.
    @Test(
        arguments: [
            (12, 1, false), (20, 2, true), (24, 3, true), (0, 0, false), (3, 0, false), (19, 2, false), (20, 3, false),
            (20, 1, false), (24, 2, false), (28, 3, false), (65_535, 2, false),
        ] as [(Int, UInt8, Bool)],
        LayerFixture.Form.allCases
    ) func refusesCapabilitiesThatAreNone(sample: (size: Int, revision: UInt8, isFine: Bool), form: LayerFixture.Form)
        throws
    {
        let fixture = try LayerFixture(form)
        var value = [UInt8](repeating: 0, count: sample.size)
        if sample.size > 3 { value[3] = sample.revision }
        let tar = try archive { try $0.file("a") { $0.xattrs = [("security.capability", value)] } }
        if sample.isFine {
            try fixture.add(tar)
        } else {
            #expect(throws: EngineError.self) { try fixture.add(tar) }
        }
    }
}
