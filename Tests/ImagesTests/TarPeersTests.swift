import CLinux
import Images
import LayerSamples
import LinuxSystem
import OCI
import Testing

/// Archives made at random, by python's tarfile, by GNU tar and by us: each reads of the others' what was meant. One line for
/// each member says all that is compared.
@Suite struct TarPeersTests {
    /// Kind, mode, owner, group, device, time, name, target, size and digest of the content, attributes.
    private static func line(_ entry: TarEntry, _ content: [UInt8]) -> String {
        let path = entry.path.last == UInt8(ascii: "/") ? Array(entry.path.dropLast()) : entry.path
        let isDevice = entry.kind == .characterDevice || entry.kind == .blockDevice
        let data = entry.kind == .file ? "\(content.count):\(SHA256Digest.of(content).hex)" : "-"
        let attributes = entry.xattrs.map { hex(Array($0.name.utf8)) + "=" + hex($0.value) }.sorted()
        return [
            "\(entry.kind)", String(entry.mode, radix: 8), "\(entry.uid):\(entry.gid)",
            isDevice ? "\(entry.major):\(entry.minor)" : "-", "\(entry.mtime).\(entry.mtimeNanoseconds)", hex(path),
            hex(entry.linkTarget), data, attributes.joined(separator: ","),
        ].joined(separator: " ")
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func ours(_ tar: [UInt8]) throws -> [String] {
        try TarReaderTests.members(tar).map { line($0.entry, $0.content) }
    }

    private static func lines(_ output: [UInt8]) -> [String] {
        String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private static func expectSame(_ found: [String], _ expected: [String], _ comment: String) {
        for (one, other) in zip(found, expected) where one != other { #expect(one == other, "\(comment)") }
        #expect(found.count == expected.count, "\(comment)")
    }

    // MARK: Python

    /// What both python scripts need: the line of a member.
    private static let pythonLine = """
        import sys, io, tarfile, random, hashlib, os
        from decimal import Decimal, ROUND_FLOOR
        names = {tarfile.REGTYPE: 'file', tarfile.AREGTYPE: 'file', tarfile.GNUTYPE_SPARSE: 'file', tarfile.DIRTYPE: 'directory',
                 tarfile.SYMTYPE: 'symlink', tarfile.LNKTYPE: 'hardlink', tarfile.CHRTYPE: 'characterDevice',
                 tarfile.BLKTYPE: 'blockDevice', tarfile.FIFOTYPE: 'fifo'}
        def raw(text): return text.encode('utf-8', 'surrogateescape')
        def time(i):
            # As a float, python loses nanoseconds.
            value = Decimal(i.pax_headers.get('mtime', i.mtime))
            whole = value.to_integral_value(ROUND_FLOOR)
            return '%d.%d' % (whole, (value - whole) * 10**9)
        def line(t, i):
            data = t.extractfile(i).read() if i.isreg() else b''
            x = sorted(raw(k[13:]).hex() + '=' + raw(v).hex() for k, v in i.pax_headers.items() if k.startswith('SCHILY.xattr.'))
            return ' '.join([names[i.type], '%o' % (i.mode & 0o7777), '%d:%d' % (i.uid, i.gid),
                '%d:%d' % (i.devmajor, i.devminor) if i.isdev() and not i.isfifo() else '-', time(i),
                raw(i.name).rstrip(b'/').hex(), raw(i.linkname).hex() if i.issym() or i.islnk() else '',
                '%d:%s' % (len(data), hashlib.sha256(data).hexdigest()) if i.isreg() else '-', ','.join(x)])

        """

    private static let pythonReader =
        pythonLine + """
            t = tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read()), errorlevel=2)
            for i in t: print(line(t, i))
            """

    /// Members of every type; numbers that need base 256 or a PAX record; names of any bytes and lengths.
    private static let pythonWriter =
        pythonLine + """
            r = random.Random(int(sys.argv[1])); form = int(sys.argv[2])
            ustar = form == tarfile.USTAR_FORMAT
            b = io.BytesIO()
            t = tarfile.open(fileobj=b, mode='w', format=form)
            def name(most):
                parts = []
                while sum(map(len, parts)) < r.choice([1, 1, 30, most]):
                    part = bytes(r.choice(b'abcXYZ019-_ .' + (b'' if ustar else b'\\xc3\\xa9\\xff\\x07'[:3])) for _ in range(r.choice([1, 5, 20 if ustar else 60])))
                    parts.append(part.decode('utf-8', 'surrogateescape').strip('. ') or 'n')
                return '/'.join(parts)
            for _ in range(40):
                i = tarfile.TarInfo(name(30 if ustar else 900))
                i.type = r.choice([tarfile.REGTYPE] * 4 + [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE,
                                  tarfile.BLKTYPE, tarfile.FIFOTYPE])
                i.mode = r.randrange(0o10000)
                i.uid = r.choice([0, 1000, 2097151] + ([] if ustar else [2097152, 4294967294]))
                i.gid = r.choice([0, 100] + ([] if ustar else [3000000000]))
                i.mtime = r.choice([0, 1700000000] + ([] if ustar else [-1, -100000, 1 << 33, 1 << 34]))
                if form == tarfile.PAX_FORMAT and r.random() < 0.4: i.mtime += r.choice([0.5, 0.25, 0.125])
                data = b''
                if i.isreg():
                    data = bytes([r.randrange(256)]) * r.choice([0, 1, 511, 512, 513, 20000])
                    i.size = len(data)
                if i.issym() or i.islnk(): i.linkname = name(30 if ustar else 500)
                if i.ischr() or i.isblk(): i.devmajor, i.devminor = r.randrange(2097152), r.randrange(2097152)
                if form == tarfile.PAX_FORMAT and r.random() < 0.3:
                    i.pax_headers['SCHILY.xattr.user.' + r.choice('abc')] = 'v' * r.randrange(2000)
                if form == tarfile.PAX_FORMAT and r.random() < 0.2: i.pax_headers['comment'] = 'none'
                t.addfile(i, io.BytesIO(data))
            t.close()
            sys.stdout.buffer.write(b.getvalue())
            """

    @Test(arguments: [(name: "USTAR", number: 0), (name: "GNU", number: 1), (name: "PAX", number: 2)], 0..<6)
    func pythonsArchives(format: (name: String, number: Int), seed: Int) throws {
        let tar = try runTool(["python3", "-c", Self.pythonWriter, "\(seed)", "\(format.number)"])
        let expected = Self.lines(try runTool(["python3", "-c", Self.pythonReader], input: tar))
        #expect(expected.count == 40)
        Self.expectSame(try Self.ours(tar), expected, "\(format.name) \(seed)")
    }

    /// Ours, read by python.
    @Test(arguments: 0..<6) func ourArchives(seed: Int) throws {
        var random = RandomArchives(seed: UInt64(seed) &+ 1000)
        for _ in 0..<3 {
            let tar = try random.next()
            let read = Self.lines(try runTool(["python3", "-c", Self.pythonReader], input: tar))
            Self.expectSame(read, try Self.ours(tar), "seed \(seed)")
        }
        let read = Self.lines(try runTool(["python3", "-c", Self.pythonReader], input: try TarWriterTests.written()))
        let expected = try TarReaderTests.members(TarWriterTests.written())
        // Python takes an attribute's value for text.
        for (line, member) in zip(read, expected) where member.entry.xattrs.isEmpty {
            #expect(line == Self.line(member.entry, member.content))
        }
        #expect(read.count == expected.count)
    }

    /// Sparse files of up to 60 stretches: as old GNU tar writes them, read by python and by us.
    @Test(arguments: 0..<8) func oldSparseFiles(seed: Int) throws {
        var random = SeededGenerator(state: UInt64(seed) &+ 50)
        var entry = TarEntry(path: String(repeating: "long/", count: seed * 8) + "sparse", kind: .file)
        var segments: [TarEntry.Segment] = []
        var content: [UInt8] = []
        var end: Int64 = 0
        for number in 0..<[1, 3, 4, 5, 25, 26, 46, 60][seed] {
            let offset = end + 512 * Int64.random(in: 1...40, using: &random)
            let length = 512 * Int64.random(in: 1...5, using: &random)
            segments.append(TarEntry.Segment(offset: offset, length: length))
            content += Array(repeating: UInt8(truncatingIfNeeded: number + 1), count: Int(length))
            end = offset + length
        }
        entry.sparse = segments
        entry.size = end + 700
        entry.mtime = -5
        let tar = GNUTar.sparse(entry, segments, content) + [UInt8](repeating: 0, count: 1024)
        let lines = try Self.ours(tar)
        Self.expectSame(Self.lines(try runTool(["python3", "-c", Self.pythonReader], input: tar)), lines, "\(seed)")
        #expect(try TarReaderTests.members(tar)[0].entry.sparse == segments)
        #expect(lines.count == 1 && lines[0].contains(" \(entry.size):"))
    }
}
