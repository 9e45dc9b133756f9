import CLinux
import Images
import LinuxSystem
import OCI
import Testing

@Suite struct TarReaderTests {
    static func members(_ bytes: [UInt8], limits: TarLimits = .default) throws -> [(entry: TarEntry, content: [UInt8])]
    {
        let reader = TarReader(MemorySource(bytes), limits: limits)
        var members: [(TarEntry, [UInt8])] = []
        while let entry = try reader.next() { members.append((entry, try TarContentSource(reader).readAll())) }
        return members
    }

    /// What python's tarfile writes in each of its formats must come back as python would read it.
    @Test(arguments: ["USTAR_FORMAT", "GNU_FORMAT", "PAX_FORMAT"])
    func readsWhatPythonWrites(format: String) throws {
        let script = """
            import tarfile, io, sys
            t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.\(format))
            def add(name, type=tarfile.REGTYPE, data=b'', **more):
                i = tarfile.TarInfo(name); i.type = type; i.size = len(data); i.mode = 0o640
                for k, v in more.items(): setattr(i, k, v)
                t.addfile(i, io.BytesIO(data))
            long = \(format == "USTAR_FORMAT" ? "'d' * 90 + '/' + 'f' * 90" : "'d' * 200 + '/' + 'f' * 200")
            add('plain', data=b'hello', uid=1000, gid=100, mtime=1234567890)
            add('dir', tarfile.DIRTYPE, mode=0o1777)
            add(long, data=b'x' * 1000)
            add('sym', tarfile.SYMTYPE, linkname='plain')
            add('hard', tarfile.LNKTYPE, linkname='plain')
            add('null', tarfile.CHRTYPE, devmajor=1, devminor=3)
            add('disk', tarfile.BLKTYPE, devmajor=8, devminor=0)
            add('pipe', tarfile.FIFOTYPE)
            if '\(format)' != 'USTAR_FORMAT':
                add('big-ids', uid=3000000, gid=4000000000)
                add('unicode-é', data='é'.encode())
            t.close()
            """
        let members = try Self.members(runTool(["python3", "-c", script]))
        #expect(
            members.map(\.entry.kind).prefix(8) == [
                .file, .directory, .file, .symlink, .hardlink, .characterDevice, .blockDevice, .fifo,
            ]
        )
        #expect(members[0].content == Array("hello".utf8))
        #expect(members[0].entry.uid == 1000 && members[0].entry.gid == 100 && members[0].entry.mtime == 1_234_567_890)
        #expect(members[1].entry.mode == 0o1777)
        #expect(members[2].content == [UInt8](repeating: 0x78, count: 1000))
        #expect(members[2].entry.path.count == (format == "USTAR_FORMAT" ? 181 : 401))
        #expect(members[3].entry.linkTarget == Array("plain".utf8))
        #expect(members[5].entry.major == 1 && members[5].entry.minor == 3)
        if format != "USTAR_FORMAT" {
            #expect(members[8].entry.uid == 3_000_000 && members[8].entry.gid == 4_000_000_000)
            #expect(members[9].entry.name == "unicode-é")
        }
    }

    @Test(arguments: ["gnu", "oldgnu", "pax", "posix", "ustar", "v7"])
    func readsWhatGNUTarWrites(format: String) throws {
        let folder = try TemporaryFolder()
        try Files.makeDirectories(folder.path + "/in/a/b")
        try Files.write(folder.path + "/in/a/b/file", Array("content".utf8))
        let tar = try runTool(["tar", "-C", folder.path + "/in", "--format=\(format)", "--sort=name", "-cf", "-", "."])
        let members = try Self.members(tar)
        #expect(members.map(\.entry.name) == ["./", "./a/", "./a/b/", "./a/b/file"])
        #expect(members[3].content == Array("content".utf8))
        if format == "pax" || format == "posix" { #expect(members[3].entry.mtimeNanoseconds != 0) }
    }

    @Test(arguments: ["gnu", "0.0", "0.1", "1.0"], [4, 60])
    func readsSparseFiles(version: String, parts: Int) throws {
        let folder = try TemporaryFolder()
        var expected = [UInt8](repeating: 0, count: parts * 131_072)
        for part in 0..<parts {
            expected.replaceSubrange(part * 131_072..<part * 131_072 + 5, with: Array("part\(part % 10)".utf8))
        }
        let file = try FileDescriptor.open(folder.path + "/sparse", O_WRONLY | O_CREAT)
        for part in 0..<parts {
            lseek(file.raw, part * 131_072, SEEK_SET)
            try file.write(Array("part\(part % 10)".utf8))
        }
        lseek(file.raw, expected.count - 1, SEEK_SET)
        try file.write([0])
        let format = version == "gnu" ? ["--format=gnu"] : ["--format=pax", "--sparse-version=\(version)"]
        let tar = try runTool(["tar", "-C", folder.path, "-S", "-cf", "-"] + format + ["sparse"])
        let members = try Self.members(tar)
        #expect(members.count == 1)
        #expect(members[0].entry.name == "sparse")
        #expect(members[0].entry.sparse != nil)
        #expect(members[0].entry.size == Int64(expected.count))
        #expect(members[0].content == expected)
    }

    @Test func readsExtendedAttributesOfBothKinds() throws {
        let script = """
            import tarfile, io, sys
            t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.PAX_FORMAT, pax_headers={'comment': 'c'})
            i = tarfile.TarInfo('f')
            i.pax_headers = {'SCHILY.xattr.user.a': '1', 'LIBARCHIVE.xattr.user.a': 'eA', 'LIBARCHIVE.xattr.user.b%3dc': 'aGVsbG8=', 'mtime': '-1.25'}
            t.addfile(i)
            t.close()
            """
        let entry = try #require(try Self.members(runTool(["python3", "-c", script])).first).entry
        #expect(entry.xattrs.map(\.name) == ["user.a", "user.b=c"])
        #expect(entry.xattrs.map(\.value) == [Array("1".utf8), Array("hello".utf8)])
        #expect(entry.mtime == -2 && entry.mtimeNanoseconds == 750_000_000)
    }

    @Test func refusesWhatIsNoArchive() throws {
        let good = try archive { try $0.file("a", "content") }
        #expect(throws: EngineError.self) { try Self.members([UInt8](repeating: 0x41, count: 1024)) }
        #expect(throws: EngineError.self) { try Self.members(Array(good[..<600])) }
        #expect(throws: EngineError.self) { try Self.members(Array(good[..<515])) }
        // Neither zeros nor a header behind a block of zeros.
        #expect(throws: EngineError.self) {
            try Self.members(good[..<1024] + [UInt8](repeating: 0, count: 512) + [UInt8](repeating: 0x41, count: 512))
        }
        #expect(try Self.members([]).isEmpty)
        #expect(try Self.members(Array(good[..<1024])).count == 1)
        #expect(try Self.members(Array(good[..<1536])).count == 1)
        #expect(try Self.members(good + Array("whatever".utf8)).count == 1)
    }

    @Test func keepsToItsLimits() throws {
        let many = try archive { for index in 0..<20 { try $0.file("\(index)", "0123456789") } }
        var limits = TarLimits()
        limits.entries = 19
        #expect(throws: EngineError.self) { try Self.members(many, limits: limits) }
        limits = TarLimits()
        limits.total = 199
        #expect(throws: EngineError.self) { try Self.members(many, limits: limits) }
        limits.total = 200
        #expect(try Self.members(many, limits: limits).count == 20)
        let deep = try archive { try $0.file(String(repeating: "d/", count: 600) + "f") }
        #expect(throws: EngineError.self) { try Self.members(deep) }
        let long = try archive { try $0.file(String(repeating: "n", count: 5000)) }
        #expect(throws: EngineError.self) { try Self.members(long) }
    }

    /// Whatever is done to an archive, the reader answers with entries or an error.
    @Test func survivesDamage() throws {
        let script = """
            import tarfile, io, sys
            t = tarfile.open(fileobj=sys.stdout.buffer, mode='w|', format=tarfile.PAX_FORMAT, pax_headers={'comment': 'c'})
            for n in ('a', 'b' * 150, 'c/é'):
                i = tarfile.TarInfo(n); i.size = 700; i.uid = 5000000
                i.pax_headers = {'SCHILY.xattr.user.a': '1', 'GNU.sparse.major': '1', 'GNU.sparse.realsize': '5000', 'mtime': '1.5'}
                t.addfile(i, io.BytesIO(b'1\\n0\\n188\\n' + bytes(692)))
            t.close()
            """
        let good = try runTool(["python3", "-c", script])
        #expect(try Self.members(good).count == 3)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                bytes[index] = Bool.random() ? UInt8.random(in: 0...255, using: &random) : UInt8.random(in: 0x2d...0x39)
            }
            // Half of the time the headers' checksums are made right again, so that the damage gets further in.
            if Bool.random() { TarReaderTests.mendChecksums(&bytes) }
            _ = try? Self.members(bytes)
            _ = try? Self.members(Array(bytes[..<Int.random(in: 0..<bytes.count)]))
        }
    }

    static func mendChecksums(_ bytes: inout [UInt8]) {
        for start in stride(from: 0, to: bytes.count - 511, by: 512)
        where bytes[start + 257..<start + 262].elementsEqual("ustar".utf8) {
            for index in start + 148..<start + 156 { bytes[index] = 0x20 }
            let sum = bytes[start..<start + 512].reduce(0) { $0 + Int($1) }
            let digits = String(sum, radix: 8)
            let field = Array((String(repeating: "0", count: 6 - digits.count) + digits).utf8) + [0, 0x20]
            bytes.replaceSubrange(start + 148..<start + 156, with: field)
        }
    }
}
