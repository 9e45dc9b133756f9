import LinuxSystem
import OCI

/// A layer of an image, and whether there is anything left to do for it.
struct LayerJob: Sendable {
    let record: LayerRecord
    let blob: Descriptor
    var isDone: Bool
}

/// The layers below one that is being unpacked, finished or not.
struct LowerLayers: Sendable {
    /// Waits until all of them are finished; throws where one of them has failed.
    let finished: @Sendable () throws -> LayerStack
}

/// Unpacks an image's layers on several threads.
///
/// They begin in the order of the image, so that the lowest one that is not finished is always under way, and waits for
/// nobody. One that needs those below waits for them, and never the other way round.
final class LayerWork: Sendable {
    /// As many as this machine can work on; a few more where their bytes may have to be waited for. Each takes some 6 MiB.
    static let limit = min(max(Processors.configured, 4), 8)

    private struct State {
        /// The first that has not begun.
        var next = 0
        var isDone: [Bool]
        var failures: [Int: any Error] = [:]
        /// Not delivered yet.
        var events: [StoreEvent] = []
        var running: Int
    }

    private let store: ImageStore
    private let jobs: [LayerJob]
    private let open: @Sendable (Descriptor) throws -> any ByteSource
    private let state: Monitor<State>

    init(_ store: ImageStore, _ jobs: [LayerJob], open: @escaping @Sendable (Descriptor) throws -> any ByteSource) {
        self.store = store
        self.jobs = jobs
        self.open = open
        state = Monitor(State(isDone: jobs.map(\.isDone), running: 0))
    }

    /// Does all of it, and delivers the events on this thread. Call it once.
    func run(_ events: (StoreEvent) -> Void) throws {
        let count = min(LayerWork.limit, jobs.count { !$0.isDone })
        var threads: [Thread] = []
        defer { for thread in threads { thread.join() } }
        for _ in 0..<count {
            state.update { $0.running += 1 }
            do { threads.append(try Thread { self.work() }) } catch {
                state.update { $0.running -= 1 }
                // Fewer will do.
                if threads.isEmpty { throw error }
            }
        }
        while true {
            let (news, isOver) = state.wait { state -> ([StoreEvent], Bool)? in
                if state.events.isEmpty, state.running > 0 { return nil }
                defer { state.events = [] }
                return (state.events, state.running == 0)
            }
            for event in news { events(event) }
            if isOver { break }
        }
        let failures = state.update { $0.failures }
        // A layer that fails because of one below is never the lowest.
        if let first = failures.keys.min(), let error = failures[first] { throw error }
    }

    private func work() {
        while let index = nextIndex() {
            do {
                try make(index)
                state.update { $0.isDone[index] = true }
            } catch {
                state.update { $0.failures[index] = error }
            }
        }
        state.update { $0.running -= 1 }
    }

    private func nextIndex() -> Int? {
        state.update { state in
            guard state.failures.isEmpty else { return nil }
            while state.next < jobs.count, state.isDone[state.next] { state.next += 1 }
            guard state.next < jobs.count else { return nil }
            defer { state.next += 1 }
            return state.next
        }
    }

    private func make(_ index: Int) throws {
        let job = jobs[index]
        let lower = LowerLayers { [self] in
            try state.wait { state throws -> Void? in
                try LayerWork.check(state, below: index)
                return state.isDone[..<index].allSatisfy { $0 } ? () : nil
            }
            let below = jobs[..<index].reversed()
            return LayerStack(directories: try below.map { try store.layerContent($0.record.chainID) })
        }
        try store.unpack(job.record, job.blob, over: lower, open: { try open(job.blob) }) { [self] event in
            try state.update { state in
                // There is no need to finish what nothing can be built on.
                try LayerWork.check(state, below: index)
                state.events.append(event)
            }
        }
    }

    private static func check(_ state: State, below index: Int) throws {
        if state.failures.keys.contains(where: { $0 < index }) {
            throw EngineError(.failed, "a layer below could not be unpacked")
        }
    }
}
