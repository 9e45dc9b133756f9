import CLinux
import LinuxSystem

/// Where the program starts. Synchronous on purpose: an async root would start threads before the first clone.
@main
struct Main {
    static func main() {
        // A reader of our output that goes away is an error of that write, not the end of a container.
        Signals.ignore(SIGPIPE)
        StandardStream.openMissing()
        // What the caller left open is no business of any program that is started from here.
        do throws(SystemError) { try FileDescriptor.closeAtExec(from: 3) } catch {
            Console.complain("minirun: \(error)\n")
            exit(125)
        }
        // Everything is made with the modes that it is meant to have, whatever the caller's mask: a container's `/` is a folder
        // of ours.
        FileModes.useOwnMask()
        let words = CommandLine.arguments
        let arguments = Array(words.dropFirst())
        if let called = words.first, let program = OCIProgram(called: called) { exit(program.run(arguments)) }
        if arguments.first == "oci" { exit(OCIProgram.verb.run(Array(arguments.dropFirst()))) }
        exit(run(arguments))
    }

    /// Carries one command line out; the result is the exit code.
    static func run(_ arguments: [String]) -> Int32 {
        var helpPath: String?
        do {
            switch try Commands.table.parse(arguments, width: { Terminal.size(1)?.columns ?? 80 }) {
            case .version:
                Console.print("minirun version \(Version.number)\n")
                return 0
            case .text(let text, let toStandardError):
                if toStandardError { Console.complain(text) } else { Console.print(text) }
                return toStandardError ? 1 : 0
            case .verb(let verb, let parsed):
                if verb.forms.contains("run") { helpPath = parsed.path }
                return try verb.run(parsed)
            }
        } catch {
            let report = ErrorReport(error, helpPath: helpPath)
            Console.complain(report.text + "\n")
            return report.exitCode
        }
    }
}

/// The release.
enum Version {
    static let number = "0.1.0"
    /// What it was made from.
    static let commit = "v\(number)"
}

/// Where the program writes. Results go to 1, everything else to 2.
///
/// What an image, a registry or a path brought may stand in any of it: on a terminal control characters are shown as what
/// they are, and carried out nowhere. Into files and pipes everything goes as it is.
enum Console {
    static func print(_ text: String) { draw(Terminal.isTerminal(1) ? visible(text) : text, on: .output) }

    static func complain(_ text: String) { draw(Terminal.isTerminal(2) ? visible(text) : text, on: .error) }

    /// For displays that move the cursor, and answer themselves for what else they show.
    static func draw(_ text: String, on stream: StandardStream) { try? stream.write(text) }

    /// Control characters but the line feed and the tab as `\x1b`.
    static func visible(_ text: String) -> String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool {
            scalar.value < 0x20 && scalar != "\n" && scalar != "\t" || (0x7F..<0xA0).contains(scalar.value)
        }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            if isControl(scalar) {
                result += "\\x" + String.hexadecimal(scalar.value, width: 2)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }
}
