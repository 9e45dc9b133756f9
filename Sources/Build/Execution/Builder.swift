import CLinux
import Images
import LinuxSystem
import OCI
import Runner

/// Carries out builds: Dockerfile → plan → for every step its cache key, then its layer → image.
///
/// Stages are built one after the other, and only those that the target needs.
package struct Builder {
    /// Those that end a build.
    package static let signals: [Int32] = [SIGINT, SIGTERM, SIGHUP]

    let engine: Engine
    let events: (BuildEvent) -> Void

    /// - Parameter events: called in order, on the caller's thread, while `build` runs.
    package init(engine: Engine, events: @escaping (BuildEvent) -> Void) {
        self.engine = engine
        self.events = events
    }

    /// Builds an image and gives it its names. When it returns, the image survives a power cut; when it throws there is
    /// no image, and nothing of the build is left but cached steps.
    ///
    /// Call it from the main thread. SIGINT, SIGTERM and SIGHUP are held back meanwhile and end the build.
    ///
    /// - Throws: BuildError for all that a person can do something about, BuildInterrupted after a signal.
    package func build(_ request: BuildRequest) throws -> BuildResult {
        try engine.recover()
        let lease = try engine.images.lease()
        return try lease.during {
            let build = try BuildExecution(engine, request, BuildReporter(events))
            do {
                let result = try build.run()
                try build.workspace.remove()
                return result
            } catch {
                try? build.workspace.remove()
                throw error
            }
        }
    }
}
