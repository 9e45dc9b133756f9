import Crypto
import OCI

/// SHA-256 of what is in memory.
package enum SHA256Digest {
    package static func of(_ bytes: [UInt8]) -> OCI.Digest { OCI.Digest(sha256: Array(SHA256.hash(data: bytes))) }
}

/// A running SHA-256 and a count of bytes.
struct RunningDigest {
    private var hash = SHA256()
    private(set) var count: Int64 = 0

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        hash.update(bufferPointer: bytes)
        count += Int64(bytes.count)
    }

    /// Of everything so far; more may follow.
    var digest: OCI.Digest { OCI.Digest(sha256: Array(hash.finalize())) }
}
