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
    ///   - missing: called before an image is pulled because it is not here.
    ///   - created: called with the id before anything of the image is executed; where it throws there is no container.
    ///   - started: called once the program runs, with no lease held; the program's terminal waits for it.
    package func run(
        _ request: RunRequest,
        events: (StoreEvent) -> Void = { _ in },
        missing: (ImageReference) -> Void = { _ in },
        created: (String) throws -> Void = { _ in },
        started: () -> Void = {}
    ) throws -> RunOutcome {
        let report = RunReport(began: Clock.monotonic)
        let hierarchy = try CgroupHierarchy.current()
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        var streams = try StandardStreams(interactive: request.options.interactive, null: null.raw)
        // The namespaces depend on options alone: they are made while this process looks for the image. On cgroup v2 the
        // process is born into its cgroup, which is known only later.
        var early: Execution?
        let mountHold = Held(hierarchy.mode == .unified ? nil : try images.holdMounts())
        if hierarchy.mode != .unified {
            early = try execution(request, streams, cgroup: nil)
        }

        try recover()
        let id = try ContainerName.newID()
        // Held until the container's record names its layers: nothing is collected in between.
        let lease = Held(try images.lease())
        // A pull mounts what it unpacks, and would wait for our own hold for ever.
        if request.pull == .always { mountHold.release() }
        let image = try image(request.image, platform: request.platform, pull: request.pull) { reference in
            mountHold.release()
            missing(reference)
        }
        debug(
            "image \(request.image): \(image.id), \(image.content.configuration.diffIDs.count) layers, "
                + "platform \(image.content.configuration.platform)"
        )
        let ready = mountHold.isHeld ? try images.readyLayers(of: image.content) : nil
        mountHold.release()
        let layers = try ready ?? images.unpackedLayers(of: image.content, events: events)
        // The namespaces that were made early do not have what was mounted since.
        if ready == nil, images.hasMounts(layers), let outdated = early.take() {
            outdated.abandon()
            streams = try StandardStreams(interactive: request.options.interactive, null: null.raw)
        }
        for layer in layers.directories { debug("layer \(layer)") }
        let prepared = try prepare(request, image, layers, id: id, hierarchy: hierarchy)

        // Where the shim has not begun yet nothing holds signals back, and one would leave the claim to the next command.
        if request.forwardsSignals { try SignalDescriptor.hold(SignalDescriptor.forwardable) }
        let options = request.options
        let claim = try containers.claim(id: id, name: options.name, removedAtEnd: options.removeAtEnd)
        let record = record(of: request, image, prepared, id: id, name: claim.name)
        debug("container \(id), name \(claim.name)")
        debug(
            "cgroup \(prepared.cgroup.roots.isEmpty ? "none" : prepared.cgroup.roots.map { "\($0)" }.joined(separator: " "))"
        )
        debug("launch plan of \(prepared.plan.steps.count) steps for \(shim)")
        var run = ForegroundRun(engine: self, request: request, prepared: prepared, record: record, report: report)
        do {
            try created(id)
            try run.begin()
            var execution = try early.take() ?? execution(request, streams, cgroup: prepared.cgroup.cloneInto)
            try run.carryOut(&execution) {
                lease.release()
            } started: {
                if !options.terminal { streams.letGo(null.raw) }
                debug("the program runs: \(prepared.spec.process.args.joined(separator: " "))")
                started()
            }
            try run.settle()
            if options.removeAtEnd { try containers.remove(claim) } else { try containers.release(claim) }
            execution.finish()
            debug("the program ended: \(run.report.reason)")
        } catch {
            debug("the run failed, its container is undone: \(error)")
            if try run.abandon(error) { try containers.release(claim) } else { try containers.remove(claim) }
            throw (error as? LaunchFailure)?.error ?? error
        }
        run.report.finished = Clock.monotonic
        return RunOutcome(exitCode: run.record.exitCode, report: run.report)
    }

    private func execution(_ request: RunRequest, _ streams: StandardStreams, cgroup: String?) throws -> Execution {
        let options = request.options
        return try Execution(
            namespaces: NamespaceFlags(ofClone: options.namespaces),
            cgroup: cgroup,
            shimPath: shim,
            streams: streams,
            terminal: options.terminal ? (options.interactive ? 0 : nil, 1) : nil,
            forwardsSignals: request.forwardsSignals
        )
    }

    private func prepare(
        _ request: RunRequest,
        _ image: RunnableImage,
        _ layers: LayerStack,
        id: String,
        hierarchy: CgroupHierarchy
    ) throws -> PreparedRun {
        let options = request.options
        var surroundings = PreparedRun.Surroundings(
            id: id,
            folder: containers.bundle(id, removedAtEnd: options.removeAtEnd),
            layers: try containerLayers(of: image, layers),
            host: try .current(withDevices: options.privileged),
            hierarchy: hierarchy
        )
        surroundings.dataFolder = containers.folder(id)
        surroundings.filterCache = "\(state)/seccomp"
        if request.reports { surroundings.controllers = [.memory, .cpuacct, .blkio, .pids] }
        // A privileged container may manage what it sees: all of it, as with docker.
        if options.privileged { surroundings.controllers = Set(CgroupController.allCases) }
        if options.terminal, let size = Terminal.size(1) ?? Terminal.size(0) {
            surroundings.consoleSize = (UInt16(clamping: size.columns), UInt16(clamping: size.rows))
        }
        return try PreparedRun(image.content.configuration.config, options, in: surroundings) { path in
            try layers.read(path, limit: UserDatabase.fileLimit)
        }
    }

    /// What the container's own files lie on. An image that has as many layers as the kernel stacks goes without the init layer: its
    /// mount points then show in the container's own.
    private func containerLayers(of image: RunnableImage, _ layers: LayerStack) throws -> [String] {
        guard layers.directories.count < LaunchPlan.mostLayers else { return layers.directories }
        return [try initLayer(of: image, layers)] + layers.directories
    }

    private func initLayer(of image: RunnableImage, _ layers: LayerStack) throws -> String {
        let top = ImageStore.chainID(image.content.configuration.diffIDs).last.map(images.layerPath)
        // An image without layers: the mount points are all that it has.
        let folder = top ?? "\(images.root)/layers/none"
        if top == nil { try Files.makeDirectories(folder, mode: 0o700) }
        return try InitLayer.folder(in: folder, over: layers)
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
        record.mounts = request.options.inspectedMounts(prepared.volumes)
        return record
    }
}

/// A lease or a lock that one of several hands lets go: a closure may not consume what it captures.
private final class Held<Lock: ~Copyable> {
    private var lock: Lock?
    init(_ lock: consuming Lock?) { self.lock = consume lock }
    var isHeld: Bool { lock != nil }
    func release() { lock = nil }
}

extension CgroupPlan {
    /// The cgroup v2 folder into which the first process is cloned.
    fileprivate var cloneInto: String? {
        for case .cloneInto(let directory) in entries { return directory }
        return nil
    }
}

/// A foreground run between its claim and its end: what it has made, and how that goes again.
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

    private var bundle: String { engine.containers.bundle(record.id, removedAtEnd: record.removeAtEnd) }

    /// Makes the container's folders, and on v2 its cgroup, into which a process can only be born if it is there.
    mutating func begin() throws {
        try makeFolders()
        if prepared.cgroup.cloneInto != nil { cgroup = try Cgroup.create(prepared.cgroup) }
        report.prepared = Clock.monotonic
    }

    /// Launches and waits. `recorded` is called when the record is on the disk.
    mutating func carryOut(_ execution: inout Execution, recorded: () -> Void, started: () -> Void) throws {
        let ending = try execution.run(prepared.plan) {
            // While the shim is at work.
            if cgroup == nil { cgroup = try Cgroup.create(prepared.cgroup) }
            // A container that stays is known before anything of its image is executed.
            if !record.removeAtEnd { try writeRecord(recorded) }
        } meanwhile: {
            // What is to survive a power cut does from here on; the program does not wait for the disk.
            if record.removeAtEnd { try writeRecord(recorded) } else { try engine.containers.sync(record) }
            try Files.write("\(bundle)/config.json", prepared.spec.json.bytes(), mode: 0o600)
        } started: {
            started()
        }
        report.take(ending)
        record.exitCode = ending.status.code
        if ending.lost { record.error = "the shim was killed" }
    }

    private mutating func writeRecord(_ recorded: () -> Void) throws {
        record.status = .running
        record.started = Clock.realtime
        try engine.containers.write(record)
        recorded()
    }

    /// The container's folders with the bundle's parts and the engine's three files.
    private func makeFolders() throws {
        let data = engine.containers.folder(record.id)
        try Files.makeDirectories(bundle, mode: 0o700)
        try Files.makeDirectories(data, mode: 0o700)
        for folder in ["\(bundle)/rootfs", "\(data)/upper", "\(data)/work"] + prepared.volumes.map(\.source) {
            try Files.makeDirectories(folder)
        }
        let options = request.options
        let hostname = prepared.spec.hostname ?? ""
        let host = options.network == .host ? try? Files.readText("/etc/hosts") : nil
        let hosts = NetworkFiles.hosts(
            of: NetworkFiles.names(hostname: hostname, domainname: options.domainname, container: record.name),
            host: host,
            added: options.addedHosts,
            gateway: NetworkFiles.gateway(for: options)
        )
        try NetworkFiles.write(in: bundle, hostname: hostname, hosts: Array(hosts.utf8), options: options)
    }

    /// After the program's end: statistics, cgroup, and the record of a container that stays.
    mutating func settle() throws {
        if let cgroup {
            let limited = request.options.resources.memory.limit != nil
            if request.reports || limited { report.statistics = try? cgroup.statistics() }
            record.outOfMemory = (report.statistics?.memory?.outOfMemoryKills ?? 0) > 0
            try cgroup.remove(in: prepared.cgroup.roots)
            self.cgroup = nil
        }
        report.exitCode = record.exitCode
        if record.removeAtEnd { return }
        record.status = .exited
        record.finished = Clock.realtime
        try engine.containers.write(record, durable: true)
    }

    /// After a failure; true where the container stays. As with docker it stays after a launch that failed, unless it was to be
    /// removed, and says why.
    mutating func abandon(_ error: any Error) throws -> Bool {
        try cgroup?.remove(in: prepared.cgroup.roots)
        guard let failure = error as? LaunchFailure, !record.removeAtEnd else { return false }
        record.status = .created
        record.exitCode =
            failure.error.kind == .commandNotFound ? 127 : failure.error.kind == .commandNotExecutable ? 126 : 128
        record.error = failure.error.message
        record.started = nil
        try engine.containers.write(record, durable: true)
        return true
    }
}
