import LinuxSystem
import OCI

/// Hooks that run in the runtime's own namespaces: prestart, createRuntime, poststart and poststop (config.md#posix-platform-hooks).
/// The shim runs the others.
enum RuntimeHooks {
    /// Runs all of one kind, in order, in the bundle's folder, each with the state on its standard input. Throws at the first
    /// that fails.
    static func run(_ hooks: [RuntimeSpec.Hook], kind: String, state: [UInt8], bundle: String) throws(EngineError) {
        for (index, hook) in hooks.enumerated() {
            try run(hook, index, kind: kind, state: state, bundle: bundle)
        }
    }

    /// The same where a failure is only a warning, and the next one runs all the same.
    static func runAll(
        _ hooks: [RuntimeSpec.Hook],
        kind: String,
        state: [UInt8],
        bundle: String,
        warn: (String) -> Void
    ) {
        for (index, hook) in hooks.enumerated() {
            do throws(EngineError) { try run(hook, index, kind: kind, state: state, bundle: bundle) } catch {
                warn(error.message)
            }
        }
    }

    private static func run(_ hook: RuntimeSpec.Hook, _ index: Int, kind: String, state: [UInt8], bundle: String)
        throws(EngineError)
    {
        let reason: String
        do throws(SystemError) {
            let result = try Subprocess.run(
                hook.args.isEmpty ? [hook.path] : hook.args,
                program: hook.path,
                environment: hook.env.isEmpty ? nil : hook.env,
                directory: bundle,
                input: state,
                timeout: hook.timeoutMilliseconds
            )
            if result.status == .exited(0) { return }
            reason = text(of: result, hook)
        } catch {
            reason = "\(error)"
        }
        throw EngineError(.failed, "error running \(kind) hook #\(index): \(reason)")
    }

    private static func text(of result: Subprocess.Result, _ hook: RuntimeSpec.Hook) -> String {
        let output = ", stdout: \(result.outputText), stderr: \(result.errorText)"
        if result.timedOut { return "hook ran past specified timeout of \(hook.timeout ?? 0).0s" }
        switch result.status {
        case .exited(let code): return "exit status \(code)\(output)"
        case .signalled(let signal): return "signal: \(ProcessSignal.text(signal))\(output)"
        }
    }
}
