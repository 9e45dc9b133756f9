import OCI

/// Bytes to be read once, front to back: a file, a download, what a decompressor makes of another source.
package protocol ByteSource: AnyObject {
    /// Fills the front of `buffer` and returns how many bytes came; 0 is the end, and every call after it returns 0
    /// too. An empty buffer is not allowed.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int
}

/// A source whose `read` may wait for bytes that are still to come from elsewhere.
package protocol WaitingSource: ByteSource, Sendable {
    /// Makes a `read` that waits, and every later one, throw. Called on any thread.
    func cancel()
}

/// Where bytes go, front to back.
package protocol ByteSink: AnyObject {
    /// Takes all of `bytes` or throws.
    func write(_ bytes: UnsafeRawBufferPointer) throws
}

/// The size of the buffers between streams: large enough that a call per buffer costs nothing.
let streamBufferSize = 256 << 10

extension ByteSource {
    /// Fills all of `buffer` unless the end comes before; returns how many bytes came.
    package func readFully(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        var filled = 0
        while filled < buffer.count {
            let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
            if count == 0 { break }
            filled += count
        }
        return filled
    }

    /// Hands everything that is left to `body`, piece by piece; returns the number of bytes.
    @discardableResult
    package func drain(_ body: (UnsafeRawBufferPointer) throws -> Void = { _ in }) throws -> Int64 {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 16)
        defer { buffer.deallocate() }
        var total: Int64 = 0
        while true {
            let count = try read(into: buffer)
            if count == 0 { return total }
            total += Int64(count)
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// Writes everything that is left to `sink`; returns the number of bytes.
    @discardableResult
    package func copy(to sink: any ByteSink) throws -> Int64 { try drain { try sink.write($0) } }

    /// Everything that is left, in memory; more than `limit` bytes are an error.
    package func readAll(limit: Int = 64 << 20) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try drain { piece in
            guard piece.count <= limit - bytes.count else {
                throw EngineError(.invalid, "a file of more than \(limit) bytes")
            }
            bytes.append(contentsOf: piece)
        }
        return bytes
    }
}

extension ByteSink {
    /// Writes an array.
    package func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }
}
