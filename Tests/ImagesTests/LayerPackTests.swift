import CLinux
import Images
import LinuxSystem
import OCI
import Testing

@Suite(.enabled(if: isRoot, "not root")) struct LayerPackTests {
    static func packed(_ directory: String, _ options: PackOptions = PackOptions()) throws -> [UInt8] {
        let sink = MemorySink()
        _ = try LayerPacker.pack(directory, to: sink, options: options)
        return sink.bytes
    }

    /// What is unpacked and packed again is the same archive, whiteouts and all.
    @Test func roundTrip() throws {
        let fixture = try LayerFixture()
        try fixture.add { tar in for name in ["dir/x", "gone", "opaque/x"] { try tar.file(name) } }
        let tar = try archive { tar in
            try tar.folder("dir/", mode: 0o1777) { $0.mtime = 5 }
            try tar.file("dir/a", "text", mode: 0o4755) {
                ($0.uid, $0.mtime, $0.xattrs) = (5, 6, [("user.k", [1]), ("user.l", [])])
            }
            var twin = TarEntry(path: "dir/b", kind: .hardlink)
            (twin.linkTarget, twin.mode, twin.uid, twin.mtime) = (Array("dir/a".utf8), 0o4755, 5, 6)
            try tar.append(twin)
            try tar.file("dir/.wh.x", mode: 0)
            try tar.file(".wh.gone", mode: 0)
            try tar.folder("opaque/")
            try tar.file("opaque/.wh..wh..opq", mode: 0)
            var link = TarEntry(path: "s", kind: .symlink)
            (link.linkTarget, link.mode) = (Array("nowhere".utf8), 0o777)
            try tar.append(link)
        }
        let layer = try fixture.add(tar)
        #expect(try Self.packed(layer) == tar)
    }

    /// What a real overlay leaves in its upper folder becomes a layer that shows the same tree.
    @Test func packsWhatAnOverlayWrote() throws {
        let fixture = try LayerFixture()
        try fixture.add { tar in
            for name in ["keep", "remove", "folder/a", "folder/b", "again/x"] { try tar.file(name, name) }
        }
        let point = try fixture.folder.folder("merged")
        let upper = try fixture.folder.folder("upper")
        let work = try fixture.folder.folder("work")
        let options =
            "lowerdir=\(fixture.stack.directories[0]),upperdir=\(upper),workdir=\(work),redirect_dir=off,metacopy=off"
        try retrying("mounting", point) { mount("overlay", point, "overlay", 0, options) }
        defer { umount2(point, CInt(MNT_DETACH)) }
        try runTool([
            "sh", "-ec",
            """
            cd \(point); rm remove folder/a; rm -r again; mkdir again; echo new > again/y; ln keep link
            mkfifo pipe; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'; chmod 700 folder
            """,
        ])
        let tar = try Self.packed(upper)
        let names = try TarReaderTests.members(tar).map(\.entry.name)
        #expect(
            names == [
                "again/", "again/.wh..wh..opq", "again/y", "folder/", "folder/.wh.a", "keep", "link", "pipe",
                ".wh.remove",
            ]
        )
        try fixture.add(tar)
        try fixture.mounted { (other: String) throws in
            let list = "cd '\(point)'; rm -f socket; find . -printf '%p %y %m %n %s\\n' | sort"
            let first = try runTool(["sh", "-c", list])
            let second = try runTool(["sh", "-c", list.replacing(point, with: other)])
            #expect(String(decoding: first, as: UTF8.self) == String(decoding: second, as: UTF8.self))
        }
    }

    @Test func clampsAndExcludes() throws {
        let fixture = try LayerFixture()
        let layer = try fixture.add { tar in
            try tar.folder("d/") { $0.mtime = 100 }
            try tar.file("d/new") { $0.mtime = 300 }
            try tar.file("d/skip/x") { $0.mtime = 300 }
            try tar.file("old") { $0.mtime = 50 }
        }
        var options = PackOptions()
        options.exclude = ["d/skip"]
        options.clamp = .newerThan(200)
        let members = try TarReaderTests.members(try Self.packed(layer, options))
        #expect(members.map(\.entry.name) == ["d/", "d/new", "old"])
        #expect(members.map(\.entry.mtime) == [100, 200, 50])
        options.clamp = .all(7)
        #expect(try TarReaderTests.members(try Self.packed(layer, options)).allSatisfy { $0.entry.mtime == 7 })
    }

    @Test func refusesNamesThatAreWhiteouts() throws {
        let folder = try TemporaryFolder()
        try Files.write(folder.path + "/.wh.x", [])
        #expect(throws: EngineError.self) { try Self.packed(folder.path) }
    }
}
