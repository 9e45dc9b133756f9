import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// Layers that are unpacked beside those below them are what they are when those are finished.
@Suite(.enabled(if: isRoot, "not root")) struct LayerSideBySideTests {
    /// What comes of an archive.
    enum Outcome: Equatable {
        case folder(UnpackSummary, [String])
        case image(UnpackSummary, [UInt8])
        case refused(String)

        var isRefused: Bool { if case .refused = self { true } else { false } }

        /// What one of two has that the other has not, for a person.
        func difference(from other: Outcome) -> String {
            switch (self, other) {
            case (.folder(let one, let lines), .folder(let two, let others)):
                return "\(one) \(two) \(lines.difference(from: others))"
            case (.image(let one, let bytes), .image(let two, let others)):
                let place = zip(bytes, others).enumerated().first { $1.0 != $1.1 }?.offset
                return "\(one) \(two) \(bytes.count) and \(others.count) bytes, differ at \(place ?? -1)"
            default: return "\(self) and \(other)"
            }
        }
    }

    private static func make(_ form: LayerFixture.Form, _ directory: String, _ image: borrowing FileDescriptor) throws
        -> any LayerForm
    {
        switch form {
        case .folder: try FolderForm(directory)
        case .erofs: ErofsForm(try image.duplicate(), uuid: Array(repeating: 7, count: 16))
        }
    }

    /// Unpacks as a folder, or as an image in memory. Nil where it would have to begin anew.
    static func outcome(
        of tar: [UInt8],
        as form: LayerFixture.Form,
        in directory: String,
        over lower: LowerLayers
    ) throws -> Outcome? {
        let image = try FileDescriptor.inMemory("image")
        do {
            let summary = try LayerUnpacker.unpack(
                into: { try make(form, directory, image) },
                over: lower,
                limits: .default
            ) { read in try read(BufferedPieces(MemorySource(tar))) }
            if form == .folder { return .folder(summary, try LayerListing.lines(of: directory)) }
            try image.rewind()
            return .image(summary, try image.readAll(limit: 1 << 30))
        } catch is NeedsLowerLayers {
            return nil
        } catch let error as EngineError {
            return .refused(error.message)
        }
    }

    /// As if the layers below were finished only when they are asked for.
    private static func beside(_ stack: LayerStack) -> LowerLayers { .later { stack } }

    @Test(arguments: 1...8, LayerFixture.Form.allCases)
    func randomChainsComeOutTheSame(seed: UInt64, form: LayerFixture.Form) throws {
        var random = RandomLayers(seed: seed)
        let folder = try TemporaryFolder()
        var compared = 0
        for chain in 0..<40 {
            var stack = LayerStack(directories: [])
            for layer in 0..<4 {
                let tar = try random.next()
                let place = "\(chain).\(layer)"
                func outcome(_ name: String, _ lower: LowerLayers) throws -> Outcome? {
                    try Self.outcome(of: tar, as: form, in: folder.folder("\(place).\(name)"), over: lower)
                }
                let expected = try #require(try outcome("inOrder", .finished(stack)))
                if let found = try outcome("beside", Self.beside(stack)) {
                    compared += 1
                    let entries = try RandomLayers.describe(tar)
                    #expect(found == expected, "\(place): \(entries) \(found.difference(from: expected))")
                }
                if expected.isRefused { break }
                // Both forms stand on folders, which need no mounts.
                let below = try folder.folder("\(place).below")
                _ = try LayerUnpacker.unpack(MemorySource(tar), into: below, over: stack)
                stack = LayerStack(directories: [below] + stack.directories)
            }
        }
        #expect(compared > 40)
    }

    @Test(arguments: LayerFixture.Form.allCases) func aLinkOfALowerLayerIsSeenTooLate(_ form: LayerFixture.Form) throws {
        let fixture = try LayerFixture()
        try fixture.add {
            try $0.folder("usr/lib")
            try $0.link("lib", to: "usr/lib")
        }
        let tar = try archive { try $0.file("lib/x/y", "1") }
        let beside = try fixture.folder.folder("beside")
        #expect(try Self.outcome(of: tar, as: form, in: beside, over: Self.beside(fixture.stack)) == nil)
    }

    @Test func foldersWithoutAnEntryTakeWhatIsBelow() throws {
        let fixture = try LayerFixture()
        try fixture.add { try $0.folder("a", mode: 0o1700) { $0.mtime = 77 } }
        let tar = try archive {
            try $0.file("a/b", "1")
            try $0.whiteout("a/.wh.nothing")
        }
        let beside = try fixture.folder.folder("beside")
        let lower = Self.beside(fixture.stack)
        guard case .folder(let summary, _)? = try Self.outcome(of: tar, as: .folder, in: beside, over: lower) else {
            Issue.record("no layer")
            return
        }
        #expect(summary.files == 2)
        let status = try FileStatus.of(beside + "/a")
        #expect(status.mode == 0o1700 && status.modified.tv_sec == 77)
        #expect(try Files.list(beside + "/a") == ["b"])
    }

    @Test(arguments: LayerFixture.Form.allCases)
    func aLinkDoesNotReplaceTheFolderOfItsTarget(_ form: LayerFixture.Form) throws {
        let fixture = try LayerFixture(form)
        let text = message {
            try fixture.add {
                try $0.file("a/b/c", "1")
                try $0.link("a", to: "a/b/c", kind: .hardlink)
            }
        }
        #expect(text.contains("a is a hard link to a/b/c, which is not there or not a file"))
    }

    /// A file of a folder with a default access list has only what its own entry says.
    @Test func nothingInheritsAnAccessList() throws {
        let list = RandomLayers.accessList
        let fixture = try LayerFixture()
        let directory = try fixture.add {
            try $0.folder("d") { $0.xattrs = [("system.posix_acl_default", list), ("system.posix_acl_access", list)] }
            try $0.file("d/f", mode: 0o640)
            try $0.folder("d/e", mode: 0o750)
        }
        let lines = try LayerListing.lines(of: directory)
        #expect(lines.filter { $0.contains("posix_acl_default") && $0.contains("posix_acl_access") }.count == 1)
        #expect(lines.contains { $0.hasPrefix("/d/f file 416 ") && $0.contains(" [] ") })
        #expect(lines.contains { $0.hasPrefix("/d/e directory 488 ") && $0.hasSuffix(" []") })
    }

    /// Nobody asks for the layers below before the archive is read, where nothing in it needs them.
    @Test(arguments: LayerFixture.Form.allCases) func anOrdinaryLayerWaitsOnlyAtItsEnd(_ form: LayerFixture.Form) throws {
        let fixture = try LayerFixture()
        try fixture.add { try $0.file("usr/lib/old", "1") }
        let tar = try archive {
            try $0.folder("usr/")
            try $0.file("usr/lib/new", "1")
            try $0.link("usr/lib/twin", to: "usr/lib/new", kind: .hardlink)
            try $0.whiteout("usr/lib/.wh.old")
            try $0.whiteout("var/.wh..wh..opq")
        }
        var isRead = false
        let waited = Monitor(0)
        let stack = fixture.stack
        let directory = try fixture.folder.folder("beside")
        let image = try FileDescriptor.inMemory("image")
        _ = try LayerUnpacker.unpack(
            into: { try Self.make(form, directory, image) },
            over: .later {
                waited.update { $0 += 1 }
                return stack
            },
            limits: .default
        ) { read in
            try read(BufferedPieces(MemorySource(tar)))
            isRead = true
            #expect(waited.locked { $0 } == 0)
        }
        #expect(isRead && waited.locked { $0 } == 1)
    }
}

/// Everything of a layer's folder that can be seen, a line for each file.
enum LayerListing {
    static func lines(of directory: String) throws -> [String] {
        var lines: [String] = []
        // Where a file was seen first, by its inode.
        var names: [UInt64: String] = [:]
        func walk(_ path: String) throws {
            let file = try FileDescriptor.open(directory + path, linux_o_path | O_NOFOLLOW)
            let metadata = try NodeMetadata.of(file.raw) { _ in true }
            let status = metadata.status
            if OverlayForm.isWhiteout(status) { return lines.append("\(path) whiteout") }
            let attributes = metadata.attributes.map { "\($0.name)=\($0.value)" }.sorted()
            var line = "\(path) \(status.kind) \(status.mode) \(status.owner):\(status.group)"
            line += " \(status.modified.tv_sec).\(status.modified.tv_nsec) \(status.represents) \(attributes)"
            if status.kind == .symbolicLink { line += " -> \(String(decoding: try file.linkTarget(), as: UTF8.self))" }
            if status.kind == .file { line += " \(try Files.readText(directory + path))" }
            if status.kind != .directory {
                line += " links \(status.links) \(names[status.inode, default: path])"
                if names[status.inode] == nil { names[status.inode] = path }
            }
            lines.append(line)
            guard status.kind == .directory else { return }
            for name in try Files.list(directory + path).sorted() { try walk(path + "/" + name) }
        }
        try walk("")
        return lines
    }
}

/// Layers of few names, so that entries meet each other and those of other layers.
struct RandomLayers {
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(state: seed) }

    private mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }

    private mutating func path() -> [String] { (0..<number(1..<4)).map { _ in ["a", "b", "c"][number(0..<3)] } }

    private mutating func target() -> String {
        let path = path().joined(separator: "/")
        return switch number(0..<6) {
        case 0: "/" + path
        case 1: "../" + path
        default: path
        }
    }

    mutating func next() throws -> [UInt8] {
        let sink = MemorySink()
        let writer = TarWriter(sink)
        for turn in 0..<number(0..<10) { try add(to: writer, turn) }
        try writer.finish()
        return sink.bytes
    }

    private mutating func add(to writer: TarWriter, _ turn: Int) throws {
        let parts = path()
        let name = parts.joined(separator: "/")
        switch number(0..<18) {
        case 0..<4: try writer.file(name, "\(turn)") { $0.mtime = Int64(turn) }
        case 4..<8:
            let mode = UInt32(number(0o700..<0o2000))
            let attribute = "user.n\(number(0..<2))"
            try writer.folder(number(0..<12) == 0 ? "./" : name, mode: mode) { entry in
                (entry.mtime, entry.uid) = (Int64(1000 + turn), UInt32(turn))
                entry.xattrs = [(name: attribute, value: [UInt8(turn)])]
                for name in ["system.posix_acl_access", "system.posix_acl_default"] where number(0..<6) == 0 {
                    entry.xattrs.append((name: name, value: Self.accessList))
                }
            }
        case 8, 9: try writer.link(name, to: target())
        case 10: try writer.link(name, to: path().joined(separator: "/"), kind: .hardlink)
        case 11..<15: try writer.whiteout((parts.dropLast() + [".wh." + (parts.last ?? "")]).joined(separator: "/"))
        case 15, 16: try writer.whiteout((parts.dropLast() + [".wh..wh..opq"]).joined(separator: "/"))
        default:
            var device = TarEntry(path: name, kind: number(0..<2) == 0 ? .fifo : .characterDevice)
            (device.major, device.minor) = (1, UInt32(turn))
            try writer.append(device)
        }
    }

    /// Of the owner, one more user, the group and others (acl(5), and the kernel's posix_acl_xattr.h).
    static let accessList: [UInt8] = {
        let entries: [(tag: UInt8, rights: UInt8, id: [UInt8])] = [
            (1, 7, [0xff, 0xff, 0xff, 0xff]), (2, 6, [2, 0, 0, 0]), (4, 5, [0xff, 0xff, 0xff, 0xff]),
            (0x10, 7, [0xff, 0xff, 0xff, 0xff]), (0x20, 1, [0xff, 0xff, 0xff, 0xff]),
        ]
        return [2, 0, 0, 0] + entries.flatMap { [$0.tag, 0, $0.rights, 0] + $0.id }
    }()

    static func describe(_ tar: [UInt8]) throws -> [String] {
        let reader = TarReader(MemorySource(tar))
        var lines: [String] = []
        while let entry = try reader.next() {
            lines.append("\(entry.kind) \(entry.name) \(printable(entry.linkTarget))")
        }
        return lines
    }
}
