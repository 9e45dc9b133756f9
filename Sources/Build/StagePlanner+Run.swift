import OCI

extension StagePlanner {
    mutating func run(
        _ run: RunInstruction,
        _ instruction: Instruction,
        _ isTrigger: Bool
    ) throws(DockerfileError) -> StepParts {
        let mounts = try self.mounts(run.mounts, instruction)
        let (command, script) = StagePlanner.command(run)
        let arguments = withShell(command)
        var shown = instruction.original
        if let first = run.heredocs.first, StagePlanner.isHeredocAlone(run) {
            shown += " (\(StagePlanner.summary(first.content)))"
        }
        // A secret in a variable is shown to be one.
        var masked = variables
        for mount in mounts where mount.mount.kind == .secret {
            if let name = mount.mount.environmentName { masked[name] = "****" }
        }
        var parts = StepParts()
        parts.makesLayer = true
        parts.createdBy = "RUN " + (argumentsInHistory + arguments).joined(separator: " ") + " # buildkit"
        parts.displayName = displayName(
            shown,
            isTrigger: isTrigger,
            options: [.keepQuotes, .keepUndefined],
            variables: masked
        )
        parts.action = .run(
            RunStep(
                arguments: arguments,
                environment: variables.environment,
                workingDirectory: workingDirectory,
                user: configuration.user,
                mounts: mounts,
                network: run.network,
                security: run.security,
                devices: run.devices,
                script: script
            )
        )
        return parts
    }

    /// `|2 a=1 b=2`: how many ARGs are declared, and their values as they are now.
    private var argumentsInHistory: [String] {
        var values = Variables()
        for argument in declared { values[argument.name] = variables[argument.name] ?? argument.value ?? "" }
        let entries = values.environment
        return entries.isEmpty ? [] : ["|\(entries.count)"] + entries
    }

    /// Whether the whole command is one heredoc: `RUN <<EOF`.
    private static func isHeredocAlone(_ run: RunInstruction) -> Bool {
        guard !run.heredocs.isEmpty, case .shell(let line) = run.command else { return false }
        return ((try? Heredoc(line)) ?? nil) != nil
    }

    /// The command with its heredocs: alone, a heredoc is the shell's command, or a program if it starts with `#!`;
    /// beside other words it is left to the shell.
    private static func command(_ run: RunInstruction) -> (CommandForm, script: InlineFile?) {
        guard let first = run.heredocs.first, case .shell(let line) = run.command else { return (run.command, nil) }
        guard isHeredocAlone(run) else {
            return (.shell(line + run.heredocs.map { "\n\($0.content)\($0.name)" }.joined()), nil)
        }
        guard first.text.hasPrefix("#!") else { return (.shell(first.text), nil) }
        let script = InlineFile(name: first.name, content: first.text)
        return (.shell("/dev/pipes/\(first.name)"), script)
    }

    /// A heredoc's first line that is not empty, with … where there are more.
    private static func summary(_ content: String) -> String {
        let lines = content.trimmed.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first else { return "" }
        return Array(first)[...].trimmed.string + (lines.count > 1 ? "..." : "")
    }

    private mutating func mounts(_ texts: [String], _ instruction: Instruction) throws(DockerfileError) -> [MountStep] {
        var steps: [MountStep] = []
        for text in texts {
            do throws(MessageError) {
                var warned = self
                let mount = try RunMount(text) { (value) throws(MessageError) in
                    do throws(DockerfileError) { return try warned.expanded(value, instruction) } catch {
                        throw MessageError(error.message)
                    }
                }
                warnings = warned.warnings
                steps.append(try step(mount, instruction))
            } catch {
                throw self.error(error.message, instruction)
            }
        }
        return steps
    }

    private func step(_ mount: RunMount, _ instruction: Instruction) throws(MessageError) -> MountStep {
        var source = FileSource.empty
        do throws(DockerfileError) {
            if let from = mount.from { source = try build.origin(named: from, instruction, stage.platform) }
        } catch {
            throw MessageError(error.message)
        }
        if case .stage(let index) = source, index >= stage.index {
            let what = "cannot mount from stage \(GoText.quote(mount.from ?? "")) to \(GoText.quote(mount.target))"
            throw MessageError("\(what), stage needs to be defined before current command")
        }
        if mount.kind == .bind, mount.from == nil { source = .context }
        if mount.kind == .secret { return MountStep(mount: mount, source: .empty, target: mount.secretPath ?? "") }
        if mount.kind == .ssh { return MountStep(mount: mount, source: .empty, target: mount.target) }
        let target = PathText.join(workingDirectory, mount.target)
        if target == "/" { throw MessageError("invalid mount target \(GoText.quote(target))") }
        return MountStep(mount: mount, source: mount.kind == .tmpfs ? .empty : source, target: target)
    }
}
