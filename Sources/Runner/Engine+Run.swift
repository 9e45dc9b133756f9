import CLinux
import Images
import LinuxSystem
import OCI
import Runtime

/// What came of a run.
package struct RunOutcome: Sendable {
    package var exitCode: Int32
    package var report: RunReport
}

extension Engine {
    /// Runs a container in the foreground to its end.
    ///
    /// - Parameters:
    ///   - events: what the store does first, if layers have to be unpacked.
    ///   - created: called with the id before anything of the image is executed; where it throws there is no container.
    package func run(
        _ request: RunRequest,
        events: (StoreEvent) -> Void = { _ in },
        created: (String) throws -> Void = { _ in }
    ) throws -> RunOutcome {
        let began = Clock.monotonic
        try StandardDescriptors.check()
        try recover()
        let options = request.options
        let id = try ContainerName.newID()
        // Held until the container's record names its layers: nothing is collected in between.
        let lease = Held(try images.lease())
        let image = try image(request.image, platform: request.platform)
        let layers = try images.unpackedLayers(of: image.content, events: events)
        var surroundings = PreparedRun.Surroundings(
            id: id,
            folder: containers.folder(id),
            layers: layers.directories,
            host: try .current(withDevices: options.privileged),
            hierarchy: try .current()
        )
        surroundings.filterCache = "\(state)/seccomp"
        if request.reports { surroundings.controllers = [.memory, .cpuacct, .blkio, .pids] }
        if options.terminal, let size = Terminal.size(1) ?? Terminal.size(0) {
            surroundings.consoleSize = (UInt16(clamping: size.columns), UInt16(clamping: size.rows))
        }
        let prepared = try PreparedRun(image.content.configuration.config, options, in: surroundings) { path in
            try layers.read(path, limit: 1 << 20)
        }

        let claim = try containers.claim(id: id, name: options.name)
        var run = ForegroundRun(
            engine: self,
            request: request,
            prepared: prepared,
            record: record(of: request, image, prepared, id: id, name: claim.name),
            report: RunReport(began: began)
        )
        do {
            try created(id)
            try run.carryOut { lease.release() }
        } catch {
            try run.abandon(claim, error)
            throw (error as? LaunchFailure)?.error ?? error
        }
        try run.settle(claim)
        return RunOutcome(exitCode: run.record.exitCode, report: run.report)
    }

    private func record(
        of request: RunRequest,
        _ image: RunnableImage,
        _ prepared: PreparedRun,
        id: String,
        name: String
    )
        -> ContainerRecord
    {
        let content = image.content
        var record = ContainerRecord(
            id: id,
            name: name,
            created: Clock.realtime,
            imageName: request.image,
            imageID: image.id.description,
            layers: ImageStore.chainID(content.configuration.diffIDs).map(\.description),
            arguments: prepared.spec.process.args,
            network: request.options.network.rawValue
        )
        record.removeAtEnd = request.options.removeAtEnd
        record.terminal = request.options.terminal
        record.labels = content.configuration.config.labels.merging(request.options.labels) { $1 }
        record.config = request.options.inspectedConfig(
            content.configuration.config,
            prepared.spec,
            image: request.image
        )
        record.hostConfig = request.options.inspectedHostConfig(prepared.spec)
        record.mounts = request.options.inspectedMounts
        return record
    }
}

/// A lease that one of several hands lets go: a closure may not consume what it captures.
private final class Held {
    private var lease: StoreLease?
    init(_ lease: consuming StoreLease) { self.lease = consume lease }
    func release() { lease = nil }
}

/// A foreground run between its claim and its end: who has to undo what, whichever way it ends.
private struct ForegroundRun {
    let engine: Engine
    let request: RunRequest
    let prepared: PreparedRun
    var record: ContainerRecord
    var report: RunReport
    private var cgroup: Cgroup?

    init(engine: Engine, request: RunRequest, prepared: PreparedRun, record: ContainerRecord, report: RunReport) {
        self.engine = engine
        self.request = request
        self.prepared = prepared
        self.record = record
        self.report = report
    }

    private var folder: String { engine.containers.folder(record.id) }

    /// Launches and waits. `recorded` is called when the record is on the disk.
    mutating func carryOut(recorded: () -> Void) throws {
        try makeFolder()
        let options = request.options
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        var execution = Execution(
            plan: prepared.plan,
            shimPath: engine.shim,
            stdio: (options.interactive ? 0 : null.raw, 1, 2)
        )
        if options.terminal { execution.terminal = (options.interactive ? 0 : nil, 1) }
        execution.forwardsSignals = request.forwardsSignals
        // A process can only be born into a v2 cgroup that is there; v1 is made while the shim is at work.
        let early = prepared.cgroup.entries.contains { if case .cloneInto = $0 { true } else { false } }
        if early { cgroup = try Cgroup.create(prepared.cgroup) }
        report.prepared = Clock.monotonic
        let ending = try execution.run {
            if !early { cgroup = try Cgroup.create(prepared.cgroup) }
            try Files.write("\(folder)/config.json", prepared.spec.json.bytes(), mode: 0o600)
            record.status = .running
            record.started = Clock.realtime
            try engine.containers.write(record)
            recorded()
        } started: { pid in
            record.pid = pid
            // Whoever reads the program's output waits for its end, not for ours.
            if !options.terminal { StandardDescriptors.letGo(null.raw) }
        }
        report.take(ending)
        record.exitCode = ending.status.code
        if ending.lost { record.error = "the shim was killed" }
    }

    /// The container's folder with the bundle's parts and the engine's three files.
    private func makeFolder() throws {
        try Files.makeDirectories(folder, mode: 0o700)
        for name in ["rootfs", "upper", "work"] { try Files.makeDirectories("\(folder)/\(name)") }
        let options = request.options
        let isHost = options.network == .host
        let hosts = isHost && options.addedHosts.isEmpty ? try? Files.read("/etc/hosts") : nil
        try Files.write("\(folder)/hosts", hosts ?? Array(NetworkFiles.hosts(added: options.addedHosts).utf8))
        try Files.write("\(folder)/hostname", Array(NetworkFiles.hostname(prepared.spec.hostname ?? "").utf8))
        let resolver = NetworkFiles.resolver(
            host: (try? Files.readText("/etc/resolv.conf")) ?? "",
            options: options,
            keepsLoopback: isHost
        )
        try Files.write("\(folder)/resolv.conf", Array(resolver.utf8))
    }

    /// After the program's end: statistics, cgroup, and the container itself unless it stays.
    mutating func settle(_ claim: consuming ContainerStore.Claim) throws {
        if let cgroup {
            let limited = request.options.resources.memory.limit != nil
            if request.reports || limited { report.statistics = try? cgroup.statistics() }
            record.outOfMemory = (report.statistics?.memory?.outOfMemoryKills ?? 0) > 0
            try cgroup.remove()
        }
        report.exitCode = record.exitCode
        if request.options.removeAtEnd {
            try engine.containers.remove(claim)
        } else {
            record.status = .exited
            record.pid = 0
            record.finished = Clock.realtime
            try engine.containers.write(record)
            try engine.containers.release(claim)
        }
        report.finished = Clock.monotonic
    }

    /// After a launch that failed: as docker does, the container stays unless it was to be removed, and says why.
    mutating func abandon(_ claim: consuming ContainerStore.Claim, _ error: any Error) throws {
        try cgroup?.remove()
        guard let failure = error as? LaunchFailure, !request.options.removeAtEnd else {
            return try engine.containers.remove(claim)
        }
        record.status = .created
        record.pid = 0
        record.exitCode =
            failure.error.kind == .commandNotFound ? 127 : failure.error.kind == .commandNotExecutable ? 126 : 128
        record.error = failure.error.message
        record.started = nil
        try engine.containers.write(record)
        try engine.containers.release(claim)
    }
}
