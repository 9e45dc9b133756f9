import CLinux
import Images
import LinuxSystem
import OCI
import Runner
import Runtime

/// Runs a RUN's program over the stage's layers and gives back what it changed.
///
/// It is a container like any other, with docker's capabilities and filter, but for its name: it is claimed like one,
/// so that after a kill the next command removes its cgroup and its folder.
struct RunExecution {
    let build: BuildExecution
    let step: RunStep
    let lower: LayerStack
    let mounts: RunMounts
    let proxies: [String]
    let reported: ReportedStep?

    /// BuildKit's, which programs look for to know that they are part of a build.
    private static let hostname = "buildkitsandbox"

    private var engine: Engine { build.engine }

    /// Runs it to its end; returns a folder of the workspace that holds the changes in overlayfs form.
    ///
    /// - Throws: RunFailure where the program does not end with 0. Whatever is thrown, nothing of the container is
    ///   left.
    func run() throws -> String {
        let id = try ContainerName.newID()
        let claim = try engine.containers.claim(id: id, name: nil, removedAtEnd: true)
        let result = Result { try carryOut(id) }
        try engine.containers.remove(claim)
        return try result.get()
    }

    private func carryOut(_ id: String) throws -> String {
        let folder = engine.containers.folder(id)
        let options = self.options
        try makeFolder(folder, options)
        let root = try FileDescriptor.open("\(folder)/upper", O_RDONLY | O_DIRECTORY)
        let rootTime = try LayerRoot.prepare(root, over: lower)
        let prepared = try prepare(id, folder, options)
        let stubs = try MountStubs(prepared.spec.mounts.map(\.destination), in: lower)
        let ending = try execute(prepared)
        if ending.code != 0 { throw RunFailure(step.arguments, code: ending.code, output: ending.output) }

        try stubs.remove(from: root)
        try LayerTimes.settle("\(folder)/upper", epoch: build.epoch)
        let times = [timespec(tv_sec: Int(rootTime), tv_nsec: 0), timespec(tv_sec: Int(rootTime), tv_nsec: 0)]
        try retrying("changing the time of", folder) { futimens(root.raw, times) }
        let changes = try build.workspace.folder("run") + "/fs"
        try retrying("renaming", changes) { rename("\(folder)/upper", changes) }
        return changes
    }

    // MARK: What it gets

    private var options: ContainerOptions {
        var options = ContainerOptions()
        options.entrypoint = []
        options.command = step.arguments
        options.hostname = RunExecution.hostname
        options.environment = proxies + step.environment
        options.user = step.user
        options.workingFolder = step.workingDirectory
        options.network = network
        options.removeAtEnd = true
        options.addedHosts = build.request.addedHosts
        options.sharedMemorySize = build.request.sharedMemorySize
        options.limits = build.request.limits
        options.mounts = mounts.requests
        return options
    }

    private var network: ContainerOptions.Network {
        switch step.network {
        case .default: build.request.network
        case .none: .none
        case .host: .host
        }
    }

    private func makeFolder(_ folder: String, _ options: ContainerOptions) throws {
        try Files.makeDirectories(folder, mode: 0o700)
        for name in ["rootfs", "upper", "work"] { try Files.makeDirectories("\(folder)/\(name)") }
        let hosts = NetworkFiles.hosts(
            of: [RunExecution.hostname],
            added: options.addedHosts,
            gateway: NetworkFiles.gateway(for: options)
        )
        try NetworkFiles.write(
            in: folder,
            hostname: RunExecution.hostname,
            hosts: hosts.rawBytes,
            options: options
        )
    }

    private func prepare(_ id: String, _ folder: String, _ options: ContainerOptions) throws -> PreparedRun {
        // An overlay needs something below, and a stage from scratch may have nothing.
        let layers = lower.directories.isEmpty ? [try build.workspace.folder("nothing")] : lower.directories
        var surroundings = PreparedRun.Surroundings(
            id: id,
            folder: folder,
            layers: layers,
            host: try .current(),
            hierarchy: try .current()
        )
        surroundings.filterCache = "\(engine.state)/seccomp"
        return try PreparedRun(ContainerConfiguration(), options, in: surroundings) { path in
            try lower.read(path, limit: 1 << 20)
        }
    }

    // MARK: Execution

    private func execute(_ prepared: PreparedRun) throws -> (code: Int32, output: [String]) {
        // A process can only be born into a v2 cgroup that is there.
        let cgroup = try Cgroup.create(prepared.cgroup)
        let result = Result { try launch(prepared) }
        try cgroup.remove()
        return try result.get()
    }

    private func launch(_ prepared: PreparedRun) throws -> (code: Int32, output: [String]) {
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        let output = try OutputPipe(.output)
        let errors = try OutputPipe(.error)
        let program = try MonitorProcess.openProgram(engine.shim)
        let launch = try Launch.start(prepared.plan, shim: program, stdio: (null.raw, output.theirs, errors.theirs))
        output.closeTheirs()
        errors.closeTheirs()
        var loop = RunLoop(launch: launch, output: output, errors: errors, reported: reported)
        do {
            let code = try build.withSignals { try loop.run(signals: $0) }
            loop.finish()
            return (code, output.lastLines(with: errors))
        } catch let failure as LaunchFailure {
            loop.kill()
            return (try exitCode(of: failure), [failure.error.message])
        } catch {
            loop.kill()
            throw error
        }
    }

    /// A program that cannot be executed has failed as a shell would say it; everything else is the engine's failure.
    private func exitCode(of failure: LaunchFailure) throws -> Int32 {
        let error = failure.error
        guard error.kind == .commandNotFound || error.kind == .commandNotExecutable else { throw error }
        reported?.log(.error, "\(error.message)\n".rawBytes)
        return error.kind == .commandNotFound ? 127 : 126
    }
}

/// A RUN whose program failed.
struct RunFailure: Error, CustomStringConvertible {
    let message: String
    /// The last lines of what it printed.
    let output: [String]

    init(_ arguments: [String], code: Int32, output: [String]) {
        let command = GoText.quote(arguments.joined(separator: " "))
        message = "process \(command) did not complete successfully: exit code: \(code)"
        self.output = output
    }

    var description: String { message }
}
