import CLinux
import LinuxSystem
import OCI
import Testing

/// A command that was started with a pipe at each of its streams. Unlike `Subprocess.run` it can end before its streams do:
/// a runtime's `create` leaves them to the container.
package final class Launched {
    package let pid: pid_t
    package private(set) var out: [UInt8] = []
    package private(set) var err: [UInt8] = []
    package private(set) var ended: LinuxSystem.ExitStatus?
    private var input: CInt
    private var sources: [CInt]

    /// - Parameter more: descriptors that the command gets as its 3, 4, and so on.
    package init(
        _ words: [String],
        environment: [String] = BlackBox.environment(),
        directory: String? = nil,
        more: [CInt] = []
    ) throws {
        let stdin = try Pipe()
        let stdout = try Pipe()
        let stderr = try Pipe()
        pid = try Subprocess.start(
            words,
            environment: environment,
            directory: directory,
            descriptors: [stdin.reading.raw, stdout.writing.raw, stderr.writing.raw] + more
        )
        input = stdin.keepWriting().release()
        sources = [stdout.keepReading().release(), stderr.keepReading().release()]
    }

    deinit {
        if ended == nil {
            kill(pid, SIGKILL)
            _ = try? Subprocess.wait(for: pid)
        }
        closeInput()
        for source in sources where source >= 0 { close(source) }
    }

    package var outText: String { String(decoding: out, as: UTF8.self) }
    package var errText: String { String(decoding: err, as: UTF8.self) }
    package var hasOutput: Bool { sources.contains { $0 >= 0 } }

    package func type(_ text: String) throws { try StandardBytes.write(Array(text.utf8), to: input) }

    package func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    /// Waits for the end of the process, and reads meanwhile. Throws after `seconds`.
    @discardableResult
    package func wait(seconds: Int = 30) throws -> LinuxSystem.ExitStatus {
        if let ended { return ended }
        let deadline = Clock.monotonic + UInt64(seconds) * 1_000_000_000
        let process = FileDescriptor(owning: try retrying("opening process \(pid)") { linux_pidfd_open(pid) })
        while Clock.monotonic < deadline {
            read(milliseconds: 100, or: process.raw)
            var status: Int32 = 0
            if waitpid(pid, &status, WNOHANG) == pid {
                let end = LinuxSystem.ExitStatus(waitStatus: status)
                ended = end
                drain()
                return end
            }
        }
        throw EngineError(.failed, "process \(pid) does not end in \(seconds) s; it said: \(outText)\(errText)")
    }

    /// Reads to the end of both streams. Throws after `seconds`: somebody holds them.
    package func readToEnd(seconds: Int = 30) throws {
        let deadline = Clock.monotonic + UInt64(seconds) * 1_000_000_000
        while hasOutput {
            guard Clock.monotonic < deadline else {
                throw EngineError(.failed, "somebody still holds the streams; so far: \(outText)\(errText)")
            }
            read(milliseconds: 100)
        }
    }

    /// Reads until the output holds the text; throws at its end and after `seconds`.
    package func expect(_ text: String, seconds: Int = 20) throws {
        let deadline = Clock.monotonic + UInt64(seconds) * 1_000_000_000
        while !outText.contains(text) {
            guard Clock.monotonic < deadline, sources[0] >= 0 else {
                throw EngineError(.failed, "\"\(text)\" did not come, only: \(outText)\(errText)")
            }
            read(milliseconds: 100)
        }
    }

    /// Reads what is there.
    package func drain() { while read(milliseconds: 0) {} }

    package func forgetOutput() {
        out = []
        err = []
    }

    @discardableResult
    private func read(milliseconds: Int32, or other: CInt = -1) -> Bool {
        var polls = (sources + [other]).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard poll(&polls, UInt(polls.count), milliseconds) > 0 else { return false }
        var any = false
        for index in 0...1 where polls[index].revents != 0 {
            var chunk = [UInt8](repeating: 0, count: 65536)
            let count = CLinux.read(sources[index], &chunk, chunk.count)
            if count > 0 {
                if index == 0 { out += chunk[..<count] } else { err += chunk[..<count] }
                any = true
            } else {
                close(sources[index])
                sources[index] = -1
            }
        }
        return any
    }
}
