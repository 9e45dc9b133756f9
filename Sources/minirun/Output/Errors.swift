import LinuxSystem
import OCI

/// How an error reads on stderr, and the exit code that it makes.
struct ErrorReport: Sendable, Equatable {
    /// Without the last line feed.
    let text: String
    let exitCode: Int32

    init(text: String, exitCode: Int32) {
        self.text = text
        self.exitCode = exitCode
    }

    /// One line, `minirun: …`, and where there is something to do about it a second. Of verbs like `run`, whose own
    /// exit code would be mistaken for the container's, `helpPath` ("minirun run") gives docker's form: the code is 125
    /// (126 and 127 for a program that cannot be started) and the last line says where help is.
    init(_ error: any Error, program: String = "minirun", helpPath: String? = nil) {
        if let error = error as? CommandLineError {
            (text, exitCode) = (error.text, error.exitCode)
            return
        }
        var lines = "\(program): \(ErrorReport.oneLine("\(error)"))"
        if let hint = (error as? EngineError)?.hint { lines += "\nhint: \(ErrorReport.oneLine(hint))" }
        guard let helpPath else {
            (text, exitCode) = (lines, 1)
            return
        }
        text = "\(lines)\n\nRun '\(helpPath) --help' for more information"
        switch (error as? EngineError)?.kind {
        case .commandNotFound: exitCode = 127
        case .commandNotExecutable: exitCode = 126
        default: exitCode = 125
        }
    }

    /// A name that an image or a path brought may hold anything: control characters never reach the terminal.
    private static func oneLine(_ text: String) -> String {
        Console.visible(text.replacing("\n", with: " ").replacing("\t", with: "\\x09"))
    }
}
