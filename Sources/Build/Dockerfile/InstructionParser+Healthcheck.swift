import OCI

extension InstructionParser {
    /// `HEALTHCHECK NONE`, or `HEALTHCHECK [--interval=…] CMD …`.
    func healthcheck() throws(MessageError) -> ContainerConfiguration.Healthcheck {
        let type = raw.arguments.prefix { !$0.isSpace }
        let command = raw.arguments.dropFirst(type.count).drop { $0.isSpace }
        let flags = try FlagSet(
            raw.flags,
            known: [
                "interval": .string, "timeout": .string, "start-period": .string, "start-interval": .string,
                "retries": .string,
            ]
        )
        switch type.string.uppercased() {
        case "": throw MessageError("HEALTHCHECK requires at least one argument")
        case "NONE":
            if !command.isEmpty { throw MessageError("HEALTHCHECK NONE takes no arguments", at: command.startIndex) }
            return ContainerConfiguration.Healthcheck(test: ["NONE"])
        case "CMD": break
        default:
            let quoted = GoText.quote(type.string.uppercased())
            throw MessageError("Unknown type \(quoted) in HEALTHCHECK (try CMD)", at: type.startIndex)
        }
        let exec = try raw.execForm(of: command)
        if exec.map(\.isEmpty) ?? command.isEmpty { throw MessageError("Missing command after HEALTHCHECK CMD") }
        var check = ContainerConfiguration.Healthcheck(
            test: exec.map { ["CMD"] + $0 } ?? ["CMD-SHELL", command.string]
        )
        check.interval = try duration(flags, "interval")
        check.timeout = try duration(flags, "timeout")
        check.startPeriod = try duration(flags, "start-period")
        check.startInterval = try duration(flags, "start-interval")
        check.retries = try retries(flags)
        return check
    }

    /// A flag's nanoseconds, 0 where it was not given.
    private func duration(_ flags: FlagSet, _ name: String) throws(MessageError) -> Int64 {
        guard let word = flags.word(name), !word.text.isEmpty else { return 0 }
        guard let nanoseconds = GoText.nanoseconds(word.text) else {
            throw MessageError("time: invalid duration \(GoText.quote(word.text))", at: word.offset)
        }
        if nanoseconds != 0, nanoseconds < 1_000_000 {
            throw MessageError("Interval \(GoText.quote(name)) cannot be less than 1ms", at: word.offset)
        }
        return nanoseconds
    }

    private func retries(_ flags: FlagSet) throws(MessageError) -> Int {
        guard let word = flags.word("retries"), !word.text.isEmpty else { return 0 }
        guard let retries = Int32(word.text) else {
            throw MessageError("--retries: \(GoText.quote(word.text)) is not a number", at: word.offset)
        }
        if retries < 0 { throw MessageError("--retries cannot be negative (\(retries))", at: word.offset) }
        return Int(retries)
    }
}
