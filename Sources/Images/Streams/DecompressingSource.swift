import CLinux
import OCI

/// What another source holds, decompressed. It reads its inner source to the very end, so a `VerifiedSource` below it
/// is verified when this one is at its end.
///
/// Several members, frames or streams one after the other are read as one, as their tools do; zeros after the last are
/// padding, anything else is an error. Memory is bounded whatever the data says.
package final class DecompressingSource: ByteSource {
    private let inner: any ByteSource
    private let formats: Set<CompressionFormat>
    private let reserve: DecoderMemory
    private var decoder: (any StreamDecoder)?
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 16)
    /// The part of `buffer` that is not consumed yet.
    private var pending = 0..<0
    private var isInsideMember = false
    private var isInputOver = false
    private var isFinished = false

    /// - Parameters:
    ///   - formats: what is accepted; another format is an error (.unsupported).
    ///   - reserve: called before a decoder takes memory; what it throws `read` throws.
    package init(
        _ inner: any ByteSource,
        formats: Set<CompressionFormat> = .all,
        reserve: @escaping DecoderMemory = { _ in }
    ) {
        self.reserve = reserve
        self.inner = inner
        self.formats = formats
    }

    deinit { buffer.deallocate() }

    /// What the first bytes said; nil before the first `read`.
    package private(set) var format: CompressionFormat?

    package func read(into output: UnsafeMutableRawBufferPointer) throws -> Int {
        if format == nil { try detect() }
        guard let decoder else { return try readPlain(into: output) }
        while !isFinished {
            if pending.isEmpty, !isInputOver { try refill() }
            if pending.isEmpty, !isInsideMember { break }
            if !isInsideMember, try !startsMember(decoder) { break }
            let step = try decoder.decode(UnsafeRawBufferPointer(rebasing: buffer[pending]), into: output)
            pending = (pending.lowerBound + step.consumed)..<pending.upperBound
            if step.ended { isInsideMember = false }
            if step.produced > 0 { return step.produced }
            // No progress: the data is over, or the library is stuck (which it should not be).
            if step.consumed == 0, !step.ended, isInputOver || !pending.isEmpty {
                throw EngineError(.corrupt, "the \(format?.rawValue ?? "") data ends too early")
            }
        }
        isFinished = true
        return 0
    }

    private func readPlain(into output: UnsafeMutableRawBufferPointer) throws -> Int {
        if pending.isEmpty { return isInputOver ? 0 : try inner.read(into: output) }
        let count = min(output.count, pending.count)
        let start = pending.lowerBound
        output.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<start + count]))
        pending = (start + count)..<pending.upperBound
        return count
    }

    private func refill() throws {
        let count = try inner.read(into: buffer)
        pending = 0..<count
        isInputOver = count == 0
    }

    /// Between two members: false where only padding is left, which is read to its end.
    private func startsMember(_ decoder: any StreamDecoder) throws -> Bool {
        guard buffer[pending.lowerBound] == 0 else {
            try decoder.reset()
            isInsideMember = true
            return true
        }
        while !pending.isEmpty {
            guard buffer[pending].allSatisfy({ $0 == 0 }) else {
                throw EngineError(.corrupt, "there is garbage after the \(format?.rawValue ?? "") data")
            }
            try refill()
        }
        return false
    }

    private func detect() throws {
        let count = try inner.readFully(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<512]))
        pending = 0..<count
        isInputOver = count < 512
        let found = CompressionFormat(firstBytes: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        guard formats.contains(found) else {
            let name = found == .none ? "data without compression" : "\(found.rawValue) compression"
            throw EngineError(.unsupported, "\(name) is not accepted here")
        }
        format = found
        isInsideMember = found != .none
        switch found {
        case .none:
            try reserve(0)
            decoder = nil
        case .gzip:
            try reserve(0)
            decoder = try GzipDecoder()
        case .zstd: decoder = try ZstdDecoder(reserve)
        case .bzip2:
            try reserve(Bzip2Decoder.memory)
            decoder = try Bzip2Decoder()
        case .xz: decoder = try XzDecoder(reserve)
        }
    }
}

extension CompressionFormat {
    /// By magic number; whatever has none is taken as not compressed.
    package init(firstBytes bytes: UnsafeRawBufferPointer) {
        func starts(_ magic: [UInt8], at offset: Int = 0) -> Bool {
            bytes.count >= offset + magic.count && bytes[offset..<offset + magic.count].elementsEqual(magic)
        }
        if starts([0x1f, 0x8b, 8]) {
            self = .gzip
        } else if starts([0x28, 0xb5, 0x2f, 0xfd]) || starts([0x2a, 0x4d, 0x18], at: 1) && bytes[0] & 0xf0 == 0x50 {
            self = .zstd
        } else if starts(Array("BZh".utf8)), bytes.count >= 10, (0x31...0x39).contains(bytes[3]),
            // The first block's magic, or that of the end where there is no block.
            starts([0x31, 0x41, 0x59, 0x26, 0x53, 0x59], at: 4) || starts([0x17, 0x72, 0x45, 0x38, 0x50, 0x90], at: 4)
        {
            self = .bzip2
        } else if starts([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]) {
            self = .xz
        } else {
            self = .none
        }
    }
}
