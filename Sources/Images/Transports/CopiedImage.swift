import LinuxSystem
import OCI

/// An image of an archive whose layers are written into the store as they are read: what unpacks them reads each once, for both.
final class CopiedImage: ImageContent {
    private let image: TransportImage
    private let store: ImageStore
    /// By the layer's digest. A layer may be opened on any thread, and more than once: the last copy counts.
    private let copies = Monitor<[Digest: LayerCopy]>([:])

    init(_ image: TransportImage, into store: ImageStore) {
        self.image = image
        self.store = store
    }

    var manifest: ImageManifest { image.manifest }
    var configuration: ImageConfiguration { image.configuration }
    var origin: Int64? { image.origin }

    func open(layer: Descriptor) throws -> any ByteSource {
        let isBlob = image.layersAreBlobs
        if isBlob, store.hasSoundBlob(layer.digest, size: layer.size) { return try image.open(layer: layer) }
        let copy = LayerCopy(
            try image.file(of: layer),
            expected: isBlob ? .blob(layer.digest) : .tar(layer.digest),
            writer: try store.blobWriter()
        )
        copies.update { $0[layer.digest] = copy }
        return copy
    }

    /// The layers whose copies are whole and right, once nobody reads any more.
    func whole() throws -> [(diffID: Digest, blob: Descriptor, writer: BlobWriter)] {
        let copies = copies.update { $0 }
        return try image.layers.compactMap { layer, diffID in
            guard let copy = copies[layer.digest], copy.isWhole else { return nil }
            return (diffID, image.layersAreBlobs ? layer : copy.descriptor, copy.writer)
        }
    }
}

/// A layer's file that is copied as it is read, and verified at its end. One thread reads it.
private final class LayerCopy: ByteSource, @unchecked Sendable {
    /// What the digest is of that is known.
    enum Expected {
        /// The file, which is passed on as it is.
        case blob(Digest)
        /// The tar in it, which is what is passed on.
        case tar(Digest)
    }

    let writer: BlobWriter
    private let size: Int64
    private let expected: Expected
    private let file: TeeSource
    private let tar: DecompressingSource
    /// Of a tar that was compressed: of one that was not, the writer has the digest.
    private var running = RunningDigest()
    private(set) var isWhole = false

    init(_ file: (source: any ByteSource, size: Int64), expected: Expected, writer: BlobWriter) {
        self.writer = writer
        self.expected = expected
        size = file.size
        self.file = TeeSource(file.source, writer)
        tar = DecompressingSource(self.file)
    }

    /// As a layer of an image that its archive has no manifest for.
    var descriptor: Descriptor {
        Descriptor(mediaType: .layer(tar.format), digest: writer.digest, size: writer.count)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        switch expected {
        case .blob(let digest):
            let count = try file.read(into: buffer)
            if count == 0 { try verify(writer.digest, digest, "blob") }
            return count
        case .tar(let digest):
            let count = try tar.read(into: buffer)
            let isPlain = tar.format == CompressionFormat.none
            if count > 0, !isPlain { running.update(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            if count == 0 { try verify(isPlain ? writer.digest : running.digest, digest, "layer") }
            return count
        }
    }

    private func verify(_ found: Digest, _ expected: Digest, _ subject: String) throws {
        guard found == expected else {
            throw EngineError(.corrupt, "\(subject) \(expected) has the digest \(found)")
        }
        // Behind a tar's end may be bytes that nobody read.
        isWhole = writer.count == size
    }
}
