import CLinux
import LinuxSystem

/// Where the program writes. Results go to 1, everything else to 2. There is no other door: no layer below writes to either.
///
/// What an image, a registry or a path brought may stand in any of it: on a terminal control characters are shown as what
/// they are, and carried out nowhere. Into files and pipes everything goes as it is.
enum Console {
    /// How much is said beside results: docker's `--log-level`.
    enum Level: Int, Sendable {
        case debug, info, warn, error, fatal

        init?(_ text: String) {
            switch text {
            case "debug", "trace": self = .debug
            case "info": self = .info
            case "warn", "warning": self = .warn
            case "error": self = .error
            case "fatal", "panic": self = .fatal
            default: return nil
            }
        }
    }

    private static let memory = ConsoleMemory()

    static var level: Level {
        get { memory.lock.locked { memory.level } }
        set { memory.lock.locked { memory.level = newValue } }
    }

    /// Of results: the first write of them that failed. A command that could not say what it was asked for has failed.
    static var outputFailure: SystemError? { memory.lock.locked { memory.failure } }

    static func print(_ text: String) { draw(Terminal.isTerminal(1) ? visible(text) : text, on: .output) }

    static func complain(_ text: String) { draw(Terminal.isTerminal(2) ? visible(text) : text, on: .error) }

    /// What went wrong and kept nobody from their work.
    static func warn(_ text: String) {
        if level.rawValue <= Level.warn.rawValue { complain("WARNING: \(text)\n") }
    }

    /// One line of `--debug`: what is being done, with the time.
    static func debug(_ message: @autoclosure () -> String) {
        guard level == .debug else { return }
        complain(OCILog.line(.debug, message(), .text, at: Clock.realtime) + "\n")
    }

    /// For displays that move the cursor, and answer themselves for what else they show.
    static func draw(_ text: String, on stream: StandardStream) {
        do throws(SystemError) { try stream.write(text) } catch {
            guard stream == .output else { return }
            memory.lock.locked { memory.failure = memory.failure ?? error }
        }
    }

    /// Control characters but the line feed and the tab as `\x1b`, a byte that is no UTF-8 as `\xff`, and what turns the direction of a text as `\u202e`: either
    /// makes a terminal show another text than the one that is there.
    static func visible(_ text: String) -> String {
        func isHidden(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.value {
            case 0x09, 0x0A: false
            case 0..<0x20, 0x7F..<0xA0: true
            case 0x10FF80...0x10FFFF: true
            case 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
            default: false
            }
        }
        guard text.unicodeScalars.contains(where: isHidden) else { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            if !isHidden(scalar) {
                result.unicodeScalars.append(scalar)
            } else if let byte = scalar.standsFor {
                result += "\\x" + String(byte, radix: 16)
            } else if scalar.value < 0x100 {
                result += "\\x" + String.hexadecimal(scalar.value, width: 2)
            } else {
                result += "\\u" + String.hexadecimal(scalar.value, width: 4)
            }
        }
    }

    /// The exit code of a command that ended with `code`, after its results were written. A reader that went away is told
    /// nothing, as with every tool that SIGPIPE ends.
    ///
    /// - Parameter failed: the code of a command whose results could not be written.
    static func settled(_ code: Int32, failed: Int32 = 1) -> Int32 {
        guard let failure = outputFailure, code == 0 else { return code }
        if failure.code == EPIPE { return 128 + SIGPIPE }
        complain("minirun: writing to standard output: \(failure.reason)\n")
        return failed
    }
}

/// What the console remembers; several threads write.
private final class ConsoleMemory: @unchecked Sendable {
    let lock = Lock()
    var level = Console.Level.info
    var failure: SystemError?
}
