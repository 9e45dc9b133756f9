import LinuxSystem
import NIOCore

/// A part of a file as a request's body: read piece by piece as the connection takes it, and from its start again for a
/// second try.
struct FilePart: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let path: String
    let offset: Int64
    let length: Int64
    /// Told how many bytes of the part have been handed over.
    let progress: @Sendable (Int64) -> Void

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let part: FilePart
        fileprivate var file: SharedFile?
        fileprivate var done: Int64 = 0

        mutating func next() async throws -> ByteBuffer? {
            if done == part.length { return nil }
            let file = try file ?? SharedFile(part.path)
            self.file = file
            let wanted = Int(Swift.min(256 << 10, part.length - done))
            var buffer = ByteBufferAllocator().buffer(capacity: wanted)
            let position = part.offset + done
            let count = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { room in
                try file.descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: room[..<wanted]), at: position)
            }
            if count == 0 { throw SystemError("reading", part.path, code: SystemError.inputOutput) }
            done += Int64(count)
            part.progress(done)
            return buffer
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(part: self) }
}

/// A descriptor that copies of a value share.
private final class SharedFile: Sendable {
    let descriptor: LinuxSystem.FileDescriptor
    init(_ path: String) throws { descriptor = try LinuxSystem.FileDescriptor.open(path) }
}
