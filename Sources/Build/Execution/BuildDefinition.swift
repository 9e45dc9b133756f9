import CLinux
import LinuxSystem
import OCI

/// The Dockerfile of a build, read, and what belongs to it.
struct BuildDefinition {
    let dockerfile: Dockerfile
    /// The step that read it; warnings go there.
    let step: ReportedStep
    private let path: String?

    /// Reads the Dockerfile.
    static func load(_ build: BuildExecution) throws -> BuildDefinition {
        let name: String
        switch build.request.definition {
        case .file(let path): name = path.split(separator: "/").last.map(String.init) ?? path
        case .text: name = "Dockerfile"
        }
        let step = build.reporter.step("[internal] load build definition from \(name)")
        step.start()
        do {
            let (bytes, path) = try read(build.request, name)
            step.status(BuildStatus("transferring dockerfile:", current: Int64(bytes.count), isDone: true))
            step.complete()
            return BuildDefinition(dockerfile: try parse(bytes, name), step: step, path: path)
        } catch {
            step.fail(BuildFailure("\(error)"))
            throw error
        }
    }

    private static func read(_ request: BuildRequest, _ name: String) throws -> ([UInt8], String?) {
        switch request.definition {
        case .text(let bytes): return (bytes, nil)
        case .file(let path):
            // A pipe is waited for where the caller names it: `-f <(...)`.
            let isNamed = path != "\(request.context)/Dockerfile"
            do throws(SystemError) { return (try Files.read(path, limit: 16 << 20, waiting: isNamed), path) } catch {
                throw BuildError("failed to read dockerfile: open \(name): \(error.reason.lowercasedStart)")
            }
        }
    }

    private static func parse(_ bytes: [UInt8], _ name: String) throws -> Dockerfile {
        do throws(DockerfileError) { return try Dockerfile(bytes, name: name) } catch {
            throw BuildError(error.description, excerpt: error.excerpt)
        }
    }

    /// Calls a part of the planner; what it throws is shown with the Dockerfile's lines.
    func planned<R>(_ body: () throws(DockerfileError) -> R) throws -> R {
        do throws(DockerfileError) { return try body() } catch {
            throw BuildError(error.description, excerpt: error.excerpt)
        }
    }

    /// The ignore file: that of the Dockerfile's own name wins over the context's.
    func loadIgnoreFile(_ build: BuildExecution) throws -> DockerIgnore {
        let step = build.reporter.step("[internal] load .dockerignore")
        step.start()
        do {
            let names = [path.map { "\($0).dockerignore" }, "\(build.request.context)/.dockerignore"].compactMap(\.self)
            for name in names {
                guard let bytes = try BuildDefinition.readIfThere(name) else { continue }
                step.status(BuildStatus("transferring context:", current: Int64(bytes.count), isDone: true))
                let ignore = try DockerIgnore(bytes, name: name.split(separator: "/").last.map(String.init) ?? name)
                step.complete()
                return ignore
            }
            // What BuildKit's protocol takes to say that there is none.
            step.status(BuildStatus("transferring context:", current: 2, isDone: true))
            step.complete()
            return try DockerIgnore([])
        } catch {
            step.fail(BuildFailure("\(error)"))
            throw error
        }
    }

    private static func readIfThere(_ path: String) throws -> [UInt8]? {
        do throws(SystemError) { return try Files.read(path, limit: 16 << 20, waiting: false) } catch {
            if error.code == ENOENT || error.code == ENOTDIR { return nil }
            throw error
        }
    }
}

extension String {
    /// The kernel's texts as Go writes them.
    fileprivate var lowercasedStart: String { prefix(1).lowercased() + dropFirst() }
}
