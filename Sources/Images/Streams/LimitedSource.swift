import LinuxSystem
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

    /// Of an archive around many layers.
    var ofArchive: ExpansionLimits {
        var limits = self
        limits.size = size > .max / 16 ? .max : size * 16
        return limits
    }
}

/// What everything that comes in together may expand to: an image's layers, an archive's images, the archive around them. Were
/// each counted alone, a thousand layers of 16 MiB would make 4 TiB.
///
/// The ratio is that of all together; the size is each one's. Sources on any threads share one.
package final class ExpansionBudget: Sendable {
    let limits: ExpansionLimits
    /// The compressed bytes that all of it lies in, where that is known; else those that were read count.
    private let origin: Int64?
    private let read = Monitor((compressed: Int64(0), expanded: Int64(0)))

    package init(_ limits: ExpansionLimits, origin: Int64? = nil) {
        self.limits = limits
        self.origin = origin
    }

    /// Counts bytes that came out and those that were read for them; false where it has become too much.
    func take(expanded: Int64, compressed: Int64) -> Bool {
        let (read, out) = read.update { sums in
            sums.compressed += compressed
            sums.expanded += expanded
            return sums
        }
        guard let ratio = limits.ratio, out > limits.ratioFrom else { return true }
        return out / ratio <= min(read, origin ?? .max)
    }
}

/// Passes a decompressed source on and throws where it is larger than it may be.
package final class LimitedSource: ByteSource {
    private let inner: any ByteSource
    private let budget: ExpansionBudget
    private let subject: String
    private let compressed: (() -> Int64)?
    private var count: Int64 = 0
    private var compressedCount: Int64 = 0

    /// - Parameters:
    ///   - subject: what the error calls it.
    ///   - compressed: how many bytes of the compressed form were read so far; nil where there is none.
    package init(
        _ inner: any ByteSource,
        _ budget: ExpansionBudget,
        subject: String = "a layer",
        compressed: (() -> Int64)?
    ) {
        self.inner = inner
        self.budget = budget
        self.subject = subject
        self.compressed = compressed
    }

    /// What another source holds, decompressed.
    package convenience init(
        decompressing inner: any ByteSource,
        _ budget: ExpansionBudget,
        subject: String = "a layer"
    ) {
        let metered = MeteredSource(inner)
        self.init(DecompressingSource(metered), budget, subject: subject) { metered.count }
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try inner.read(into: buffer)
        self.count += Int64(count)
        // What is not compressed has as many bytes as come of it.
        let compressed = compressed?() ?? self.count
        let fits = budget.take(expanded: Int64(count), compressed: compressed - compressedCount)
        compressedCount = compressed
        if self.count > budget.limits.size { throw refusal("more than \(budget.limits.size) bytes") }
        if !fits, let ratio = budget.limits.ratio { throw refusal("more than \(ratio) times its size") }
        return count
    }

    private func refusal(_ size: String) -> EngineError {
        EngineError(
            .invalid,
            "\(subject) expands to \(size)",
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
