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

extension EngineError {
    /// A failure from the launch on, with runc's words before it, which its callers know: it may be a program that is not there.
    static func launching(_ error: any Error, initializing: Bool) -> EngineError {
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
