/// How a layer's bytes are compressed. Only the first bytes tell: media types are not reliable.
package enum CompressionFormat: String, CaseIterable, Sendable {
    case none, gzip, zstd, bzip2, xz
}

extension Set<CompressionFormat> {
    /// Every format that can be read.
    package static var all: Set<CompressionFormat> { Set(CompressionFormat.allCases) }
}
