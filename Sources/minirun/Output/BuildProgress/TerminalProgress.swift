import Build

/// A build drawn in place on a terminal: one line for each step with its time at the right edge, and the last lines
/// that a running step wrote.
struct TerminalProgress: Sendable {
    private var trace = BuildTrace()
    private let write: @Sendable (String) -> Void
    private let isReady: @Sendable () -> Bool
    private let size: @Sendable () -> (columns: Int, rows: Int)
    private let colors: Bool
    /// How wide each line of the last drawing is.
    private var drawn: [Int] = []
    private var lastDrawing: UInt64?
    /// How often each step's output was shown, so that all get their turn.
    private var tailCounts: [Int: Int] = [:]

    private static let interval: UInt64 = 100_000_000
    private static let tailLines = 6
    private static let logLines = 200

    /// `isReady` says whether the drawings before have been read: until then none is made but the last. `size` is asked before every drawing; `colors` is false where NO_COLOR is set.
    init(
        write: @escaping @Sendable (String) -> Void,
        isReady: @escaping @Sendable () -> Bool = { true },
        size: @escaping @Sendable () -> (columns: Int, rows: Int),
        colors: Bool = true
    ) {
        self.write = write
        self.isReady = isReady
        self.size = size
        self.colors = colors
    }

    mutating func handle(_ event: BuildEvent) {
        trace.apply(event)
        // Only the last lines are shown, and those are kept apart.
        _ = trace.takeLog(of: event.step)
        if let lastDrawing, event.time < lastDrawing + TerminalProgress.interval { return }
        draw(now: event.time, isLast: false)
    }

    /// Draws the times anew; wanted about every 100 to 150 ms.
    mutating func tick(now: UInt64) { draw(now: now, isLast: false) }

    /// Draws all steps, however many, and what follows a build.
    mutating func finish(now: UInt64) {
        draw(now: now, isLast: true)
        let text = trace.epilogue(logLines: TerminalProgress.logLines)
        if text.isEmpty { return }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        write(lines.map { HumanReadable.printable(String($0)) }.joined(separator: "\n"))
    }

    /// One line of the drawing.
    private struct Line {
        enum Tone { case running, ended, failed, canceled, faint }

        var text: String
        var amount = ""
        var nanoseconds: UInt64
        var tone: Tone
        /// The step whose output may follow.
        var step: Int?
    }

    private mutating func draw(now: UInt64, isLast: Bool) {
        if !isLast, !isReady() { return }
        lastDrawing = now
        let (columns, rows) = size()
        var lines = trace.order.flatMap { number in
            trace.steps[number].map { TerminalProgress.lines(of: $0, number, now) } ?? []
        }
        let tails = isLast ? [] : stepsWithTail(lines, rows)
        if !isLast { lines = TerminalProgress.fitting(lines, rows - 2 - tails.reduce(0) { $0 + $1.lines.count }) }
        var drawing: [(text: String, tone: Line.Tone)] = [(title(now, isLast, columns), .running)]
        for line in lines {
            guard let text = TerminalProgress.laidOut(line, columns) else { continue }
            drawing.append((text, line.tone))
            for tail in tails where tail.step == line.step {
                tailCounts[tail.step, default: 0] += 1
                for text in tail.lines {
                    drawing.append((" => => # " + HumanReadable.cut(text, columns: columns - 10), .faint))
                }
            }
        }
        write(
            moveToTop(columns) + "\u{1B}[?25l" + drawing.map { colored($0.text, $0.tone) }.joined()
                + "\u{1B}[J\u{1B}[?25h"
        )
        drawn = drawing.map { HumanReadable.width($0.text) }
    }

    /// To the first line of the last drawing. A terminal that became narrower has broken its long lines.
    private func moveToTop(_ columns: Int) -> String {
        let rows = drawn.reduce(0) { $0 + max(1, ($1 + columns - 1) / max(1, columns)) }
        return rows == 0 ? "\r" : "\u{1B}[\(rows)A\r"
    }

    /// The line, erased to its end, in its colour.
    private func colored(_ text: String, _ tone: Line.Tone) -> String {
        let code: String
        switch tone {
        case .running: code = ""
        case .ended: code = "34"
        case .failed: code = "31"
        case .canceled: code = "33"
        case .faint: code = "2"
        }
        if !colors || code.isEmpty { return "\(text)\u{1B}[K\n" }
        return "\u{1B}[\(code)m\(text)\u{1B}[0m\u{1B}[K\n"
    }

    private func title(_ now: UInt64, _ isLast: Bool, _ columns: Int) -> String {
        let seconds = trace.firstStart.map { now > $0 ? Double(now - $0) / 1e9 : 0 } ?? 0
        let (ended, all) = (trace.endedCount, trace.steps.count)
        var text = "[+] Building \(DecimalText.fixed(seconds, 1))s (\(ended)/\(all))"
        if isLast, ended == all, all > 0 { text += " FINISHED" }
        return HumanReadable.cut(text, columns: columns - 1)
    }

    private static func lines(of step: BuildTrace.Step, _ number: Int, _ now: UInt64) -> [Line] {
        let prefix: String
        let tone: Line.Tone
        switch step.state {
        case .planned: return []
        case .running: (prefix, tone) = ("", .running)
        case .completed: (prefix, tone) = ("", .ended)
        case .cached: (prefix, tone) = ("CACHED ", .ended)
        case .failed: (prefix, tone) = ("ERROR ", .failed)
        case .canceled: (prefix, tone) = ("CANCELED ", .canceled)
        }
        let duration = step.duration(now: now)
        var lines = [Line(text: prefix + step.name, nanoseconds: duration, tone: tone, step: number)]
        for status in step.statuses {
            let isDone = status.value.isDone || step.hasEnded
            let end = isDone ? status.time : max(now, status.time)
            lines.append(
                Line(
                    text: "=> \(status.value.name)",
                    amount: status.amount,
                    nanoseconds: end - status.started,
                    tone: isDone ? .ended : .running
                )
            )
        }
        return lines + step.warnings.map { Line(text: "WARN: \($0)", nanoseconds: duration, tone: .canceled) }
    }

    /// ` => name amount      1.2s`, one column narrower than the terminal; nil where there is no room.
    private static func laidOut(_ line: Line, _ columns: Int) -> String? {
        var seconds = Double(line.nanoseconds) / 1e9
        if seconds < 0.05 { seconds = 0 }
        let timer = " \(DecimalText.fixed(seconds, 1))s"
        var room = columns - 4 - timer.count - 2
        var amount = ""
        if !line.amount.isEmpty, room + line.amount.count > 20 {
            amount = " " + line.amount
            room -= amount.count
        }
        if room < 12 { return nil }
        let name = HumanReadable.cut(HumanReadable.printable(line.text), columns: room)
        let text = " => \(name)\(amount)"
        let gap = columns - 1 - timer.count - HumanReadable.width(text)
        return text + String(repeating: " ", count: max(0, gap)) + timer
    }

    /// The running steps whose output fits below them, the most talkative first.
    private func stepsWithTail(_ lines: [Line], _ rows: Int) -> [(step: Int, lines: [String])] {
        var free = rows - 2 - lines.count { $0.tone == .running }
        var result: [(step: Int, lines: [String])] = []
        let talking = trace.order.compactMap { number -> (number: Int, rank: Int)? in
            guard let step = trace.steps[number], step.state == .running, step.log.byteCount > 0 else { return nil }
            return (number, step.log.byteCount + 50 * (tailCounts[number] ?? 0))
        }.sorted { $0.rank > $1.rank }
        for (number, _) in talking where free > TerminalProgress.tailLines + 3 {
            let recent = (trace.steps[number]?.log.recent ?? []).suffix(TerminalProgress.tailLines)
            result.append((number, recent.map(HumanReadable.afterReturn).map(HumanReadable.printable)))
            free -= TerminalProgress.tailLines + 3
        }
        return result
    }

    /// The last lines; running ones that fell out take the places of ended ones.
    private static func fitting(_ lines: [Line], _ limit: Int) -> [Line] {
        if limit <= 0 { return [] }
        if lines.count <= limit { return lines }
        let hidden = lines.dropLast(limit).filter { $0.tone == .running }
        var visible: [Line] = []
        var toReplace = hidden.count
        for line in lines.suffix(limit) {
            if line.tone == .running || toReplace <= 0 { visible.append(line) } else { toReplace -= 1 }
        }
        return hidden.suffix(limit - visible.count) + visible
    }
}

extension HumanReadable {
    /// The text's beginning that fits into so many columns.
    static func cut(_ text: String, columns: Int) -> String {
        var used = 0
        return String(
            text.prefix { character in
                used += width(String(character))
                return used <= columns
            }
        )
    }

    /// What stands last where a line was written over: after the last carriage return, with the time in front of the
    /// line.
    static func afterReturn(_ line: String) -> String {
        let parts = line.split(separator: "\r", omittingEmptySubsequences: true)
        guard parts.count > 1, let last = parts.last, let time = line.cut(" ").before.split(separator: "\r").first
        else {
            return line
        }
        return "\(time) \(last)"
    }

    /// Tabs as blanks, without escape sequences and other control characters.
    static func printable(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var scalars = text.unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            if scalar == "\u{1B}" {
                skipEscape(&scalars)
            } else if scalar == "\t" {
                result.append(" ")
            } else if scalar.value >= 0x20, !(0x7F..<0xA0).contains(scalar.value) {
                result.append(scalar)
            }
        }
        // What turns the direction of a text.
        return Console.visible(String(result))
    }

    /// Skips what follows ESC: a control sequence (`[` … letter), a system command (`]` … BEL or ESC \), or one
    /// character.
    private static func skipEscape(_ scalars: inout Substring.UnicodeScalarView) {
        switch scalars.popFirst() {
        case "[": while let scalar = scalars.popFirst(), !(0x40...0x7E).contains(scalar.value) {}
        case "]":
            while let scalar = scalars.popFirst(), scalar != "\u{07}" {
                if scalar == "\u{1B}" {
                    _ = scalars.popFirst()
                    return
                }
            }
        default: return
        }
    }
}
