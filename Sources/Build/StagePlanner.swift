import OCI

/// Plans one stage: walks over its instructions and keeps what each leaves behind.
struct StagePlanner {
    let build: BuildPlanner
    let stage: BuildPlanner.Stage
    var warnings: WarningCollector
    /// `--label`, for the stage that becomes the image.
    var labels: [String: String] = [:]

    /// ENV and ARG alike: what expansion and RUN see.
    var variables = Variables()
    var configuration = ContainerConfiguration()
    var author: String?
    /// The ARGs declared so far, those of the stages below included, in order.
    var declared: [ArgDefinition] = []
    /// Whether a WORKDIR of this Dockerfile already says where relative ones start.
    var workdirIsSet = false
    var lastCmd: Instruction?
    var lastEntrypoint: Instruction?
    var lastHealthcheck: Instruction?
    private var stepNumber = 0
    /// What BuildKit counts: the base image if there is one, what may make a layer, and every trigger.
    private let stepCount: Int
    /// How much text the plan may still get, in bytes: few lines can ask for more than there is memory.
    var room = StagePlanner.largestPlan
    static let largestPlan = 64 << 20

    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    init(_ build: BuildPlanner, _ stage: BuildPlanner.Stage, warnings: WarningCollector) {
        self.build = build
        self.stage = stage
        self.warnings = warnings
        var count = stage.triggers.count + stage.own.count(where: \.countsAsStep)
        if case .image = stage.base { count += 1 }
        stepCount = count
    }

    /// Counts what an instruction adds to the plan.
    mutating func charge(_ bytes: Int, _ instruction: Instruction) throws(DockerfileError) {
        room -= bytes
        if room < 0 { throw error("the Dockerfile becomes more than \(StagePlanner.largestPlan) bytes", instruction) }
    }

    mutating func startFromScratch() {
        configuration.workingDir = "/"
        start()
    }

    mutating func start(from image: ImageConfiguration) {
        configuration = image.config
        author = image.author
        start()
    }

    mutating func start(from base: StagePlanner) {
        configuration = base.configuration
        author = base.author
        variables = base.variables
        declared = base.declared
        workdirIsSet = base.workdirIsSet
        start()
    }

    private mutating func start() {
        // Triggers were for this stage; they do not go on to the next.
        configuration.onBuild = []
        if !configuration.env.contains(where: { Variables.split($0).name == "PATH" }) {
            configuration.env.append("PATH=\(StagePlanner.defaultPath)")
        }
        for entry in configuration.env {
            let (name, value) = Variables.split(entry)
            variables[name] = value
        }
        if !configuration.workingDir.isEmpty { configuration.workingDir = PathText.join("/", configuration.workingDir) }
    }

    mutating func plan() throws(DockerfileError) -> StagePlan {
        try charge(variables.byteCount, stage.instruction)
        let baseName = baseDisplayName()
        var steps: [BuildStep] = []
        for (index, instruction) in stage.instructions.enumerated() {
            let step = try step(instruction, isTrigger: index < stage.triggers.count)
            try charge((step.createdBy?.utf8.count ?? 0) + (step.displayName?.utf8.count ?? 0), instruction)
            // A RUN has all of them once more.
            if case .run = step.action { try charge(variables.byteCount, instruction) }
            steps.append(step)
        }
        configuration.labels.merge(labels) { _, given in given }
        return StagePlan(
            index: stage.index,
            name: stage.from.name,
            base: stage.base,
            platform: stage.platform,
            baseDisplayName: baseName,
            steps: steps,
            configuration: configuration,
            author: author,
            range: stage.instruction.range
        )
    }

    func error(_ message: String, _ instruction: Instruction) -> DockerfileError { build.error(message, instruction) }

    /// Expands a text with what is set before its instruction, and warns of variables that are not.
    mutating func expand(
        _ text: String,
        _ instruction: Instruction,
        with expander: VariableExpander? = nil
    ) throws(DockerfileError) -> Expansion {
        let expansion: Expansion
        do throws(ExpansionError) {
            expansion = try (expander ?? VariableExpander(escape: build.dockerfile.escape)).expand(text, variables)
        } catch {
            throw self.error(error.description, instruction)
        }
        try charge(expansion.text.utf8.count, instruction)
        for name in expansion.undefined where !declared.contains(where: { $0.name == name }) {
            let nearest = Suggestion.nearest(to: name, among: variables.names)
            let suggestion = nearest.map { " (did you mean $\($0)?)" } ?? ""
            warnings.add(.undefinedVar, "Usage of undefined variable '$\(name)'\(suggestion)", instruction)
        }
        return expansion
    }

    mutating func expanded(_ text: String, _ instruction: Instruction) throws(DockerfileError) -> String {
        try expand(text, instruction).text
    }

    mutating func expanded(_ texts: [String], _ instruction: Instruction) throws(DockerfileError) -> [String] {
        var result: [String] = []
        for text in texts { result.append(try expanded(text, instruction)) }
        return result
    }
}

// MARK: - Display names

extension StagePlanner {
    private mutating func baseDisplayName() -> String? {
        guard case .image(let request) = stage.base else { return nil }
        return numbered("FROM \(request.reference)", isTrigger: false)
    }

    /// An instruction as it is shown: its keyword in capitals, its variables replaced.
    mutating func displayName(
        _ text: String,
        isTrigger: Bool,
        options: VariableExpander.Options = [],
        variables: Variables? = nil
    ) -> String {
        let expander = VariableExpander(escape: build.dockerfile.escape, options: options)
        var shown = (try? expander.expand(text, variables ?? self.variables).text) ?? text
        if let space = shown.firstIndex(of: " ") {
            shown = shown[..<space].uppercased() + shown[space...]
        } else {
            shown = shown.uppercased()
        }
        return numbered(shown, isTrigger: isTrigger)
    }

    /// `[builder 2/4] ` before a text, and the next number.
    private mutating func numbered(_ text: String, isTrigger: Bool) -> String {
        stepNumber += 1
        let total = String(stepCount)
        let number = String(stepNumber)
        var prefix = String(repeating: " ", count: max(0, total.count - number.count)) + "\(number)/\(total)] "
        if build.showsStageNames { prefix = "\(stage.title) \(prefix)" }
        if build.options.isMultiPlatform { prefix = "\(stage.platform.withoutUsualVariant)\(crossTarget) \(prefix)" }
        return "[" + prefix + (isTrigger ? "ONBUILD " : "") + text
    }

    /// `->arm64` for a stage that runs on another platform than it builds for, and knows so by a TARGET argument.
    private var crossTarget: String {
        let wanted = build.options.targetPlatform.withoutUsualVariant
        let knows = ["TARGETPLATFORM", "TARGETOS", "TARGETARCH"].contains { variables[$0] != nil }
        guard knows, wanted.architecture != stage.platform.architecture || wanted.os != stage.platform.os else {
            return ""
        }
        let variant = wanted.variant.map { "/\($0)" } ?? ""
        return wanted.os == stage.platform.os ? "->\(wanted.architecture)\(variant)" : "->\(wanted)"
    }
}
