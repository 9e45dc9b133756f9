import Build
import LinuxSystem

/// What is known of a build, gathered from its events.
struct BuildTrace: Sendable {
    struct Step: Sendable {
        enum State: Sendable, Equatable { case planned, running, cached, completed, failed, canceled }

        var name: String
        var state = State.planned
        var started: UInt64?
        var ended: UInt64?
        var failure: BuildFailure?
        var statuses: [Status] = []
        var warnings: [String] = []
        var log = StepLog()

        var hasEnded: Bool { state != .planned && state != .running }

        /// Nanoseconds from its start to its end, or until `now`.
        func duration(now: UInt64) -> UInt64 {
            guard let started else { return 0 }
            let end = ended ?? now
            return end > started ? end - started : 0
        }
    }

    struct Status: Sendable {
        var value: BuildStatus
        let started: UInt64
        /// When it was last heard of.
        var time: UInt64

        /// ` 2.10MB / 30.43MB`, ` 103B` or nothing.
        var amount: String {
            let current = HumanReadable.progressSize(value.current)
            if value.total != 0 { return "\(current) / \(HumanReadable.progressSize(value.total))" }
            return value.current == 0 ? "" : current
        }
    }

    /// By the build's own number.
    private(set) var steps: [Int: Step] = [:]
    /// In the order in which they started.
    private(set) var order: [Int] = []
    private(set) var firstStart: UInt64?

    var endedCount: Int { steps.values.count(where: \.hasEnded) }

    mutating func apply(_ event: BuildEvent) {
        var step = steps[event.step] ?? Step(name: "")
        switch event.kind {
        case .planned(let name): step.name = name
        case .started(let name):
            step.name = name
            start(&step, event)
        case .cached(let name):
            step.name = name
            start(&step, event)
            end(&step, .cached, event.time)
        case .completed: end(&step, .completed, event.time)
        case .failed(let failure):
            start(&step, event)
            step.failure = failure
            end(&step, .failed, event.time)
        case .canceled:
            start(&step, event)
            end(&step, .canceled, event.time)
        case .status(let value):
            if let place = step.statuses.firstIndex(where: { $0.value.name == value.name }) {
                step.statuses[place].value = value
                step.statuses[place].time = event.time
            } else {
                step.statuses.append(Status(value: value, started: event.time, time: event.time))
            }
        case .log(_, let bytes): step.log.append(bytes, elapsed: step.duration(now: event.time))
        case .warning(let text): step.warnings.append(text)
        }
        steps[event.step] = step
    }

    private mutating func start(_ step: inout Step, _ event: BuildEvent) {
        if step.started != nil { return }
        step.started = event.time
        step.state = .running
        order.append(event.step)
        if firstStart == nil { firstStart = event.time }
    }

    private func end(_ step: inout Step, _ state: Step.State, _ time: UInt64) {
        step.state = state
        step.ended = time
    }

    /// A step's whole lines of output that were not taken yet.
    mutating func takeLog(of step: Int) -> [String] { steps[step]?.log.takeUnprinted() ?? [] }

    /// What is printed below the display once the build ended: the failed steps' output, their places in the
    /// Dockerfile, and all warnings.
    func epilogue(logLines: Int) -> String {
        var text = ""
        for number in order {
            guard let step = steps[number], step.failure != nil else { continue }
            text += "------\n > \(step.name):\n"
            for line in step.log.recent.suffix(logLines) { text += line + "\n" }
            text += "------\n"
        }
        let warnings = order.flatMap { steps[$0]?.warnings ?? [] }
        if !warnings.isEmpty {
            text += "\n \(warnings.count) warning\(warnings.count == 1 ? "" : "s") found:\n"
            text += warnings.map { " - \($0)\n" }.joined() + "\n"
        }
        for number in order { text += steps[number]?.failure?.excerpt?.text ?? "" }
        return text
    }
}

/// A step's output as lines with the time at which each began.
struct StepLog: Sendable {
    /// Whole lines that a plain display has not printed yet.
    private(set) var unprinted: [String] = []
    /// The line that has no end yet.
    private(set) var partial: String?
    /// The last lines, whole ones and the partial one, for the end of a failed build and a terminal's tail.
    private(set) var finished: [String] = []
    /// How many bytes came in all.
    private(set) var byteCount = 0
    private var pending: [UInt8] = []
    private var time = ""

    private static let kept = 200
    /// In bytes. A longer line is broken: each piece that comes makes the partial line anew.
    private static let longestLine = 16 << 10

    mutating func append(_ bytes: [UInt8], elapsed: UInt64) {
        byteCount += bytes.count
        for byte in bytes {
            if pending.isEmpty, partial == nil { time = StepLog.time(elapsed) }
            if byte != UInt8(ascii: "\n") { pending.append(byte) }
            if byte == UInt8(ascii: "\n") || pending.count == StepLog.longestLine { endLine() }
        }
        partial = pending.isEmpty ? nil : "\(time) \(String(rawBytes: pending))"
    }

    /// Takes the lines that were not printed yet.
    mutating func takeUnprinted() -> [String] {
        defer { unprinted = [] }
        return unprinted
    }

    var recent: [String] { finished + (partial.map { [$0] } ?? []) }

    private mutating func endLine() {
        let line = "\(time) \(String(rawBytes: pending))"
        unprinted.append(line)
        finished.append(line)
        if finished.count > 2 * StepLog.kept { finished.removeFirst(StepLog.kept) }
        pending = []
        partial = nil
    }

    /// Seconds with three digits after the point, fewer as they grow.
    private static func time(_ nanoseconds: UInt64) -> String {
        let seconds = Double(nanoseconds) / 1e9
        return DecimalText.fixed(seconds, seconds < 10 ? 3 : seconds < 100 ? 2 : 1)
    }
}
