import OCI

extension BuildPlanner {
    /// A FROM and the instructions up to the next.
    struct Group {
        let from: FromInstruction
        let instruction: Instruction
        var own: [Instruction] = []
    }

    static func settings(of dockerfile: Dockerfile) throws(DockerfileError) -> CheckSettings {
        guard let check = dockerfile.directives.last(where: { $0.name == .check }) else { return CheckSettings() }
        do throws(MessageError) { return try CheckSettings(check.value) } catch {
            let range = SourceRange(file: dockerfile.source.name, line: check.line, column: 1, endLine: check.line)
            throw DockerfileError(
                .plan,
                "failed to parse check options: \(error.message)",
                at: range,
                in: dockerfile.source
            )
        }
    }

    static func split(_ dockerfile: Dockerfile) throws(DockerfileError) -> ([Instruction], [Group]) {
        var globals: [Instruction] = []
        var groups: [Group] = []
        for instruction in dockerfile.instructions {
            if case .from(let from) = instruction.action {
                groups.append(Group(from: from, instruction: instruction))
            } else if !groups.isEmpty {
                groups[groups.count - 1].own.append(instruction)
            } else if case .arg = instruction.action {
                globals.append(instruction)
            } else {
                let message = "no build stage in current context"
                throw DockerfileError(.plan, message, at: instruction.range, in: dockerfile.source)
            }
        }
        if groups.isEmpty {
            throw DockerfileError(.plan, "dockerfile contains no stages to build", at: nil, in: dockerfile.source)
        }
        return (globals, groups)
    }

    static func platformArguments(_ options: BuildOptions, lastStage: String?) -> Variables {
        var variables = Variables()
        for (prefix, platform) in [("BUILD", options.buildPlatform), ("TARGET", options.targetPlatform)] {
            let platform = platform.withoutUsualVariant
            variables["\(prefix)PLATFORM"] = platform.description
            variables["\(prefix)OS"] = platform.os
            variables["\(prefix)OSVERSION"] = ""
            variables["\(prefix)ARCH"] = platform.architecture
            variables["\(prefix)VARIANT"] = platform.variant ?? ""
        }
        variables["TARGETSTAGE"] = options.target ?? lastStage ?? "default"
        for name in variables.names {
            if let value = options.arguments[name] { variables[name] = value }
        }
        return variables
    }

    mutating func addGlobals(_ instructions: [Instruction]) throws(DockerfileError) {
        globals = try BuildPlanner.expanded(instructions, over: globals, options: options, dockerfile: dockerfile)
    }

    /// The variables after some global ARGs; a build argument wins over a default.
    static func expanded(
        _ instructions: [Instruction],
        over variables: Variables,
        options: BuildOptions?,
        dockerfile: Dockerfile
    ) throws(DockerfileError) -> Variables {
        var variables = variables
        for instruction in instructions {
            guard case .arg(let definitions) = instruction.action else { continue }
            for definition in definitions {
                if let given = options?.arguments[definition.name] {
                    variables[definition.name] = given
                } else if let value = definition.value {
                    let expander = VariableExpander(escape: dockerfile.escape)
                    do throws(ExpansionError) {
                        variables[definition.name] = try expander.expand(value, variables).text
                    } catch {
                        throw DockerfileError(.plan, error.description, at: instruction.range, in: dockerfile.source)
                    }
                }
            }
        }
        return variables
    }
}

extension Platform {
    /// The platform as it is shown: a processor's usual variant is not spelled out (containerd/platforms, Normalize).
    var withoutUsualVariant: Platform {
        let usual = ["arm64": "v8", "amd64": "v1"][architecture]
        return Platform(os: os, architecture: architecture, variant: variant == usual ? nil : variant)
    }
}
