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

    @Test(arguments: LayerFixture.Form.allCases) func aLinkOfALowerLayerIsSeenTooLate(_ form: LayerFixture.Form) throws
    {
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
    @Test(arguments: LayerFixture.Form.allCases) func anOrdinaryLayerWaitsOnlyAtItsEnd(_ form: LayerFixture.Form) throws
    {
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
