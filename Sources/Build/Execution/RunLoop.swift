import CLinux
import LinuxSystem
import OCI
import Runtime

/// One of the two pipes between a RUN's program and the build.
final class OutputPipe {
    private static let linesKept = 20

    let stream: BuildEvent.Stream
    private let ours: FileDescriptor
    private(set) var theirs: CInt
    /// The last lines, each with the time of its first byte, and the line that has no end yet.
    private var lines: [(time: UInt64, text: [UInt8])] = []
    private var isOpen = true
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    init(_ stream: BuildEvent.Stream) throws {
        self.stream = stream
        var ends: (CInt, CInt) = (-1, -1)
        try retrying("creating a pipe") { linux_pipe(&ends.0, &ends.1) }
        ours = FileDescriptor(owning: ends.0)
        theirs = ends.1
        _ = linux_fcntl(ends.0, F_SETFL, O_NONBLOCK)
    }

    deinit { closeTheirs() }

    /// Once the shim has it: else the pipe would never end.
    func closeTheirs() {
        if theirs >= 0 { close(theirs) }
        theirs = -1
    }

    /// To poll(2) while it is open.
    var polled: pollfd { pollfd(fd: isOpen ? ours.raw : -1, events: Int16(POLLIN), revents: 0) }

    /// Passes on what one read brings, without waiting; false where there is nothing more for now. One read at a time: a
    /// program that writes faster than it is read must not keep anybody from hearing signals.
    @discardableResult
    func carry(to step: ReportedStep?) throws -> Bool {
        guard isOpen else { return false }
        let count = buffer.withUnsafeMutableBytes { read(ours.raw, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { return true }
        if count < 0, errno == EAGAIN { return false }
        if count < 0 { throw SystemError("reading a program's output") }
        if count == 0 {
            isOpen = false
            return false
        }
        let bytes = Array(buffer[..<count])
        step?.log(stream, bytes)
        keep(bytes)
        return true
    }

    private func keep(_ bytes: [UInt8]) {
        for (index, part) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            if index == 0, let last = lines.last {
                lines[lines.count - 1].text = Array((last.text + part).suffix(4096))
            } else {
                lines.append((Clock.monotonic, Array(part.suffix(4096))))
            }
        }
        lines.removeFirst(max(0, lines.count - OutputPipe.linesKept - 1))
    }

    /// The last lines of both, in the order of their beginnings.
    func lastLines(with other: OutputPipe) -> [String] {
        let all = (lines + other.lines).filter { !$0.text.isEmpty }.sorted { $0.time < $1.time }
        return all.suffix(OutputPipe.linesKept).map { String(rawBytes: $0.text) }
    }
}

/// Waits for a RUN's end: passes its output on meanwhile, and ends it where a signal asks for the build's end.
struct RunLoop: ~Copyable {
    private let launch: Launch
    private let output: OutputPipe
    private let errors: OutputPipe
    private let reported: ReportedStep?
    private var isStarted = false

    init(launch: consuming Launch, output: OutputPipe, errors: OutputPipe, reported: ReportedStep?) {
        self.launch = launch
        self.output = output
        self.errors = errors
        self.reported = reported
    }

    /// Returns the exit code, 128 and the signal's number where one ended the program.
    mutating func run(signals: borrowing SignalDescriptor) throws -> Int32 {
        try launch.go()
        while true {
            var polls = [
                pollfd(fd: launch.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0), output.polled, errors.polled,
            ]
            if poll(&polls, UInt(polls.count), -1) < 0, errno != EINTR { throw SystemError("waiting for a program") }
            try interrupt(signals)
            try output.carry(to: reported)
            try errors.carry(to: reported)
            if polls[0].revents != 0, let code = try take(launch.next()) {
                // Everything in the container has ended: what it wrote is in the pipes.
                while try output.carry(to: reported) { try interrupt(signals) }
                while try errors.carry(to: reported) { try interrupt(signals) }
                return code
            }
        }
    }

    private func interrupt(_ signals: borrowing SignalDescriptor) throws {
        if let signal = try signals.next() { throw BuildInterrupted(signal: signal) }
    }

    /// The exit code at the end, else nil.
    private mutating func take(_ event: consuming Launch.Event) throws -> Int32? {
        switch consume event {
        case .console: return nil
        case .started:
            isStarted = true
            return nil
        case .failed(let failure): throw failure
        case .exited(let status, _):
            // A step that never ran must not become a layer, whatever a shim of another version says.
            guard isStarted else { throw EngineError(.failed, "the shim told of an end without a start") }
            return status.code
        case .lost: throw EngineError(.failed, "the program was lost: somebody killed its shim")
        }
    }

    consuming func kill() { launch.kill() }
    consuming func finish() { launch.finish() }
}
