import OCI

/// How far a compressed layer may expand. A few kilobytes of gzip can hold a gigabyte of zeros, of zstd a terabyte.
package struct ExpansionLimits: Equatable, Sendable {
    /// Bytes of one layer's tar.
    package var size: Int64 = 128 << 30
    /// How many times the compressed bytes that were read so far it may have, beyond the first `ratioFrom` bytes; nil for any.
    /// Real layers have 2 to 20; a file of zeros of some gigabytes is still fine.
    package var ratio: Int64? = 250
    package var ratioFrom: Int64 = 4 << 30

    package static let `default` = ExpansionLimits()
    package init() {}
}

/// Passes a decompressed source on and throws where it is larger than it may be.
package final class LimitedSource: ByteSource {
    private let inner: any ByteSource
    private let limits: ExpansionLimits
    private let compressed: () -> Int64
    private var count: Int64 = 0

    /// - Parameter compressed: how many bytes of the compressed form were read so far.
    package init(_ inner: any ByteSource, _ limits: ExpansionLimits, compressed: @escaping () -> Int64) {
        self.inner = inner
        self.limits = limits
        self.compressed = compressed
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try inner.read(into: buffer)
        self.count += Int64(count)
        if self.count > limits.size {
            throw LimitedSource.refusal("a layer expands to more than \(limits.size) bytes")
        }
        if let ratio = limits.ratio, self.count > limits.ratioFrom, self.count / ratio > compressed() {
            throw LimitedSource.refusal("a layer expands to more than \(ratio) times its size")
        }
        return count
    }

    private static func refusal(_ message: String) -> EngineError {
        EngineError(
            .invalid,
            message,
            hint: "if it is no tar bomb, allow it with --max-layer-size or MINIRUN_MAX_LAYER_SIZE"
        )
    }
}

/// Passes a source on and counts.
package final class MeteredSource: ByteSource {
    private let inner: any ByteSource
    /// How many bytes were read so far.
    package private(set) var count: Int64 = 0

    package init(_ inner: any ByteSource) { self.inner = inner }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try inner.read(into: buffer)
        self.count += Int64(count)
        return count
    }
}
