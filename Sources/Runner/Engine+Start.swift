import CLinux
import Images
import LinuxSystem
import OCI
import Runtime

/// How the caller of `start` takes part in a container.
package struct Attachment: Sendable {
    /// The caller's input is the program's, where the container was created with an input.
    package var input = false
    /// Signals that come meanwhile go to the container.
    package var forwardsSignals = true

    package init() {}
}

extension Engine {
    /// Starts a container that was created, or that has ended, and follows it to its end in the foreground.
    ///
    /// - Parameter started: called once the program runs; its terminal waits for it.
    /// - Throws: `conflict` where it runs already.
    package func start(_ container: ContainerRecord, _ attachment: Attachment, started: () -> Void = {}) throws
        -> RunOutcome
    {
        let report = RunReport(began: Clock.monotonic)
        try recover()
        let lease = Held(try images.lease())
        if attachment.forwardsSignals { try SignalDescriptor.hold(SignalDescriptor.forwardable) }
        var record = container
        let claim = try containers.claim(&record)
        let prepared: PreparedRun
        do { prepared = try prepare(record) } catch {
            try containers.release(claim)
            throw error
        }
        let null = try FileDescriptor.open("/dev/null", O_RDWR)
        var options = record.options
        options.interactive = options.interactive && attachment.input
        let run = ForegroundRun(
            engine: self,
            prepared: prepared,
            record: record,
            report: report,
            reports: false,
            wasCreated: true
        )
        var streams: StandardStreams?
        return try carryOut(run, claim) { cgroup in
            let ours = try StandardStreams(interactive: options.interactive, null: null.raw)
            streams = ours
            return try execution(options, ours, forwardsSignals: attachment.forwardsSignals, cgroup)
        } recorded: {
            lease.release()
        } started: {
            if !options.terminal { streams?.letGo(null.raw) }
            started()
        }
    }

    private func prepare(_ record: ContainerRecord) throws -> PreparedRun {
        if record.older != nil {
            throw EngineError(
                .unsupported,
                "container \(record.id.prefix(12)) was made by an older minirun, which did not write down its options",
                hint: "remove it, and make it anew with create or run"
            )
        }
        return try prepare(record, layers(of: record), hierarchy: .current())
    }

    /// The unpacked layers of a container's image, which may have gone from the store meanwhile: its layers are the container's, too.
    private func layers(of record: ContainerRecord) throws -> LayerStack {
        if let image = try? images.resolve(record.imageID) { return try images.unpackedLayers(of: image) }
        return try images.layers(ofChain: try record.layers.map { text throws(EngineError) in try Digest(text) })
    }
}
