import CLinux
import Images
import LinuxSystem
import OCI
import Runner
import Testing

@testable import Build

/// Builds that are carried out: they make layers with owners and devices, so they need root; and the fixtures' images.
@Suite("Build execution", .serialized, .buildFixture, .enabled(if: BuildFixture.isPossible, BuildFixture.need))
enum ExecutionTests {}

/// A store with the fixtures' images, shared by the tests of one run and gone after them.
final class BuildFixture: Sendable {
    @TaskLocal static var current: BuildFixture?

    static let folder = "/var/cache/minirun-fixtures"
    static let need: Comment =
        "needs root, \(folder)/oci (made by the fixtures' script) and the minirun-shim beside the tests"
    static var isPossible: Bool { geteuid() == 0 && FileStatus.exists("\(folder)/oci/index.json") && shim != nil }

    let path: String
    let engine: Engine

    init() throws {
        path = "/tmp/minirun-build-test.\(getpid()).\(UInt64.random(in: 0 ... .max))"
        try Files.makeDirectories(path, mode: 0o755)
        engine = try Engine(root: "\(path)/root", state: "\(path)/state", shim: BuildFixture.shim ?? "")
        for name in ["busybox", "python-3.8-slim"] {
            let location = ImageLocation(.layout, path: "\(BuildFixture.folder)/oci", name: name)
            let image = try engine.images.load(location).image
            if name.hasPrefix("python") { try engine.images.tag(image, as: try ImageReference("python:3.8-slim")) }
        }
    }

    func remove() throws { try Files.removeTree(path) }

    /// $MINIRUN_SHIM, or what the package's build put beside the tests.
    static let shim: String? = {
        if let path = getenv("MINIRUN_SHIM") { return String(cString: path) }
        var folder = (try? Link.target("/proc/self/exe")) ?? ""
        for argument in CommandLine.arguments where argument.contains(".xctest") { folder = argument }
        while folder.count > 1 {
            folder = Files.parent(of: folder)
            if FileStatus.exists("\(folder)/minirun-shim") { return "\(folder)/minirun-shim" }
        }
        return nil
    }()
}

struct BuildFixtureTrait: SuiteTrait, TestScoping {
    var isRecursive: Bool { false }

    func provideScope(for test: Test, testCase: Test.Case?, performing function: () async throws -> Void) async throws {
        guard BuildFixture.isPossible else { return try await function() }
        let fixture = try BuildFixture()
        defer { try? fixture.remove() }
        try await BuildFixture.$current.withValue(fixture, operation: function)
    }
}

extension Trait where Self == BuildFixtureTrait {
    static var buildFixture: Self { BuildFixtureTrait() }
}

/// A build context of a test's own, and what its build said.
final class BuildTrial {
    let engine: Engine
    let context: String
    private(set) var events: [BuildEvent] = []
    /// The ids of the containers in which RUNs said something.
    private(set) var containers: Set<String> = []
    private let home: String

    init(_ dockerfile: String, files: [String: String] = [:], engine: Engine? = nil) throws {
        let fixture = try #require(BuildFixture.current)
        self.engine = engine ?? fixture.engine
        home = fixture.path
        context = "\(fixture.path)/context.\(UInt64.random(in: 0 ... .max))"
        try Files.makeDirectories(context, mode: 0o755)
        try write("Dockerfile", dockerfile)
        for (name, text) in files { try write(name, text) }
    }

    deinit { try? Files.removeTree(context) }

    /// A file of the context, with the folders that it needs.
    func write(_ name: String, _ text: String, mode: mode_t = 0o644) throws {
        let path = "\(context)/\(name)"
        try Files.makeDirectories(Files.parent(of: path))
        try Files.write(path, Array(text.utf8), mode: mode)
        chmod(path, mode)
    }

    @discardableResult
    func build(_ change: (inout BuildRequest) -> Void = { _ in }) throws -> StoredImage {
        var request = BuildRequest(context: context)
        change(&request)
        var events: [BuildEvent] = []
        defer { self.events = events }
        let builder = Builder(engine: engine) { event in
            events.append(event)
            guard case .log = event.kind else { return }
            self.containers.formUnion((try? Files.list("\(self.engine.state)/active")) ?? [])
        }
        return try builder.build(request).image
    }

    /// The build's error; nil where it went well.
    func failure(_ change: (inout BuildRequest) -> Void = { _ in }) -> BuildError? {
        do {
            try build(change)
            return nil
        } catch {
            return error as? BuildError ?? BuildError("another error: \(error)")
        }
    }

    /// The merged root of an image.
    func root(of image: StoredImage) throws -> LayerStack { try engine.images.unpackedLayers(of: image) }

    /// A file of an image as text; nil where there is none.
    func read(_ path: String, in image: StoredImage) throws -> String? {
        try root(of: image).read(path, limit: 1 << 20).map { String(decoding: $0, as: UTF8.self) }
    }

    /// What the build's steps ended with: "CACHED", "DONE", "ERROR", in the order of their ends.
    var endings: [String] {
        var names: [Int: String] = [:]
        return events.compactMap { event in
            switch event.kind {
            case .planned(let name), .started(let name): names[event.step] = name
            case .cached(let name): return "CACHED \(name)"
            case .completed: return "DONE \(names[event.step] ?? "")"
            case .failed: return "ERROR \(names[event.step] ?? "")"
            case .canceled: return "CANCELED \(names[event.step] ?? "")"
            default: break
            }
            return nil
        }
    }

    /// The cgroups that are left of the containers.
    var cgroups: [String] {
        let hierarchies = ((try? Files.list("/sys/fs/cgroup")) ?? []).map { "/sys/fs/cgroup/\($0)/minirun" }
        return (hierarchies + ["/sys/fs/cgroup/minirun"]).flatMap { folder in
            containers.map { "\(folder)/\($0)" }.filter(FileStatus.exists)
        }
    }

    /// The output of all RUNs.
    var log: String {
        String(
            decoding: events.flatMap { if case .log(_, let bytes) = $0.kind { bytes } else { [UInt8]() } },
            as: UTF8.self
        )
    }

    /// Names of everything in an image's own topmost layer, with kind and mode.
    func topLayer(of image: StoredImage) throws -> [String] {
        let layer = try #require(image.manifest.layers.last)
        let reader = TarReader(DecompressingSource(try image.open(layer: layer)))
        var found: [String] = []
        while let entry = try reader.next() { found.append(entry.name) }
        return found
    }

    /// The same with all that a tar says of each.
    func topEntries(of image: StoredImage) throws -> [String: TarEntry] {
        let layer = try #require(image.manifest.layers.last)
        let reader = TarReader(DecompressingSource(try image.open(layer: layer)))
        var found: [String: TarEntry] = [:]
        while let entry = try reader.next() { found[entry.name] = entry }
        return found
    }
}
