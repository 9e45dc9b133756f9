import CLinux
import LinuxSystem
import OCI

/// What an OCI runtime tells its callers beside its results: lines in logrus' two formats, which they parse.
///
/// Podman reads a JSON log as one object. So a JSON log gets one line, the error that ends the command, unless `--debug` asks for
/// more.
final class OCILog: Sendable {
    enum Format: String, Sendable { case text, json }

    enum Level: String, Sendable {
        case debug, warning, error

        /// On a terminal: four letters, and the colour's number.
        fileprivate var mark: (text: String, colour: Int) {
            switch self {
            case .debug: ("DEBU", 37)
            case .warning: ("WARN", 33)
            case .error: ("ERRO", 31)
            }
        }
    }

    private let file: FileDescriptor?
    private let format: Format
    private let isDebugging: Bool

    /// To standard error.
    init(format: Format = .text, debug: Bool = false) {
        file = nil
        self.format = format
        isDebugging = debug
    }

    /// Creates the file at once: containerd opens it whatever happens.
    init(_ globals: OCIGlobals) throws(EngineError) {
        format = globals.logFormat
        isDebugging = globals.debug
        guard let path = globals.logFile else {
            file = nil
            return
        }
        do throws(SystemError) {
            file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: FileModes.forCaller(0o644))
        } catch {
            throw EngineError(.failed, "error opening log file: \(error)")
        }
    }

    func debug(_ message: @autoclosure () -> String) {
        if isDebugging { write(.debug, message()) }
    }

    func warn(_ message: String) {
        if format == .text || isDebugging { write(.warning, message) }
    }

    /// What ends the command: in the log, and where that is a file on standard error, too.
    func fail(_ message: String) {
        write(.error, message)
        switch file {
        case .some: Console.complain(message + "\n")
        case .none: break
        }
    }

    /// The same for what is the program's failure: on standard error it reads as the program would say it.
    func failAsProgram(_ message: String) {
        switch file {
        case .some: write(.error, message)
        case .none: break
        }
        Console.complain(message + "\n")
    }

    private func write(_ level: Level, _ message: String) {
        let now = Clock.realtime
        switch file {
        case .some(let file): try? file.write(OCILog.line(level, message, format, at: now) + "\n")
        case .none:
            if format == .text, Terminal.isTerminal(2) {
                Console.draw(OCILog.terminalLine(level, Console.visible(message)) + "\n", on: .error)
            } else {
                Console.complain(OCILog.line(level, message, format, at: now) + "\n")
            }
        }
    }

    /// Without the line feed; `time` in nanoseconds since 1970, of which whole seconds are shown.
    static func line(_ level: Level, _ message: String, _ format: Format, at time: UInt64) -> String {
        let stamp = Timestamp.rfc3339(nanoseconds: time / 1_000_000_000 * 1_000_000_000)
        switch format {
        case .json:
            return JSON.object([
                ("level", .string(level.rawValue)), ("msg", .string(message)), ("time", .string(stamp)),
            ]).text()
        case .text: return "time=\"\(stamp)\" level=\(level.rawValue) msg=\(quoted(message))"
        }
    }

    static func terminalLine(_ level: Level, _ message: String) -> String {
        let gap = String(repeating: " ", count: max(0, 44 - message.count))
        return "\u{1B}[\(level.mark.colour)m\(level.mark.text)\u{1B}[0m[0000] \(message)\(gap)"
    }

    /// In quotes unless it is plain enough.
    private static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-._/@^+".utf8.contains(byte)
            }
        }
        return isPlain ? text : text.goQuoted
    }
}
