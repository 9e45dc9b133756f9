/// Signals by number or by name, with or without SIG, in any case.
package enum SignalName {
    /// Nil for what is no signal; 0, which asks whether there is a process, is one.
    package static func number(_ text: String) -> Int32? {
        if let number = Int32(text), (0...64).contains(number) { return number }
        let upper = text.uppercased()
        let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
        if let number = table.firstIndex(of: name) { return Int32(number + 1) }
        if let number = others[name] ?? realTime(name) { return number }
        return nil
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
