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
            early = try execution(request.options, streams, forwardsSignals: request.forwardsSignals, nil)
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
        let options = request.options
        var record = try record(of: request, image, id: id, name: "")
        let prepared = try prepare(record, layers, hierarchy: hierarchy, reports: request.reports)

        // Where the shim has not begun yet nothing holds signals back, and one would leave the claim to the next command.
        if request.forwardsSignals { try SignalDescriptor.hold(SignalDescriptor.forwardable) }
        let claim = try containers.claim(id: id, name: options.name, removedAtEnd: options.removeAtEnd)
        record.name = claim.name
        debug("container \(id), name \(claim.name)")
        debug(
            "cgroup \(prepared.cgroup.roots.isEmpty ? "none" : prepared.cgroup.roots.map { "\($0)" }.joined(separator: " "))"
        )
        debug("launch plan of \(prepared.plan.steps.count) steps for \(shim)")
        let run = ForegroundRun(
            engine: self,
            prepared: prepared,
            record: record,
            report: report,
            reports: request.reports,
            wasCreated: false
        )
        do { try created(id) } catch {
            try containers.remove(claim)
            throw error
        }
        return try carryOut(run, claim) {
            try early.take() ?? execution(options, streams, forwardsSignals: request.forwardsSignals, $0)
        } recorded: {
            lease.release()
        } started: {
            if !options.terminal { streams.letGo(null.raw) }
            started()
        }
    }

    /// A container of this process, from its launch to its end.
    func carryOut(
        _ run: ForegroundRun,
        _ claim: borrowing ContainerStore.Claim,
        execution: (_ cgroup: String?) throws -> Execution,
        recorded: () -> Void,
        started: () -> Void
    ) throws -> RunOutcome {
        var run = run
        let spec = run.prepared.spec
        do {
            try run.begin()
            var execution = try execution(run.prepared.cgroup.cloneInto)
            try run.carryOut(&execution, recorded: recorded) {
                debug("the program runs: \(spec.process.args.joined(separator: " "))")
                started()
            }
            try run.settle()
            try containers.note(run.record.state.exitCode, in: claim)
            if run.record.removeAtEnd { try containers.remove(claim) } else { try containers.release(claim) }
            execution.finish()
            debug("the program ended: \(run.report.reason)")
        } catch {
            debug("the run failed, its container is undone: \(error)")
            let stays = try run.abandon(error)
            try containers.note(run.record.state.exitCode, in: claim)
            if stays { try containers.release(claim) } else { try containers.remove(claim) }
            throw (error as? LaunchFailure)?.error ?? error
        }
        run.report.finished = Clock.monotonic
        return RunOutcome(exitCode: run.record.state.exitCode, report: run.report)
    }

    func execution(
        _ options: ContainerOptions,
        _ streams: StandardStreams,
        forwardsSignals: Bool,
        _ cgroup: String?
    ) throws -> Execution {
        try Execution(
            namespaces: NamespaceFlags(ofClone: options.namespaces),
            cgroup: cgroup,
            shimPath: shim,
            streams: streams,
            terminal: options.terminal ? (options.interactive ? 0 : nil, 1) : nil,
            forwardsSignals: forwardsSignals
        )
    }
}

/// A lease or a lock that one of several hands lets go: a closure may not consume what it captures.
final class Held<Lock: ~Copyable> {
    private var lock: Lock?
    init(_ lock: consuming Lock?) { self.lock = consume lock }
    var isHeld: Bool { lock != nil }
    func release() { lock = nil }
}

extension CgroupPlan {
    /// The cgroup v2 folder into which the first process is cloned.
    var cloneInto: String? {
        for case .cloneInto(let directory) in entries { return directory }
        return nil
    }
}
