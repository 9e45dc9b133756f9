import LinuxSystem
import OCI

extension RuntimeSpec.Process {
    /// Whether its terminal has somebody who takes it: a caller who stays takes it itself, one who leaves names a socket.
    func checkConsole(socket: String?, detached: Bool) throws(EngineError) {
        if detached, terminal, socket == nil {
            throw EngineError(
                .invalid,
                "cannot allocate tty if the runtime will detach without setting console socket"
            )
        }
        if socket != nil, !detached || !terminal {
            throw EngineError(
                .invalid,
                "cannot use console socket if the runtime will not detach or allocate tty"
            )
        }
    }
}

/// A program that is there and that the kernel would not execute: its interpreter is missing, its format is unknown. All else had
/// gone well, so this is the program's message rather than the runtime's.
package struct ExecutionFailure: Error, CustomStringConvertible, Sendable {
    package let program: String
    /// errno.
    package let code: Int32

    /// Nil for any other step: what a plan executes, it has found before.
    init?(_ failure: LaunchFailure) {
        guard case .execute(let arguments, _, _) = failure.step else { return nil }
        program = arguments.first ?? ""
        code = failure.code
    }

    package var description: String {
        let reason = SystemError.text(code)
        return "exec \(program): \(reason.prefix(1).lowercased())\(reason.dropFirst())"
    }
}

extension EngineError {
    /// A failure from the launch on, with runc's words before it, which its callers know: it may be a program that is not there.
    static func launching(_ error: any Error, initializing: Bool) -> any Error {
        if let failure = (error as? LaunchFailure).flatMap(ExecutionFailure.init) { return failure }
        let cause =
            (error as? LaunchFailure)?.error ?? (error as? EngineError) ?? EngineError(.failed, "\(error)")
        let place = initializing ? "error during container init: " : ""
        return EngineError(
            cause.kind,
            "unable to start container process: \(place)\(cause.message)",
            hint: cause.hint
        )
    }
}
