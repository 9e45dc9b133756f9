import Images
import LinuxSystem
import OCI
import Runner

/// One build under way: what its parts share.
final class BuildExecution {
    let engine: Engine
    let request: BuildRequest
    let reporter: BuildReporter
    let cache: BuildCache
    let digests: FileDigestCache
    let workspace: BuildWorkspace
    /// SOURCE_DATE_EPOCH.
    let epoch: Int64?
    private let signals: BuildSignals
    /// Images that FROM, `COPY --from` and `--mount=from` name.
    private(set) var baseImages: [ImageRequest: StoredImage] = [:]
    /// Those whose layers are not here yet.
    private var remoteImages: Set<ImageRequest> = []
    /// What the image will stand on.
    private(set) var exportedBase: ImageRequest?
    var stages: [Int: StageState] = [:]
    var contextFiles = ContextFiles()

    var images: ImageStore { engine.images }
    /// What one layer may hold, in bytes: one that is larger could not be loaded again.
    var sizeLimit: Int64 { images.unpackLimits.expansion.size }

    init(_ engine: Engine, _ request: BuildRequest, _ reporter: BuildReporter) throws {
        self.engine = engine
        self.request = request
        self.reporter = reporter
        signals = try BuildSignals()
        cache = BuildCache(engine.images)
        let context = SHA256Digest.of(Array(request.context.utf8)).hex.prefix(32)
        digests = FileDigestCache(path: "\(engine.images.root)/build/digests/\(context)")
        epoch = try request.epoch()
        workspace = try BuildWorkspace(root: engine.images.root)
    }

    /// Ends the build where a signal asks for it.
    func checkInterruption() throws { try signals.check() }

    /// The same, for whoever works through much.
    var interruption: () throws -> Void { { [unowned self] in try checkInterruption() } }

    /// Lent to whoever waits for something else at the same time.
    func withSignals<R>(_ body: (borrowing SignalDescriptor) throws -> R) rethrows -> R { try body(signals.descriptor) }

    /// Builds every stage and the image.
    func run() throws -> BuildResult {
        let definition = try BuildDefinition.load(self)
        let plan = try loadImages(definition)
        // Before hours of work are in a stage that nothing could be run on.
        for layers in plan.layers({ baseImages[$0]?.manifest.layers.count ?? 0 }).values {
            do { try LayerCount.require(layers) } catch { throw BuildError(error.message, hint: error.hint) }
        }
        exportedBase = BuildExecution.base(of: plan)
        let ignore = try definition.loadIgnoreFile(self)
        var executions = try plan.stages.map { try StageExecution(self, $0, proxies: plan.proxyEnvironment) }
        // Digests are kept also where a step fails.
        defer { try? digests.save() }
        contextFiles = try ContextFiles.load(plan, ignore, self)
        for index in executions.indices {
            try executions[index].run(definition.dockerfile.source)
            stages[executions[index].plan.index] = executions[index].state
        }
        guard let target = plan.targetStage, let state = stages[target.index] else {
            throw EngineError(.failed, "the target stage was not built")
        }
        return try export(target, state)
    }

    // MARK: Images

    /// Plans with the configurations of the base images; what a base says may lead to further images.
    private func loadImages(_ definition: BuildDefinition) throws -> BuildPlan {
        let (dockerfile, options) = (definition.dockerfile, options)
        var planner = try BuildDefinition.planned(self) { () throws(DockerfileError) in
            try BuildPlanner(dockerfile, options)
        }
        while let needed = planner.neededImages.first {
            let configuration = try load(needed, for: planner, definition).configuration
            planner = try BuildDefinition.planned(self) { [planner] () throws(DockerfileError) in
                var planner = planner
                try planner.provide(configuration, for: needed)
                return planner
            }
        }
        for used in planner.usedImages { try load(used, for: planner, definition) }
        let plan = try BuildDefinition.planned(self) { [planner] () throws(DockerfileError) in try planner.plan() }
        for warning in plan.warnings { definition.step.warn(warning.description) }
        if plan.warningsAreErrors, !plan.warnings.isEmpty {
            let rules = Set(plan.warnings.map(\.rule.rawValue)).sorted().joined(separator: ", ")
            throw BuildError("lint violation found for rules: \(rules)")
        }
        return plan
    }

    private var options: BuildOptions {
        var options = BuildOptions()
        options.arguments = request.arguments
        if let epoch { options.arguments["SOURCE_DATE_EPOCH"] = String(epoch) }
        options.target = request.target
        options.labels = request.labels
        if let platform = request.platform { options.targetPlatform = platform }
        return options
    }

    @discardableResult
    private func load(_ needed: ImageRequest, for planner: BuildPlanner, _ definition: BuildDefinition) throws
        -> StoredImage
    {
        if let known = baseImages[needed] { return known }
        let step = reporter.step("[internal] load metadata for \(needed.reference)")
        step.start()
        do {
            let (image, isWhole) = try engine.described(
                needed.reference,
                platform: needed.platform,
                pull: request.pull ? .always : .missing,
                asking: { try errand($0) }
            )
            images.touch(image)
            baseImages[needed] = image
            if !isWhole { remoteImages.insert(needed) }
            step.complete()
            return image
        } catch let error as EngineError {
            let name = "\(needed.reference.familiar): failed to resolve source metadata for \(needed.reference)"
            let isMissing = error.kind == .notFound && error.message.hasPrefix("No such image")
            let reason = isMissing ? "\(needed.reference): not found" : error.withoutDaemon
            let excerpt = planner.stages.first { $0.base == .image(needed) }.map {
                definition.dockerfile.source.excerpt($0.instruction.range)
            }
            step.fail(BuildFailure("\(name): \(reason)"))
            let hint = error.hint
            throw BuildError("\(name): \(reason)", excerpt: excerpt ?? "", hint: hint)
        } catch {
            step.cancel()
            throw error
        }
    }

    /// Whether an image's layers are still at its registry.
    func isRemote(_ image: ImageRequest?) -> Bool { image.map(remoteImages.contains) ?? false }

    /// Brings an image's layers if they are not here yet. A cached step needs none.
    func bring(_ needed: ImageRequest, _ step: ReportedStep?) throws {
        guard remoteImages.contains(needed), let image = baseImages[needed] else { return }
        step?.start()
        let name = needed.reference.digest == nil ? "\(needed.reference)@\(image.target.digest)" : "\(needed.reference)"
        step?.status(BuildStatus("resolve \(name)", isDone: true))
        let reports = PullReports(step)
        defer { reports.stop() }
        do {
            try errand { [engine] in
                try engine.bring(image, as: needed.reference, platform: needed.platform) { reports.report($0) }
            }
        } catch let error as EngineError {
            throw EngineError(error.kind, "\(needed.reference.familiar): \(error.withoutDaemon)", hint: error.hint)
        }
        remoteImages.remove(needed)
    }

    /// The image at the bottom of the target.
    private static func base(of plan: BuildPlan) -> ImageRequest? {
        var stage = plan.targetStage
        while let found = stage {
            switch found.base {
            case .scratch: return nil
            case .image(let request): return request
            case .stage(let index): stage = plan.stages.first { $0.index == index }
            }
        }
        return nil
    }

    // MARK: The image

    private func export(_ plan: StagePlan, _ state: StageState) throws -> BuildResult {
        let assembly = ImageAssembly(images: images, plan: plan, state: state, epoch: epoch)
        let step = reporter.step("exporting to image")
        step.start()
        step.status(BuildStatus("exporting layers", isDone: true))
        do {
            let image = try assembly.commit(request.tags) { id in
                step.status(BuildStatus("writing image \(id)", isDone: true))
            }
            for tag in request.tags {
                step.status(BuildStatus("naming to \(BuildExecution.shown(tag))", isDone: true))
            }
            step.complete()
            return BuildResult(image: image)
        } catch {
            step.fail(BuildFailure("\(error)"))
            throw error
        }
    }

    /// A name as docker shows it there: in full, but without the usual tag.
    private static func shown(_ name: ImageReference) -> String { name.tag == "latest" ? name.repository : "\(name)" }
}

extension EngineError {
    /// Its message, where docker would name its daemon in front.
    fileprivate var withoutDaemon: String { String(message.trimmingPrefix("Error response from daemon: ")) }
}
