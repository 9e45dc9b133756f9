import LinuxSystem
import OCI
import Runtime

/// What a run took and why it ended: `--report`.
package struct RunReport: Sendable {
    /// CLOCK_MONOTONIC in nanoseconds.
    let began: UInt64
    var prepared: UInt64 = 0
    var finished: UInt64 = 0
    var exitCode: Int32 = 0
    var statistics: CgroupStatistics?
    private var ending = Execution.Ending()

    init(began: UInt64) { self.began = began }

    mutating func take(_ ending: Execution.Ending) { self.ending = ending }

    /// Why it ended, in words.
    var reason: String {
        if ending.lost { return "the shim was killed" }
        switch ending.status {
        case .exited(let code): return "exited with code \(code)"
        case .signalled(let signal):
            let kills = statistics?.memory?.outOfMemoryKills ?? 0
            return kills > 0 ? "killed for want of memory (limit reached)" : "killed by signal \(signal)"
        }
    }

    /// Every key that counts something ends with its unit.
    package var json: JSON {
        let memory = statistics?.memory
        return [
            "exitCode": .number(exitCode), "reason": .string(reason),
            "wallNanoseconds": .number(ending.ended &- ending.started),
            "cpu": [
                "userNanoseconds": .number(ending.usage.userTime &* 1000),
                "systemNanoseconds": .number(ending.usage.systemTime &* 1000),
            ],
            "memory": [
                "peakBytes": .number(memory?.peak ?? ending.usage.peakMemory),
                "limitBytes": memory?.limit.map { .number($0) } ?? .null,
                "outOfMemoryKills": .number(memory?.outOfMemoryKills ?? 0),
            ],
            "io": [
                "readBytes": .number(sum(\.readBytes)), "writtenBytes": .number(sum(\.writtenBytes)),
                "reads": .number(sum(\.reads)),
                "writes": .number(sum(\.writes)),
            ],
            "pids": ["peak": statistics?.pids?.peak.map { .number($0) } ?? .null],
            "phasesNanoseconds": .object(phases.map { (key: $0.name, value: .number($0.duration)) }),
        ]
    }

    private func sum(_ value: KeyPath<CgroupStatistics.IO, UInt64>) -> UInt64 {
        statistics?.io.reduce(0) { $0 + $1[keyPath: value] } ?? 0
    }

    /// What the time went to, one after the other. The shim begins while the image is still being looked for, except on
    /// cgroup v2, where it begins after.
    private var phases: [(name: String, duration: UInt64)] {
        let marks: [(name: String, time: UInt64)] = [
            ("shim", ending.shimBegan), ("prepare", prepared), ("mounts", ending.barrierPassed),
            ("execute", ending.started), ("program", ending.ended), ("cleanup", finished),
        ]
        var before = began
        return marks.filter { $0.time != 0 }.sorted { $0.time < $1.time }.map { name, time in
            defer { before = time }
            return (name, time &- before)
        }
    }

    /// The limit and how often it killed: the program may have hidden it behind an exit code of its own.
    private var limit: String {
        guard let memory = statistics?.memory else { return "" }
        let kills = memory.outOfMemoryKills
        return (memory.limit.map { " of \($0 / 1024) KiB" } ?? "")
            + (kills == 0 ? "" : ", \(kills) \(kills == 1 ? "process" : "processes") killed for want of it")
    }

    /// As a person reads it. `wall` and `cpu` are the program's, from its execution to its end.
    package var text: String {
        func milliseconds(_ nanoseconds: UInt64) -> String {
            let micro = nanoseconds / 1000
            let rest = String(micro % 1000)
            return "\(micro / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest) ms"
        }
        func kib(_ bytes: UInt64) -> String { "\(bytes / 1024) KiB" }
        let memory = statistics?.memory
        var lines = [
            ("end", reason), ("wall", milliseconds(ending.ended &- ending.started)),
            (
                "cpu",
                "user \(milliseconds(ending.usage.userTime * 1000)), system \(milliseconds(ending.usage.systemTime * 1000))"
            ),
            ("memory", "peak \(kib(memory?.peak ?? ending.usage.peakMemory))" + limit),
            ("io", "read \(kib(sum(\.readBytes))), written \(kib(sum(\.writtenBytes)))"),
        ]
        if let peak = statistics?.pids?.peak { lines.append(("processes", "peak \(peak)")) }
        lines.append(("phases", phases.map { "\($0.name) \(milliseconds($0.duration))" }.joined(separator: ", ")))
        return lines.map { name, value in
            name + String(repeating: " ", count: 11 - name.count) + value + "\n"
        }.joined()
    }
}
