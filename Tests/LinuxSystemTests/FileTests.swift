import CLinux
import LinuxSystem
import Testing

/// A folder of a test's own, removed with it.
final class Sandbox {
    let path: String

    init() throws {
        let name = try Random.bytes(6).map { String($0, radix: 16) }.joined()
        path = (LinuxSystem.Process.environment("TMPDIR") ?? "/tmp") + "/minirun-test-\(name)"
        try Files.makeDirectories(path)
    }

    deinit { try? Files.removeTree(path) }

    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }
}

@Suite struct FileTests {
    let sandbox: Sandbox
    init() throws { sandbox = try Sandbox() }

    @Test func replacingIsWholeAndKeepsTheMode() throws {
        try Files.replace(sandbox("f"), with: Array("one".utf8), mode: 0o600, durable: true)
        try Files.replace(sandbox("f"), with: Array("two".utf8), mode: 0o640)
        #expect(try Files.readText(sandbox("f")) == "two")
        #expect(try FileStatus.of(sandbox("f")).mode == 0o640)
        #expect(try Files.list(sandbox.path) == ["f"])
    }

    @Test(arguments: [0, 1, 4095, 4096, 4097, 100_000])
    func readingGivesEveryByte(size: Int) throws {
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        try Files.write(sandbox("f"), bytes)
        #expect(try Files.read(sandbox("f")) == bytes)
        if size > 1 { #expect(throws: SystemError.self) { try Files.read(sandbox("f"), limit: size - 1) } }
    }

    /// Files of procfs say that they are empty.
    @Test func filesWithoutASizeAreReadToTheirEnd() throws {
        #expect(try Files.readText("/proc/self/status").contains("Pid:"))
    }

    @Test func anErrorNamesWhatWasDoneAndWithWhat() {
        #expect {
            try Files.read("/nonexistent/file")
        } throws: {
            "\($0)" == "opening /nonexistent/file: No such file or directory"
        }
    }

    @Test func removingATreeDoesNotFollowLinks() throws {
        try Files.makeDirectories(sandbox("tree/a/b"))
        try Files.makeDirectories(sandbox("kept"))
        try Files.write(sandbox("kept/file"), [1])
        try Link.create(sandbox("tree/a/link"), to: sandbox("kept"))
        try Link.create(sandbox("tree/dangling"), to: "nowhere")
        try Files.removeTree(sandbox("tree"))
        #expect(!FileStatus.exists(sandbox("tree")))
        #expect(FileStatus.exists(sandbox("kept/file")))
        try Files.removeTree(sandbox("tree"))
    }

    @Test(arguments: [
        ("/a/b/../c/./d//", "/a/c/d"), ("/..", "/"), ("x", "/base/x"), ("../x", "/x"), (".", "/base"), ("", "/base"),
    ])
    func absolutePaths(path: String, absolute: String) { #expect(Files.absolute(path, from: "/base") == absolute) }

    @Test func namesNeedNotBeText() throws {
        let folder = try FileDescriptor.open(sandbox.path, O_RDONLY | O_DIRECTORY)
        let name: [CChar] = [CChar(bitPattern: 0xFF), CChar(bitPattern: 0xFE), 0]
        _ = try FileDescriptor.openAt(folder.raw, name, O_WRONLY | O_CREAT)
        #expect(try Directory.entries(folder.raw).map(\.bytes) == [[0xFF, 0xFE]])
    }
}

@Suite struct InRootTests {
    let sandbox: Sandbox
    init() throws {
        sandbox = try Sandbox()
        try Files.makeDirectories(sandbox("root/etc"))
        try Files.write(sandbox("root/etc/passwd"), Array("inside".utf8))
        try Files.write(sandbox("secret"), Array("outside".utf8))
    }

    private func read(_ path: String) throws -> String {
        let root = try FileDescriptor.open(sandbox("root"), O_RDONLY | O_DIRECTORY)
        return String(decoding: try FileDescriptor.openInRoot(root.raw, path).readAll(), as: UTF8.self)
    }

    /// Every way out of the root that a path or a link can name leads back into it.
    @Test(arguments: [
        "/etc/passwd", "../../../etc/passwd", "/etc/../../../../etc/passwd", "link/passwd", "absolute/passwd",
    ])
    func staysInside(path: String) throws {
        try Link.create(sandbox("root/link"), to: "../../../../etc")
        try Link.create(sandbox("root/absolute"), to: "/etc")
        #expect(try read(path) == "inside")
    }

    @Test func linksToWhatIsOnlyOutsideLeadNowhere() throws {
        try Link.create(sandbox("root/out"), to: sandbox("secret"))
        try Link.create(sandbox("root/magic"), to: "/proc/self/root/etc/passwd")
        #expect(throws: SystemError.self) { try read("out") }
        #expect(throws: SystemError.self) { try read("magic") }
    }

    @Test func beneathRefusesEveryLink() throws {
        try Link.create(sandbox("root/link"), to: "etc")
        let root = try FileDescriptor.open(sandbox("root"), O_RDONLY | O_DIRECTORY)
        #expect(throws: SystemError.self) { _ = try FileDescriptor.openBeneath(root.raw, "link/passwd").raw }
        #expect(throws: SystemError.self) { _ = try FileDescriptor.openBeneath(root.raw, "../secret").raw }
    }
}

@Suite struct LockTests {
    @Test func anExclusiveLockKeepsOthersOut() throws {
        let sandbox = try Sandbox()
        do {
            let held = try FileLock(sandbox("lock"), .exclusive)
            let refused = try isFree(sandbox("lock"), .shared)
            #expect(!refused)
            _ = consume held
        }
        #expect(try isFree(sandbox("lock"), .exclusive))
    }

    @Test func sharedLocksStandBesideEachOther() throws {
        let sandbox = try Sandbox()
        let one = try FileLock(sandbox("lock"), .shared)
        #expect(try isFree(sandbox("lock"), .shared))
        let exclusive = try isFree(sandbox("lock"), .exclusive)
        #expect(!exclusive)
        _ = consume one
    }

    private func isFree(_ path: String, _ mode: FileLock.Mode) throws -> Bool {
        guard let lock = try FileLock.attempt(path, mode) else { return false }
        _ = consume lock
        return true
    }
}

@Suite struct SubprocessTests {
    @Test func collectsBothStreamsAndTheCode() throws {
        let result = try Subprocess.run(["sh", "-c", "cat; echo err >&2; exit 3"], input: Array("in".utf8))
        #expect(result.outputText == "in" && result.errorText == "err\n" && result.status == .exited(3))
    }

    @Test func largeInputAndOutputDoNotBlockEachOther() throws {
        let input = [UInt8](repeating: 7, count: 3 << 20)
        #expect(try Subprocess.run(["cat"], input: input).output == input)
    }

    @Test func aProgramThatDoesNotReadIsNoError() throws {
        #expect(try Subprocess.run(["true"], input: [UInt8](repeating: 0, count: 1 << 20)).status == .exited(0))
    }

    @Test func aTimeoutKills() throws {
        #expect(try Subprocess.run(["sleep", "60"], timeout: 50).status == .signalled(SIGKILL))
    }

    @Test func aSignalCountsFrom128() throws {
        #expect(try Subprocess.run(["sh", "-c", "kill -TERM $$"]).status.code == 143)
    }

    @Test func whatIsNotThereIsAnError() {
        #expect(throws: SystemError.self) { try Subprocess.run(["/nonexistent/program"]) }
    }
}
