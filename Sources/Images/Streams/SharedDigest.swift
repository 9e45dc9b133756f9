/// A digest of bytes that come into a file, which others may count on their way: two streams take the time of one
/// (`RunningDigest.hasPairs`). What nobody has helped with its owner counts in the end.
protocol SharedDigest: AnyObject, Sendable {
    /// Until `leave`, `update` is called as often as there are bytes.
    func join()
    func leave()

    /// Adds `bytes` to another digest, and the next bytes of its own to this one; false, and nothing has changed, where it has
    /// none that wait.
    /// - Parameter scratch: for its own bytes. No more of them are added than there are others.
    func update(
        beside running: inout RunningDigest,
        _ bytes: UnsafeRawBufferPointer,
        _ scratch: UnsafeMutableRawBufferPointer
    ) throws -> Bool
}

/// A source whose own digest others may help with.
protocol DigestedSource: ByteSource {
    var sharedDigest: (any SharedDigest)? { get }
}
