import CLinux
import LinuxSystem
import OCI

/// Reads a file, or a window of it, front to back.
package final class FileSource: ByteSource {
    private let file: FileDescriptor
    /// Where the next pread(2) starts; nil reads from the descriptor's own offset (pipes, sockets).
    private var offset: Int64?
    private var remaining: Int64?

    /// Takes `file` over.
    /// - Parameters:
    ///   - offset: where the window starts; the descriptor's own offset is then neither used nor moved, so that several
    ///     sources may share one file. With nil the descriptor's offset is used: for pipes.
    ///   - length: the window's length in bytes; nil goes to the end of the file. A file that ends before is an error.
    package init(owning file: consuming FileDescriptor, offset: Int64? = 0, length: Int64? = nil) {
        self.file = file
        self.offset = offset
        self.remaining = length
    }

    /// Opens a file of the engine's own.
    package convenience init(path: String) throws {
        self.init(owning: try FileDescriptor.open(path))
    }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        var wanted = buffer.count
        if let remaining {
            if remaining <= 0 { return 0 }
            wanted = Int(min(Int64(wanted), remaining))
        }
        let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
        let count: Int
        if let offset {
            count = try file.read(into: room, at: offset)
            self.offset = offset + Int64(count)
        } else {
            count = try file.read(into: room)
        }
        if let remaining {
            if count == 0 { throw EngineError(.corrupt, "a file ends \(remaining) bytes too early") }
            self.remaining = remaining - Int64(count)
        }
        return count
    }
}

/// Writes to a file, front to back. Closing does not promise that the bytes are on the disk: use `sync()`.
package final class FileSink: ByteSink {
    private let file: FileDescriptor

    /// Takes `file` over; writes at its offset.
    package init(owning file: consuming FileDescriptor) { self.file = file }

    package func write(_ bytes: UnsafeRawBufferPointer) throws { try file.write(bytes) }

    /// fsync(2).
    package func sync() throws { try file.sync() }

    /// The descriptor, on loan: valid while the sink lives.
    package var descriptor: CInt { file.raw }
}

/// Reads an array.
package final class MemorySource: ByteSource {
    private let bytes: [UInt8]
    private var position = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = min(buffer.count, bytes.count - position)
        bytes.withUnsafeBytes {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[position..<position + count]))
        }
        position += count
        return count
    }
}

/// Collects bytes in memory.
package final class MemorySink: ByteSink {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    package func write(_ bytes: UnsafeRawBufferPointer) throws { self.bytes.append(contentsOf: bytes) }
}
