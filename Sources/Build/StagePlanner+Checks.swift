import OCI

extension StagePlanner {
    private static let secretWords: Set<Substring> = [
        "apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token",
    ]
    private static let harmlessWords: Set<Substring> = ["public", "file", "version"]

    /// Warns of a name that one of its words, between `_`, shows to be a secret's.
    mutating func checkSecret(_ keyword: String, _ name: String, _ instruction: Instruction) {
        let words = name.lowercased().split(separator: "_", omittingEmptySubsequences: false)
        guard words.contains(where: StagePlanner.secretWords.contains),
            !words.contains(where: StagePlanner.harmlessWords.contains)
        else { return }
        let message = "Do not use ARG or ENV instructions for sensitive data (\(keyword) \(GoText.quote(name)))"
        warnings.add(.secretsUsedInArgOrEnv, message, instruction)
    }

    /// Warns of an instruction that a later one of its kind undoes; the place is the earlier one's.
    mutating func checkOnce(_ instruction: Instruction, _ kind: WritableKeyPath<StagePlanner, Instruction?>) {
        if let last = self[keyPath: kind] {
            let which = "Multiple \(instruction.keyword) instructions should not be used in the same stage"
            let message = "\(which) because only the last one will be used"
            warnings.add(.multipleInstructionsDisallowed, message, last.range, comments: instruction.comments)
        }
        self[keyPath: kind] = instruction
    }

    mutating func checkShellForm(_ command: CommandForm, _ instruction: Instruction) {
        guard case .shell = command, (configuration.shell ?? []).isEmpty else { return }
        let what = "JSON arguments recommended for \(instruction.keyword)"
        warnings.add(.jsonArgsRecommended, "\(what) to prevent unintended behavior related to OS signals", instruction)
    }

    mutating func checkPort(_ port: PortSpecification, _ written: String, _ instruction: Instruction) {
        if port.hasUppercaseProtocol {
            let message = "Defined protocol '\(written)' in EXPOSE instruction should be lowercase"
            warnings.add(.exposeProtoCasing, message, instruction)
        }
        if port.namesHost {
            let what = "EXPOSE instruction should not define an IP address or host-port mapping"
            warnings.add(.exposeInvalidFormat, "\(what), found '\(written)'", instruction)
        }
    }
}
