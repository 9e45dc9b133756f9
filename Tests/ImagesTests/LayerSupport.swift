import CLinux
import Images
import LinuxSystem
import OCI
import Testing

/// A folder that goes away with its owner.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = "/tmp/minirun-test-\(getpid())-\(Clock.monotonic)"
        try Files.makeDirectories(path, mode: 0o755)
    }

    deinit { try? Files.removeTree(path) }

    /// A new folder inside.
    func folder(_ name: String) throws -> String {
        try Files.makeDirectories("\(path)/\(name)")
        return "\(path)/\(name)"
    }
}

/// Runs a program that must succeed, with files in memory as its input and output.
@discardableResult
func runTool(_ arguments: [String], input: [UInt8] = []) throws -> [UInt8] {
    let stdin = try FileDescriptor.inMemory("in")
    let stdout = try FileDescriptor.inMemory("out")
    let stderr = try FileDescriptor.inMemory("error")
    try stdin.write(input)
    try stdin.rewind()
    let pid = try Subprocess.start(arguments, descriptors: [stdin.raw, stdout.raw, stderr.raw])
    let status = try Subprocess.wait(for: pid)
    try stdout.rewind()
    try stderr.rewind()
    guard status == .exited(0) else {
        let text = String(decoding: try stderr.readAll(), as: UTF8.self)
        throw EngineError(.failed, "\(arguments[0]) ended with \(status.code): \(text)")
    }
    return try stdout.readAll()
}

/// The archive of some entries; files have their text as content.
func archive(_ build: (TarWriter) throws -> Void) throws -> [UInt8] {
    let sink = MemorySink()
    let writer = TarWriter(sink)
    try build(writer)
    try writer.finish()
    return sink.bytes
}

extension TarWriter {
    func file(_ path: String, _ text: String = "", mode: UInt32 = 0o644, change: (inout TarEntry) -> Void = { _ in })
        throws
    {
        var entry = TarEntry(path: path, kind: .file)
        entry.size = Int64(text.utf8.count)
        entry.mode = mode
        change(&entry)
        try append(entry, content: MemorySource(Array(text.utf8)))
    }

    func folder(_ path: String, mode: UInt32 = 0o755, change: (inout TarEntry) -> Void = { _ in }) throws {
        var entry = TarEntry(path: path, kind: .directory)
        entry.mode = mode
        change(&entry)
        try append(entry)
    }

    func link(_ path: String, to target: String, kind: TarEntry.Kind = .symlink) throws {
        var entry = TarEntry(path: path, kind: kind)
        entry.linkTarget = Array(target.utf8)
        try append(entry)
    }

    func whiteout(_ path: String) throws { try file(path) }
}

/// Layers on top of each other in a temporary folder.
final class LayerFixture {
    /// What a layer becomes.
    enum Form: String, CaseIterable, CustomTestStringConvertible {
        case folder, erofs
        var testDescription: String { rawValue }
    }

    let folder: TemporaryFolder
    let form: Form
    private(set) var stack = LayerStack(directories: [])
    private(set) var summary = UnpackSummary()

    init(_ form: Form = .folder) throws {
        folder = try TemporaryFolder()
        self.form = form
    }

    deinit {
        if form == .erofs { for directory in stack.directories { _ = try? ImageMount.unmount(directory) } }
    }

    /// Unpacks one more layer on top and gives its folder.
    @discardableResult
    func add(_ build: (TarWriter) throws -> Void) throws -> String { try add(archive(build)) }

    /// The image of a layer, by its folder.
    func image(_ directory: String) -> String { directory + ".erofs" }

    @discardableResult
    func add(_ tar: [UInt8]) throws -> String {
        let directory = try folder.folder("layer\(stack.directories.count)")
        switch form {
        case .folder: summary = try LayerUnpacker.unpack(MemorySource(tar), into: directory, over: stack)
        case .erofs:
            let file = try FileDescriptor.open(image(directory), O_RDWR | O_CREAT | O_TRUNC)
            summary = try LayerUnpacker.write(
                MemorySource(tar),
                image: file,
                uuid: Array(repeating: UInt8(stack.directories.count + 1), count: 16),
                over: stack
            )
            try ImageMount.mount(image(directory), at: directory, type: "erofs")
        }
        stack = LayerStack(directories: [directory] + stack.directories)
        return directory
    }

    func text(_ path: String) throws -> String? {
        try stack.read(path, limit: 1 << 20).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The merged tree as overlayfs itself shows it, for the length of a call.
    func mounted<R>(_ body: (String) throws -> R) throws -> R {
        let point = try folder.folder("mounted")
        let empty = try folder.folder("empty")
        let options = "lowerdir=" + (stack.directories + [empty]).joined(separator: ":")
        try retrying("mounting", point) { mount("overlay", point, "overlay", 0, options) }
        defer { umount2(point, CInt(MNT_DETACH)) }
        return try body(point)
    }
}

let isRoot = getuid() == 0
