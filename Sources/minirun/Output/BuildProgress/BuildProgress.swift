import Build

/// `--progress`.
enum ProgressMode: String, Sendable {
    case auto, tty, plain, quiet

    init(parsing text: String) throws(ValueError) {
        // Without the id at the end, which is an option of its own.
        if text == "none" {
            self = .quiet
            return
        }
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

    /// Where the display goes.
    struct Output: Sendable {
        /// Takes a text and does not wait.
        var write: @Sendable (String) -> Void
        /// Whether what was written before has been read, more or less: what can be left out is left out until then.
        var isReady: @Sendable () -> Bool = { true }
        /// Nil where it is no terminal.
        var terminalSize: (@Sendable () -> (columns: Int, rows: Int))?
    }

    /// Where the output is no terminal `auto` means plain, and `tty` is an error.
    init(_ mode: ProgressMode, output: Output, colors: Bool) throws(ValueError) {
        let write = output.write
        switch (mode, output.terminalSize) {
        case (.quiet, _): self = .quiet
        case (.auto, .some(let size)), (.tty, .some(let size)):
            self = .terminal(TerminalProgress(write: write, isReady: output.isReady, size: size, colors: colors))
        case (.tty, nil): throw ValueError("failed to get console: the output is not a terminal")
        case (.auto, nil): self = .plain(PlainProgress(write: write, isReady: output.isReady))
        case (.plain, let size):
            // What a program says may not carry out anything on a terminal.
            let shown: @Sendable (String) -> Void = { write(size == nil ? $0 : Console.visible($0)) }
            self = .plain(PlainProgress(write: shown, isReady: output.isReady))
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
