import OCI

extension BuildPlanner {
    mutating func stage(_ group: Group) throws(DockerfileError) -> Stage {
        let name = try expandGlobal(group.from.base, group.instruction)
        if name.isEmpty { throw error("base name (\(group.from.base)) should not be blank", group.instruction) }
        let platform = try platform(of: group)
        return Stage(
            index: stages.count,
            from: group.from,
            instruction: group.instruction,
            base: try base(name, platform, group.instruction),
            platform: platform,
            own: group.own
        )
    }

    private func base(
        _ name: String,
        _ platform: Platform,
        _ instruction: Instruction
    ) throws(DockerfileError) -> StagePlan.Base {
        if let stage = stageNames[name] { return .stage(stage) }
        if name == "scratch" { return .scratch }
        do throws(EngineError) {
            return .image(ImageRequest(reference: try ImageReference(name), platform: platform))
        } catch {
            throw self.error("failed to parse stage name \(GoText.quote(name)): \(error.message)", instruction)
        }
    }

    private mutating func platform(of group: Group) throws(DockerfileError) -> Platform {
        guard let written = group.from.platform, !written.isEmpty else { return options.targetPlatform }
        let text = try expandGlobal(written, group.instruction)
        if text.isEmpty { throw error("empty platform value from expression \(written)", group.instruction) }
        do throws(EngineError) {
            let platform = try Platform(text)
            checkPlatform(written, text, platform, group.from, group.instruction)
            return platform
        } catch {
            throw self.error("failed to parse platform \(written): \(error.message)", group.instruction)
        }
    }

    /// Expands a part of a FROM, and warns of ARGs that nobody declared.
    private mutating func expandGlobal(_ text: String, _ instruction: Instruction) throws(DockerfileError) -> String {
        let expansion: Expansion
        do throws(ExpansionError) {
            expansion = try VariableExpander(escape: dockerfile.escape).expand(text, globals)
        } catch {
            throw self.error(error.description, instruction)
        }
        let declared = globals.names + declaredGlobals
        for name in expansion.undefined where !declared.contains(name) {
            let suggestion = Suggestion.text(for: name, among: declared)
            warnings.add(.undefinedArgInFrom, "FROM argument '\(name)' is not declared\(suggestion)", instruction)
        }
        return expansion.text
    }

    private var declaredGlobals: [String] {
        dockerfile.instructions.prefix { if case .from = $0.action { false } else { true } }.flatMap { instruction in
            if case .arg(let definitions) = instruction.action { definitions.map(\.name) } else { [String]() }
        }
    }

    static func target(
        _ stages: [Stage],
        _ options: BuildOptions,
        _ dockerfile: Dockerfile
    ) throws(DockerfileError) -> Int {
        guard let wanted = options.target, !wanted.isEmpty else { return stages.count - 1 }
        if let stage = stages.last(where: { $0.from.name == wanted.lowercased() }) { return stage.index }
        let suggestion = Suggestion.text(for: wanted, among: stages.map(\.title))
        let message = "target stage \(GoText.quote(wanted)) could not be found\(suggestion)"
        throw DockerfileError(.plan, message, at: nil, in: dockerfile.source)
    }

    func triggers(_ texts: [String], for stage: Stage) throws(DockerfileError) -> [Instruction] {
        var triggers: [Instruction] = []
        for text in texts {
            triggers.append(try Dockerfile.trigger(text, at: stage.instruction.range, in: dockerfile.source))
        }
        return triggers
    }

    /// Where `COPY --from=name` takes its files.
    func source(named name: String, _ instruction: Instruction, _ platform: Platform) throws(DockerfileError)
        -> FileSource
    {
        if options.namedContexts.contains(name) { return .namedContext(name) }
        let expansion = try? VariableExpander(escape: dockerfile.escape).expand(name, Variables())
        guard expansion?.text == name else {
            let advice = "define a new stage with FROM using ARG from global scope as a workaround"
            throw error("variable expansion is not supported for --from, \(advice)", instruction)
        }
        if let index = Int(name) {
            guard stages.indices.contains(index) else { throw error("invalid stage index \(index)", instruction) }
            return .stage(index)
        }
        return try origin(named: name, instruction, platform)
    }

    /// Where `RUN --mount=from=name` takes its files: as COPY, but numbers are names.
    func origin(named name: String, _ instruction: Instruction, _ platform: Platform) throws(DockerfileError)
        -> FileSource
    {
        if options.namedContexts.contains(name) { return .namedContext(name) }
        if let stage = stageNames[name.lowercased()] { return .stage(stage) }
        if name == "scratch" { return .empty }
        do throws(EngineError) {
            return .image(ImageRequest(reference: try ImageReference(name), platform: platform))
        } catch {
            throw self.error("failed to parse stage name \(GoText.quote(name)): \(error.message)", instruction)
        }
    }

    /// The stages, images and contexts that a stage's instructions name.
    private func namedSources(of stage: Stage) throws(DockerfileError) -> [(FileSource, Instruction)] {
        var found: [(FileSource, Instruction)] = []
        for instruction in stage.instructions {
            if case .copy(let copy) = instruction.action, let from = copy.from {
                found.append((try source(named: from, instruction, stage.platform), instruction))
            } else if case .run(let run) = instruction.action {
                for mount in run.mounts {
                    guard let name = (try? RunMount.origin(of: mount)) ?? nil else { continue }
                    found.append((try origin(named: name, instruction, stage.platform), instruction))
                }
            }
        }
        return found
    }

    func sources(of stage: Stage) -> [FileSource] { (try? namedSources(of: stage).map(\.0)) ?? [] }

    private func dependencies(of stage: Stage) -> [Int] {
        var needed: [Int] = []
        if case .stage(let base) = stage.base { needed.append(base) }
        for case .stage(let index) in sources(of: stage) { needed.append(index) }
        return needed
    }

    /// What the target needs, itself included, in the Dockerfile's order.
    var reachableStages: [Int] {
        var reached: Set<Int> = []
        var waiting = [target]
        while let index = waiting.popLast() {
            if reached.insert(index).inserted { waiting += dependencies(of: stages[index]) }
        }
        return reached.sorted()
    }

    /// Refuses stages that need each other, and names that mean nothing, in stages that are not built too.
    func checkCircles() throws(DockerfileError) {
        var sources: [[(FileSource, Instruction)]] = []
        for stage in stages { sources.append(try namedSources(of: stage)) }
        if !hasCircles(sources) { return }
        for stage in stages {
            for (source, instruction) in sources[stage.index] {
                guard case .stage(let first) = source else { continue }
                var reached: Set<Int> = []
                var waiting = [first]
                while let index = waiting.popLast() {
                    if index == stage.index {
                        throw error("circular dependency detected on stage: \(stage.title)", instruction)
                    }
                    if reached.insert(index).inserted { waiting += dependencies(of: stages[index]) }
                }
            }
        }
    }

    /// Whether stages need each other: takes away those that need none that is left, until no more can be.
    private func hasCircles(_ sources: [[(FileSource, Instruction)]]) -> Bool {
        var users: [[Int]] = Array(repeating: [], count: stages.count)
        var open = Array(repeating: 0, count: stages.count)
        for stage in stages {
            var needed = sources[stage.index].compactMap { if case .stage(let index) = $0.0 { index } else { nil } }
            if case .stage(let base) = stage.base { needed.append(base) }
            open[stage.index] = needed.count
            for index in needed { users[index].append(stage.index) }
        }
        var ready = stages.indices.filter { open[$0] == 0 }
        var count = 0
        while let index = ready.popLast() {
            count += 1
            for user in users[index] {
                open[user] -= 1
                if open[user] == 0 { ready.append(user) }
            }
        }
        return count < stages.count
    }

    /// Whether steps show their stage's name: where there are several, and an image that files are taken from counts as
    /// one, and so does any mount.
    var showsStageNames: Bool {
        if stages.count > 1 { return true }
        return stages.contains { stage in
            stage.own.contains { instruction in
                switch instruction.action {
                case .copy(let copy): return copy.from.map { Int($0) == nil } ?? false
                case .run(let run): return !run.mounts.isEmpty
                default: return false
                }
            }
        }
    }
}
