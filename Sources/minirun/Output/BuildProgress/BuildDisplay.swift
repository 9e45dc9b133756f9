import Build
import CLinux
import LinuxSystem

/// A build's display on stderr, kept moving by a ticker while a step is silent.
///
/// Whatever becomes of what it writes, the build hears signals: nothing here waits for a reader of stderr without listening for
/// SIGINT, SIGTERM and SIGHUP as well.
final class BuildDisplay: @unchecked Sendable {
    /// How much may wait for its reader before the step that says more has to wait, in bytes.
    private static let room = 256 << 10

    private let lock = Lock()
    private let writer: QueuedWriter
    private let isTerminal: Bool
    private let signals: SignalDescriptor
    private var progress: BuildProgress
    private var ticker: Ticker?

    /// Holds the signals back until `finish`.
    init(_ mode: ProgressMode) throws {
        signals = try SignalDescriptor(Builder.signals)
        let writer = try QueuedWriter(StandardStream.error.rawValue)
        self.writer = writer
        let isTerminal = Terminal.isTerminal(StandardStream.error.rawValue)
        self.isTerminal = isTerminal
        let size: @Sendable () -> (columns: Int, rows: Int) = {
            Terminal.size(StandardStream.error.rawValue) ?? (80, 24)
        }
        // The drawing in place answers for what its lines show; the plain one passes on what steps write.
        let draws = isTerminal && (mode == .auto || mode == .tty)
        progress = try BuildProgress(
            mode,
            output: BuildProgress.Output(
                write: { writer.write((isTerminal && !draws ? Console.visible($0) : $0).rawBytes) },
                isReady: { writer.left < BuildDisplay.room },
                terminalSize: isTerminal ? size : nil
            ),
            colors: Process.environment("NO_COLOR") == nil
        )
        if progress.wantsTicks {
            ticker = try Ticker(every: 150) { [weak self] in
                self?.lock.locked { self?.progress.tick(now: Clock.monotonic) }
            }
        }
    }

    func handle(_ event: BuildEvent) {
        // By the same writer: nothing waits for whoever reads it.
        if Console.level == .debug, let line = DebugLines.of(event) {
            let text = OCILog.line(.debug, line, .text, at: Clock.realtime) + "\n"
            writer.write((isTerminal ? Console.visible(text) : text).rawBytes)
        }
        lock.locked { progress.handle(event) }
        // Only what a program says is without end. After a signal nobody waits any more: the build is about to hear of it.
        if case .log = event.kind {
            _ = try? writer.wait(untilLeft: BuildDisplay.room, orInput: signals.descriptor.raw)
        }
    }

    /// Shows the last state and waits until all of it has been read, or a signal comes, which then has its usual effect.
    ///
    /// - Parameter interruption: what a build that a signal has ended says last. Then nobody is waited for: who wants the end
    ///   of a build whose output is stuck gets it.
    /// - Throws: where stderr cannot be written, as on a full disk. A reader that went away is no error.
    func finish(interruption: String? = nil) throws {
        ticker?.stop()
        lock.locked { progress.finish(now: Clock.monotonic) }
        let isOut: Bool
        if let interruption {
            writer.write(interruption.rawBytes)
            isOut = try writer.wait(untilLeft: 0, milliseconds: 200)
        } else {
            isOut = try writer.wait(untilLeft: 0, orInput: signals.descriptor.raw)
        }
        if isOut { writer.close() }
        try signals.letGo(Builder.signals)
        if let failure = writer.failure, failure.code != EPIPE, failure.code != EIO {
            throw SystemError("writing the build's progress", code: failure.code)
        }
    }
}
