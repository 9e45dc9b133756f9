import OCI

/// What a build does: the stages that its target needs, in an order in which each finds what it builds on.
package struct BuildPlan: Sendable {
    package let stages: [StagePlan]
    /// The number of the stage that becomes the image.
    package let target: Int
    /// The proxies among the build arguments, `HTTP_PROXY=…` and `http_proxy=…`: every RUN gets them, and they belong
    /// to neither its cache key nor the history.
    package let proxyEnvironment: [String]
    /// Ordered by line, without those that the `check` directive leaves out.
    package let warnings: [BuildWarning]
    /// Whether `# check=error=true` asks that warnings fail the build.
    package let warningsAreErrors: Bool

    package var targetStage: StagePlan? { stages.last { $0.index == target } }

    /// How many layers each stage has in the end, by its number.
    /// - Parameter base: how many a base image has.
    package func layers(_ base: (ImageRequest) -> Int) -> [Int: Int] {
        var layers: [Int: Int] = [:]
        for stage in stages {
            let below =
                switch stage.base {
                case .scratch: 0
                case .image(let request): base(request)
                case .stage(let index): layers[index] ?? 0
                }
            layers[stage.index] = below + stage.steps.count { $0.makesLayer }
        }
        return layers
    }
}

/// One `FROM` and what follows it.
package struct StagePlan: Sendable {
    package enum Base: Hashable, Sendable {
        case scratch
        case image(ImageRequest)
        /// An earlier stage, by its number.
        case stage(Int)
    }

    /// The stage's number in the Dockerfile, which names it in `FileSource` and `Base`.
    package let index: Int
    package let name: String?
    package let base: Base
    package let platform: Platform
    /// `[1/3] FROM docker.io/library/python:3.8-slim`; BuildKit adds `@` and the digest once it knows it. Nil where the
    /// base is scratch or an earlier stage.
    package let baseDisplayName: String?
    package let steps: [BuildStep]
    /// The image's configuration after the last step.
    package let configuration: ContainerConfiguration
    /// The image's author, the base's or a `MAINTAINER`'s.
    package let author: String?
    /// Where the `FROM` stands.
    package let range: SourceRange
}

/// What a build is asked for beside the Dockerfile.
package struct BuildOptions: Sendable {
    /// `--build-arg`
    package var arguments: [String: String] = [:]
    /// `--target`; nil is the last stage.
    package var target: String?
    /// `--label`
    package var labels: [String: String] = [:]
    /// `--platform`
    package var targetPlatform: Platform = .host
    package var buildPlatform: Platform = .host
    /// The names of `--build-context`; they win over stages and images of the same name in `--from` and `from=`.
    package var namedContexts: Set<String> = []
    /// Whether several platforms are built at once: steps then show theirs.
    package var isMultiPlatform = false

    package init() {}
}
