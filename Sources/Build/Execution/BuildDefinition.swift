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
            let (bytes, path) = try read(build, name)
            step.status(BuildStatus("transferring dockerfile:", current: Int64(bytes.count), isDone: true))
            step.complete()
            // However long it takes, a signal ends the build.
            let dockerfile = try build.errand { try parse(bytes, name) }
            return BuildDefinition(dockerfile: dockerfile, step: step, path: path)
        } catch {
            step.fail(BuildFailure("\(error)"))
            throw error
        }
    }

    private static func read(_ build: BuildExecution, _ name: String) throws -> ([UInt8], String?) {
        switch build.request.definition {
        case .text(let bytes): return (bytes, nil)
        case .file(let path):
            do {
                let context = try ContextFolder(build.request.context)
                if let location = context.location(of: path) { return (try context.read(location), path) }
                // What the caller names elsewhere may be a pipe (`-f <(...)`), which is waited for until a signal comes.
                return (try build.errand { try Files.read(path, limit: ContextFolder.limit) }, path)
            } catch let error as SystemError {
                throw BuildError("failed to read dockerfile: open \(name): \(error.reason.lowercasedStart)")
            }
        }
    }

    private static func parse(_ bytes: [UInt8], _ name: String) throws -> Dockerfile {
        do throws(DockerfileError) { return try Dockerfile(bytes, name: name) } catch {
            throw BuildError(error.description, excerpt: error.excerpt)
        }
    }

    /// Calls a part of the planner, which a signal ends, too; what it throws is shown with the Dockerfile's lines.
    static func planned<R: Sendable>(
        _ build: BuildExecution,
        _ body: @escaping @Sendable () throws(DockerfileError) -> R
    ) throws -> R {
        do { return try build.errand { try body() } } catch let error as DockerfileError {
            throw BuildError(error.description, excerpt: error.excerpt)
        }
    }

    /// The ignore file: that of the Dockerfile's own name wins over the context's.
    func loadIgnoreFile(_ build: BuildExecution) throws -> DockerIgnore {
        let step = build.reporter.step("[internal] load .dockerignore")
        step.start()
        do {
            let context = try ContextFolder(build.request.context)
            let names = [path.map { "\($0).dockerignore" }, "\(build.request.context)/.dockerignore"].compactMap(\.self)
            for name in names {
                guard let bytes = try BuildDefinition.readIfThere(name, context) else { continue }
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

    /// A pipe or a device is no ignore file. A link that leads out of the context is refused: what it would leave out must not
    /// get into an image unseen.
    private static func readIfThere(_ path: String, _ context: borrowing ContextFolder) throws -> [UInt8]? {
        let location = context.location(of: path)
        do throws(SystemError) {
            if let location { return try context.read(location) }
            return try Files.read(path, limit: ContextFolder.limit, waiting: false)
        } catch {
            if let location, error.code == ENOENT || error.code == ENOTDIR, context.hasLink(location) {
                let name = TreePath.text(TreePath.name(location))
                throw BuildError("failed to read \(name): the link leads to nothing inside the build context")
            }
            if error.code == ENOENT || error.code == ENOTDIR || error.code == EINVAL { return nil }
            throw SystemError(error.operation, path, code: error.code)
        }
    }
}

extension String {
    /// The kernel's texts as Go writes them.
    fileprivate var lowercasedStart: String { prefix(1).lowercased() + dropFirst() }
}
