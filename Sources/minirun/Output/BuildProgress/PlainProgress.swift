import Build

/// A build as lines without escape codes, for files and pipes: `#5 [2/3] RUN make`, `#5 0.123 output`, `#5 DONE 1.2s`.
///
/// Steps that run at once take turns: one is current, its lines stand together, and it gives way when it ends or when
/// another has been waiting.
struct PlainProgress: Sendable {
    private var trace = BuildTrace()
    private let write: @Sendable (String) -> Void
    private let isReady: @Sendable () -> Bool
    private var current: Int?
    /// The numbers that steps are shown under.
    private var numbers: [Int: Int] = [:]
    /// Steps with something to print.
    private var updated: Set<Int> = []
    /// Statuses as they were last printed: their bytes and time.
    private var printedStatuses: [String: (current: Int64, time: UInt64)] = [:]
    private var printedWarnings: [Int: Int] = [:]
    private var statusUpdates: Set<String> = []
    /// How much of the current step's partial line is printed.
    private var printedPartial = 0
    private var currentSince: UInt64 = 0
    private var lastFlush: UInt64?

    /// Progress alone is printed at most so often.
    private static let flushInterval: UInt64 = 100_000_000
    /// How long a step stays current while others have something to say.
    private static let patience: UInt64 = 5_000_000_000
    private static let logLines = 10

    /// `isReady` says whether what was written before has been read.
    init(write: @escaping @Sendable (String) -> Void, isReady: @escaping @Sendable () -> Bool = { true }) {
        self.write = write
        self.isReady = isReady
    }

    mutating func handle(_ event: BuildEvent) {
        trace.apply(event)
        if case .planned = event.kind { return }
        updated.insert(event.step)
        switch event.kind {
        case .status(let status):
            statusUpdates.insert(PlainProgress.key(event.step, status))
            flushIfDue(event.time)
        case .started: flushIfDue(event.time)
        default: flush(event.time)
        }
    }

    /// For progress that was held back.
    mutating func tick(now: UInt64) {
        if isReady() { flushIfDue(now) }
    }

    mutating func finish(now: UInt64) {
        flush(now)
        let text = trace.epilogue(logLines: PlainProgress.logLines)
        if !text.isEmpty { write(text) }
    }

    private mutating func flushIfDue(_ now: UInt64) {
        if let lastFlush, now < lastFlush + PlainProgress.flushInterval { return }
        flush(now)
    }

    private mutating func flush(_ now: UInt64) {
        lastFlush = now
        var text = ""
        let ended = updated.filter { trace.steps[$0]?.hasEnded == true }.sorted { ends($0, before: $1) }
        for step in ended.filter({ $0 == current }) + ended.filter({ $0 != current }) { text += show(step, now) }
        var waiting = updated.filter { trace.steps[$0]?.state == .running }
        if let current, waiting.contains(current) { text += show(current, now) }
        waiting = waiting.filter { $0 != current }
        if current == nil {
            // Another that runs becomes current even if it has nothing new to say.
            let next =
                trace.order.first { waiting.contains($0) } ?? trace.order.first { trace.steps[$0]?.state == .running }
            if let next { text += show(next, now) }
        } else if let next = trace.order.first(where: { waiting.contains($0) }),
            now >= currentSince + PlainProgress.patience
        {
            text += show(next, now)
        }
        if !text.isEmpty { write(text) }
    }

    private func ends(_ a: Int, before b: Int) -> Bool {
        let (x, y) = (trace.steps[a]?.ended ?? 0, trace.steps[b]?.ended ?? 0)
        return x == y ? a < b : x < y
    }

    /// Everything new of a step, under its header if another was current.
    private mutating func show(_ number: Int, _ now: UInt64) -> String {
        guard let step = trace.steps[number] else { return "" }
        updated.remove(number)
        var text = number == current ? "" : header(number, step.name, now)
        let label = "#\(numbers[number] ?? 0)"
        text += interrupting(statusLines(number, step, label))
        let warnings = step.warnings.dropFirst(printedWarnings[number] ?? 0)
        printedWarnings[number] = step.warnings.count
        text += interrupting(warnings.map { "\(label) WARN: \($0)\n" }.joined())
        text += logLines(step, number, label)
        if step.hasEnded {
            if printedPartial > 0 { text += "\n" }
            printedPartial = 0
            text += ending(step, label, now)
            current = nil
        }
        return text
    }

    private mutating func header(_ number: Int, _ name: String, _ now: UInt64) -> String {
        var text = ""
        if let current {
            if printedPartial > 0 { text += "\n" }
            text += "#\(numbers[current] ?? 0) ...\n"
        }
        if !numbers.isEmpty { text += "\n" }
        if numbers[number] == nil { numbers[number] = numbers.count + 1 }
        (current, currentSince, printedPartial) = (number, now, 0)
        return text + "#\(numbers[number] ?? 0) \(name)\n"
    }

    /// Lines that come between the parts of an unfinished one.
    private mutating func interrupting(_ lines: String) -> String {
        if lines.isEmpty || printedPartial == 0 { return lines }
        printedPartial = 0
        return "\n" + lines
    }

    /// The statuses that moved on enough.
    private mutating func statusLines(_ number: Int, _ step: BuildTrace.Step, _ label: String) -> String {
        var text = ""
        for status in step.statuses {
            let key = PlainProgress.key(number, status.value)
            guard statusUpdates.remove(key) != nil else { continue }
            if let last = printedStatuses[key], !status.value.isDone {
                let moved = Double(status.value.current - last.current) / Double(max(1, status.value.total))
                let isSmall = status.value.total == 0 || moved < 0.05
                if isSmall, status.time < last.time + 5_000_000_000 { continue }
            }
            printedStatuses[key] = (status.value.current, status.time)
            let seconds = Double(status.time - status.started) / 1e9
            text += "\(label) \(status.value.name)"
            if !status.amount.isEmpty { text += " \(status.amount)" }
            if seconds > 0.01 { text += " \(DecimalText.fixed(seconds, 1))s" }
            text += status.value.isDone ? " done\n" : "\n"
        }
        return text
    }

    private mutating func logLines(_ step: BuildTrace.Step, _ number: Int, _ label: String) -> String {
        var text = ""
        for line in trace.takeLog(of: number) {
            text += printedPartial > 0 ? line.dropFirst(printedPartial) + "\n" : "\(label) \(line)\n"
            printedPartial = 0
        }
        if let partial = step.log.partial {
            text += printedPartial > 0 ? String(partial.dropFirst(printedPartial)) : "\(label) \(partial)"
            printedPartial = partial.count
        }
        return text
    }

    private func ending(_ step: BuildTrace.Step, _ label: String, _ now: UInt64) -> String {
        switch step.state {
        case .cached: return "\(label) CACHED\n"
        case .canceled: return "\(label) CANCELED\n"
        case .failed: return "\(label) ERROR: \(step.failure?.message ?? "")\n"
        default: return "\(label) DONE \(DecimalText.fixed(Double(step.duration(now: now)) / 1e9, 1))s\n"
        }
    }

    private static func key(_ step: Int, _ status: BuildStatus) -> String { "\(step) \(status.name)" }
}
