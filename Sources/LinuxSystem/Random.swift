import CLinux

/// The kernel's random numbers (getrandom(2)).
package enum Random {
    /// At most 256 bytes, which the kernel gives in one piece.
    package static func bytes(_ count: Int) throws(SystemError) -> [UInt8] {
        precondition(count <= 256)
        var bytes = [UInt8](repeating: 0, count: count)
        try retrying("reading random bytes") { getrandom(&bytes, count, 0) }
        return bytes
    }

    /// A number for a name that nobody else may hit upon.
    package static func number() throws(SystemError) -> UInt64 {
        try bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
