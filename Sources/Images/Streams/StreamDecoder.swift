import CInflate
import CLinux
import OCI

/// What one step of a decoder did.
struct DecodingStep {
    var consumed: Int
    var produced: Int
    /// A gzip member, zstd frame, bzip2 or xz stream is complete. Another may follow after `reset()`.
    var ended: Bool
}

/// A decompression library behind one interface: bytes in, bytes out, as much as fits.
protocol StreamDecoder: AnyObject {
    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws -> DecodingStep
    /// Prepares for the next member of the same file.
    func reset() throws
}

/// Told how many bytes a decoder needs in all, whenever that is more than before; it may wait until they may be taken.
package typealias DecoderMemory = (Int) throws -> Void

func corruptStream(_ format: CompressionFormat) -> EngineError {
    EngineError(.corrupt, "the \(format.rawValue) data is corrupt")
}

/// gzip (RFC 1952) by our own `CInflate`.
final class GzipDecoder: StreamDecoder {
    private let decoder: OpaquePointer

    init() throws {
        guard let decoder = gunzip_create() else { throw EngineError(.failed, "starting gzip failed") }
        self.decoder = decoder
    }

    deinit { gunzip_destroy(decoder) }

    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws -> DecodingStep {
        let from = input.bindMemory(to: UInt8.self)
        let to = output.bindMemory(to: UInt8.self)
        var step = DecodingStep(consumed: 0, produced: 0, ended: false)
        let result = gunzip_decode(
            decoder,
            from.baseAddress,
            from.count,
            &step.consumed,
            to.baseAddress,
            to.count,
            &step.produced
        )
        if result == GUNZIP_CORRUPT { throw corruptStream(.gzip) }
        step.ended = result == GUNZIP_MEMBER_END
        return step
    }

    func reset() throws { gunzip_reset(decoder) }
}

/// zstd (RFC 8878) by libzstd, which passes over skippable frames by itself.
final class ZstdDecoder: StreamDecoder {
    private let context: OpaquePointer
    private let reserve: DecoderMemory
    private var reserved = 0
    /// The beginning of a frame, while it does not tell the window yet.
    private var beginning: [UInt8]? = []

    init(_ reserve: @escaping DecoderMemory) throws {
        self.reserve = reserve
        guard let context = ZSTD_createDCtx() else { throw EngineError(.failed, "starting zstd failed") }
        self.context = context
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZstdDecoder.windowLog)
    }

    deinit { ZSTD_freeDCtx(context) }

    /// 128 MiB: what the format asks every decoder to take, and what bounds our memory.
    private static let windowLog: CInt = 27

    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws -> DecodingStep {
        let input = try announced(input)
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let left = ZSTD_decompressStream(context, &target, &source)
        if ZSTD_isError(left) != 0 {
            if ZSTD_getErrorCode(left) == ZSTD_error_frameParameter_windowTooLarge {
                throw EngineError(.unsupported, "the zstd data needs a window of more than 128 MiB")
            }
            throw corruptStream(.zstd)
        }
        if left == 0 { beginning = [] }
        return DecodingStep(consumed: source.pos, produced: target.pos, ended: left == 0)
    }

    /// How much of the input the library may have now: no more than the frame's header until that has told its window.
    private func announced(_ input: UnsafeRawBufferPointer) throws -> UnsafeRawBufferPointer {
        guard let known = beginning else { return input }
        let more = input.prefix(ZstdFrame.headerLimit - known.count)
        guard let window = ZstdFrame.window(known + more) else {
            beginning = known + more
            return UnsafeRawBufferPointer(rebasing: more)
        }
        beginning = nil
        // The window, and a few blocks of 128 KiB beside it; what is larger than the limit is refused.
        let wanted = min(window, 1 << ZstdDecoder.windowLog) + 1 << 19
        if wanted > reserved {
            try reserve(wanted)
            reserved = wanted
        }
        return input
    }

    // A finished frame leaves the context ready for the next.
    func reset() throws {}
}

/// bzip2 by libbz2.
final class Bzip2Decoder: StreamDecoder {
    /// 4 bytes for each of a block of 900,000 (bzip2(1)).
    static let memory = 4 << 20
    // libbz2 too checks that its stream stays where it was.
    private let stream = UnsafeMutablePointer<bz_stream>.allocate(capacity: 1)

    init() throws {
        stream.initialize(to: bz_stream())
        try start()
    }

    deinit {
        BZ2_bzDecompressEnd(stream)
        stream.deallocate()
    }

    private func start() throws {
        guard BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK else { throw EngineError(.failed, "starting bzip2 failed") }
    }

    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws -> DecodingStep {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: CChar.self).baseAddress)
        stream.pointee.avail_in = UInt32(input.count)
        stream.pointee.next_out = output.bindMemory(to: CChar.self).baseAddress
        stream.pointee.avail_out = UInt32(output.count)
        let code = BZ2_bzDecompress(stream)
        guard code == BZ_OK || code == BZ_STREAM_END else { throw corruptStream(.bzip2) }
        return DecodingStep(
            consumed: input.count - Int(stream.pointee.avail_in),
            produced: output.count - Int(stream.pointee.avail_out),
            ended: code == BZ_STREAM_END
        )
    }

    func reset() throws {
        BZ2_bzDecompressEnd(stream)
        stream.pointee = bz_stream()
        try start()
    }
}

/// xz by liblzma.
final class XzDecoder: StreamDecoder {
    private var stream = lzma_stream()
    private let reserve: DecoderMemory
    /// What the library may take; it asks for more when a block begins.
    private var reserved: UInt64 = 1

    init(_ reserve: @escaping DecoderMemory) throws {
        self.reserve = reserve
        try start()
    }

    deinit { lzma_end(&stream) }

    private func start() throws {
        guard lzma_stream_decoder(&stream, reserved, 0) == LZMA_OK else {
            throw EngineError(.failed, "starting xz failed")
        }
    }

    func decode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) throws -> DecodingStep {
        stream.next_in = input.bindMemory(to: UInt8.self).baseAddress
        stream.avail_in = input.count
        stream.next_out = output.bindMemory(to: UInt8.self).baseAddress
        stream.avail_out = output.count
        var code = lzma_code(&stream, LZMA_RUN)
        while code == LZMA_MEMLIMIT_ERROR {
            try raiseLimit()
            code = lzma_code(&stream, LZMA_RUN)
        }
        guard code == LZMA_OK || code == LZMA_STREAM_END || code == LZMA_BUF_ERROR else { throw corruptStream(.xz) }
        return DecodingStep(
            consumed: input.count - stream.avail_in,
            produced: output.count - stream.avail_out,
            ended: code == LZMA_STREAM_END
        )
    }

    private func raiseLimit() throws {
        let wanted = lzma_memusage(&stream)
        // xz -9 takes 65 MiB; the limit keeps a hostile header from asking for 4 GiB.
        guard wanted > reserved, wanted <= 256 << 20 else {
            throw EngineError(.unsupported, "the xz data needs more than 256 MiB of memory")
        }
        try reserve(Int(wanted))
        guard lzma_memlimit_set(&stream, wanted) == LZMA_OK else { throw EngineError(.failed, "starting xz failed") }
        reserved = wanted
    }

    func reset() throws { try start() }
}
