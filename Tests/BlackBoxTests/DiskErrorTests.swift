import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// A disk that fails (EIO): one clear line, nothing half-visible, and with a disk that works the next command does.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct DiskErrorTests {
    let minirun: Minirun
    init() throws {
        minirun = try Minirun()
        #expect(try minirun("load", "-i", minirun.archive("one", number: 1)).code == 0)
    }

    /// The calls that one kind of fault meets.
    static let calls = [
        "fsync,fdatasync", "write,pwrite64", "read,pread64", "rename,renameat2", "openat,openat2",
        "mkdir,mkdirat,mknodat,linkat,fchmod,fchown",
    ]

    /// strace(1) has the n-th call fail as a disk does, in whichever thread it is. The image is there afterwards or is not, and
    /// what was there before is whole.
    @Test(arguments: calls) func aCallThatFails(calls: String) throws {
        let second = try minirun.archive("two", number: 2)
        let first = try startup(calls)
        var failures = 0
        for position in [1, 2, 3, 4, 5, 7, 9, 12, 16, 21, 28, 37, 49, 65, 86, 115].map({ $0 + first }) {
            let inject = ["strace", "-f", "-o", "/dev/null", "-e", "inject=\(calls):error=EIO:when=\(position)"]
            let run = try Subprocess.run(
                inject + minirun.command(["load", "-q", "-i", second]),
                environment: Minirun.environment(),
                timeout: 60_000
            )
            let comment = "\(calls) number \(position): \(run.status) \(run.outputText)\(run.errorText)"
            if run.status == .exited(0) {
                #expect(try minirun.imageNames() == ["one:latest", "two:latest"], "\(comment)")
            } else {
                failures += 1
                #expect(run.status == .exited(1), "\(comment)")
                let lines = run.errorText.split(separator: "\n").filter { !$0.hasPrefix("hint: ") }
                // The line itself may be what could not be written.
                let isSilenced = lines.isEmpty && calls.hasPrefix("write")
                #expect(isSilenced || lines.count == 1 && lines[0].contains("Input/output error"), "\(comment)")
                #expect(try Set(minirun.imageNames()).isSuperset(of: ["one:latest"]), "\(comment)")
            }
            // What a fault left, as far as the next command does not see to it by itself, a repair finds.
            let repair = try minirun("system", "check", "--repair")
            #expect(repair.code == 0, "\(comment)\n\(repair)")
            try minirun.expectSound(comment)
            #expect(try minirun("run", "--rm", "one").out == "ok\n", "\(comment)")
            if try minirun.imageNames().contains("two:latest") {
                #expect(try minirun("run", "--rm", "two").out == "ok\n", "\(comment)")
                #expect(try minirun("rmi", "two").code == 0)
            }
        }
        #expect(failures > 0, "\(calls) never failed")
    }

    /// How many of these calls it takes to start the program at all.
    private func startup(_ calls: String) throws -> Int {
        let file = minirun.path("startup")
        try tool("strace", "-o", file, "-e", "trace=\(calls)", Minirun.program, "--version")
        return try Files.readText(file).split(separator: "\n").count { !$0.hasPrefix("+++") }
    }

    /// A disk of which only a part is there: what is written behind it is lost, which fsync(2) tells.
    @Test func aDiskThatLosesWrites() throws {
        let engine = try Minirun()
        let folder = try engine.makeFolder("medium")
        try tool("mount", "-t", "tmpfs", "-o", "size=16m", "none", folder)
        defer { umount2(folder, CInt(MNT_DETACH)) }
        try tool("truncate", "-s", "96M", "\(folder)/disk.img")
        try tool("mkfs.ext4", "-q", "-m", "0", "\(folder)/disk.img")
        try Files.makeDirectories(engine.root)
        try tool("mount", "-o", "loop", "\(folder)/disk.img", engine.root)
        var isMounted = true
        defer { if isMounted { umount2(engine.root, CInt(MNT_DETACH)) } }
        let large = try engine.archive("large", number: 1, layers: 3, size: 1_000_000)
        let outcome = try engine("load", "-i", large)
        #expect(outcome.code == 1, "\(outcome)")
        let lines = outcome.err.split(separator: "\n").filter { !$0.hasPrefix("hint: ") }
        let isClear = ["Input/output error", "No space left on device"].contains { lines.first?.contains($0) == true }
        #expect(lines.count == 1 && isClear, "\(outcome)")
        // The whole disk is back, and its file system was mended.
        #expect(umount2(engine.root, 0) == 0)
        isMounted = false
        try tool("mount", "-o", "remount,size=128m", folder)
        try tool("sh", "-c", "e2fsck -fy \(folder)/disk.img; [ $? -lt 4 ]")
        try tool("mount", "-o", "loop", "\(folder)/disk.img", engine.root)
        isMounted = true
        #expect(try engine.imageNames() == [])
        let repair = try engine("system", "check", "--repair")
        #expect(repair.code == 0, "\(repair)")
        #expect(try engine("load", "-i", large).code == 0)
        #expect(try engine("run", "--rm", "large").out == "ok\n")
        try engine.expectSound()
    }

    /// A disk whose end cannot be read any more.
    @Test func aDiskThatCannotBeRead() throws {
        let engine = try Minirun()
        try Files.makeDirectories(engine.root)
        let image = engine.path("disk.img")
        try tool("truncate", "-s", "64M", image)
        // Without a journal, which would lie in the middle.
        try tool("mkfs.ext4", "-q", "-O", "^has_journal", image)
        try tool("mount", "-o", "loop", image, engine.root)
        #expect(try engine("load", "-i", engine.archive("one", number: 1)).code == 0)
        try tool("umount", engine.root)
        let device = try tool("losetup", "--find", "--show", image).prefix { $0 != "\n" }
        defer { _ = try? tool("losetup", "-d", String(device)) }
        try tool("mount", String(device), engine.root)
        defer { umount2(engine.root, CInt(MNT_DETACH)) }
        // Blobs lie behind the tables; the loop device keeps its size.
        let place = try tool("sh", "-c", "filefrag -b4096 -e $(ls -S \(engine.root)/images/blobs/sha256/* | head -n 1)")
        let block = try #require(place.split(separator: "\n").compactMap(Self.firstBlock).first, "\(place)")
        try tool("truncate", "-s", "\(block * 4096)", image)
        try tool("sh", "-c", "echo 1 > /proc/sys/vm/drop_caches")
        for words in [["image", "verify", "--all"], ["save", "-o", engine.path("saved.tar"), "one"]] {
            let outcome = try engine.invoke(words)
            #expect(outcome.code == 1, "\(words): \(outcome)")
            #expect((outcome.out + outcome.err).contains("Input/output error"), "\(words): \(outcome)")
            #expect(!outcome.err.contains("Fatal"), "\(words): \(outcome)")
        }
        #expect(!FileStatus.exists(engine.path("saved.tar")))
    }

    /// Of `filefrag -e`: "   0:        0..      79:      34816..     34895:     80: …".
    private static func firstBlock(_ line: Substring) -> Int? {
        let parts = line.split(separator: ":")
        guard parts.count >= 4, Int(parts[0].trimmingPrefix { $0 == " " }) == 0 else { return nil }
        return Int(parts[2].split(separator: ".")[0].trimmingPrefix { $0 == " " })
    }
}
