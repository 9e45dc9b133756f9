import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Many commands on one store at once: each ends with a right result or a clear refusal, and afterwards nothing is wrong.
///
/// Fifteen seconds with 16 commands at a time; `Scripts/stress` makes it two minutes with 50.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct StressTests {
    let minirun: Minirun
    init() throws { minirun = try Minirun() }

    private static func setting(_ name: String, _ standard: Int) -> Int {
        Process.environment("MINIRUN_STRESS_\(name)").flatMap { Int($0) } ?? standard
    }
    private static let seconds = setting("SECONDS", Minirun.isLong ? 120 : 15)
    private static let jobs = setting("JOBS", Minirun.isLong ? 50 : 16)
    private static let images = 6

    /// Of a registry on this machine that is not there: what is missing is not looked for elsewhere.
    private static func image(_ number: Int) -> String { "localhost:9/image\(number)" }

    /// What one may be told when others are at work on the same images: it went, or it is in use.
    private static let refusals = [
        "No such image: ", "conflict: unable to ", "No such container: ", "not found",
        "is using its referenced image", "connection refused", "Connection refused",
    ]

    /// One command under way.
    private struct Job {
        let words: [String]
        let expected: String?
        let output: FileDescriptorBox
        let pid: pid_t
    }

    private final class FileDescriptorBox {
        let file: FileDescriptor
        init(_ file: consuming FileDescriptor) { self.file = file }
    }

    @Test func everyCommandEndsWell() throws {
        var random = SeededRandom(CrashTests.seed &+ 20)
        let archives = try (0..<Self.images).map { try minirun.archive(Self.image($0), number: $0, layers: 3) }
        let context = try minirun.makeFolder("context")
        var running: [pid_t: Job] = [:]
        var counts: [String: (done: Int, refused: Int)] = [:]
        let end = Clock.monotonic + UInt64(Self.seconds) * 1_000_000_000
        while Clock.monotonic < end || !running.isEmpty {
            if Clock.monotonic < end, running.count < Self.jobs {
                let job = try start(archives, context, &random)
                running[job.pid] = job
                continue
            }
            // Each by its own number: other suites have children, too.
            var status: Int32 = 0
            guard let pid = running.keys.first(where: { waitpid($0, &status, WNOHANG) == $0 }) else {
                usleep(1000)
                continue
            }
            guard let job = running.removeValue(forKey: pid) else { continue }
            let refused = try judge(job, LinuxSystem.ExitStatus(waitStatus: status))
            let verb = job.words[0] == "image" || job.words[0] == "system" ? job.words[1] : job.words[0]
            counts[verb, default: (0, 0)].done += 1
            if refused { counts[verb, default: (0, 0)].refused += 1 }
        }
        print(
            "stress: "
                + counts.sorted { $0.key < $1.key }.map { "\($0) \($1.done) (\($1.refused) refused)" }
                .joined(separator: ", ")
        )
        #expect(counts.values.reduce(0) { $0 + $1.done } > Self.jobs)
        for (verb, count) in counts where verb != "run" && verb != "rmi" && verb != "diff" && verb != "build" {
            #expect(count.refused < count.done || count.done < 5, "\(verb): \(count)")
        }
        try minirun.expectSound()
        #expect(minirun.containers.isEmpty && minirun.active.isEmpty && minirun.names.isEmpty)
        #expect(try minirun("system", "prune", "-af").code == 0)
        #expect(minirun.blobs.isEmpty && minirun.layers.isEmpty && minirun.temporaries.isEmpty)
        try minirun.expectSound()
    }

    private func start(_ archives: [String], _ context: String, _ random: inout SeededRandom) throws -> Job {
        let number = Int.random(in: 0..<Self.images, using: &random)
        let name = Self.image(number)
        var expected: String?
        let words: [String]
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<5: words = ["load", "-i", archives[number]]
        case 5..<10:
            words = ["run", "--rm", "--pull", "never", name, "sh", "-c", "cat < /data/1/3 > /copy && echo fine"]
            expected = "fine\n"
        case 10..<13:
            let step = Int.random(in: 0..<8, using: &random)
            let folder = "\(context)/\(number)-\(step)"
            try Files.makeDirectories(folder)
            let dockerfile = "FROM \(name)\nRUN echo \(step) > /step\nRUN head -c 50000 /dev/zero > /more\n"
            try Files.replace("\(folder)/Dockerfile", with: Array(dockerfile.utf8))
            words = ["build", "-q", "-t", "built\(step)", folder]
        case 13..<15: words = ["rmi", ["\(name)", "built\(number)"].randomElement(using: &random) ?? name]
        case 15: words = ["image", "prune", "-f"]
        case 16: words = [["image", "prune", "-af"], ["system", "prune", "-f"]].randomElement(using: &random) ?? []
        case 17: words = ["system", "df"]
        case 18: words = ["image", "verify", "--all"]
        default: words = [["images"], ["image", "diff", name, Self.image(0)]].randomElement(using: &random) ?? []
        }
        let output = FileDescriptorBox(try FileDescriptor.inMemory("output"))
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        let pid = try Subprocess.start(
            minirun.command(words),
            environment: Minirun.environment(),
            descriptors: [null.raw, output.file.raw, output.file.raw]
        )
        return Job(words: words, expected: expected, output: output, pid: pid)
    }

    /// Whether it was refused; anything that is neither right nor a clear refusal is an issue.
    private func judge(_ job: Job, _ status: LinuxSystem.ExitStatus) throws -> Bool {
        try job.output.file.rewind()
        let said = String(decoding: try job.output.file.readAll(), as: UTF8.self)
        let comment = "\(job.words.joined(separator: " ")): \(status): \(said)"
        if status.code == 0 {
            if let expected = job.expected { #expect(said == expected, "\(comment)") }
            return false
        }
        let isRefusal = Self.refusals.contains { said.contains($0) } && status.code <= 125
        #expect(isRefusal, "\(comment)")
        return true
    }
}
