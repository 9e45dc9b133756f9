import LinuxSystem
import OCI

/// How a command ended and what it said.
package struct Outcome: CustomStringConvertible {
    package let status: LinuxSystem.ExitStatus
    package let out: String
    package let err: String

    package init(status: LinuxSystem.ExitStatus, out: String, err: String) {
        self.status = status
        self.out = out
        self.err = err
    }

    package init(_ result: Subprocess.Result) {
        self.init(status: result.status, out: result.outputText, err: result.errorText)
    }

    package var code: Int32 { status.code }
    /// The output without its last line feed.
    package var line: String { out.hasSuffix("\n") ? String(out.dropLast()) : out }
    package var lines: [String] { out.split(separator: "\n").map(String.init) }

    package var description: String { "code \(code)\nstdout: \(out)\nstderr: \(err)" }
}

/// Runs a tool of the host's and insists on its success.
@discardableResult
package func tool(_ arguments: String..., input: String = "", directory: String? = nil) throws -> String {
    let result = try Subprocess.run(arguments, directory: directory, input: Array(input.utf8), timeout: 120_000)
    guard result.status == .exited(0) else {
        throw EngineError(.failed, "\(arguments.joined(separator: " ")): \(result.errorText)")
    }
    return result.outputText
}
