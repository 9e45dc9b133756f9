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

    static func check(_ tars: [[UInt8]]) throws {
        let fixtures = try LayerFixture.Form.allCases.map { try LayerFixture($0) }
        for tar in tars {
            let listings = try fixtures.map { try listing($0.add(tar)) }
            #expect(listings[0] == listings[1])
            #expect(fixtures[0].summary == fixtures[1].summary)
        }
        let merged = try fixtures.map { fixture in try fixture.mounted { try listing($0) } }
        #expect(merged[0] == merged[1])
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
}
