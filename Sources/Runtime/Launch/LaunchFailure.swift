import LaunchPlan
import LinuxSystem
import OCI

/// The step that failed, and why.
package struct LaunchFailure: Error, CustomStringConvertible, Sendable {
    /// Nil where the plan itself was refused.
    package let step: LaunchStep?
    /// errno.
    package let code: Int32
    package let detail: String

    package init(step: LaunchStep?, code: Int32, detail: String) {
        self.step = step
        self.code = code
        self.detail = detail
    }

    /// From LP_MESSAGE_FAILED. The step is counted from the plan's end: `start` knows of the plan that `create` has made only
    /// what is left of it.
    init(_ message: lp_message, of plan: LaunchPlan?) {
        let steps = plan?.steps ?? []
        let index = steps.count - 1 - Int(message.remaining)
        let detail = withUnsafeBytes(of: message.detail) { String(rawBytes: $0.prefix { $0 != 0 }) }
        self.init(
            step: steps.indices.contains(index) ? steps[index] : nil,
            code: message.error,
            detail: detail
        )
    }

    package var description: String { error.message }

    /// As a person reads it, with the kind that docker's exit codes 126 and 127 are made of.
    package var error: EngineError {
        let reason = SystemError.text(code)
        switch step {
        case .execute(let arguments, _, _), .findProgram(let arguments, _, _):
            return executing(arguments.first ?? "", reason)
        case .workingFolder(let path):
            return EngineError(
                .failed,
                "chdir to cwd (\"\(path)\") set in config.json failed: " + (detail.isEmpty ? reason : detail)
            )
        case .hook(let hook):
            // What strsignal(3) calls it begins with a capital letter, other runtimes' texts with a small one.
            let signal = "signal: "
            let said =
                detail.hasPrefix(signal)
                ? signal + detail.dropFirst(signal.count).prefix(1).lowercased() + detail.dropFirst(signal.count + 1)
                : detail
            return EngineError(
                .failed,
                "error running \(hook.kind) hook #\(hook.index): \(said.isEmpty ? reason : said)"
            )
        case .openTree(let bind, _, _), .attach(let bind, _):
            return EngineError(
                code == SystemError.notFound ? .notFound : .failed,
                "error mounting \"\(bind.source)\" to rootfs at \"\(bind.target)\": "
                    + reason.prefix(1).lowercased() + reason.dropFirst() + (detail.isEmpty ? "" : " (\(detail))")
            )
        case .bind(let bind, _) where code == SystemError.notFound:
            return EngineError(.notFound, "binding \(bind.source) to \(bind.target): \(reason)")
        case .bind(let bind, _) where code == SystemError.notFolder:
            return EngineError(
                .commandNotFound,
                "binding \(bind.source) to \(bind.target): \(reason)",
                hint: "one of the two is a folder and the other is a file"
            )
        case .scheduler(_, let name) where code == SystemError.notPermitted:
            return EngineError(
                .failed,
                "setting the scheduler to \(name): \(reason) "
                    + "(process scheduler can't be used together with AllowedCPUs)"
            )
        case .some(let step): return EngineError(.failed, "\(step): \(reason)" + (detail.isEmpty ? "" : " (\(detail))"))
        case nil: return EngineError(.failed, "the shim refused the launch plan: " + (detail.isEmpty ? reason : detail))
        }
    }

    private func executing(_ program: String, _ reason: String) -> EngineError {
        let lower = reason.prefix(1).lowercased() + reason.dropFirst()
        if code == SystemError.notFound, !detail.isEmpty {
            return EngineError(
                .commandNotFound,
                "exec \(program): \(lower)",
                hint: "the interpreter that it names is not in the image: \(detail)"
            )
        }
        // Podman, which finds the exit code 126 by these words, knows no folder.
        if code == SystemError.isFolder {
            return EngineError(.commandNotExecutable, "exec: \"\(program)\": \(lower): permission denied")
        }
        if code == SystemError.notFound {
            return EngineError(
                .commandNotFound,
                program.contains("/")
                    ? "exec: \"\(program)\": stat \(program): \(lower)"
                    : "exec: \"\(program)\": executable file not found in $PATH"
            )
        }
        let kind: EngineError.Kind = code == SystemError.notFolder ? .commandNotFound : .commandNotExecutable
        return EngineError(kind, "exec: \"\(program)\": \(lower)")
    }
}
