import CLinux
import LinuxSystem
import OCI
import Testing

/// A command that is running, with a person or a program at its other end.
package final class Session {
    package let pid: pid_t
    /// What it has said so far, on both streams or on its terminal.
    package private(set) var seen = ""
    private var input: CInt
    private let output: CInt
    private var ended: LinuxSystem.ExitStatus?

    /// Through pipes; standard error goes where standard output goes.
    package init(_ words: [String], environment: [String]) throws {
        let stdin = try Pipe()
        let stdout = try Pipe()
        pid = try Subprocess.start(
            words,
            environment: environment,
            descriptors: [stdin.reading.raw, stdout.writing.raw, stdout.writing.raw]
        )
        input = stdin.keepWriting().release()
        output = stdout.keepReading().release()
    }

    /// On a terminal. `replaced` gives it other descriptors in the place of some of 0 to 2.
    package init(
        onTerminal words: [String],
        environment: [String],
        columns: Int = 80,
        rows: Int = 24,
        replaced: [CInt: CInt] = [:]
    ) throws {
        let terminal = try PseudoTerminal(columns: columns, rows: rows)
        pid = try terminal.start(words, environment: environment, descriptors: replaced)
        input = try terminal.master.duplicate().release()
        output = try terminal.master.duplicate().release()
    }

    deinit {
        if ended == nil {
            kill(pid, SIGKILL)
            _ = try? Subprocess.wait(for: pid)
        }
        closeInput()
        close(output)
    }

    package func type(_ text: String) throws { try StandardBytes.write(Array(text.utf8), to: input) }

    /// Types as much as there is room for, and no more.
    package func typeWhatFits(_ text: String) throws {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            var room = pollfd(fd: input, events: Int16(POLLOUT), revents: 0)
            guard poll(&room, 1, 200) > 0 else { return }
            done += try retrying("typing") {
                bytes.withUnsafeBytes { write(input, $0.baseAddress.map { $0 + done }, min(256, bytes.count - done)) }
            }
        }
    }

    package func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    package func signal(_ number: CInt) { kill(pid, number) }

    package func resize(columns: Int, rows: Int) throws { try Terminal.setSize(output, columns: columns, rows: rows) }

    /// Reads until the text has come; false after `seconds`, or at the end.
    @discardableResult
    package func expect(_ text: String, seconds: Int = 20, _ location: SourceLocation = #_sourceLocation) -> Bool {
        let deadline = Clock.monotonic + UInt64(seconds) * 1_000_000_000
        while !seen.contains(text) {
            guard Clock.monotonic < deadline, read(until: deadline) else {
                Issue.record("\"\(text)\" did not come, only: \(seen)", sourceLocation: location)
                return false
            }
        }
        return true
    }

    /// Forgets what has been seen.
    package func forget() { seen = "" }

    /// One read; false at the end of the output or of the time.
    private func read(until deadline: UInt64) -> Bool {
        var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
        let now = Clock.monotonic
        guard now < deadline, poll(&waiting, 1, Int32(clamping: (deadline - now) / 1_000_000 + 1)) > 0 else {
            return false
        }
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = CLinux.read(output, &chunk, chunk.count)
        if count > 0 { seen += String(decoding: chunk[..<count], as: UTF8.self) }
        return count > 0
    }

    /// Whether it has ended by now; reads nothing.
    package func hasEnded() -> Bool {
        var status: Int32 = 0
        if ended == nil, waitpid(pid, &status, WNOHANG) == pid {
            ended = LinuxSystem.ExitStatus(waitStatus: status)
        }
        return ended != nil
    }

    /// Waits for the end, and goes on reading meanwhile unless told not to.
    package func wait(seconds: Int = 20, reading: Bool = true, _ location: SourceLocation = #_sourceLocation) throws
        -> LinuxSystem.ExitStatus
    {
        if let ended { return ended }
        let deadline = Clock.monotonic + UInt64(seconds) * 1_000_000_000
        while Clock.monotonic < deadline {
            if hasEnded(), let ended {
                while reading, read(until: Clock.monotonic + 50_000_000) {}
                return ended
            }
            if reading { _ = read(until: Clock.monotonic + 20_000_000) }
            usleep(5000)
        }
        throw EngineError(.failed, "process \(pid) does not end; it said: \(seen)")
    }
}

package enum StandardBytes {
    package static func write(_ bytes: [UInt8], to descriptor: CInt) throws {
        var done = 0
        while done < bytes.count {
            done += try retrying("writing") {
                bytes.withUnsafeBytes { CLinux.write(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done) }
            }
        }
    }
}
