import CLinux
import Images
import LayerSamples
import LinuxSystem
import OCI
import Testing

/// A tree through GNU tar and our reader, and through our writer and GNU tar, is the same tree: with owners, devices, holes and
/// attributes, and so as root.
@Suite(.enabled(if: isRoot, "not root")) struct TarGNUTests {
    /// Every kind of file, with long names, numbers that no octal field holds, hard links, holes and attributes.
    private static let makeTree = """
        import os, sys, random
        r = random.Random(int(sys.argv[2])); os.chdir(sys.argv[1])
        def finish(p, link=False):
            os.chown(p, r.choice([0, 5, 3000000]), r.choice([0, 4000000000]), follow_symlinks=False)
            if not link: os.chmod(p, r.choice([0o644, 0o4755, 0o2710, 0o1777, 0]))
            if not link and (os.path.isfile(p) or os.path.isdir(p)) and r.random() < 0.5: os.setxattr(p, 'user.' + r.choice('ab'), bytes(r.randrange(256) for _ in range(r.randrange(40))))
            if r.random() < 0.2: os.setxattr(p, 'trusted.t', b'\\0\\n=', follow_symlinks=False)
            t = r.choice([0, 1700000000 * 10**9 + 123456789, -2 * 10**9 + 1, (1 << 33) * 10**9])
            os.utime(p, ns=(t, t), follow_symlinks=False)
        folders = ['.']
        for n in range(60):
            base = r.choice(folders)
            if len(base) > 600: base = '.'
            p = base + '/' + r.choice(['', 'x' * 90, 'y' * 140, 'é', 'a b']) + str(n)
            kind = r.randrange(9)
            if kind == 0: os.mkdir(p); folders.append(p)
            elif kind == 1: os.symlink('t' * r.choice([1, 99, 100, 101, 3000]), p)
            elif kind == 2: os.mknod(p, 0o20600, os.makedev(r.randrange(1, 4000), r.randrange(300000)))
            elif kind == 3: os.mknod(p, 0o60600, os.makedev(8, r.randrange(100)))
            elif kind == 4: os.mkfifo(p)
            elif kind == 5:
                with open(p, 'wb') as f:
                    for _ in range(r.choice([0, 1, 5, 30])):
                        f.seek(4096 * r.randrange(1, 60), 1); f.write(bytes([r.randrange(1, 256)]) * r.randrange(1, 9000))
                    f.truncate(f.tell() + r.choice([0, 1, 100000]))
            else:
                with open(p, 'wb') as f: f.write(bytes([r.randrange(256)]) * r.choice([0, 1, 512, 5000]))
                if kind == 8:
                    os.link(p, base + '/link%d' % n)
            finish(p, kind == 1)
        for f in reversed(folders): finish(f)
        """

    /// A folder on a file system of its own, which keeps every time and attribute.
    private final class Tree {
        let folder: TemporaryFolder

        init() throws {
            folder = try TemporaryFolder()
            let path = folder.path
            try retrying("mounting") { mount("none", path, "tmpfs", 0, "size=64m") }
        }

        deinit { umount2(folder.path, CInt(MNT_DETACH)) }
    }

    private static func expectSame(_ found: LayerTree, _ expected: LayerTree) {
        #expect(found.differences(from: expected) == [])
        #expect(found.nodes.count > 30)
    }

    static let formats = [
        ["--format=gnu"], ["--format=gnu", "-S"], ["--format=pax", "--xattrs", "--xattrs-include=*"],
        ["--format=pax", "-S", "--sparse-version=0.0", "--xattrs", "--xattrs-include=*"],
        ["--format=pax", "-S", "--sparse-version=0.1", "--xattrs", "--xattrs-include=*"],
        ["--format=pax", "-S", "--sparse-version=1.0", "--xattrs", "--xattrs-include=*"],
    ]

    /// GNU tar packs it, we unpack it.
    @Test(arguments: formats, 0..<3) func unpacked(format: [String], seed: Int) throws {
        let tree = try Tree()
        let (source, target) = (try tree.folder.folder("source"), try tree.folder.folder("target"))
        try runTool(["python3", "-c", Self.makeTree, source, "\(seed)"])
        let tar = try runTool(["tar", "-C", source, "--numeric-owner", "-cf", "-"] + format + ["."])
        _ = try LayerUnpacker.unpack(MemorySource(tar), into: target, over: LayerStack(directories: []))
        var expected = try LayerTree(folder: source)
        if !format.contains("--xattrs") { for path in expected.nodes.keys { expected.nodes[path]?.attributes = [:] } }
        // Only PAX records have more than whole seconds.
        if format[0] == "--format=gnu" { for path in expected.nodes.keys { expected.nodes[path]?.nanoseconds = 0 } }
        Self.expectSame(try LayerTree(folder: target), expected)
    }

    /// We pack it, GNU tar unpacks it.
    @Test(arguments: 0..<6) func packed(seed: Int) throws {
        let tree = try Tree()
        let (source, target) = (try tree.folder.folder("source"), try tree.folder.folder("target"))
        try runTool(["python3", "-c", Self.makeTree, source, "\(seed)"])
        let expected = try LayerTree(folder: source)
        let tar = try Self.archive(expected)
        let extract = [
            "tar", "-C", target, "--numeric-owner", "--same-owner", "-p", "--xattrs", "--xattrs-include=*", "-xf", "-",
        ]
        try runTool(extract, input: tar)
        Self.expectSame(try LayerTree(folder: target), expected)
    }

    private static func archive(_ tree: LayerTree) throws -> [UInt8] {
        try ImagesTests.archive { writer in
            for (path, node) in tree.nodes.sorted(by: { LayerTree.comesFirst($0.key, $1.key) }) {
                let (entry, content) = Self.entry(path, node)
                try writer.append(entry, content: MemorySource(content))
            }
        }
    }

    private static func entry(_ path: [UInt8], _ node: LayerNode) -> (TarEntry, [UInt8]) {
        var entry = TarEntry(path: Array("./".utf8) + path, kind: .file)
        var content: [UInt8] = []
        switch node.type {
        case S_IFDIR: entry.kind = .directory
        case S_IFLNK: entry.kind = .symlink
        case S_IFCHR: entry.kind = .characterDevice
        case S_IFBLK: entry.kind = .blockDevice
        case S_IFIFO: entry.kind = .fifo
        default:
            entry.size = node.size
            content = Array(repeating: 0, count: Int(node.size))
            for (number, page) in node.pages {
                content.replaceSubrange(Int(number) * 4096..<Int(number) * 4096 + page.count, with: page)
            }
        }
        entry.linkTarget = node.target
        if !node.isFolder, node.first != path {
            (entry.kind, entry.size, content) = (.hardlink, 0, [])
            entry.linkTarget = Array("./".utf8) + node.first
        }
        entry.mode = UInt32(node.mode) & 0o7777
        (entry.uid, entry.gid) = (node.uid, node.gid)
        (entry.mtime, entry.mtimeNanoseconds) = (node.seconds, Int32(node.nanoseconds))
        (entry.major, entry.minor) = (node.major, node.minor)
        entry.xattrs = node.attributes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return (entry, content)
    }
}
