import OCI

/// Makes a build plan of a Dockerfile.
///
/// What a base image says decides how a stage's variables expand and which triggers it gets, so planning asks first:
///
///     var planner = try BuildPlanner(dockerfile, options)
///     while let request = planner.neededImages.first { planner.provide(configuration(of: request), for: request) }
///     let plan = try planner.plan()
///
/// A trigger may name another stage, so a new need may show up after an answer.
package struct BuildPlanner: Sendable {
    let dockerfile: Dockerfile
    let options: BuildOptions
    /// The ARGs in front of the first FROM, and the platform's: what FROM sees.
    var globals: Variables
    private(set) var stages: [Stage] = []
    /// The last stage of each name.
    private(set) var stageNames: [String: Int] = [:]
    var warnings: WarningCollector
    private(set) var target = 0
    private var answers: [ImageRequest: ImageConfiguration] = [:]

    /// One FROM with what is known of it before the base image is.
    struct Stage: Sendable {
        let index: Int
        let from: FromInstruction
        let instruction: Instruction
        let base: StagePlan.Base
        let platform: Platform
        /// The base's ONBUILD, read.
        var triggers: [Instruction] = []
        var own: [Instruction] = []

        var instructions: [Instruction] { triggers + own }

        /// How messages call it.
        var title: String { from.name ?? "stage-\(index)" }
    }

    /// Finds the stages and what each needs.
    ///
    /// - Throws: where a stage, a variable or an image's name does not exist or is not well formed.
    package init(_ dockerfile: Dockerfile, _ options: BuildOptions = BuildOptions()) throws(DockerfileError) {
        self.dockerfile = dockerfile
        self.options = options
        warnings = WarningCollector(settings: try BuildPlanner.settings(of: dockerfile))
        let (globalArgs, groups) = try BuildPlanner.split(dockerfile)
        globals = BuildPlanner.platformArguments(options, lastStage: groups.last?.from.name)
        let defaults = globals
        try addGlobals(globalArgs)
        for group in groups {
            let stage = try stage(group)
            if let name = stage.from.name { stageNames[name] = stage.index }
            stages.append(stage)
        }
        target = try BuildPlanner.target(stages, options, dockerfile)
        let arguments = try? BuildPlanner.expanded(globalArgs, over: defaults, options: nil, dockerfile: dockerfile)
        checkStages(globalArgs: arguments ?? globals)
        for index in stages.indices {
            guard case .stage(let base) = stages[index].base else { continue }
            stages[index].triggers = try triggers(stages[base].own.compactMap(\.onBuildText), for: stages[index])
        }
        try checkCircles()
    }

    /// The base images of the stages that are built, as far as no answer was given yet, in order.
    package var neededImages: [ImageRequest] {
        var needed: [ImageRequest] = []
        for index in reachableStages {
            guard case .image(let request) = stages[index].base, answers[request] == nil, !needed.contains(request)
            else {
                continue
            }
            needed.append(request)
        }
        return needed
    }

    /// Every image whose files the build needs: the bases, and what `COPY --from` and `RUN --mount=from` name.
    package var usedImages: [ImageRequest] {
        var used: [ImageRequest] = []
        for index in reachableStages {
            if case .image(let request) = stages[index].base, !used.contains(request) { used.append(request) }
            for case .image(let request) in sources(of: stages[index]) where !used.contains(request) {
                used.append(request)
            }
        }
        return used
    }

    /// Takes the configuration of a base image.
    ///
    /// - Throws: where one of its triggers cannot be read or names a stage that does not exist.
    package mutating func provide(_ image: ImageConfiguration, for request: ImageRequest) throws(DockerfileError) {
        answers[request] = image
        for index in stages.indices where stages[index].base == .image(request) {
            stages[index].triggers = try triggers(image.config.onBuild, for: stages[index])
        }
        try checkCircles()
    }

    /// Plans every stage that the target needs.
    ///
    /// - Throws: where an instruction cannot be expanded or asks for something impossible. `neededImages` must be
    /// empty.
    package func plan() throws(DockerfileError) -> BuildPlan {
        var warnings = warnings
        var planned: [Int: StagePlanner] = [:]
        var room = StagePlanner.largestPlan
        var plans: [StagePlan] = []
        for index in reachableStages {
            let stage = stages[index]
            var planner = StagePlanner(self, stage, warnings: warnings)
            switch stage.base {
            case .scratch: planner.startFromScratch()
            case .image(let request):
                guard let image = answers[request] else { throw missing(request, stage) }
                planner.start(from: image)
            case .stage(let base): if let base = planned[base] { planner.start(from: base) }
            }
            if index == target { planner.labels = options.labels }
            planner.room = room
            plans.append(try planner.plan())
            room = planner.room
            planned[index] = planner
            warnings = planner.warnings
        }
        return BuildPlan(
            stages: plans,
            target: target,
            proxyEnvironment: proxyEnvironment,
            warnings: warnings.warnings,
            warningsAreErrors: warnings.settings.warningsAreErrors
        )
    }

    private func missing(_ request: ImageRequest, _ stage: Stage) -> DockerfileError {
        error("\(request.reference): its configuration is not known", stage.instruction)
    }

    func error(_ message: String, _ instruction: Instruction) -> DockerfileError {
        DockerfileError(.plan, message, at: instruction.range, in: dockerfile.source)
    }

    /// Proxies in both cases, as BuildKit sets them for every RUN.
    private var proxyEnvironment: [String] {
        ["http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"].flatMap { name in
            let value = options.arguments.keys.sorted().last { $0.lowercased() == name }.flatMap {
                options.arguments[$0]
            }
            return value.map { ["\(name.uppercased())=\($0)", "\(name)=\($0)"] } ?? []
        }
    }
}

extension Instruction {
    fileprivate var onBuildText: String? { if case .onBuild(let text) = action { text } else { nil } }
}
