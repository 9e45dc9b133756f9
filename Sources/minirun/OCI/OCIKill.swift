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
            let signal = try SignalName.number(positional.count > 1 ? positional[1] : "SIGTERM")
            try call.runtime().kill(try call.id(), signal, all: call.arguments.flag("all"))
            return 0
        }
    )
}

/// Signals by number or by name, with or without SIG, in any case.
enum SignalName {
    static func number(_ text: String) throws(EngineError) -> Int32 {
        if let number = Int32(text), (0...64).contains(number) { return number }
        let upper = text.uppercased()
        let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        if let number = table.firstIndex(of: name) { return Int32(number + 1) }
        if let number = others[name] ?? realTime(name) { return number }
        throw EngineError(.invalid, "unknown signal \(text.goQuoted)")
    }

    /// In the order of their numbers from 1 on (signal(7); x86-64 and arm64 agree).
    private static let table = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM",
        "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH",
        "IO",
        "PWR", "SYS",
    ]
    private static let others: [String: Int32] = ["IOT": 6, "CLD": 17, "POLL": 29]

    /// `RTMIN`, `RTMIN+3`, `RTMAX-1`, as kill(1) and systemd have them: 34 to 64.
    private static func realTime(_ name: String) -> Int32? {
        let number: Int32?
        if name.hasPrefix("RTMIN") {
            let rest = name.dropFirst(5)
            number = rest.isEmpty ? 34 : rest.hasPrefix("+") ? Int32(rest.dropFirst()).map { 34 &+ $0 } : nil
        } else if name.hasPrefix("RTMAX") {
            let rest = name.dropFirst(5)
            number = rest.isEmpty ? 64 : rest.hasPrefix("-") ? Int32(rest.dropFirst()).map { 64 &- $0 } : nil
        } else {
            number = nil
        }
        return number.flatMap { (34...64).contains($0) ? $0 : nil }
    }
}
