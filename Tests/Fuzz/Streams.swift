import Images
import OCI

extension Fuzz {
    /// gzip, zstd, bzip2, xz or plain, by the first bytes: however the input is cut into pieces, the same comes out.
    static func streams(_ bytes: UnsafeRawBufferPointer) {
        let input = Array(bytes)
        let whole = decompress(MemorySource(input))
        let pieces = decompress(Pieces(input))
        require(whole == pieces, "pieces of the input change the output")
    }

    private enum Outcome: Equatable {
        case bytes([UInt8])
        case refused
        /// More than the target looks at.
        case large
    }

    private static func decompress(_ source: any ByteSource) -> Outcome {
        let decompressing = DecompressingSource(source)
        var output: [UInt8] = []
        do {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4099, alignment: 16)
            defer { buffer.deallocate() }
            while true {
                let count = try decompressing.read(into: buffer)
                if count == 0 { return .bytes(output) }
                output.append(contentsOf: buffer[..<count])
                if output.count > 1 << 20 { return .large }
            }
        } catch { return .refused }
    }
}

/// Gives 1, 2, 3 … bytes at a time.
private final class Pieces: ByteSource {
    private let bytes: [UInt8]
    private var position = 0
    private var length = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        length = length % 37 + 1
        let count = min(length, buffer.count, bytes.count - position)
        for offset in 0..<count { buffer[offset] = bytes[position + offset] }
        position += count
        return count
    }
}
