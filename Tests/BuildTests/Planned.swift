import OCI

@testable import Build

/// Shortcuts from a Dockerfile's text to a plan.
enum Planned {
    /// Plans `text`; every base image has the configuration `base`.
    static func plan(
        _ text: String,
        base: ImageConfiguration = ImageConfiguration(platform: Platform(architecture: "amd64")),
        _ options: BuildOptions = amd64
    ) throws -> BuildPlan {
        var planner = try BuildPlanner(try Dockerfile(Array(text.utf8)), options)
        while let request = planner.neededImages.first { try planner.provide(base, for: request) }
        return try planner.plan()
    }

    /// The same on every machine.
    static var amd64: BuildOptions {
        var options = BuildOptions()
        options.targetPlatform = Platform(architecture: "amd64")
        options.buildPlatform = Platform(architecture: "amd64")
        return options
    }

    static func arguments(_ arguments: [String: String]) -> BuildOptions {
        var options = amd64
        options.arguments = arguments
        return options
    }

    /// The steps of the stage that becomes the image.
    static func steps(_ text: String, _ options: BuildOptions = amd64) throws -> [BuildStep] {
        try plan(text, options).targetStage?.steps ?? []
    }

    static func plan(_ text: String, _ options: BuildOptions) throws -> BuildPlan {
        try plan(text, base: ImageConfiguration(platform: Platform(architecture: "amd64")), options)
    }

    /// The error of a text that cannot be planned.
    static func error(_ text: String, _ options: BuildOptions = amd64) -> DockerfileError? {
        do {
            _ = try plan(text, options)
            return nil
        } catch {
            return error as? DockerfileError
        }
    }
}

extension BuildStep {
    var run: RunStep? { if case .run(let step) = action { step } else { nil } }
    var copy: CopyStep? { if case .copy(let step) = action { step } else { nil } }
}
