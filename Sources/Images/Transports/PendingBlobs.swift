import LinuxSystem
import OCI

/// Blobs on their way into the store: verified and written, but without names until all that belong together are there.
struct PendingBlobs {
    private let store: ImageStore
    private var writers: [BlobWriter] = []
    /// Layers that were read already, by diff id: images of one archive often share them.
    private var layers: [Digest: Descriptor] = [:]
    /// Those of archives that do not say a diff id, by their names there.
    var named: [String: (diffID: Digest, blob: Descriptor)] = [:]
    /// Bytes of the documents of layers that may still be read (`LegacyArchive`).
    var documentsLeft = LegacyArchive.documents
    /// What all layers may expand to: for those that are unpacked, and once more where they are only read.
    private let unpacking: ExpansionBudget
    private let reading: ExpansionBudget
    /// Blobs of the store that were read and are right.
    private var sound: Set<Digest> = []
    /// Manifests of indexes whose images were added.
    private var manifests: Set<Descriptor> = []

    /// Each keeps a file open; of more blobs than this some get their names early.
    private static let limit = min(200, max(4, OpenFiles.limit / 4))

    /// - Parameter origin: of a compressed archive, its size in bytes.
    init(store: ImageStore, origin: Int64? = nil) {
        self.store = store
        unpacking = ExpansionBudget(store.unpackLimits.expansion, origin: origin)
        reading = ExpansionBudget(store.unpackLimits.expansion, origin: origin)
    }

    /// Gives all blobs their names.
    mutating func commit() throws {
        for writer in writers { _ = try writer.commit() }
        writers = []
    }

    func isAdded(_ manifest: Descriptor) -> Bool { manifests.contains(manifest.bare) }
    mutating func noteAdded(_ manifest: Descriptor) { manifests.insert(manifest.bare) }

    /// Whether the store has a blob. What is there is read: a damaged one is to be mended by what is coming.
    private mutating func has(_ blob: Descriptor) -> Bool {
        if sound.contains(blob.digest) { return true }
        guard store.hasSoundBlob(blob.digest, size: blob.size) else { return false }
        sound.insert(blob.digest)
        return true
    }

    /// A small blob.
    @discardableResult
    mutating func add(_ bytes: [UInt8], _ mediaType: MediaType) throws -> Descriptor {
        let descriptor = ImageStore.descriptor(of: bytes, mediaType)
        if !has(descriptor) {
            let writer = try store.blobWriter()
            try writer.write(bytes)
            try keep(writer)
        }
        return descriptor
    }

    /// A blob as it is, verified.
    mutating func add(_ source: any ByteSource, expected: Descriptor) throws {
        if has(expected) { return }
        let writer = try store.blobWriter()
        try source.copy(to: writer)
        try keep(writer)
    }

    /// A layer: the blob's digest and that of the tar in it are computed in one pass. A blob that the store has is read
    /// all the same, because whether it is this diff id's was never asked.
    ///
    /// - Parameters:
    ///   - diffID: what the tar must be; nil for archives that do not say it.
    ///   - expected: what the blob must be; nil for archives that do not say it: its first bytes tell.
    ///   - found: hears the diff id.
    mutating func add(
        layer source: any ByteSource,
        diffID: Digest?,
        expected: Descriptor?,
        found: (Digest) -> Void = { _ in }
    ) throws -> Descriptor {
        if let diffID, let known = layers[diffID], expected == nil || expected?.digest == known.digest { return known }
        let isStored = expected.map { has($0) } ?? false
        let writer = isStored ? nil : try store.blobWriter()
        let (_, tar) = try LayerPipeline.run(TeeSource(source, writer), diffID: nil, budget: reading) { pieces in
            while try !pieces.next().isEmpty {}
        }
        if let diffID, tar.digest != diffID {
            throw EngineError(.corrupt, "invalid diffID for a layer: expected \"\(diffID)\", got \"\(tar.digest)\"")
        }
        found(tar.digest)
        let descriptor =
            expected
            ?? Descriptor(
                mediaType: .layer(tar.format),
                digest: writer?.digest ?? tar.digest,
                size: writer?.count ?? tar.size
            )
        if let writer { try keep(writer) }
        layers[tar.digest] = descriptor
        return descriptor
    }

    /// Unpacks an image's layers, and copies them on the way, before the image is added: a layer is then read, decompressed and
    /// hashed once. What is wrong with the image is said by whoever adds it, layer by layer and in the order of the image.
    mutating func unpack(_ image: TransportImage) throws {
        try store.setAsideChangedLayers(of: image)
        let copied = CopiedImage(image, into: store)
        _ = try? store.unpackedLayers(of: copied, budget: unpacking)
        for (diffID, blob, writer) in try copied.whole() where layers[diffID] == nil {
            layers[diffID] = blob
            try keep(writer)
        }
    }

    private mutating func keep(_ writer: BlobWriter) throws {
        writers.append(writer)
        if writers.count >= PendingBlobs.limit { _ = try writers.removeFirst().commit() }
    }
}

extension Descriptor {
    /// What decides how a manifest is read.
    fileprivate var bare: Descriptor {
        var bare = Descriptor(mediaType: mediaType, digest: digest, size: size)
        if platform?.os == "unknown" { bare.platform = platform }
        return bare
    }
}

extension MediaType {
    /// What the layer's first bytes said. bzip2 and xz have no media type of their own: docker, too, looks at the
    /// bytes.
    static func layer(_ format: CompressionFormat?) -> MediaType {
        switch format {
        case .gzip: .layerGzip
        case .zstd: .layerZstd
        default: .layer
        }
    }
}

/// Passes a source on and writes it to a sink as well.
final class TeeSource: ByteSource {
    private let inner: any ByteSource
    private let sink: (any ByteSink)?

    init(_ inner: any ByteSource, _ sink: (any ByteSink)?) {
        self.inner = inner
        self.sink = sink
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try inner.read(into: buffer)
        if count > 0 { try sink?.write(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
        return count
    }
}
