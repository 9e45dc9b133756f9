import CSHA256
import Crypto
import OCI

/// SHA-256 of what is in memory.
package enum SHA256Digest {
    package static func of(_ bytes: [UInt8]) -> OCI.Digest { OCI.Digest(sha256: Array(SHA256.hash(data: bytes))) }
}

/// A running SHA-256 and a count of bytes.
struct RunningDigest: Sendable {
    private enum Hash {
        case library(SHA256)
        /// Our own, which can hash two streams in the time of one.
        case own(sha256)
    }

    private var hash: Hash
    private(set) var count: Int64 = 0

    /// Whether two digests together take less time than one after the other.
    static let hasPairs = sha256_is_supported() != 0

    init() {
        guard RunningDigest.hasPairs else {
            hash = .library(SHA256())
            return
        }
        var own = sha256()
        sha256_begin(&own)
        hash = .own(own)
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        count += Int64(bytes.count)
        switch hash {
        case .library(var library):
            library.update(bufferPointer: bytes)
            hash = .library(library)
        case .own(var own):
            sha256_update(&own, bytes.start, bytes.count)
            hash = .own(own)
        }
    }

    /// As `update` of both.
    static func update(
        _ one: inout RunningDigest,
        _ bytes: UnsafeRawBufferPointer,
        _ other: inout RunningDigest,
        _ otherBytes: UnsafeRawBufferPointer
    ) {
        guard case .own(var own) = one.hash, case .own(var second) = other.hash else {
            one.update(bytes)
            other.update(otherBytes)
            return
        }
        sha256_update_both(&own, bytes.start, bytes.count, &second, otherBytes.start, otherBytes.count)
        one.hash = .own(own)
        one.count += Int64(bytes.count)
        other.hash = .own(second)
        other.count += Int64(otherBytes.count)
    }

    /// Of everything so far; more may follow.
    var digest: OCI.Digest {
        switch hash {
        case .library(let library): return OCI.Digest(sha256: Array(library.finalize()))
        case .own(var own):
            return OCI.Digest(
                sha256: [UInt8](unsafeUninitializedCapacity: 32) { digest, count in
                    sha256_digest(&own, digest.baseAddress)
                    count = 32
                }
            )
        }
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var start: UnsafePointer<UInt8>? { baseAddress?.assumingMemoryBound(to: UInt8.self) }
}
