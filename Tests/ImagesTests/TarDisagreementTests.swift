import LinuxSystem
import OCI
import Testing

@testable import Images

/// Archives that readers understand differently, mostly because the header and an extended header differ in a size, and the
/// content is itself an archive (CVE-2025-62518, CVE-2026-33055, CVE-2026-32766): each is refused, or read as python's tarfile,
/// GNU tar and libarchive read it where these agree; and both of our readers agree on it.
@Suite struct TarDisagreementTests {
    /// What our readers say: names, or nil for a refusal.
    static let expected: [(name: String, names: [String]?)] = [
        ("pax-larger-than-header", ["f", "after"]), ("pax-smaller-than-header", ["f", "smuggled", "after"]),
        ("pax-size-on-folder", nil), ("header-size-on-folder", ["d", "smuggled", "after"]),
        ("header-size-on-symlink", ["l", "smuggled", "after"]), ("pax-size-on-symlink", nil),
        ("header-size-on-hardlink", ["t", "l", "smuggled", "after"]), ("pax-size-on-hardlink", nil),
        ("pax-size-applies-to-long-name", ["longname", "after"]), ("long-name-then-pax", nil),
        ("long-name-and-the-same", ["same", "after"]), ("two-pax-headers", nil), ("two-pax-sizes", ["f", "after"]),
        ("empty-pax-size", nil), ("signed-pax-size", nil), ("spaced-pax-size", nil), ("global-size", nil),
        ("global-path", nil), ("base256-size", ["f", "after"]), ("space-padded-size", ["f", "after"]),
        ("size-without-end", ["f", "after"]), ("negative-base256", nil), ("contiguous", ["f", "after"]),
        ("lone-zero-block", nil), ("after-the-end", ["f"]), ("pax-path-nul", nil),
        ("pax-linkpath-size", ["f", "after"]), ("solaris-X", ["f", "after"]), ("pax-then-end", nil),
        ("volume-with-size", nil), ("unknown-type", nil),
    ]

    /// Where the readers disagree with each other, and we go with Go's reader, which engines have used for all layers there are.
    private static let asGo: Set<String> = ["header-size-on-symlink"]

    private static let script = """
        import sys
        def header(name, type=b'0', size=0, link='', field=None, gnu=False):
            b = bytearray(512)
            def put(s, o): b[o:o + len(s)] = s
            put(name.encode(), 0); put(b'0000644\\0', 100); put(b'0000000\\0', 108); put(b'0000000\\0', 116)
            put(field if field is not None else b'%011o\\0' % size, 124); put(b'00000000000\\0', 136)
            put(b' ' * 8, 148); put(type, 156); put(link.encode(), 157)
            put(b'ustar  \\0' if gnu else b'ustar\\x0000', 257); put(b'%06o\\0 ' % sum(b), 148)
            return bytes(b)
        def pad(d): return d + bytes(-len(d) % 512)
        def rec(k, v):
            body = b' ' + k.encode() + b'=' + v.encode() + b'\\n'
            n = len(body) + 1
            while len(str(n)) + len(body) != n: n += 1
            return str(n).encode() + body
        def pax(type, *kv):
            d = b''.join(rec(k, v) for k, v in kv)
            return header('PaxHeader', type, len(d)) + pad(d)
        def long(text):
            d = text.encode() + b'\\0'
            return header('././@LongLink', b'L', len(d), gnu=True) + pad(d)
        inner = header('smuggled', size=5) + pad(b'inner')
        rest = inner + header('after', size=5) + pad(b'after')
        n = len(inner); size = ('size', str(n)); hello = header('f', size=5) + pad(b'hello'); t = header('t', size=1) + pad(b't')
        after = rest[n:]
        C = {
            'pax-larger-than-header': pax(b'x', size) + header('f') + rest,
            'pax-smaller-than-header': pax(b'x', ('size', '0')) + header('f', size=n) + rest,
            'pax-size-on-folder': pax(b'x', size) + header('d/', b'5') + rest,
            'header-size-on-folder': header('d/', b'5', n) + rest,
            'header-size-on-symlink': header('l', b'2', n, 'x') + rest,
            'pax-size-on-symlink': pax(b'x', size) + header('l', b'2', link='x') + rest,
            'header-size-on-hardlink': t + header('l', b'1', n, 't') + rest,
            'pax-size-on-hardlink': t + pax(b'x', size) + header('l', b'1', link='t') + rest,
            'pax-size-applies-to-long-name': pax(b'x', size) + long('longname') + header('f') + rest,
            'long-name-then-pax': long('longname') + pax(b'x', size, ('path', 'paxname')) + header('f') + rest,
            'long-name-and-the-same': long('same') + pax(b'x', size, ('path', 'same')) + header('f') + rest,
            'two-pax-headers': pax(b'x', size) + pax(b'x', ('path', 'second')) + header('f') + rest,
            'two-pax-sizes': pax(b'x', ('size', '0'), size) + header('f') + rest,
            'empty-pax-size': pax(b'x', ('size', '')) + header('f', size=n) + rest,
            'signed-pax-size': pax(b'x', ('size', '+%d' % n)) + header('f') + rest,
            'spaced-pax-size': pax(b'x', ('size', ' %d' % n)) + header('f') + rest,
            'global-size': pax(b'g', size) + header('f') + rest,
            'global-path': pax(b'g', ('path', 'other')) + hello + after,
            'base256-size': header('f', field=b'\\x80' + bytes(9) + bytes([n >> 8, n & 255])) + rest,
            'space-padded-size': header('f', field=b'%11o ' % n) + rest,
            'size-without-end': header('f', field=b'%012o' % n) + rest,
            'negative-base256': header('f', field=b'\\xff' * 12) + rest,
            'contiguous': header('f', b'7', n) + rest,
            'lone-zero-block': hello + bytes(512) + after,
            'after-the-end': hello + bytes(1024) + after,
            'pax-path-nul': pax(b'x', ('path', 'a\\0b')) + hello + after,
            'pax-linkpath-size': pax(b'x', ('linkpath', 'other'), size) + header('f') + rest,
            'solaris-X': pax(b'X', size) + header('f') + rest,
            'pax-then-end': hello + pax(b'x', ('size', '1')),
            'volume-with-size': header('vol', b'V', n) + rest,
            'unknown-type': header('f', b'Q', n) + rest,
        }
        sys.stdout.buffer.write(C[sys.argv[1]] + bytes(1024))
        """

    /// What others say; nil for a refusal.
    private static func peers(_ tar: [UInt8], _ folder: String) throws -> [[String]?] {
        let file = folder + "/archive.tar"
        try Files.replace(file, with: tar)
        let python = "import sys, tarfile\nfor m in tarfile.open(sys.argv[1], errorlevel=2): print(m.name)"
        var commands = [["python3", "-c", python, file], ["tar", "-tf", file]]
        if FileStatus.exists("/usr/bin/bsdtar") { commands.append(["bsdtar", "-tf", file]) }
        return commands.map { command in
            guard let output = try? runTool(command) else { return nil }
            return String(decoding: output, as: UTF8.self).split(separator: "\n").map {
                String($0.hasSuffix("/") ? $0.dropLast() : $0)
            }
        }
    }

    @Test(arguments: expected.map(\.name)) func isReadAsOthersDo(name: String) throws {
        let tar = try runTool(["python3", "-c", Self.script, name])
        let expected = Self.expected.first { $0.name == name }?.names
        let ours = (try? TarReaderTests.members(tar))?.map {
            let text = String(decoding: $0.entry.path, as: UTF8.self)
            return text.hasSuffix("/") ? String(text.dropLast()) : text
        }
        #expect(ours == expected)
        // The reader of the archives of images: it knows the same files, or refuses as well.
        let file = try FileDescriptor.inMemory("archive")
        try file.write(tar)
        let outer = try? TarFiles(owning: file, description: "archive")
        if expected == nil {
            // It stops at the first block of zeros, and never reads what comes behind.
            #expect(outer == nil || name == "lone-zero-block" || name == "pax-then-end", "the outer reader takes it")
        } else if let outer {
            #expect(try (outer.open("smuggled") != nil) == expected?.contains("smuggled"))
            #expect(try (outer.open("after") != nil) == expected?.contains("after"))
        }
        guard let ours, !Self.asGo.contains(name) else { return }
        let folder = try TemporaryFolder()
        let others = try Set(Self.peers(tar, folder.path).compactMap { $0 })
        #expect(others.count == 1 && others.first == ours, "\(others)")
    }
}
