import LinuxSystem
import OCI

/// Which layers may be read at once: as many as the machine can work on, and by the memory that they take.
///
/// Between its stages every layer has buffers of one size (`perLayer`); what its decoder takes on top is the archive's to
/// say: 32 KiB for gzip, 8 MiB for zstd as it is mostly written, but up to the window of 128 MiB that zstd's format asks
/// everybody to take (RFC 8878, 3.1.1.1.2), and 65 MiB for `xz -9`. Two such layers side by side would take more than the
/// whole program should. So layers begin in order, and each only when all before it have said what they need and there is
/// room; one that needs more than is left waits for those below it. The lowest always goes on, so that nobody waits in a
/// circle: a window of 128 MiB is then at work alone.
///
/// What is said to be gzip or a plain tar is taken to need little from the start, so that a layer whose first bytes are slow
/// to come holds nobody back. Where that was wrong, or a later frame wants more than the first, it is granted to the lowest all the
/// same: only then those that have begun above it, of the ordinary size, come on top of the limit.
struct LayerBudget: Sendable {
    /// Bytes for all layers together.
    static let limit = 80 << 20
    /// Four pieces before the decoder and four after it (`ReadAhead`), an image's buffers, a decoder's own.
    static let perLayer = 8 << 20

    static func isSmall(_ type: MediaType) -> Bool {
        [.layer, .layerGzip, .dockerLayer, .dockerLayerGzip].contains(type)
    }

    /// How many, whatever they need. Some more than there are processors, since the bytes may have to be waited for.
    let layers: Int

    init(layers: Int = min(max(Processors.configured, 4), 8)) { self.layers = layers }

    private struct Need {
        var bytes = LayerBudget.perLayer
        var isKnown: Bool
    }

    private var needs: [Int: Need] = [:]

    /// Whether one more may begin.
    var hasRoom: Bool {
        needs.count < layers && needs.values.allSatisfy(\.isKnown)
            && needs.values.reduce(0) { $0 + $1.bytes } + Self.perLayer <= Self.limit
    }

    /// - Parameter isSmall: whether it is expected to need little.
    mutating func begin(_ layer: Int, isSmall: Bool) { needs[layer] = Need(isKnown: isSmall) }

    /// What a layer's decoder needs, in bytes. False, and nothing has changed, while there is no room for it.
    mutating func grant(_ layer: Int, _ bytes: Int, isLowest: Bool) -> Bool {
        let others = needs.reduce(0) { $1.key == layer ? $0 : $0 + $1.value.bytes }
        guard isLowest || others + Self.perLayer + bytes <= Self.limit else { return false }
        needs[layer] = Need(bytes: Self.perLayer + bytes, isKnown: true)
        return true
    }

    /// A layer's archive is read, or will not be.
    mutating func end(_ layer: Int) { needs[layer] = nil }
}
