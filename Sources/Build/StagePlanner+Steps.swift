import OCI

extension StagePlanner {
    /// Plans one instruction and does to the stage's state what it says.
    mutating func step(_ instruction: Instruction, isTrigger: Bool) throws(DockerfileError) -> BuildStep {
        var made = StepParts()
        switch instruction.action {
        case .run(let run): made = try self.run(run, instruction, isTrigger)
        case .copy(let copy): made = try self.copy(copy, isAdd: false, instruction, isTrigger)
        case .add(let add): made = try self.copy(add, isAdd: true, instruction, isTrigger)
        case .workdir(let path): made = try workdir(path, instruction, isTrigger)
        case .arg(let definitions): made.createdBy = try declare(definitions, instruction)
        case .from: throw error("FROM isn't allowed as an ONBUILD trigger", instruction)
        default:
            let change = try self.change(instruction)
            made.action = .configure(change)
            made.createdBy = StagePlanner.history(of: change)
            change.apply(to: &configuration)
        }
        return BuildStep(
            action: made.action,
            createdBy: made.createdBy,
            makesLayer: made.makesLayer,
            displayName: made.displayName,
            range: instruction.range,
            original: instruction.original,
            isTrigger: isTrigger
        )
    }

    /// What differs between instructions.
    struct StepParts {
        var action = BuildStep.Action.declareArguments
        var createdBy: String?
        var makesLayer = false
        var displayName: String?
    }

    /// ARG: a build argument wins over the default, the default over the global ARG of the same name.
    private mutating func declare(
        _ definitions: [ArgDefinition],
        _ instruction: Instruction
    ) throws(DockerfileError) -> String {
        var shown: [String] = []
        for definition in definitions {
            checkSecret("ARG", definition.name, instruction)
            var definition = definition
            if let given = build.options.arguments[definition.name] {
                definition.value = given
            } else if let value = definition.value {
                definition.value = try expanded(value, instruction)
            } else {
                definition.value = build.globals[definition.name]
            }
            if let value = definition.value { variables[definition.name] = value }
            declared.append(definition)
            shown.append(definition.name + (definition.value.map { "=\($0)" } ?? ""))
        }
        return "ARG " + shown.joined(separator: " ")
    }

    private mutating func workdir(
        _ written: String,
        _ instruction: Instruction,
        _ isTrigger: Bool
    ) throws(DockerfileError) -> StepParts {
        let path = try expanded(written, instruction)
        if !workdirIsSet, !path.isAbsolutePath {
            let message = "Relative workdir \(GoText.quote(path)) can have unexpected results if the base image changes"
            warnings.add(.workdirRelativePath, message, instruction)
        }
        workdirIsSet = true
        configuration.workingDir = PathText.join(workingDirectory, path)
        var parts = StepParts()
        parts.action = .makeWorkingDirectory(path: configuration.workingDir, user: configuration.user)
        parts.createdBy = "WORKDIR \(configuration.workingDir)"
        // The root is always there: no layer, and nothing to show.
        parts.makesLayer = configuration.workingDir != "/"
        if parts.makesLayer { parts.displayName = displayName(instruction.original, isTrigger: isTrigger) }
        return parts
    }

    var workingDirectory: String { configuration.workingDir.isEmpty ? "/" : configuration.workingDir }

    func withShell(_ command: CommandForm) -> [String] {
        switch command {
        case .exec(let arguments): return arguments
        case .shell(let line):
            let shell = configuration.shell ?? []
            return (shell.isEmpty ? ["/bin/sh", "-c"] : shell) + [line]
        }
    }

    private mutating func change(_ instruction: Instruction) throws(DockerfileError) -> ConfigurationChange {
        switch instruction.action {
        case .env(let pairs): return try env(pairs, instruction)
        case .label(let pairs): return .label(try expandPairs(pairs, instruction))
        case .user(let user): return .user(try expanded(user, instruction))
        case .expose(let ports): return .expose(try expose(ports, instruction))
        case .volume(let volumes):
            let paths = try expanded(volumes, instruction)
            if paths.contains("") { throw error("VOLUME specified can not be an empty string", instruction) }
            return .volume(paths)
        case .entrypoint(let command):
            checkOnce(instruction, \.lastEntrypoint)
            checkShellForm(command, instruction)
            return .entrypoint(withShell(command), resetsCmd: lastCmd == nil)
        case .cmd(let command):
            checkOnce(instruction, \.lastCmd)
            checkShellForm(command, instruction)
            return .cmd(withShell(command))
        case .shell(let shell): return .shell(shell)
        case .stopSignal(let signal): return .stopSignal(try stopSignal(signal, instruction))
        case .healthcheck(let check):
            checkOnce(instruction, \.lastHealthcheck)
            return .healthcheck(check)
        case .onBuild(let text): return .onBuild(text)
        case .maintainer(let name):
            author = name
            return .maintainer(name)
        case .from, .arg, .run, .copy, .add, .workdir: throw error("not a change of the configuration", instruction)
        }
    }

    private mutating func expandPairs(
        _ pairs: [KeyValue],
        _ instruction: Instruction
    ) throws(DockerfileError) -> [KeyValue] {
        var result: [KeyValue] = []
        for pair in pairs {
            let key = try expanded(pair.key, instruction)
            result.append(KeyValue(key, try expanded(pair.value, instruction), isLegacy: pair.isLegacy))
            guard pair.isLegacy else { continue }
            let written = instruction.keyword
            let message = "\"\(written) key=value\" should be used instead of legacy \"\(written) key value\" format"
            warnings.add(.legacyKeyValueFormat, message, instruction)
        }
        return result
    }

    /// All values are expanded before any of them is set.
    private mutating func env(_ pairs: [KeyValue], _ instruction: Instruction) throws(DockerfileError)
        -> ConfigurationChange
    {
        let pairs = try expandPairs(pairs, instruction)
        for pair in pairs {
            checkSecret("ENV", pair.key, instruction)
            variables[pair.key] = pair.value
        }
        return .env(pairs)
    }

    private mutating func expose(_ ports: [String], _ instruction: Instruction) throws(DockerfileError) -> [String] {
        var exposed: [String] = []
        for text in ports {
            for word in try expand(text, instruction).words {
                do throws(MessageError) {
                    let port = try PortSpecification(word)
                    checkPort(port, word, instruction)
                    exposed += port.ports
                } catch {
                    throw self.error(error.message, instruction)
                }
            }
        }
        return exposed
    }

    private mutating func stopSignal(_ written: String, _ instruction: Instruction) throws(DockerfileError) -> String {
        let signal = try expanded(written, instruction)
        var name = signal.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        guard Int(signal).map({ (1...64).contains($0) }) ?? SignalName.all.contains(name) else {
            throw error("invalid signal: \(signal)", instruction)
        }
        return signal
    }

    /// The history's text for a change; BuildKit writes none for ONBUILD.
    private static func history(of change: ConfigurationChange) -> String? {
        func pairs(_ list: [KeyValue]) -> String { list.map { " \($0.key)=\($0.value)" }.joined() }
        switch change {
        case .env(let list): return "ENV" + pairs(list)
        case .label(let list): return "LABEL" + pairs(list)
        case .user(let user): return "USER \(user)"
        case .expose(let ports): return "EXPOSE \(GoText.list(ports))"
        case .volume(let paths): return "VOLUME \(GoText.list(paths))"
        case .entrypoint(let arguments, _): return "ENTRYPOINT \(GoText.quote(arguments))"
        case .cmd(let arguments): return "CMD \(GoText.quote(arguments))"
        case .shell(let shell): return "SHELL \(GoText.list(shell))"
        case .stopSignal(let signal): return "STOPSIGNAL \(signal)"
        case .maintainer(let name): return "MAINTAINER \(name)"
        case .onBuild: return nil
        case .healthcheck(let check):
            let times = [
                ("Interval", check.interval), ("Timeout", check.timeout), ("StartPeriod", check.startPeriod),
                ("StartInterval", check.startInterval),
            ].map { "\($0.0):\(GoText.duration($0.1))" }.joined(separator: " ")
            return "HEALTHCHECK {Test:\(GoText.list(check.test)) \(times) Retries:\(check.retries)}"
        }
    }
}

/// Linux's signals by name, without SIG.
private enum SignalName {
    static let all: Set<String> = {
        let named: Set<String> = [
            "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE",
            "POLL",
            "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG",
            "USR1",
            "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
        ]
        return named.union((1...15).map { "RTMIN+\($0)" }).union((1...14).map { "RTMAX-\($0)" })
    }()
}
