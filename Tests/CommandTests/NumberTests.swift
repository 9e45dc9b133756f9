import Build
import OCI
import Runner
import Testing

@testable import minirun

/// Numbers that mean nothing, and times at the ends of what holds them: refused in docker's words, or shown; never a trap.
@Suite struct NumberTests {
    private static func options(_ arguments: [String]) throws -> ContainerOptions {
        let invocation = try SampleTable.table().parse(["run"] + arguments + ["x"])
        guard case .verb(_, let parsed) = invocation else { throw EngineError(.failed, "no verb: \(invocation)") }
        return try ContainerRequest.options(parsed)
    }

    private static func failure(_ arguments: [String]) -> String? {
        do {
            _ = try options(arguments)
            return nil
        } catch { return "\(error)" }
    }

    static let numbers = [
        "-1", "0", "1", "2147483648", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
        "18446744073709551616", "1e400", "nan", "NaN ", "inf", "1e-9223372036854775808", "1/0", "-0", "+1", "",
    ]

    @Test(
        "any number for any option",
        arguments: [
            "memory", "memory-swap", "memory-reservation", "shm-size", "cpus", "cpu-shares", "cpu-period", "cpu-quota",
            "pids-limit", "stop-timeout", "oom-score-adj", "cpuset-cpus", "cpuset-mems",
        ]
    )
    func anyNumber(_ option: String) {
        for number in Self.numbers { _ = Self.failure(["--\(option)=\(number)"]) }
        for number in Self.numbers { _ = Self.failure(["-m", "9223372036854775807b", "--\(option)=\(number)"]) }
        for number in Self.numbers { _ = Self.failure(["--ulimit", "nofile=\(number):\(number)"]) }
    }

    @Test(arguments: [
        (["--cpu-shares", "-1"], "invalid CPU shares (-1): value must be a positive integer"),
        (["--stop-signal", "SIGFOO"], "invalid signal: SIGFOO"), (["--stop-signal", "0"], "invalid signal: 0"),
        (["--stop-signal", "-9"], "invalid signal: -9"),
        (["--stop-signal", "RTMIN+2147483647"], "invalid signal: RTMIN+2147483647"),
        (["--stop-signal", "RTMAX--2147483648"], "invalid signal: RTMAX--2147483648"),
        (["--stop-timeout", "-5"], "invalid stop timeout: -5; -1 waits for ever"),
        (["--oom-score-adj", "1001"], "Invalid value 1001, range for oom score adj is [-1000, 1000]"),
        (["--cpu-quota", "999"], "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        (
            ["--cpu-period", "-1"],
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        ),
        (["--cpuset-cpus", "a"], "Invalid value a for cpuset cpus"),
        (["--cpuset-mems", "3-1"], "Invalid value 3-1 for cpuset mems"),
    ]) func isRefused(_ arguments: [String], _ message: String) {
        #expect(Self.failure(arguments) == message)
    }

    @Test(arguments: ["-1", "-0.5", "1000000", "-1e6"]) func numbersOfProcessors(_ text: String) {
        #expect(Self.failure(["--cpus", text])?.hasPrefix("range of CPUs is from 0.01 to ") == true)
    }

    @Test func whatAsksForTheUsualIsTaken() throws {
        let options = try Self.options([
            "--cpus", "0", "--cpu-shares", "0", "--cpu-period", "0", "--cpu-quota", "0", "--shm-size", "0",
            "--stop-timeout", "-1", "--stop-signal", "sigterm", "--pids-limit", "-7", "--cpuset-cpus", "",
        ])
        #expect(options.resources.cpu.shares == nil && options.resources.cpu.period == nil)
        #expect(options.resources.cpu.quota == nil && options.resources.pidsLimit == -1)
        #expect(options.sharedMemorySize == 64 << 20 && options.stopTimeout == -1)
    }

    @Test func theLastLimitOfAKindCounts() throws {
        let limits = try Self.options([
            "--ulimit", "nofile=10:20", "--ulimit", "core=0", "--ulimit", "nofile=30:40",
        ]).limits
        #expect(limits.map(\.type) == ["RLIMIT_CORE", "RLIMIT_NOFILE"])
        #expect(limits.map(\.soft) == [0, 30] && limits.map(\.hard) == [0, 40])
    }

    @Test func aTildeThatTheShellLeftIsNoPath() {
        #expect(Self.failure(["-v", "~/:/x"])?.contains("includes invalid characters for a local volume name") == true)
        #expect(Self.failure(["-v", "~:/x"])?.contains("includes invalid characters for a local volume name") == true)
    }

    // MARK: what is shown

    private static let id = Digest(sha256: [UInt8](repeating: 0xAB, count: 32))
    private static let times = [
        "9999-12-31T23:59:59Z", "2554-07-21T23:34:34Z", "0001-01-01T00:00:00Z", "1e400", "", "-1",
    ]

    @Test(arguments: times) func historyOfAnyTime(_ time: String) {
        var configuration = ImageConfiguration()
        configuration.created = time
        configuration.history = [.init(created: time, createdBy: "x")]
        for now in [0, 1_800_000_000_000_000_000, UInt64.max] {
            let rows = HistoryListing.rows(Self.id, configuration, layerSizes: [.max, .max], .init(now: now))
            #expect(rows.count == 2)
        }
    }

    @Test func sizesAndTimesAtTheirEnds() {
        for size in [Int64.min, -1, 0, .max] {
            _ = HumanReadable.size(size)
            _ = HumanReadable.binarySize(size)
            _ = HumanReadable.progressSize(size)
            _ = HumanReadable.duration(seconds: size)
        }
        for time in [0, 1, UInt64.max] {
            _ = HumanReadable.ago(time, now: .max)
            _ = HumanReadable.ago(time, now: 0)
            _ = HumanReadable.time(time)
        }
    }
}
