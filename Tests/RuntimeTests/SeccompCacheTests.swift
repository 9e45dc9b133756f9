import LinuxSystem
import OCI
import Testing

@testable import Runtime

@Suite("Seccomp cache") final class SeccompCacheTests {
    let directory: String
    let cache: SeccompCache
    let kernel = KernelVersion(6, 1)
    let configuration = SeccompConfiguration(
        defaultAction: .errno,
        syscalls: [.init(names: ["read", "write"], action: .allow)]
    )

    init() {
        directory = "/tmp/minirun-seccomp-\(Clock.monotonic)-\(UInt32.random(in: 0 ... .max))"
        cache = SeccompCache(directory: directory)
    }

    deinit { try? Files.removeTree(directory) }

    /// The one file of the cache.
    func file() throws -> String { directory + "/" + (try #require(try Files.list(directory).first)) }

    @Test("a hit is what compiling gives") func hit() throws {
        let compiled = try SeccompFilter.compile(configuration)
        #expect(try cache.filter(for: configuration) == compiled)
        #expect(try FileStatus.of(directory).mode == 0o700)
        #expect(try FileStatus.of(file()).mode == 0o600)
        try Files.replace(file(), with: Files.read(file()), mode: 0o400)
        #expect(try cache.filter(for: configuration) == compiled)
        #expect(try FileStatus.of(file()).mode == 0o400, "a file that is written again would have its old mode")
    }

    @Test("docker's default is keyed by what it depends on") func dockerDefault() throws {
        let filter = try cache.filter(forDockerDefaultWith: .dockerDefault, kernel: kernel)
        let compiled = try SeccompFilter.compile(
            DockerProfile.configuration(capabilities: .dockerDefault, kernel: kernel)
        )
        #expect(filter == compiled)
        #expect(try cache.filter(forDockerDefaultWith: .dockerDefault, kernel: kernel) == compiled)
        #expect(try Files.list(directory).count == 1)
        #expect(try cache.filter(forDockerDefaultWith: .all, kernel: kernel) != compiled)
        #expect(try Files.list(directory).count == 2)
    }

    @Test("configurations that differ in anything have files of their own") func keys() throws {
        var others = [configuration]
        var other = configuration
        other.flags = []
        others.append(other)
        other = configuration
        other.defaultErrnoRet = 1
        others.append(other)
        other = configuration
        other.syscalls[0].names = ["readwrite"]
        others.append(other)
        other = configuration
        other.syscalls[0].args = [.init(index: 0, value: 1, op: .equal)]
        others.append(other)
        for configuration in others { _ = try cache.filter(for: configuration) }
        #expect(try Files.list(directory).count == others.count)
    }

    @Test("a damaged file is compiled again", arguments: ["bit", "short", "long", "empty", "key"])
    func damaged(_ how: String) throws {
        let filter = try cache.filter(for: configuration)
        let path = try file()
        let good = try Files.read(path)
        var bytes = good
        switch how {
        case "bit": bytes[bytes.count - 3] ^= 1
        case "short": bytes.removeLast(8)
        case "long": bytes += [6, 0, 0, 0, 0, 0, 0xFF, 0x7F]
        case "key": bytes[60] ^= 1
        default: bytes = []
        }
        try Files.write(path, bytes, mode: 0o600)
        #expect(try cache.filter(for: configuration) == filter)
        #expect(try Files.read(path) == good)
    }

    @Test("what others can write is never believed") func untrusted() throws {
        _ = try cache.filter(for: configuration)
        let path = try file()
        // A file that is right in all but its mode: it must be replaced, not read.
        let bytes = try Files.read(path)
        try Files.replace(path, with: bytes, mode: 0o666)
        _ = try cache.filter(for: configuration)
        #expect(try FileStatus.of(path).mode == 0o600)

        try Files.replace(path + ".else", with: bytes, mode: 0o600)
        try Files.remove(path)
        try Files.makeDirectories(path)
        #expect(try cache.filter(for: configuration) == SeccompFilter.compile(configuration))
    }

    @Test("without a place to keep it, a filter is compiled each time") func noPlace() throws {
        let cache = SeccompCache(directory: "/proc/no/such/folder")
        #expect(try cache.filter(for: configuration) == SeccompFilter.compile(configuration))
    }

    @Test("a configuration that cannot be compiled is not kept") func invalid() throws {
        #expect(throws: EngineError.self) { try self.cache.filter(for: SeccompConfiguration(defaultAction: .notify)) }
        #expect(!FileStatus.exists(directory))
    }
}
