import OCI

/// The blobs of one image on their way into the store: verified and written, but without names until all are there.
struct PendingBlobs {
    let store: ImageStore
    private var writers: [BlobWriter] = []
    private var descriptors: [Digest: Descriptor] = [:]

    /// Each keeps a file open; an image of more layers than this gets names for some of its blobs early.
    private static let limit = 200

    init(store: ImageStore) { self.store = store }

    /// Gives all blobs their names.
    mutating func commit(_ target: Descriptor) throws -> Descriptor {
        for writer in writers { _ = try writer.commit() }
        writers = []
        return target
    }

    /// A small blob.
    @discardableResult
    mutating func add(_ bytes: [UInt8], _ mediaType: MediaType) throws -> Descriptor {
        let descriptor = ImageStore.descriptor(of: bytes, mediaType)
        if !store.hasBlob(descriptor.digest, size: descriptor.size) {
            let writer = try store.blobWriter()
            try writer.write(bytes)
            try keep(writer)
        }
        return descriptor
    }

    /// A blob that is no layer of an image: an attestation's, an artifact's.
    private mutating func add(_ layout: OCILayout, blob: Descriptor) throws {
        if store.hasBlob(blob.digest, size: blob.size) { return }
        let writer = try store.blobWriter()
        try layout.open(blob).copy(to: writer)
        try keep(writer)
    }

    /// An image of an OCI layout.
    mutating func add(_ layout: OCILayout, _ descriptor: Descriptor, _ image: TransportImage) throws {
        for (blob, diffID) in try image.layers { _ = try add(layer: layout.open(blob), diffID: diffID, expected: blob) }
        try add(image.configurationBytes, image.manifest.configuration.mediaType)
        try add(try layout.files.document(descriptor), descriptor.mediaType)
    }

    /// What an index names and the layout holds; the image for `platform` must be among it.
    mutating func add(_ layout: OCILayout, index: ImageIndex, _ platform: Platform?) throws {
        for entry in index.manifests where try layout.files.open(entry.layoutPath) != nil {
            let json = try layout.parse(entry)
            if json["manifests"] != nil { throw EngineError(.unsupported, "an index in an index in an index") }
            let manifest = try ImageManifest(json)
            if manifest.configuration.mediaType.isImageConfiguration, entry.platform?.os != "unknown" {
                try add(layout, entry, layout.image(entry, target: entry))
                continue
            }
            for blob in [manifest.configuration] + manifest.layers { try add(layout, blob: blob) }
            try add(try layout.files.document(entry), entry.mediaType)
        }
    }

    /// A layer: the blob's digest and that of the tar in it are computed in one pass. A blob that the store has is read all
    /// the same, because whether it is this diff id's was never asked.
    ///
    /// - Parameters:
    ///   - diffID: what the tar must be; nil for archives that do not say it.
    ///   - expected: what the blob must be; nil for archives that do not say it: its media type follows its first bytes.
    ///   - found: hears the diff id.
    mutating func add(
        layer source: any ByteSource,
        diffID: Digest?,
        expected: Descriptor?,
        found: (Digest) -> Void = { _ in }
    ) throws -> Descriptor {
        if let expected, let known = descriptors[expected.digest] { return known }
        let isStored = expected.map { store.hasBlob($0.digest, size: $0.size) } ?? false
        let writer = isStored ? nil : try store.blobWriter()
        let blob = TeeSource(source, writer)
        let decompressing = DecompressingSource(blob)
        let tar = HashingSource(decompressing)
        try tar.drain()
        try blob.drain()
        if let diffID, tar.digest != diffID {
            throw EngineError(.corrupt, "invalid diffID for a layer: expected \"\(diffID)\", got \"\(tar.digest)\"")
        }
        found(tar.digest)
        let descriptor =
            expected
            ?? Descriptor(
                mediaType: .layer(decompressing.format),
                digest: writer?.digest ?? tar.digest,
                size: writer?.count ?? tar.count
            )
        if let writer, descriptors[descriptor.digest] == nil { try keep(writer) }
        descriptors[descriptor.digest] = descriptor
        return descriptor
    }

    private mutating func keep(_ writer: BlobWriter) throws {
        writers.append(writer)
        if writers.count >= PendingBlobs.limit { _ = try writers.removeFirst().commit() }
    }
}

extension MediaType {
    /// What the layer's first bytes said. bzip2 and xz have no media type of their own: docker, too, looks at the bytes.
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
