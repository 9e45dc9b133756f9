import CLinux
import LinuxSystem
import OCI
import TestSupport
import Testing

/// Many commands on one store at once, with both forms of layers and a registry beside them: each ends with a right result or a
/// clear refusal, and afterwards nothing is wrong. Some pulls are killed.
///
/// Fifteen seconds with 16 commands at a time; `Scripts/stress` makes it two minutes with 50.
@Suite(.serialized, .enabled(if: Minirun.isEnabled), .timeLimit(.minutes(20))) struct StressTests {
    let minirun: Minirun
    let registry: RegistryServer

    init() throws {
        minirun = try Minirun()
        registry = try RegistryServer()
    }

    private static func setting(_ name: String, _ standard: Int) -> Int {
        Process.environment("MINIRUN_STRESS_\(name)").flatMap { Int($0) } ?? standard
    }
    private static let seconds = setting("SECONDS", Minirun.isLong ? 120 : 15)
    private static let jobs = setting("JOBS", Minirun.isLong ? 50 : 16)
    private static let images = 6

    private func image(_ number: Int) -> String { "\(registry.name)/image\(number)" }

    /// What one may be told when others are at work on the same images: it went, or it is in use.
    private static let refusals = [
        "No such image: ", "conflict: unable to ", "No such container: ", "not found",
        "is using its referenced image",
    ]

    /// One command under way.
    private struct Job {
        let words: [String]
        let expected: String?
        let output: FileDescriptorBox
        let pid: pid_t
        /// When it is killed, in the monotonic clock's nanoseconds.
        let end: UInt64?

        var verb: String {
            if end != nil { return "killed pull" }
            return words[0] == "image" || words[0] == "system" ? words[1] : words[0]
        }
    }

    private final class FileDescriptorBox {
        let file: FileDescriptor
        init(_ file: consuming FileDescriptor) { self.file = file }
    }

    @Test func everyCommandEndsWell() throws {
        var random = SeededRandom(CrashTests.seed &+ 20)
        let archives = try (0..<Self.images).map { try minirun.archive(image($0), number: $0, layers: 3) }
        let digests = try archives.indices.map { try publish(archives[$0], as: image($0)) }
        let context = try minirun.makeFolder("context")
        var running: [pid_t: Job] = [:]
        var counts: [String: (done: Int, refused: Int)] = [:]
        let end = Clock.monotonic + UInt64(Self.seconds) * 1_000_000_000
        while Clock.monotonic < end || !running.isEmpty {
            if Clock.monotonic < end, running.count < Self.jobs {
                let job = try start(archives, digests, context, &random)
                running[job.pid] = job
                continue
            }
            for job in running.values where job.end.map({ $0 < Clock.monotonic }) ?? false { kill(job.pid, SIGKILL) }
            // Each by its own number: other suites have children, too.
            var status: Int32 = 0
            guard let pid = running.keys.first(where: { waitpid($0, &status, WNOHANG) == $0 }) else {
                usleep(1000)
                continue
            }
            guard let job = running.removeValue(forKey: pid) else { continue }
            let refused = try judge(job, LinuxSystem.ExitStatus(waitStatus: status))
            let verb = job.verb
            counts[verb, default: (0, 0)].done += 1
            if refused { counts[verb, default: (0, 0)].refused += 1 }
        }
        print(
            "stress: "
                + counts.sorted { $0.key < $1.key }.map { "\($0) \($1.done) (\($1.refused) refused)" }
                .joined(separator: ", ")
        )
        #expect(counts.values.reduce(0) { $0 + $1.done } > Self.jobs)
        for (verb, count) in counts where !["run", "rmi", "diff", "build"].contains(verb) {
            #expect(count.refused < count.done || count.done < 5, "\(verb): \(count)")
        }
        // What killed pulls left goes with the next collection.
        #expect(try minirun("image", "prune", "-f").code == 0)
        try minirun.expectSound()
        #expect(minirun.containers.isEmpty && minirun.active.isEmpty && minirun.names.isEmpty)
        #expect(try minirun("system", "prune", "-af").code == 0)
        #expect(minirun.blobs.isEmpty && minirun.layers.isEmpty && minirun.temporaries.isEmpty)
        #expect(try Files.list("\(minirun.root)/layers/erofs") == [] && Files.list("\(minirun.root)/partial") == [])
        try minirun.expectSound()
    }

    /// Puts an image into the registry; its manifest's digest.
    private func publish(_ archive: String, as name: String) throws -> String {
        let target = "docker://\(name):latest"
        try tool("skopeo", "copy", "-q", "--dest-tls-verify=false", "docker-archive:\(archive)", target)
        let said = try tool("skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", target)
        return String(said.prefix { $0 != "\n" })
    }

    private func start(_ archives: [String], _ digests: [String], _ context: String, _ random: inout SeededRandom)
        throws
        -> Job
    {
        let number = Int.random(in: 0..<Self.images, using: &random)
        let name = image(number)
        var expected: String?
        var life: UInt64?
        let words: [String]
        switch Int.random(in: 0..<28, using: &random) {
        case 0..<4: words = ["load", "-i", archives[number]]
        case 4..<9:
            words = ["run", "--rm", "--pull", "never", name, "sh", "-c", "cat < /data/1/3 > /copy && echo fine"]
            expected = "fine\n"
        case 9..<12: words = try build(on: name, "\(context)/\(number)-\(Int.random(in: 0..<8, using: &random))")
        case 12..<15: words = ["rmi", ["\(name)", "built\(number)"].randomElement(using: &random) ?? name]
        case 15: words = ["image", "prune", "-f"]
        case 16: words = [["image", "prune", "-af"], ["system", "prune", "-f"]].randomElement(using: &random) ?? []
        case 17: words = ["system", "df"]
        case 18: words = ["image", "verify", "--all"]
        case 19: words = [["images"], ["image", "diff", name, image(0)]].randomElement(using: &random) ?? []
        case 20..<23:
            words = ["pull", "-q", name]
            expected = "\(name):latest\n"
        case 23, 24: words = ["pull", "\(name)@\(digests[number])"]
        case 25:
            words = ["run", "--rm", "--pull", "always", "-q", name, "sh", "-c", "echo fetched"]
            expected = "fetched\n"
        default:
            words = ["pull", name]
            life = UInt64.random(in: 0..<300, using: &random) * 1_000_000
        }
        // Layers of both forms stand on each other.
        let driver = ["dir", "erofs"].randomElement(using: &random) ?? "dir"
        let output = FileDescriptorBox(try FileDescriptor.inMemory("output"))
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        let pid = try Subprocess.start(
            minirun.command(["--storage-driver", driver] + words),
            environment: Minirun.environment(["MINIRUN_RETRY_DELAY": "10"]),
            descriptors: [null.raw, output.file.raw, output.file.raw]
        )
        return Job(words: words, expected: expected, output: output, pid: pid, end: life.map { Clock.monotonic + $0 })
    }

    private func build(on name: String, _ folder: String) throws -> [String] {
        try Files.makeDirectories(folder)
        let step = folder.suffix(1)
        let dockerfile = "FROM \(name)\nRUN echo \(step) > /step\nRUN head -c 50000 /dev/zero > /more\n"
        try Files.replace("\(folder)/Dockerfile", with: Array(dockerfile.utf8))
        return ["build", "-q", "-t", "built\(step)", folder]
    }

    /// Whether it was refused; anything that is neither right nor a clear refusal is an issue.
    private func judge(_ job: Job, _ status: LinuxSystem.ExitStatus) throws -> Bool {
        try job.output.file.rewind()
        let said = String(decoding: try job.output.file.readAll(), as: UTF8.self)
        let comment = "\(job.words.joined(separator: " ")): \(status): \(said)"
        if job.end != nil, status == .signalled(SIGKILL) { return false }
        if status.code == 0 {
            if let expected = job.expected { #expect(said == expected, "\(comment)") }
            return false
        }
        let isRefusal = Self.refusals.contains { said.contains($0) } && status.code <= 125
        #expect(isRefusal, "\(comment)")
        return true
    }
}
