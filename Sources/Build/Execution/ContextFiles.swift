import Images
import LinuxSystem
import OCI

/// What the steps take of the build context: found, and read where nobody knows its digest, before the first step.
/// Files that no step asks for are not read.
struct ContextFiles {
    /// A step, or one mount of a RUN.
    struct Place: Hashable {
        let stage: Int
        let step: Int
        var mount: Int?
    }

    private var found: [Place: Result<CopySources, any Error>] = [:]

    /// What a step takes; what was wrong with it is the step's failure.
    func sources(_ place: Place) throws -> CopySources? { try found[place]?.get() }

    static func load(_ plan: BuildPlan, _ ignore: DockerIgnore, _ build: BuildExecution) throws -> ContextFiles {
        let wanted = plan.stages.flatMap(wanted)
        var files = ContextFiles()
        if wanted.isEmpty { return files }
        let step = build.reporter.step("[internal] load build context")
        step.start()
        do {
            let tree = try HostTree(
                context: build.request.context,
                ignore: ignore,
                digests: build.digests,
                interruption: build.interruption
            )
            var bytes: Int64 = 0
            for (place, sources, excludes) in wanted {
                try build.checkInterruption()
                let result = Result { try load(sources, excludes, tree, limit: build.sizeLimit) }
                bytes += (try? result.get().bytes) ?? 0
                files.found[place] = result
                step.status(BuildStatus("transferring context:", current: bytes))
            }
            step.status(BuildStatus("transferring context:", current: bytes, isDone: true))
            step.complete()
        } catch {
            step.fail(BuildFailure("\(error)"))
            throw error
        }
        return files
    }

    private static func load(
        _ sources: [CopyStep.Source],
        _ excludes: [String],
        _ tree: HostTree,
        limit: Int64
    ) throws -> CopySources {
        let resolver = try CopyResolver(tree, excludes: excludes)
        return try CopySources(sources.flatMap { try resolver.matches($0) }, limit: limit)
    }

    /// The steps of a stage that take something of the context.
    private static func wanted(_ stage: StagePlan) -> [(Place, [CopyStep.Source], [String])] {
        var wanted: [(Place, [CopyStep.Source], [String])] = []
        for (index, step) in stage.steps.enumerated() {
            switch step.action {
            case .copy(let copy) where copy.from == .context && copy.sources.contains(where: \.isPath):
                wanted.append((Place(stage: stage.index, step: index), copy.sources, copy.excludes))
            case .run(let run):
                for (number, mount) in run.mounts.enumerated() where mount.source == .context {
                    let source = CopyStep.Source.path(PathText.clean("/" + mount.mount.source), pattern: nil)
                    wanted.append((Place(stage: stage.index, step: index, mount: number), [source], []))
                }
            default: break
            }
        }
        return wanted
    }
}

extension CopyStep.Source {
    var isPath: Bool { if case .path = self { true } else { false } }
}
