import Build
import OCI
import Registry

/// What `--debug` says of work that tells of itself in events. Of counting nothing.
enum DebugLines {
    static func of(_ event: PullEvent) -> String? {
        switch event {
        case .pulling(let reference, let repository): "pull of \(reference) from \(repository)"
        case .layer(let layer, let size): "layer \(layer): \(size) bytes are to be fetched"
        case .exists(let layer): "layer \(layer): the store has it"
        case .verifying(let layer): "layer \(layer): its digest is compared"
        case .downloaded(let layer): "layer \(layer): fetched"
        case .complete(let layer): "layer \(layer): ready"
        case .waiting, .downloading, .extracting: nil
        }
    }

    static func of(_ event: BuildEvent) -> String? {
        switch event.kind {
        case .started(let name): "step \(event.step) begins: \(name)"
        case .cached(let name): "step \(event.step) is in the cache: \(name)"
        case .completed: "step \(event.step) is done"
        case .failed(let failure): "step \(event.step) failed: \(failure.message)"
        case .canceled: "step \(event.step) was given up"
        case .status(let status): status.isDone ? "step \(event.step): \(status.name): done" : nil
        case .planned, .log, .warning: nil
        }
    }

    /// Passes a pull's events on, and tells of them where somebody asks.
    static func telling(_ handle: @escaping @Sendable (PullEvent) -> Void) -> @Sendable (PullEvent) -> Void {
        guard Console.level == .debug else { return handle }
        return { event in
            if let line = of(event) { Console.debug(line) }
            handle(event)
        }
    }
}
