import OCI
import Runtime

/// `minirun oci kill`
enum OCIKill {
    static let verb = OCIVerb(
        "kill",
        "kill sends the specified signal (default: SIGTERM) to the container's init process",
        usage: "<container-id> [signal]",
        arguments: .between(1, 2),
        options: { [.flag("all", short: "a", "send the specified signal to all processes inside the container")] },
        run: { call in
            let positional = call.arguments.positional
            let name = positional.count > 1 ? positional[1] : "SIGTERM"
            guard let signal = SignalName.number(name) else {
                throw EngineError(.invalid, "unknown signal \(name.goQuoted)")
            }
            try call.runtime().kill(try call.id(), signal, all: call.arguments.flag("all"))
            return 0
        }
    )
}
