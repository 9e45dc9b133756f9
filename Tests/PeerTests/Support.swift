import CLinux
import LinuxSystem
import OCI
import Testing

/// Swift Testing has one, too.
typealias ExitStatus = LinuxSystem.ExitStatus

/// How a command ended and what it said.
struct Outcome: CustomStringConvertible {
    let status: ExitStatus
    let out: String
    let err: String

    init(_ result: Subprocess.Result) {
        status = result.status
        out = result.outputText
        err = result.errorText
    }

    var code: Int32 { status.code }
    /// The output without its last line feed.
    var line: String { out.hasSuffix("\n") ? String(out.dropLast()) : out }
    var lines: [String] { out.split(separator: "\n").map(String.init) }

    var description: String { "code \(code)\nstdout: \(out)\nstderr: \(err)" }
}

/// Folders of the suite's own, each with a name that `Scripts/leftovers` knows.
enum TemporaryFolder {
    static func make() throws -> String {
        var template = Array("\(Process.environment("TMPDIR") ?? "/tmp")/minirun-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("making a temporary folder") }
        return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// Asks again until it is so; false after `milliseconds`.
func eventually(_ milliseconds: Int = 10_000, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = Clock.monotonic + UInt64(milliseconds) * 1_000_000
    while true {
        if try condition() { return true }
        if Clock.monotonic > deadline { return false }
        usleep(20_000)
    }
}

/// A command that is running, with a person or a program at its other end.
final class Session {
    private let pid: pid_t
    /// What it has said so far, on both streams or on its terminal.
    private(set) var seen = ""
    private var input: CInt
    private let output: CInt
    private var ended: ExitStatus?

    /// Through pipes; standard error goes where standard output goes.
    init(_ words: [String]) throws {
        let stdin = try Pipe()
        let stdout = try Pipe()
        pid = try Subprocess.start(words, descriptors: [stdin.reading.raw, stdout.writing.raw, stdout.writing.raw])
        input = stdin.keepWriting().release()
        output = stdout.keepReading().release()
    }

    init(onTerminal words: [String], columns: Int, rows: Int) throws {
        let terminal = try PseudoTerminal(columns: columns, rows: rows)
        pid = try terminal.start(words)
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

    func type(_ text: String) throws {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            done += try retrying("typing") {
                bytes.withUnsafeBytes { write(input, $0.baseAddress.map { $0 + done }, bytes.count - done) }
            }
        }
    }

    /// Types as a person does: the clients of engines look for keys that come alone.
    func typeKeys(_ keys: String) throws {
        for key in keys {
            try type(String(key))
            usleep(50_000)
        }
    }

    func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    func resize(columns: Int, rows: Int) throws { try Terminal.setSize(output, columns: columns, rows: rows) }

    /// Forgets what has been seen.
    func forget() { seen = "" }

    /// Reads until the text has come; false after `seconds`, or at the end.
    @discardableResult
    func expect(_ text: String, seconds: Int = 20, _ location: SourceLocation = #_sourceLocation) -> Bool {
        let deadline = Clock.monotonic + UInt64(seconds) * 1_000_000_000
        while !seen.contains(text) {
            guard Clock.monotonic < deadline, read(until: deadline) else {
                Issue.record("\"\(text)\" did not come, only: \(seen)", sourceLocation: location)
                return false
            }
        }
        return true
    }

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

    /// Reads what comes until the command ends.
    func wait(seconds: Int = 20) throws -> ExitStatus {
        if let ended { return ended }
        let deadline = Clock.monotonic + UInt64(seconds) * 1_000_000_000
        while Clock.monotonic < deadline {
            var status: Int32 = 0
            if waitpid(pid, &status, WNOHANG) == pid {
                let end = ExitStatus(waitStatus: status)
                ended = end
                while read(until: Clock.monotonic + 50_000_000) {}
                return end
            }
            if !read(until: Clock.monotonic + 20_000_000) { usleep(5000) }
        }
        throw EngineError(.failed, "process \(pid) does not end; it said: \(seen)")
    }
}

/// Runs a tool of the host's and insists on its success.
@discardableResult
func tool(_ arguments: String...) throws -> String {
    let result = try Subprocess.run(arguments, timeout: 120_000)
    guard result.status == .exited(0) else {
        throw EngineError(.failed, "\(arguments.joined(separator: " ")): \(result.errorText)")
    }
    return result.outputText
}
