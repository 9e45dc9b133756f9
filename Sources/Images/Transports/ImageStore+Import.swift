import CLinux
import LinuxSystem
import OCI

extension ImageStore {
    /// Makes an image of one layer from a tar of a root file system: `docker import`.
    ///
    /// - Parameters:
    ///   - source: plain or compressed. What OCI has a media type for is kept as it comes; bzip2 and xz are unpacked.
    ///   - configuration: what the image says of its containers; the changes that a person asked for are in it. Its
    ///     layers and its history are replaced.
    ///   - created: RFC 3339.
    package func importRootfs(
        _ source: any ByteSource,
        configuration: ImageConfiguration = ImageConfiguration(),
        message: String,
        created: String = Timestamp.rfc3339(nanoseconds: Clock.realtime),
        reference: ImageReference?
    ) throws -> StoredImage {
        try lease().during {
            let (layer, diffID) = try ingest(rootfs: source)
            var configuration = configuration
            configuration.created = created
            configuration.diffIDs = [diffID]
            configuration.history = [
                ImageConfiguration.History(created: created, createdBy: nil, comment: message)
            ]
            let descriptor = try ingest(configuration.json.bytes(), mediaType: .imageConfiguration)
            let manifest = ImageManifest(configuration: descriptor, layers: [layer])
            return try commit(manifest: manifest, references: reference.map { [$0] } ?? [])
        }
    }

    /// Stores the layer and checks in the same pass that it is a tar.
    private func ingest(rootfs source: any ByteSource) throws -> (layer: Descriptor, diffID: Digest) {
        let writer = try blobWriter()
        let source = try SniffedSource(source)
        // bzip2 and xz have no media type of their own.
        let isKept = source.format != .bzip2 && source.format != .xz
        let limits = unpackLimits
        let unpacked = LimitedSource(decompressing: source, ExpansionBudget(limits.expansion))
        let blob = TeeSource(isKept ? source : unpacked, writer)
        let (_, tar) = try LayerPipeline.run(
            blob,
            diffID: nil,
            formats: isKept ? .all : [.none],
            budget: ExpansionBudget(limits.expansion)
        ) { pieces in
            let reader = TarReader(pieces, limits: limits.tar)
            guard try reader.next() != nil else { throw EngineError(.invalid, "the archive to import is empty") }
            while try reader.next() != nil {}
            try reader.drain()
        }
        let (digest, size) = try writer.commit()
        return (Descriptor(mediaType: .layer(isKept ? source.format : nil), digest: digest, size: size), tar.digest)
    }
}

/// A source whose first bytes were looked at.
private final class SniffedSource: ByteSource {
    let format: CompressionFormat
    private let inner: any ByteSource
    private var start: ArraySlice<UInt8>

    init(_ inner: any ByteSource) throws {
        self.inner = inner
        var first = [UInt8](repeating: 0, count: 512)
        let count = try first.withUnsafeMutableBytes { try inner.readFully(into: $0) }
        start = first[..<count]
        format = start.withUnsafeBytes { CompressionFormat(firstBytes: $0) }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        if start.isEmpty { return try inner.read(into: buffer) }
        let piece = start.prefix(buffer.count)
        buffer.copyBytes(from: piece)
        start = start.dropFirst(piece.count)
        return piece.count
    }
}
