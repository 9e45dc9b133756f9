import Images
import LinuxSystem
import OCI
import Testing

@Suite struct TarWriterTests {
    /// One entry of every kind and of every reason for PAX records.
    static let entries: [TarEntry] = {
        var entries: [TarEntry] = []
        func add(_ path: String, _ kind: TarEntry.Kind, _ change: (inout TarEntry) -> Void = { _ in }) {
            var entry = TarEntry(path: path, kind: kind)
            entry.mtime = 1_700_000_000
            change(&entry)
            entries.append(entry)
        }
        add("plain", .file) { ($0.size, $0.mode, $0.uid, $0.gid) = (5, 0o4755, 1000, 1000) }
        add("dir/", .directory) { $0.mode = 0o1777 }
        add("link", .symlink) { $0.linkTarget = Array("plain".utf8) }
        add("hard", .hardlink) { $0.linkTarget = Array("plain".utf8) }
        add("null", .characterDevice) { ($0.major, $0.minor) = (1, 3) }
        add("disk", .blockDevice) { ($0.major, $0.minor) = (259, 70000) }
        add("pipe", .fifo)
        add(String(repeating: "d", count: 80) + "/" + String(repeating: "f", count: 80), .file)
        add(String(repeating: "x", count: 120), .file) { $0.size = 5 }
        add(String(repeating: "p/", count: 200) + "last/", .directory)
        add("über", .file) { $0.size = 5 }
        add("long-link", .symlink) { $0.linkTarget = [UInt8](repeating: 0x74, count: 300) }
        add("ids", .file) { ($0.uid, $0.gid) = (2_097_152, 4_000_000_000) }
        add("time", .file) { ($0.mtime, $0.mtimeNanoseconds) = (-2, 750_000_000) }
        add("attributes", .file) { $0.xattrs = [("user.z", [0, 1, 0x0a, 0xff]), ("user.a", Array("v".utf8))] }
        return entries
    }()

    static func written() throws -> [UInt8] {
        try archive { writer in
            for entry in entries { try writer.append(entry, content: MemorySource(Array("12345".utf8))) }
        }
    }

    @Test func readsBackWhatItWrote() throws {
        let members = try TarReaderTests.members(try Self.written())
        #expect(members.count == Self.entries.count)
        for (written, read) in zip(Self.entries, members) {
            #expect(read.entry.path == written.path)
            #expect(read.entry.kind == written.kind)
            #expect(read.entry.mode == written.mode && read.entry.uid == written.uid && read.entry.gid == written.gid)
            #expect(read.entry.mtime == written.mtime && read.entry.mtimeNanoseconds == written.mtimeNanoseconds)
            #expect(read.entry.linkTarget == written.linkTarget)
            #expect(read.entry.major == written.major && read.entry.minor == written.minor)
            #expect(read.entry.xattrs.map(\.name) == written.xattrs.map(\.name).sorted())
            #expect(read.content == (written.size > 0 ? Array("12345".utf8) : []))
        }
    }

    @Test func othersReadItTheSameWay() throws {
        let tar = try Self.written()
        let listed = try runTool(["tar", "--quoting-style=literal", "-tf", "-"], input: tar)
        #expect(
            String(decoding: listed, as: UTF8.self).split(separator: "\n").map(String.init) == Self.entries.map(\.name)
        )
        let script = """
            import tarfile, sys
            for i in tarfile.open(fileobj=sys.stdin.buffer, mode='r|'):
                print(i.name, i.type.decode(), oct(i.mode), i.uid, i.gid, i.size, i.mtime, i.linkname, i.devmajor, i.devminor)
            """
        let lines = String(decoding: try runTool(["python3", "-c", script], input: tar), as: UTF8.self).split(
            separator: "\n"
        )
        #expect(lines.count == Self.entries.count)
        #expect(lines[0] == "plain 0 0o4755 1000 1000 5 1700000000  0 0")
        #expect(lines[5] == "disk 4 0o644 0 0 0 1700000000  259 70000")
        #expect(lines[12] == "ids 0 0o644 2097152 4000000000 0 1700000000  0 0")
        #expect(lines[13] == "time 0 0o644 0 0 0 -1.25  0 0")
    }

    /// Byte for byte what Go's archive/tar writes, taken apart by hand: the fields it pads, and those it leaves.
    @Test func laysOutHeadersAsGoDoes() throws {
        let tar = try archive { try $0.file("über", "x", mode: 0o600) { $0.mtime = 1 } }
        func text(_ range: Range<Int>) -> String { String(decoding: tar[range], as: UTF8.self) }
        #expect(text(0..<18) == "PaxHeaders.0/ber\0\0")
        #expect(text(100..<108) == "0000000\0" && text(124..<136) == "00000000016\0" && tar[156] == UInt8(ascii: "x"))
        #expect(text(257..<265) == "ustar\u{0}00" && tar[329] == 0)
        #expect(text(512..<527) == "14 path=über\n\0")
        #expect(text(1024..<1028) == "ber\0" && text(1124..<1132) == "0000600\0" && text(1353..<1361) == "0000000\0")
        #expect(text(1172..<1180).hasSuffix("\0 "))
        #expect(tar.count == 1024 + 512 + 512 + 1024)
    }

    @Test func splitsLongNamesWithoutPax() throws {
        let tar = try archive {
            try $0.file(String(repeating: "d", count: 80) + "/" + String(repeating: "f", count: 80))
        }
        #expect(tar.count == 512 + 1024)
        #expect(
            tar[345..<425].allSatisfy { $0 == UInt8(ascii: "d") } && tar[0..<80].allSatisfy { $0 == UInt8(ascii: "f") }
        )
    }

    @Test func refusesContentThatIsTooShort() {
        #expect(throws: EngineError.self) {
            try archive { writer in
                var entry = TarEntry(path: "f", kind: .file)
                entry.size = 10
                try writer.append(entry, content: MemorySource([1, 2, 3]))
            }
        }
    }
}
