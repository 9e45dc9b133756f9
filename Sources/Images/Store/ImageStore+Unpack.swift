import CLinux
import LinuxSystem
import OCI

/// What happens while an image is made ready.
package enum StoreEvent: Sendable {
    /// A layer's turn has come. `layer` is its blob, of `size` bytes.
    case unpacking(layer: Digest, size: Int64)
    /// So many of the blob's bytes were read.
    case progress(layer: Digest, bytes: Int64)
    case unpacked(layer: Digest)
}

extension ImageStore {
    /// The layers' folders, the top one first; those that are missing are unpacked, several at once. Each is unpacked once,
    /// whoever asks at the same time, and only if its blob and its diff id are right.
    ///
    /// The caller holds a lease until something else protects the layers.
    /// - Parameters:
    ///   - image: its layers are opened on other threads, and one may be opened a second time.
    ///   - budget: what they may expand to; nil for an image that comes alone.
    ///   - events: called on this thread, one at a time; `unpacked` in the order of the layers.
    /// - Throws: of several layers that are wrong, the lowest one's error. Those below it are kept.
    package func unpackedLayers(
        of image: some ImageContent,
        budget: ExpansionBudget? = nil,
        events: (StoreEvent) -> Void = { _ in }
    ) throws -> LayerStack {
        try image.requireMountable()
        let chain = ImageStore.chainID(image.configuration.diffIDs)
        let layers = try image.layers
        var jobs: [LayerJob] = []
        for (position, (blob, diffID)) in layers.enumerated() {
            let parent = position == 0 ? nil : chain[position - 1]
            let record = LayerRecord(diffID: diffID, chainID: chain[position], parent: parent, bytes: 0, files: 0)
            let isUsable = try usableLayer(record.chainID) != nil
            jobs.append(LayerJob(record: record, blob: blob, isDone: isUsable))
        }
        if jobs.contains(where: { !$0.isDone }) {
            let budget = budget ?? ExpansionBudget(unpackLimits.expansion, origin: image.origin)
            try LayerWork(self, jobs, budget: budget) { try image.open(layer: $0) }.run(events)
        }
        return LayerStack(directories: try jobs.reversed().map { try layerContent($0.record.chainID) })
    }

    /// Layers that are unpacked already, whatever image they came with. The caller holds a lease.
    ///
    /// - Parameter chain: their chain ids, the base's first.
    package func layers(ofChain chain: [Digest]) throws -> LayerStack {
        for chainID in chain where try usableLayer(chainID) == nil {
            throw EngineError(.notFound, "layer \(chainID) is not there any more, and neither is its image")
        }
        return LayerStack(directories: try chain.reversed().map { try layerContent($0) })
    }

    /// Makes one layer, unless somebody else does meanwhile.
    /// - Parameters:
    ///   - open: opens the layer's blob, from its start each time.
    ///   - events: of this layer alone.
    func unpack(
        _ record: LayerRecord,
        _ blob: Descriptor,
        in surroundings: LayerSurroundings,
        open: () throws -> any ByteSource,
        events: @escaping @Sendable (StoreEvent) throws -> Void
    ) throws {
        let diffID = record.diffID
        try place(record, driver) { folder, record in
            try events(.unpacking(layer: blob.digest, size: blob.size))
            func attempt(over lower: LowerLayers) throws -> UnpackSummary {
                let counted = CountingSource(try open()) { try events(.progress(layer: blob.digest, bytes: $0)) }
                return try fill(folder, &record, over: lower) { read in
                    // The same digest says that there is no compression.
                    try pass(counted, isPlain: blob.digest == diffID, diffID, surroundings, to: read)
                    surroundings.release()
                }
            }
            let summary: UnpackSummary
            do { summary = try attempt(over: surroundings.lower) } catch is NeedsLowerLayers {
                let lower = try surroundings.lower.stack()
                try Files.removeTree("\(folder)/\(ImageStore.contentName(driver))")
                summary = try attempt(over: .finished(lower))
            }
            record.bytes = summary.bytes
            record.files = summary.files
            try events(.unpacked(layer: blob.digest))
        }
    }

    /// Turns a layer's tar into an empty folder's content: here, and only here, is it decided what form a layer has.
    private func fill(
        _ folder: String,
        _ record: inout LayerRecord,
        over lower: LowerLayers,
        _ archive: (_ read: (any PieceSource) throws -> Void) throws -> Void
    ) throws -> UnpackSummary {
        let content = "\(folder)/\(ImageStore.contentName(driver))"
        switch driver {
        case .dir:
            try retrying("creating folder", content) { mkdir(content, 0o755) }
            try retrying("changing the mode of", content) { chmod(content, 0o755) }
            return try LayerUnpacker.unpack(
                into: { try FolderForm(content) },
                over: lower,
                limits: unpackLimits,
                archive
            )
        case .erofs:
            let (summary, image) = try writeImage(content, of: record.chainID, over: lower, archive)
            record.image = image
            return summary
        }
    }

    /// Hands the tar that is in a blob to `read`, through all stages.
    private func pass(
        _ blob: any ByteSource,
        isPlain: Bool,
        _ diffID: Digest,
        _ surroundings: LayerSurroundings,
        to read: (any PieceSource) throws -> Void
    ) throws {
        let (budget, reserve) = (surroundings.budget, surroundings.reserve)
        guard isPlain else {
            return try LayerPipeline.run(blob, diffID: diffID, budget: budget, reserve: reserve, read).result
        }
        // Verified by the blob's source.
        try reserve(0)
        try LayerPipeline.plain(LimitedSource(blob, budget, compressed: nil), read)
    }
}

/// Tells how far a source was read; what `report` throws ends the reading.
private final class CountingSource: DigestedSource {
    private let inner: any ByteSource
    private let report: @Sendable (Int64) throws -> Void
    private var count: Int64 = 0

    init(_ inner: any ByteSource, _ report: @escaping @Sendable (Int64) throws -> Void) {
        self.inner = inner
        self.report = report
    }

    var sharedDigest: (any SharedDigest)? { (inner as? any DigestedSource)?.sharedDigest }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try inner.read(into: buffer)
        self.count += Int64(count)
        if count > 0 { try report(self.count) }
        return count
    }
}
