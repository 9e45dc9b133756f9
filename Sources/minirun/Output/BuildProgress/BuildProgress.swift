import Build

/// `--progress`.
enum ProgressMode: String, Sendable {
    case auto, tty, plain, quiet

    init(parsing text: String) throws(ValueError) {
        guard let mode = ProgressMode(rawValue: text) else { throw ValueError("invalid progress mode \(text)") }
        self = mode
    }
}

/// Shows a build's events in the way that was asked for. Not safe for several threads at once: whoever ticks from
/// another thread holds a lock.
enum BuildProgress: Sendable {
    case terminal(TerminalProgress)
    case plain(PlainProgress)
    case quiet

    /// `terminalSize` is nil where the sink is no terminal; `auto` then means plain, and `tty` is an error.
    init(
        _ mode: ProgressMode,
        write: @escaping @Sendable (String) -> Void,
        terminalSize: (@Sendable () -> (columns: Int, rows: Int))?,
        colors: Bool
    ) throws(ValueError) {
        switch (mode, terminalSize) {
        case (.quiet, _): self = .quiet
        case (.auto, .some(let size)), (.tty, .some(let size)):
            self = .terminal(TerminalProgress(write: write, size: size, colors: colors))
        case (.tty, nil): throw ValueError("failed to get console: the output is not a terminal")
        case (.auto, nil), (.plain, _): self = .plain(PlainProgress(write: write))
        }
    }

    /// Whether `tick` is wanted about every 150 ms.
    var wantsTicks: Bool {
        switch self {
        case .terminal, .plain: true
        case .quiet: false
        }
    }

    mutating func handle(_ event: BuildEvent) {
        switch self {
        case .terminal(var display):
            self = .quiet
            display.handle(event)
            self = .terminal(display)
        case .plain(var display):
            self = .quiet
            display.handle(event)
            self = .plain(display)
        case .quiet: break
        }
    }

    mutating func tick(now: UInt64) {
        switch self {
        case .terminal(var display):
            self = .quiet
            display.tick(now: now)
            self = .terminal(display)
        case .plain(var display):
            self = .quiet
            display.tick(now: now)
            self = .plain(display)
        case .quiet: break
        }
    }

    mutating func finish(now: UInt64) {
        switch self {
        case .terminal(var display): display.finish(now: now)
        case .plain(var display): display.finish(now: now)
        case .quiet: break
        }
        self = .quiet
    }
}
