import CLinux
import LinuxSystem
import OCI
import Testing

@testable import Images

/// Archives of few bytes that ask for much: time, memory or room grow with what was sent, and with nothing else.
@Suite(.enabled(if: isRoot, "not root")) struct LayerAmplificationTests {
    typealias Form = LayerFixture.Form

    /// A way to ask for the same again and again, over a base of 200 names.
    struct Repetition: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// What comes before, once.
        var start: @Sendable (TarWriter) throws -> Void = { _ in }
        /// What comes `n` times.
        let entry: @Sendable (TarWriter) throws -> Void
    }

    /// CVE-2026-95838 and its kind.
    static let repetitions: [Repetition] = [
        Repetition(testDescription: "markers in the root") { try $0.whiteout(".wh..wh..opq") },
        Repetition(testDescription: "markers in a folder") { try $0.whiteout("many/.wh..wh..opq") },
        Repetition(testDescription: "markers in a folder through a link") { try $0.whiteout("link/.wh..wh..opq") },
        Repetition(testDescription: "whiteouts of a file") { try $0.whiteout(".wh.name1") },
        Repetition(testDescription: "whiteouts of a folder") { try $0.whiteout(".wh.many") },
        Repetition(testDescription: "whiteouts in a folder") { try $0.whiteout("many/.wh.inner7") },
        Repetition(testDescription: "whiteouts of nothing") { try $0.whiteout(".wh.nothing") },
        Repetition(testDescription: "whiteouts of nothing in a folder") { try $0.whiteout("many/.wh.nothing") },
        Repetition(testDescription: "whiteouts and files of one name", start: { try $0.whiteout(".wh..wh..opq") }) {
            try $0.whiteout(".wh.name1")
            try $0.file("name1")
        },
        Repetition(testDescription: "links to a file below") { try $0.link("second", to: "large", kind: .hardlink) },
    ]

    private func base(_ fixture: LayerFixture) throws {
        try fixture.add {
            for number in 0..<200 { try $0.file("name\(number)") }
            for number in 0..<200 { try $0.folder("many/inner\(number)") }
            try $0.link("link", to: "many")
            try $0.file("large", String(repeating: "x", count: 100_000))
        }
    }

    private func work(_ tar: [UInt8], _ form: Form, in folder: String, over lower: LowerLayers) throws -> LayerWorkDone
    {
        let made: any LayerForm =
            switch form {
            case .folder: try FolderForm(folder)
            case .erofs: ErofsForm(try FileDescriptor.inMemory("image"), uuid: Array(repeating: 7, count: 16))
            }
        let unpacking = try LayerUnpacking(made, over: lower, limits: .default)
        try unpacking.read(BufferedPieces(MemorySource(tar)))
        _ = try unpacking.finish()
        return unpacking.workDone
    }

    @Test(arguments: repetitions, Form.allCases) func whatComesAgainCostsNothing(_ asked: Repetition, form: Form) throws
    {
        let fixture = try LayerFixture()
        try base(fixture)
        let stack = fixture.stack
        var done: [LayerWorkDone] = []
        for (number, count) in [1, 2, 50].enumerated() {
            let tar = try archive { writer in
                try asked.start(writer)
                for _ in 0..<count { try asked.entry(writer) }
            }
            for (way, lower) in [("after", LowerLayers.finished(stack)), ("beside", .later { stack })] {
                let folder = try fixture.folder.folder("\(way)\(number)")
                // What went through a link of a layer below is unpacked again.
                do { done.append(try work(tar, form, in: folder, over: lower)) } catch is NeedsLowerLayers {}
            }
        }
        #expect(Set(done.map(\.searches)).count == 1, "\(done)")
        #expect(Set(done.map(\.copied)).count == 1, "\(done)")
    }

    /// And mean what they mean once.
    @Test(arguments: repetitions, Form.allCases) func whatComesAgainMeansTheSame(_ asked: Repetition, form: Form) throws
    {
        let fixture = try LayerFixture()
        try base(fixture)
        let stack = fixture.stack
        func outcome(_ count: Int, _ lower: LowerLayers) throws -> [String] {
            let tar = try archive { writer in
                try asked.start(writer)
                for _ in 0..<count { try asked.entry(writer) }
            }
            let folder = try fixture.folder.folder("\(UInt64.random(in: 0 ... .max))")
            switch try LayerSideBySideTests.outcome(of: tar, as: form, in: folder, over: lower) {
            case .folder(_, let lines): return lines
            // Data that was replaced stays in an image, and its numbers differ.
            case .image(let summary, _): return ["\(summary.bytes)"]
            case nil: return ["anew"]
            case .refused(let message): return [message]
            }
        }
        let once = try outcome(1, .finished(stack))
        #expect(try outcome(40, .finished(stack)) == once)
        #expect(try [once, ["anew"]].contains(outcome(40, .later { stack })))
    }

    /// A marker in each of many folders in each other looks at each folder once, from the top or from the bottom.
    @Test(arguments: [false, true], Form.allCases) func markersInNestedFolders(fromTop: Bool, form: Form) throws {
        let (depth, width) = (60, 50)
        let chain = (1...depth).map { Array(repeating: "d", count: $0).joined(separator: "/") }
        let tar = try archive { writer in
            for number in 0..<width { try writer.folder("\(chain[depth - 1])/\(number)") }
            for path in fromTop ? chain : chain.reversed() { try writer.whiteout("\(path)/.wh..wh..opq") }
        }
        let folder = try TemporaryFolder()
        let done = try work(tar, form, in: folder.folder("layer"), over: .finished(LayerStack(directories: [])))
        #expect(done.searches <= depth + width)
    }

    /// Each copies a file of a layer below, from an entry of 512 bytes.
    @Test(arguments: Form.allCases) func linksThatCopyAreCounted(form: Form) throws {
        let fixture = try LayerFixture(form)
        try fixture.add { for number in 0..<4 { try $0.file("\(number)", String(repeating: "x", count: 1 << 20)) } }
        var limits = UnpackLimits()
        limits.expansion.ratioFrom = 3 << 20
        let tar = try archive { for number in 0..<4 { try $0.link("l\(number)", to: "\(number)", kind: .hardlink) } }
        func unpack(_ tar: [UInt8]) throws {
            let folder = try fixture.folder.folder("\(UInt64.random(in: 0 ... .max))")
            _ = try LayerUnpacker.unpack(MemorySource(tar), into: folder, over: fixture.stack, limits: limits)
        }
        let said = message { try unpack(tar) }
        #expect(said.contains("its hard links copy more than 3145728 bytes of the layers below"), "\(said)")
        limits.expansion.ratioFrom = 5 << 20
        try unpack(tar)
        // Who names a size means it.
        limits.expansion.ratioFrom = 1
        limits.expansion.ratio = nil
        try unpack(tar)
    }

    /// Sizes without a block on the disk: their sum is more than a number holds.
    @Test func sizesOfHolesAreNoNumbers() throws {
        let tar = try runTool(["python3", "-c", Self.holes])
        let image = try FileDescriptor.inMemory("image")
        let summary = try LayerUnpacker.write(
            MemorySource(tar),
            image: image,
            uuid: Array(repeating: 7, count: 16),
            over: LayerStack(directories: [])
        )
        #expect(summary.bytes == 1 << 50)
        #expect(summary.files == 20)
    }

    private static let holes = """
        import tarfile, io, sys
        t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.PAX_FORMAT)
        for n in range(20):
            i = tarfile.TarInfo('hole%d' % n); i.size = 512
            i.pax_headers = {'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' * 18}
            t.addfile(i, io.BytesIO(b'0\\n' + bytes(510)))
        t.close()
        """
}

/// What extension headers may ask for.
@Suite struct TarAmplificationTests {
    /// An archive whose global headers have the given records, each header its own, and then files of one block.
    private static func tar(_ headers: [[(String, String)]], files: Int = 3) throws -> [UInt8] {
        var bytes: [UInt8] = []
        for records in headers {
            var content: [UInt8] = []
            for (key, value) in records { content += record(key, value) }
            bytes += header("g", content.count) + content + [UInt8](repeating: 0, count: -content.count & 511)
        }
        for number in 0..<files { bytes += header("0", 0, name: "file\(number)") }
        return bytes + [UInt8](repeating: 0, count: 1024)
    }

    private static func record(_ key: String, _ value: String) -> [UInt8] {
        var length = key.utf8.count + value.utf8.count + 3
        while length != key.utf8.count + value.utf8.count + 3 + String(length).utf8.count {
            length = key.utf8.count + value.utf8.count + 3 + String(length).utf8.count
        }
        return Array("\(length) \(key)=\(value)\n".utf8)
    }

    private static func header(_ type: Character, _ size: Int, name: String = "GlobalHead") -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            for (index, byte) in text.utf8.enumerated() { block[offset + index] = byte }
        }
        put(name, at: 0)
        put("0000644", at: 100)
        put("0000000", at: 108)
        put("0000000", at: 116)
        let octal = String(size, radix: 8)
        put(String(repeating: "0", count: 11 - octal.count) + octal, at: 124)
        put("00000000000", at: 136)
        put(String(type), at: 156)
        put("ustar\u{0}00", at: 257)
        TarReaderTests.mendChecksums(&block)
        return block
    }

    struct Globals: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// nil where it is fine.
        let error: String?
        let headers: @Sendable () -> [[(String, String)]]
    }

    static let globals: [Globals] = [
        Globals(testDescription: "a comment", error: nil) { [[("comment", "0123456789")]] },
        Globals(testDescription: "a long comment", error: nil) {
            [[("comment", String(repeating: "x", count: 1_000_000))]]
        },
        Globals(testDescription: "many comments", error: nil) { Array(repeating: [("comment", "x")], count: 1000) },
        Globals(testDescription: "an owner, a time", error: nil) { [[("uid", "7"), ("gid", "8"), ("mtime", "9.5")]] },
        Globals(testDescription: "16 attributes", error: nil) {
            [(0..<16).map { ("SCHILY.xattr.user.\($0)", "x") }]
        },
        Globals(testDescription: "17 attributes", error: "too many attributes") {
            [(0..<17).map { ("SCHILY.xattr.user.\($0)", "x") }]
        },
        Globals(testDescription: "17 attributes, one a header", error: "too many attributes") {
            (0..<17).map { [("SCHILY.xattr.user.\($0)", "x")] }
        },
        Globals(testDescription: "40,000 attributes", error: "too many attributes") {
            [(0..<28_000).map { ("SCHILY.xattr.user.\($0)", "x") }]
        },
        Globals(testDescription: "a large attribute", error: "too many attributes") {
            [[("SCHILY.xattr.user.a", String(repeating: "x", count: 4097))]]
        },
        Globals(testDescription: "an attribute in libarchive's way", error: "too many attributes") {
            [(0..<17).map { ("LIBARCHIVE.xattr.user.\($0)", "eA") }]
        },
        Globals(testDescription: "more than 1 MiB", error: "too many global headers") {
            Array(repeating: [("comment", String(repeating: "x", count: 600_000))], count: 2)
        },
        Globals(testDescription: "a path", error: "global header with \"path\"") { [[("path", "other")]] },
        Globals(testDescription: "a size", error: "global header with \"size\"") { [[("size", "512")]] },
        Globals(testDescription: "a link's target", error: "global header with \"linkpath\"") {
            [[("linkpath", "/etc/passwd")]]
        },
        Globals(testDescription: "a sparse file", error: "global header with \"GNU.sparse.size\"") {
            [[("GNU.sparse.size", "5")]]
        },
        Globals(testDescription: "a sparse map", error: "global header with a sparse map") {
            [[("GNU.sparse.offset", "0"), ("GNU.sparse.numbytes", "5")]]
        },
    ]

    /// As the reader of layers and the one of archives of images see them.
    @Test(arguments: globals, [false, true]) func globalHeaders(_ sample: Globals, outer: Bool) throws {
        let tar = try Self.tar(sample.headers())
        let said = message {
            if outer {
                let file = try FileDescriptor.inMemory("archive")
                try file.write(tar)
                _ = try TarFiles(owning: file, description: "archive")
            } else {
                let members = try TarReaderTests.members(tar)
                #expect(members.count == 3)
            }
        }
        if let error = sample.error {
            #expect(said.contains(error), "\(said)")
        } else {
            #expect(said == "no error")
        }
    }

    /// No file has more than their names have room for (XATTR_LIST_MAX).
    @Test(arguments: [(5000, true), (5957, true), (5958, false), (40_000, false)])
    func attributesOfOneFile(count: Int, isFine: Bool) throws {
        // "user.00000" and a NUL: 11 bytes each.
        let tar = try archive { writer in
            try writer.file("a") { entry in
                for number in 0..<count {
                    let digits = String(number)
                    let name = "user." + String(repeating: "0", count: 5 - digits.count) + digits
                    entry.xattrs.append((name, [1]))
                }
            }
        }
        let said = message {
            let members = try TarReaderTests.members(tar)
            #expect(members[0].entry.xattrs.count == count)
        }
        #expect(isFine ? said == "no error" : said.contains("too many attributes") || said.contains("extension header"))
    }

    @Test func namesAreCounted() throws {
        let tar = try archive { for number in 0..<10 { try $0.file("d/123456\(number)") } }
        var limits = TarLimits()
        limits.names = 90
        #expect(try TarReaderTests.members(tar, limits: limits).count == 10)
        limits.names = 89
        #expect(message { _ = try TarReaderTests.members(tar, limits: limits) }.contains("more than 89 bytes of names"))
    }

    /// 100,000 names of 4 KiB, or one of 1 MiB, would stay in memory.
    @Test(arguments: ["L", "x"]) func namesInTheOuterArchive(kind: String) throws {
        func name(_ count: Int) -> [UInt8] {
            let text = String(repeating: "n", count: count)
            let content = kind == "L" ? Array(text.utf8) + [0] : Self.record("path", text)
            return Self.header(Character(kind), content.count) + content
                + [UInt8](repeating: 0, count: -content.count & 511) + Self.header("0", 0, name: "f")
        }
        func open(_ tar: [UInt8]) -> String {
            message {
                let file = try FileDescriptor.inMemory("archive")
                try file.write(tar + [UInt8](repeating: 0, count: 1024))
                _ = try TarFiles(owning: file, description: "archive")
            }
        }
        #expect(open(name(4096)) == "no error")
        #expect(open(name(4097)).contains("a name of more than 4096 bytes"))
        #expect(open(name(1_000_000)).contains("a name of more than 4096 bytes"))
        // Not `joined`, which goes byte by byte.
        let member = name(4096)
        var many: [UInt8] = []
        for _ in 0..<(32 << 20) / 4096 { many += member }
        #expect(open(many) == "no error")
        #expect(open(many + name(1)).contains("bytes of names"))
    }
}

/// One budget for all ways into the store.
@Suite struct StoreAmplificationTests {
    private let fixture: StoreFixture
    private var store: ImageStore

    init() throws {
        fixture = try StoreFixture()
        store = fixture.store
        store.driver = .erofs
    }

    private static let zeros = String(repeating: "\0", count: 1 << 20)

    private static func gzip(_ members: [(name: String, content: [UInt8])]) throws -> [UInt8] {
        try ImageParts.gzip(ImageParts.tar(members))
    }

    /// The archive around the images, gzip and xz, from a file.
    @Test(arguments: [false, true]) func theOuterArchive(isLayout: Bool) throws {
        let parts = try ImageParts([["a": Self.zeros]])
        let archive = try Self.gzip(isLayout ? parts.layoutMembers(name: "x:1") : parts.dockerMembers(tags: ["x:1"]))
        var small = store
        // An archive may be 16 times a layer's size.
        small.unpackLimits.expansion.size = 60_000
        let said = message { _ = try small.load(archive) }
        #expect(said.contains("the archive expands to more than 960000 bytes"), "\(said)")
        small = store
        small.unpackLimits.expansion.ratioFrom = 500_000
        let ratio = message { _ = try small.load(archive) }
        #expect(ratio.contains("the archive expands to more than 250 times its size"), "\(ratio)")
        #expect(try fixture.state() == [])
        #expect(try store.load(archive).count == 1)
    }

    /// Each is fine alone.
    @Test func layersCountTogether() throws {
        let parts = try ImageParts([["a": Self.zeros], ["b": Self.zeros], ["c": Self.zeros]], gzip: true)
        let archive = try ImageParts.tar(parts.layoutMembers(name: "x:1"))
        var small = store
        small.unpackLimits.expansion.ratioFrom = 2_500_000
        let said = message { _ = try small.load(archive) }
        #expect(said.contains("a layer expands to more than 250 times its size"), "\(said)")
        #expect(try fixture.state() == [])
        small.unpackLimits.expansion.ratioFrom = 4_000_000
        #expect(try small.load(archive).count == 1)
    }

    /// What is compressed twice is measured by what came in.
    @Test func aCompressedArchiveOfCompressedLayers() throws {
        let parts = try ImageParts((0..<10).map { ["\($0)": Self.zeros + "\($0)"] }, gzip: true)
        let archive = try Self.gzip(parts.layoutMembers(name: "x:1"))
        var small = store
        small.unpackLimits.expansion.ratioFrom = 1 << 20
        small.unpackLimits.expansion.ratio = 2000
        #expect(message { _ = try small.load(ImageParts.tar(parts.layoutMembers(name: "x:1"))) } == "no error")
        let fresh = try StoreFixture()
        var other = fresh.store
        other.unpackLimits = small.unpackLimits
        let said = message { _ = try other.load(archive) }
        #expect(said.contains("a layer expands to more than 2000 times its size"), "\(said) \(archive.count)")
    }

    /// Its tar was measured by itself.
    @Test(arguments: ["xz", "bzip2"]) func anImportOfWhatIsStoredPlain(program: String) throws {
        let tar = try ImageParts.tar(["a": Self.zeros])
        let archive = try runTool([program, "-9", "-c"], input: tar)
        var small = store
        small.unpackLimits.expansion.ratioFrom = 500_000
        let said = message { _ = try small.importRootfs(MemorySource(archive), message: "", reference: nil) }
        #expect(said.contains("a layer expands to more than 250 times its size"), "\(said)")
        _ = try store.importRootfs(MemorySource(archive), message: "", reference: nil)
    }

    // MARK: The same again

    /// `repositories` with many names: each reads no layer again.
    @Test func namesInRepositories() throws {
        let id = String(repeating: "a", count: 64)
        let layer = try ImageParts.tar(["a": "1"])
        func members(_ count: Int) -> [(name: String, content: [UInt8])] {
            let tags = (0..<count).map { "\"t\($0)\":\"\(id)\"" }.joined(separator: ",")
            return [
                ("\(id)/json", Array(#"{"created":"2014-01-01T00:00:00Z"}"#.utf8)), ("\(id)/layer.tar", layer),
                ("repositories", Array(#"{"old":{\#(tags)}}"#.utf8)),
            ]
        }
        let archive = try CountedArchive(members(500))
        let legacy = try #require(try LegacyArchive(archive))
        var pending = PendingBlobs(store: store)
        for (id, references) in try legacy.images {
            _ = try pending.add(legacy, id)
            #expect(references.count == 500)
        }
        #expect(archive.read("\(id)/layer.tar") == layer.count)
        let loaded = try store.load(ImageParts.tar(members(500)))
        #expect(loaded.count == 1 && loaded[0].references.count == 500)
        let said = message { _ = try store.load(ImageParts.tar(members(10_001))) }
        #expect(said.contains("too many names"), "\(said)")
    }

    /// Images of an old archive that share a layer read it once; those of a chain without end are refused.
    @Test func layersOfOldArchives() throws {
        func id(_ number: Int) -> String {
            let digits = String(number, radix: 16)
            return String(repeating: "0", count: 64 - digits.count) + digits
        }
        func members(_ layers: Int, images: Int) throws -> [(name: String, content: [UInt8])] {
            let layer = try ImageParts.tar(["a": "1"])
            var members: [(name: String, content: [UInt8])] = []
            for number in 0..<layers {
                let parent = number == 0 ? "" : #","parent":"\#(id(number - 1))""#
                members.append(("\(id(number))/json", Array(#"{"created":"2014-01-01T00:00:00Z"\#(parent)}"#.utf8)))
                members.append(("\(id(number))/layer.tar", layer))
            }
            let tags = (0..<images).map { "\"t\($0)\":\"\(id(layers - 1 - $0))\"" }.joined(separator: ",")
            return members + [("repositories", Array(#"{"old":{\#(tags)}}"#.utf8))]
        }
        let archive = try CountedArchive(members(20, images: 20))
        let legacy = try #require(try LegacyArchive(archive))
        var pending = PendingBlobs(store: store)
        for (id, _) in try legacy.images { _ = try pending.add(legacy, id) }
        let once = try ImageParts.tar(["a": "1"]).count
        for number in 0..<20 { #expect(archive.read("\(id(number))/layer.tar") == once) }
        let limit = LayerCount.limit
        #expect(try store.load(ImageParts.tar(members(limit, images: 1))).count == 1)
        let said = message { _ = try store.load(ImageParts.tar(members(limit + 1, images: 1))) }
        #expect(said.contains("an image of \(limit + 1) layers cannot be mounted"), "\(said)")
    }

    /// manifest.json with one image many times.
    @Test func oneImageManyTimes() throws {
        let parts = try ImageParts([["a": "1"]])
        var members = parts.dockerMembers(tags: [])
        let entries = (0..<900).map {
            #"{"Config":"\#(parts.id.hex).json","RepoTags":["x:\#($0)"],"Layers":["layer0.tar"]}"#
        }
        members[members.count - 1].content = Array("[\(entries.joined(separator: ","))]".utf8)
        let archive = try CountedArchive(members)
        let docker = try #require(try DockerArchive(archive))
        #expect(docker.distinctItems.count == 1 && docker.distinctItems[0].references.count == 900)
        let loaded = try store.load(ImageParts.tar(members))
        #expect(loaded.count == 1 && loaded[0].references.count == 900)
    }

    /// An index that names one manifest many times, for as many platforms (CVE-2026-53493).
    @Test func oneManifestManyTimes() throws {
        let parts = try ImageParts([["a": "1"]])
        var members = parts.layoutMembers(name: nil)
        let entry = parts.manifestDescriptor
        let index = ImageIndex(manifests: Array(repeating: entry, count: 2000)).json.bytes()
        let top = ImageStore.descriptor(of: index, .imageIndex)
        members.append((top.layoutPath, index))
        for position in members.indices where members[position].name == "index.json" {
            members[position].content = ImageIndex(manifests: [top]).json.bytes()
        }
        let archive = try CountedArchive(members)
        let layout = try #require(try OCILayout(archive))
        var pending = PendingBlobs(store: store)
        _ = try pending.add(layout, entry: top)
        #expect(archive.read(parts.manifest.configuration.layoutPath) <= 2 * parts.configuration.count)
    }
}
