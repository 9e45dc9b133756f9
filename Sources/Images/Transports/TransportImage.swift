import OCI

/// An image in an archive or a layout: readable where it is, without a store.
package struct TransportImage: ImageContent, Sendable {
    /// From a docker archive it is made up: each layer's descriptor has the digest of the plain tar.
    package let manifest: ImageManifest
    package let configuration: ImageConfiguration
    package let configurationBytes: [UInt8]
    /// The names that it has there.
    package let references: [ImageReference]
    let source: Source

    enum Source: Sendable {
        /// A manifest in an OCI layout; `target` is what index.json points to: the manifest or an index.
        case layout(OCILayout, target: Descriptor, manifest: Descriptor)
        /// A file for each layer, by diff id.
        case docker(any ArchiveFiles, paths: [Digest: String])
    }

    package var origin: Int64? {
        switch source {
        case .layout(let layout, _, _): layout.files.origin
        case .docker(let files, _): files.origin
        }
    }

    /// The configuration's digest.
    package var id: Digest { manifest.configuration.digest }

    /// Whether a layer's descriptor is that of its file; else of the tar in it.
    var layersAreBlobs: Bool {
        switch source {
        case .layout: true
        case .docker: false
        }
    }

    package func open(layer: Descriptor) throws -> any ByteSource {
        let file = try file(of: layer)
        return layersAreBlobs
            ? VerifiedSource(file.source, digest: layer.digest, size: layer.size)
            : VerifiedSource(DecompressingSource(file.source), digest: layer.digest, size: nil, subject: "layer")
    }

    /// A layer's file as it is, not verified.
    func file(of layer: Descriptor) throws -> (source: any ByteSource, size: Int64) {
        switch source {
        case .layout(let layout, _, _): return try layout.file(of: layer)
        case .docker(let files, let paths):
            guard let path = paths[layer.digest] else { throw EngineError(.notFound, "no layer \(layer.digest)") }
            guard let file = try files.open(path) else { throw files.missing(path) }
            return file
        }
    }
}
