import OCI

/// Passes another source on and computes its digest.
package final class HashingSource: ByteSource {
    private let inner: any ByteSource
    private var running = RunningDigest()

    package init(_ inner: any ByteSource) { self.inner = inner }

    /// The SHA-256 of all that was read so far.
    package var digest: Digest { running.digest }
    /// How many bytes were read so far.
    package var count: Int64 { running.count }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try inner.read(into: buffer)
        running.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        return count
    }
}

/// Computes the digest of what is written, and passes it on to another sink if there is one.
package final class HashingSink: ByteSink {
    private let inner: (any ByteSink)?
    private var running = RunningDigest()

    package init(_ inner: (any ByteSink)? = nil) { self.inner = inner }

    /// The SHA-256 of all that was written so far.
    package var digest: Digest { running.digest }
    /// How many bytes were written so far.
    package var count: Int64 { running.count }

    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        running.update(bytes)
        try inner?.write(bytes)
    }
}

/// Passes a source on and throws unless it is exactly what a descriptor promised.
///
/// The promise is kept only at the end: whoever reads must read until `read` returns 0 (`drain()`), and must not let
/// anything out that depends on the bytes before that.
package final class VerifiedSource: ByteSource {
    private let inner: any ByteSource
    private let expected: Digest
    private let size: Int64?
    private let subject: String
    private var running = RunningDigest()
    private var isVerified = false

    /// - Parameters:
    ///   - size: in bytes; nil where only the digest is known (a diff id).
    ///   - subject: what the error calls it: "blob", "layer".
    package init(_ inner: any ByteSource, digest: Digest, size: Int64?, subject: String = "blob") {
        self.inner = inner
        self.expected = digest
        self.size = size
        self.subject = subject
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = try inner.read(into: buffer)
        if count == 0 {
            try verify()
            return 0
        }
        running.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        if let size, running.count > size {
            throw EngineError(.corrupt, "\(subject) \(expected) is larger than the \(size) bytes it should have")
        }
        return count
    }

    private func verify() throws {
        if isVerified { return }
        if let size, running.count != size {
            throw EngineError(.corrupt, "\(subject) \(expected) has \(running.count) bytes instead of \(size)")
        }
        let digest = running.digest
        if digest != expected { throw EngineError(.corrupt, "\(subject) \(expected) has the digest \(digest)") }
        isVerified = true
    }
}
