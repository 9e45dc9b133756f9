import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// A store of a test's own and small images to put into it.
extension Minirun {
    /// A docker archive with one image of some layers, each of a few files that depend on `number`.
    func archive(_ name: String, number: Int = 0, layers: Int = 2, size: Int = 40_000) throws -> String {
        let file = path("\(name.replacing("/", with: "-").replacing(":", with: "-"))-\(number).tar")
        try tool("python3", "-c", Self.makeArchive, file, name, "\(number)", "\(layers)", "\(size)", "/bin/busybox")
        return file
    }

    /// Layer 0 has busybox, so that the image can run.
    private static let makeArchive = """
        import sys, tarfile, io, json, hashlib
        out, name, number, layers, size, busybox = sys.argv[1:7]
        def tar(files):
            b = io.BytesIO()
            with tarfile.open(fileobj=b, mode='w') as t:
                for n, data, mode in files:
                    i = tarfile.TarInfo(n); i.size = len(data); i.mode = mode; t.addfile(i, io.BytesIO(data))
            return b.getvalue()
        blobs = []
        for l in range(int(layers)):
            files = [('bin/sh', open(busybox, 'rb').read(), 0o755)] if l == 0 else []
            seed = hashlib.sha256(f'{number if l else 0} {l}'.encode()).digest()
            files += [(f'data/{l}/{k}', (seed * (int(size) // 32 + 1))[:int(size)] + b'%d' % k, 0o644) for k in range(8)]
            blobs.append(tar(files))
        ids = ['sha256:' + hashlib.sha256(b).hexdigest() for b in blobs]
        conf = json.dumps({'architecture': 'ARCH', 'os': 'linux', 'config': {'Cmd': ['/bin/sh', '-c', 'echo ok']},
                           'rootfs': {'type': 'layers', 'diff_ids': ids}}).encode()
        cname = hashlib.sha256(conf).hexdigest() + '.json'
        man = json.dumps([{'Config': cname, 'RepoTags': [name], 'Layers': [f'{l}.tar' for l in range(len(blobs))]}])
        with open(out, 'wb') as f:
            f.write(tar([(f'{l}.tar', b, 0o644) for l, b in enumerate(blobs)] + [(cname, conf, 0o644),
                        ('manifest.json', man.encode(), 0o644)]))
        """.replacing("ARCH", with: Platform.host.architecture)

    /// The store is whole: nothing is left of anything, and every blob and every unpacked file is right.
    func expectSound(_ comment: String = "", _ location: SourceLocation = #_sourceLocation) throws {
        let check = try self("system", "check")
        #expect(check.code == 0, "\(comment)\n\(check)", sourceLocation: location)
        let verify = try self("image", "verify", "--all")
        #expect(verify.code == 0, "\(comment)\n\(verify)", sourceLocation: location)
    }

    /// The blobs of the store.
    var blobs: [String] { ((try? Files.list("\(root)/images/blobs/sha256")) ?? []).sorted() }
    var layers: [String] { ((try? Files.list("\(root)/layers/dir")) ?? []).sorted() }
    var temporaries: [String] { ((try? Files.list("\(root)/tmp")) ?? []).filter { !$0.hasSuffix(".lock") } }

    /// The names of its images.
    func imageNames() throws -> [String] {
        try self("images", "--format", "{{.Repository}}:{{.Tag}}").lines.sorted()
    }

    /// Starts a command whose output goes nowhere.
    func start(_ arguments: [String], environment: [String: String] = [:]) throws -> pid_t {
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        return try Subprocess.start(
            command(arguments),
            environment: Minirun.environment(environment),
            descriptors: [null.raw, null.raw, null.raw]
        )
    }
}
