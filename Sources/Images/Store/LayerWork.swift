import LinuxSystem
import OCI

/// A layer of an image, and whether there is anything left to do for it.
struct LayerJob: Sendable {
    let record: LayerRecord
    let blob: Descriptor
    var isDone: Bool
}

/// What a layer being unpacked needs of those who are at work beside it.
struct LayerSurroundings: Sendable {
    let lower: LowerLayers
    let budget: ExpansionBudget
    /// Asks for so many bytes for the decoder, and waits until they may be taken.
    let reserve: @Sendable (Int) throws -> Void
    /// The archive is read; what is left takes little.
    let release: @Sendable () -> Void
}

/// Unpacks an image's layers side by side, on several threads.
///
/// They begin in the order of the image, so that the lowest one that is not finished is always under way, and waits for
/// nobody: neither for those above it nor for memory (`LayerBudget`). What a layer has to know of those below it it mostly
/// needs at its end (`DeferredWork`), and waits for them then. None gets its place before those below it have theirs.
///
/// Where one fails, those below it are finished, since one of them may be wrong, too: the lowest one's error is the one that
/// is thrown, whichever came first. Those above it end at their next byte or wait, and leave nothing.
final class LayerWork: Sendable {
    /// Those that are read and wait for the layers below hold names and a few descriptors, and one thread each: so a large
    /// layer at the bottom does not keep many small ones from being read. How many are read at once is `LayerBudget`'s.
    static let limit = min(16, max(1, OpenFiles.limit / 16))

    private struct State {
        /// The first that has not begun.
        var next = 0
        var isDone: [Bool]
        var failures: [Int: any Error] = [:]
        /// Not delivered yet.
        var events: [StoreEvent] = []
        var running: Int
        var budget = LayerBudget()
        /// What layers at work read from, where that may have to wait.
        var sources: [Int: any WaitingSource] = [:]

        func isLowest(_ index: Int) -> Bool { isDone[..<index].allSatisfy { $0 } }
    }

    private let store: ImageStore
    private let budget: ExpansionBudget
    private let jobs: [LayerJob]
    private let open: @Sendable (Descriptor) throws -> any ByteSource
    private let state: Monitor<State>

    /// - Parameter budget: what the layers may expand to, all together.
    init(
        _ store: ImageStore,
        _ jobs: [LayerJob],
        budget: ExpansionBudget,
        open: @escaping @Sendable (Descriptor) throws -> any ByteSource
    ) {
        self.store = store
        self.budget = budget
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
                state.update { state in
                    state.failures[index] = error
                    // Nobody waits for bytes of which nothing can become any more.
                    for (other, source) in state.sources where other > index { source.cancel() }
                }
            }
            state.update { state in
                state.budget.end(index)
                state.sources[index] = nil
            }
        }
        state.update { $0.running -= 1 }
    }

    /// Waits until there is room for one more layer; nil where there is none left, or no use.
    private func nextIndex() -> Int? {
        state.wait { state -> Int?? in
            guard state.failures.isEmpty else { return .some(nil) }
            while state.next < jobs.count, state.isDone[state.next] { state.next += 1 }
            guard state.next < jobs.count else { return .some(nil) }
            guard state.budget.hasRoom else { return nil }
            state.budget.begin(state.next, isSmall: LayerBudget.isSmall(jobs[state.next].blob.mediaType))
            defer { state.next += 1 }
            return state.next
        }
    }

    private func make(_ index: Int) throws {
        let job = jobs[index]
        let surroundings = LayerSurroundings(
            lower: state.locked({ $0.isLowest(index) })
                ? .finished(try below(index)) : .later { try self.below(index) },
            budget: budget,
            reserve: { [state] bytes in
                try state.wait { state throws -> Void? in
                    try LayerWork.check(state, below: index)
                    return state.budget.grant(index, bytes, isLowest: state.isLowest(index)) ? () : nil
                }
            },
            release: { [state] in state.update { $0.budget.end(index) } }
        )
        let opened = { [self] in
            let source = try open(job.blob)
            try state.update { state in
                try LayerWork.check(state, below: index)
                state.sources[index] = source as? any WaitingSource
            }
            return source
        }
        try store.unpack(job.record, job.blob, in: surroundings, open: opened) { [self] event in
            try state.update { state in
                // There is no need to finish what nothing can be built on.
                try LayerWork.check(state, below: index)
                state.events.append(event)
            }
        }
    }

    /// Waits until the layers below are finished.
    private func below(_ index: Int) throws -> LayerStack {
        try state.wait { state throws -> Void? in
            try LayerWork.check(state, below: index)
            return state.isLowest(index) ? () : nil
        }
        return LayerStack(directories: try jobs[..<index].reversed().map { try store.layerContent($0.record.chainID) })
    }

    private static func check(_ state: State, below index: Int) throws {
        if state.failures.keys.contains(where: { $0 < index }) {
            throw EngineError(.failed, "a layer below could not be unpacked")
        }
    }
}
