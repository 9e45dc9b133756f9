import Images
import LinuxSystem
import OCI

/// Builds one stage: carries out its steps in order, or takes their results from the cache.
struct StageExecution {
    let build: BuildExecution
    let plan: StagePlan
    /// `HTTP_PROXY=…`, for every RUN.
    let proxies: [String]
    private(set) var state: StageState
    /// `[1/3] FROM …`; nil for scratch and for another stage.
    private let base: ReportedStep?
    /// As BuildKit shows them; nil where it shows nothing.
    let steps: [ReportedStep?]
    private var unpacked: LayerStack?

    /// Announces the stage. A base whose layers are all unpacked is ready at once.
    init(_ build: BuildExecution, _ plan: StagePlan, proxies: [String]) throws {
        self.build = build
        self.plan = plan
        self.proxies = proxies
        state = StageState(platform: plan.platform)
        base = plan.baseDisplayName.map { name in
            guard case .image(let request) = plan.base, request.reference.digest == nil,
                let image = build.baseImages[request]
            else { return build.reporter.step(name) }
            return build.reporter.step("\(name)@\(image.target.digest)")
        }
        steps = plan.steps.map { $0.displayName.map(build.reporter.step) }
        guard case .image(let request) = plan.base, let image = build.baseImages[request] else { return }
        if build.isRemote(request) { return }
        if try image.chainIDs.allSatisfy({ try build.images.usableLayer($0) != nil }) { base?.cached() }
    }

    mutating func run(_ dockerfile: DockerfileSource) throws {
        try start()
        for (index, step) in plan.steps.enumerated() {
            try build.checkInterruption()
            do { try carryOut(step, at: index) } catch {
                throw fail(error, step.range, steps[index], dockerfile)
            }
        }
        // An image has all its layers here; what only other stages stand on is not needed while their steps are cached.
        if build.exportedBase == state.base, build.isRemote(state.base) {
            do { _ = try stack(nil) } catch { throw fail(error, plan.range, base, dockerfile) }
        }
        base?.cached()
    }

    /// The layers that the stage begins with. They are unpacked when a step has to look into them, not before.
    private mutating func start() throws {
        switch plan.base {
        case .scratch: break
        case .stage(let index): if let stage = build.stages[index] { state = stage }
        case .image(let request):
            guard let image = build.baseImages[request] else {
                throw EngineError(.failed, "\(request.reference) is gone")
            }
            state = try StageState(image, named: request)
        }
    }

    /// What a failed step shows and what the build throws.
    private func fail(
        _ error: any Error,
        _ range: SourceRange,
        _ reported: ReportedStep?,
        _ dockerfile: DockerfileSource
    ) -> any Error {
        if let error = error as? MissingBase {
            return fail(error.cause, plan.range, base ?? reported, dockerfile)
        }
        if error is BuildInterrupted {
            reported?.cancel()
            return error
        }
        let excerpt = SourceExcerpt(
            file: dockerfile.name,
            lines: dockerfile.lines,
            marked: range.line...max(range.line, range.endLine)
        )
        let message = (error as? EngineError)?.message ?? "\(error)"
        if base !== reported { base?.cancel() }
        reported?.fail(BuildFailure(message, excerpt: excerpt))
        return BuildError(
            message,
            excerpt: excerpt.text,
            isShown: reported != nil,
            hint: (error as? EngineError)?.hint,
            output: (error as? RunFailure)?.output ?? []
        )
    }

    // MARK: Steps

    private mutating func carryOut(_ step: BuildStep, at index: Int) throws {
        switch step.action {
        case .configure, .declareArguments: addWithoutLayer(step)
        case .makeWorkingDirectory(let path, let user):
            guard step.makesLayer else { return addWithoutLayer(step) }
            try makeWorkingDirectory(path, user, step, steps[index])
        case .copy(let copy): try self.copy(copy, step, at: index)
        case .run(let run): try self.run(run, step, at: index)
        }
    }

    private mutating func addWithoutLayer(_ step: BuildStep) {
        if let createdBy = step.createdBy { state.addWithoutLayer(createdBy: createdBy) }
    }

    private mutating func makeWorkingDirectory(
        _ path: String,
        _ user: String,
        _ step: BuildStep,
        _ reported: ReportedStep?
    ) throws {
        var key = self.key("workdir")
        key["path"] = path
        key["user"] = user
        if let record = cached(key) { return take(record, step, reported) }
        let lower = try stack(reported)
        reported?.start()
        let draft = try LayerDraft(try build.workspace.folder("layer"), over: lower)
        try draft.makeFolders(try draft.resolve(path), try owner(user, in: lower), time: time)
        try draft.finish()
        try adopt(draft.folder, step, reported, for: [key])
    }

    // MARK: Layers

    /// The time that COPY, ADD and WORKDIR give to what they make.
    var time: Int64 { build.epoch ?? DraftTime.standard }

    func key(_ kind: String) -> CacheKey { CacheKey(kind, parent: state.chainID, epoch: build.epoch) }

    func cached(_ key: CacheKey) -> BuildCache.Record? { build.request.noCache ? nil : build.cache.record(for: key) }

    mutating func take(_ record: BuildCache.Record, _ step: BuildStep, _ reported: ReportedStep?) {
        reported?.cached()
        state.add(record, createdBy: step.createdBy ?? step.original)
        unpacked = nil
    }

    /// The stage's layers so far, unpacked. What they need of a registry is shown where the base is, or else at the step.
    mutating func stack(_ reported: ReportedStep?) throws -> LayerStack {
        if let unpacked { return unpacked }
        base?.start()
        if let request = state.base {
            do { try build.bring(request, base ?? reported) } catch { throw MissingBase(cause: error) }
        }
        let stack = try build.images.unpackedLayers(of: state.content(in: build.images)) { event in
            base?.unpacking(event)
        }
        base?.complete()
        unpacked = stack
        return stack
    }

    /// Makes a layer of a finished folder, and remembers it under every key.
    mutating func adopt(_ folder: String, _ step: BuildStep, _ reported: ReportedStep?, for keys: [CacheKey]) throws {
        let sealed = try LayerSeal(images: build.images, interruption: build.interruption).seal(
            folder,
            over: state.chainID
        )
        let record = BuildCache.Record(
            layer: sealed.layer,
            created: Clock.realtime,
            isEmpty: sealed.isEmpty,
            chainID: sealed.chainID
        )
        for key in keys { try build.cache.store(record, for: key) }
        reported?.complete()
        state.add(record, createdBy: step.createdBy ?? step.original)
        unpacked = nil
    }
}

/// A base image's layers could not be had: the failure is that of its FROM.
private struct MissingBase: Error {
    let cause: any Error
}

extension ReportedStep {
    /// A base image's layer that is made ready.
    func unpacking(_ event: StoreEvent) {
        switch event {
        case .unpacking(let layer, _): status(BuildStatus("extracting \(layer)"))
        case .progress: break
        case .unpacked(let layer): status(BuildStatus("extracting \(layer)", isDone: true))
        }
    }
}
