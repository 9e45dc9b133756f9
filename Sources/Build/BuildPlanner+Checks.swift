import OCI

extension BuildPlanner {
    mutating func checkPlatform(
        _ written: String,
        _ text: String,
        _ platform: Platform,
        _ from: FromInstruction,
        _ instruction: Instruction
    ) {
        let expansion = try? VariableExpander(escape: dockerfile.escape).expand(written, globals)
        if expansion?.used == ["TARGETPLATFORM"], expansion?.undefined.isEmpty ?? false,
            text == globals["TARGETPLATFORM"]
        {
            let message =
                "Setting platform to predefined \(written) in FROM is redundant as this is the default behavior"
            warnings.add(.redundantTargetPlatform, message, instruction)
        }
        let isConstant = (expansion?.used.isEmpty ?? false) && (expansion?.undefined.isEmpty ?? false)
        let name = from.name ?? ""
        if isConstant, !name.contains(platform.os), !name.contains(platform.architecture) {
            let message = "FROM --platform flag should not use constant value \(GoText.quote(text))"
            warnings.add(.fromPlatformFlagConstDisallowed, message, instruction)
        }
    }

    /// The checks that need no base image. `globalArgs` are the global variables without build arguments.
    mutating func checkStages(globalArgs: Variables) {
        for range in dockerfile.emptyContinuations {
            warnings.add(.noEmptyContinuation, "Empty continuation line", range)
        }
        var names: Set<String> = []
        for stage in stages {
            checkName(stage, &names)
            let base = (try? VariableExpander(escape: dockerfile.escape).expand(stage.from.base, globalArgs).text) ?? ""
            if (try? ImageReference(base)) == nil {
                let message = "Default value for ARG \(stage.from.base) results in empty or invalid base image name"
                warnings.add(.invalidDefaultArgInFrom, message, stage.instruction)
            }
        }
        for instruction in dockerfile.instructions {
            guard case .maintainer = instruction.action else { continue }
            warnings.add(
                .maintainerDeprecated,
                "Maintainer instruction is deprecated in favor of using label",
                instruction
            )
        }
        checkCasing()
    }

    private mutating func checkName(_ stage: Stage, _ names: inout Set<String>) {
        guard let name = stage.from.name, let written = stage.from.writtenName, let asKeyword = stage.from.asKeyword
        else {
            return
        }
        if written != name {
            warnings.add(.stageNameCasing, "Stage name '\(written)' should be lowercase", stage.instruction)
        }
        let keyword = stage.instruction.keyword
        let isLower = keyword == keyword.lowercased()
        if isLower || keyword == keyword.uppercased(),
            asKeyword != (isLower ? asKeyword.lowercased() : asKeyword.uppercased())
        {
            let message = "'\(asKeyword)' and '\(keyword)' keywords' casing do not match"
            warnings.add(.fromAsCasing, message, stage.instruction)
        }
        if name == "context" || name == "scratch" {
            let message = "Stage name should not use the same name as reserved stage \(GoText.quote(name))"
            warnings.add(.reservedStageName, message, stage.instruction)
        }
        if !names.insert(name).inserted {
            let message = "Duplicate stage name \(GoText.quote(name)), stage names should be unique"
            warnings.add(.duplicateStageName, message, stage.instruction)
        }
    }

    private mutating func checkCasing() {
        let instructions = stages.flatMap { [$0.instruction] + $0.own }
        let lower = instructions.count { $0.keyword == $0.keyword.lowercased() }
        let upper = instructions.count { $0.keyword == $0.keyword.uppercased() }
        let isLower = lower > upper
        for instruction in instructions {
            let keyword = instruction.keyword
            guard keyword != (isLower ? keyword.lowercased() : keyword.uppercased()) else { continue }
            let casing = isLower ? "lowercase" : "uppercase"
            let message = "Command '\(keyword)' should match the case of the command majority (\(casing))"
            warnings.add(.consistentInstructionCasing, message, instruction)
        }
    }
}
