/// `--ulimit nofile=1024:2048`; without the second number it is the first. -1 is no limit.
struct Ulimit: Sendable, Equatable {
    /// As docker names it, without RLIMIT_: "nofile".
    let name: String
    let soft: Int64
    let hard: Int64

    init(parsing text: String) throws(ValueError) {
        let (name, numbers) = text.cut("=")
        guard let numbers else { throw ValueError("invalid ulimit argument: \(text)") }
        guard Ulimit.names.contains(name) else { throw ValueError("invalid ulimit type: \(name)") }
        let (first, second) = numbers.cut(":")
        let hard: Int64? = if let second { try Scalars.decimalInteger(second) } else { nil }
        soft = try Scalars.decimalInteger(first)
        self.name = name
        self.hard = hard ?? soft
        if self.hard == -1 { return }
        let rule = "ulimit soft limit must be less than or equal to hard limit"
        if soft == -1 { throw ValueError("\(rule): soft: -1 (unlimited), hard: \(self.hard)") }
        if soft > self.hard { throw ValueError("\(rule): \(soft) > \(self.hard)") }
    }

    /// No "as": docker has none either.
    private static let names = [
        "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
        "rttime", "sigpending", "stack",
    ]
}
