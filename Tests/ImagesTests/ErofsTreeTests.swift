import CLinux
import Images
import LinuxSystem
import OCI
import Testing

/// Layers as images and as folders must show the same tree.
@Suite(.enabled(if: isRoot, "not root")) struct ErofsTreeTests {
    /// One line for each file below a folder, with all that a layer keeps of it.
    static func listing(_ folder: String) throws -> [String] {
        let script = """
            import hashlib, os, stat, sys
            seen = {}
            def line(path, name):
                s = os.lstat(path)
                x = {n: os.getxattr(path, n, follow_symlinks=False) for n in os.listxattr(path, follow_symlinks=False)}
                white = stat.S_ISCHR(s.st_mode) and s.st_rdev == 0
                what = ''
                if stat.S_ISLNK(s.st_mode): what = os.readlink(os.fsencode(path))
                if stat.S_ISREG(s.st_mode):
                    with open(path, 'rb') as f: what = hashlib.sha256(f.read()).hexdigest() + ' %d' % s.st_size
                # What is one file keeps the name under which it was first seen.
                first = seen.setdefault((s.st_dev, s.st_ino), name) if not white and not stat.S_ISDIR(s.st_mode) else ''
                links = s.st_nlink if not white and not stat.S_ISDIR(s.st_mode) else 0
                time = s.st_mtime_ns if not white else 0
                print(repr((name, oct(s.st_mode), s.st_uid, s.st_gid, s.st_rdev, time, links, first, what, sorted(x.items()))))
            root = os.fsencode(sys.argv[1])
            line(root, b'.')
            for folder, folders, files in os.walk(root):
                folders.sort()
                for name in sorted(folders + files):
                    path = os.path.join(folder, name)
                    line(path, os.path.relpath(path, root))
            """
        let text = String(decoding: try runTool(["python3", "-c", script, folder]), as: UTF8.self)
        return text.split(separator: "\n").map(String.init)
    }

    /// Applies archives one after the other to both forms. What one form refuses the other must refuse in the same words.
    static func check(_ tars: [[UInt8]]) throws {
        let fixtures = try LayerFixture.Form.allCases.map { try LayerFixture($0) }
        for tar in tars {
            let results = try fixtures.map { fixture -> (lines: [String], directory: String?) in
                do {
                    let directory = try fixture.add(tar)
                    return (try listing(directory), directory)
                } catch let error as EngineError {
                    return ([error.message], nil)
                }
            }
            Self.expectSame(results[0].lines, results[1].lines)
            guard let directory = results[1].directory, results[0].directory != nil else { return }
            #expect(fixtures[0].summary == fixtures[1].summary)
            try runTool(["fsck.erofs", fixtures[1].image(directory)])
        }
        let merged = try fixtures.map { fixture in try fixture.mounted { try listing($0) } }
        Self.expectSame(merged[0], merged[1])
    }

    /// With the first line that differs.
    private static func expectSame(_ folder: [String], _ image: [String]) {
        for (one, other) in zip(folder, image) where one != other { #expect(one == other) }
        #expect(folder.count == image.count)
    }

    @Test func aSmallTree() throws {
        try Self.check([
            archive { tar in
                try tar.folder("./", mode: 0o711) { ($0.uid, $0.mtime) = (7, 1000) }
                try tar.folder("bin/", mode: 0o2755) { ($0.mtime, $0.mtimeNanoseconds) = (-5, 999_999_999) }
                try tar.file("bin/su", "text", mode: 0o6755) {
                    ($0.uid, $0.gid, $0.mtime, $0.mtimeNanoseconds) = (100_000, 4_000_000_000, 3000, 500)
                    $0.xattrs = [
                        ("user.note", [1, 2]), ("trusted.x", []), ("security.evm", Array(repeating: 1, count: 300)),
                    ]
                }
                try tar.link("sh", to: "bin/su")
                try tar.link("long", to: String(repeating: "abcdefg/", count: 511))
                try tar.link("bin/twin", to: "bin/su", kind: .hardlink)
                for size in [0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 6144, 6145, 8192, 1_000_000] {
                    try tar.file("sizes/\(size)", String(repeating: "x", count: size))
                }
                for number in 0..<1000 { try tar.file("many/\(number)", "\(number)") }
                var device = TarEntry(path: "null", kind: .characterDevice)
                (device.major, device.minor, device.mode) = (1, 300, 0o666)
                try tar.append(device)
                device.path = Array("disk".utf8)
                device.kind = .blockDevice
                try tar.append(device)
                try tar.append(TarEntry(path: "pipe", kind: .fifo))
            }
        ])
    }

    /// Archives that nobody would write: names that come again as something else, links to anywhere, whiteouts of what is
    /// there and of what is not, in layers on top of each other.
    @Test(arguments: 0..<24) func randomTrees(seed: Int) throws {
        var archives = RandomArchives(seed: UInt64(seed))
        try Self.check((0..<4).map { _ in try archives.next() })
    }

    @Test func sparseFilesHaveTheSameHoles() throws {
        let folder = try TemporaryFolder()
        let source = try folder.folder("source")
        var names: [String] = []
        let files: [(size: Int, places: [Int])] = [
            (10_000, []), (1 << 20, [0]), (1 << 20, [4096, 9000, 500_000]), (3_000_001, [2_999_990]),
            (512 << 20, [5, 300 << 20]), (100_000, [0, 4096, 8192, 12288]),
        ]
        for (number, (size, places)) in files.enumerated() {
            let file = try FileDescriptor.open("\(source)/\(number)", O_WRONLY | O_CREAT)
            try retrying("growing") { ftruncate(file.raw, size) }
            for place in places { try file.write(Array("some data".utf8), at: Int64(place)) }
            names.append("\(number)")
        }
        let tar = try runTool(["tar", "-C", source, "--format=pax", "-S", "-cf", "-"] + names)
        // A copy of a lower layer's sparse file is made by other means.
        let copies = try archive { tar in
            for name in names { try tar.link("copy\(name)", to: name, kind: .hardlink) }
        }
        try Self.check([tar, copies])
    }

    @Test func overALoopDevice() throws {
        let fixture = try LayerFixture(.erofs)
        let layer = try fixture.add { try $0.file("x", "text") }
        let point = try fixture.folder.folder("looped")
        try ImageMount.mountLoop(fixture.image(layer), at: point, type: "erofs")
        defer { _ = try? ImageMount.unmount(point) }
        #expect(try Files.readText(point + "/x") == "text")
        #expect(try Files.readText("/proc/self/mounts").contains("/dev/loop"))
        #expect(try ImageMount.unmount(point))
        #expect(try !ImageMount.unmount(point))
    }
}

/// Layers with few names, so that they meet.
struct RandomArchives {
    private var random: SeededGenerator
    private static let names = ["a", "b", "c", "dir", "-x", "a.b", "Z"]

    init(seed: UInt64) { random = SeededGenerator(state: seed) }

    private mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }
    private mutating func name() -> String { Self.names[number(0..<Self.names.count)] }
    private mutating func path() -> String { (0...number(0..<3)).map { _ in name() }.joined(separator: "/") }

    private mutating func target() -> String {
        switch number(0..<6) {
        case 0: "/" + path()
        case 1: "../" + path()
        case 2: "../../../" + name()
        case 3: "."
        default: path()
        }
    }

    mutating func next() throws -> [UInt8] {
        let sink = MemorySink()
        let writer = TarWriter(sink)
        for _ in 0..<number(5..<40) { try add(to: writer) }
        try writer.finish()
        return sink.bytes
    }

    private mutating func add(to writer: TarWriter) throws {
        var entry = TarEntry(path: path(), kind: .file)
        var content: [UInt8] = []
        switch number(0..<20) {
        case 0..<6:
            content = Array(
                repeating: UInt8(number(0..<256)),
                count: [0, 1, 100, 2048, 2049, 4096, 9000][number(0..<7)]
            )
        case 6..<10: entry.kind = .directory
        case 10..<13: entry.kind = .symlink
        case 13..<15: entry.kind = .hardlink
        case 15: entry.kind = .fifo
        case 16:
            entry.kind = .characterDevice
            (entry.major, entry.minor) = (UInt32(number(1..<4096)), UInt32(number(0..<1 << 20)))
        case 17: entry.path = Array((path() + "/.wh..wh..opq").utf8)
        default: entry.path = Array((number(0..<3) == 0 ? ".wh." + name() : path() + "/.wh." + name()).utf8)
        }
        if entry.kind == .symlink || entry.kind == .hardlink { entry.linkTarget = Array(target().utf8) }
        entry.size = Int64(content.count)
        entry.mode = UInt32(number(0..<0o10000))
        entry.uid = UInt32(number(0..<200_000))
        entry.gid = UInt32(number(0..<3))
        entry.mtime = Int64(number(-1000..<4_000_000_000))
        entry.mtimeNanoseconds = Int32(number(0..<1_000_000_000))
        if number(0..<4) == 0 { entry.xattrs.append(("user.\(name())", [UInt8(number(0..<256))])) }
        if number(0..<8) == 0 {
            entry.xattrs.append(("trusted.\(name())", Array(repeating: 1, count: number(0..<600))))
        }
        if number(0..<16) == 0 { entry.xattrs.append(("nobody.knows", [1])) }
        try writer.append(entry, content: MemorySource(content))
    }
}

/// The same numbers in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
