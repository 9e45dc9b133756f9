import CLinux
import OCI

/// Compresses what is written and passes it on to another sink. The same bytes and level give the same output with the
/// same library, whatever the pieces they come in: gzip headers carry neither name nor time.
package final class CompressingSink: ByteSink {
    private let inner: any ByteSink
    private let encoder: (any StreamEncoder)?
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 16)
    private var isFinished = false

    /// - Parameters:
    ///   - format: .gzip, .zstd or .none; the others are only read.
    ///   - level: the library's own scale; nil is its default (gzip 6, zstd 3).
    package init(_ inner: any ByteSink, _ format: CompressionFormat, level: Int32? = nil) throws {
        self.inner = inner
        switch format {
        case .none: encoder = nil
        case .gzip: encoder = try GzipEncoder(level: level ?? 6)
        case .zstd: encoder = try ZstdEncoder(level: level ?? 3)
        case .bzip2, .xz: throw EngineError(.unsupported, "writing \(format.rawValue) is not supported")
        }
    }

    deinit { buffer.deallocate() }

    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard let encoder else { return try inner.write(bytes) }
        var rest = bytes
        while !rest.isEmpty {
            let step = try encoder.encode(rest, into: buffer, isLast: false)
            rest = UnsafeRawBufferPointer(rebasing: rest[step.consumed...])
            try pass(step.produced)
        }
    }

    /// Writes what is left and the format's end. Without it the output is truncated; nothing may be written after it.
    package func finish() throws {
        guard let encoder, !isFinished else { return }
        isFinished = true
        while true {
            let step = try encoder.encode(UnsafeRawBufferPointer(start: nil, count: 0), into: buffer, isLast: true)
            try pass(step.produced)
            if step.ended { return }
        }
    }

    private func pass(_ count: Int) throws {
        if count > 0 { try inner.write(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
    }
}

/// A compression library behind one interface.
protocol StreamEncoder: AnyObject {
    func encode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, isLast: Bool) throws
        -> DecodingStep
}

final class GzipEncoder: StreamEncoder {
    // zlib checks that its state and the stream stay where they were.
    private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

    init(level: Int32) throws {
        stream.initialize(to: z_stream())
        let size = Int32(MemoryLayout<z_stream>.size)
        guard deflateInit2_(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK
        else {
            throw EngineError(.invalid, "gzip has no level \(level)")
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    func encode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, isLast: Bool) throws
        -> DecodingStep
    {
        // z_stream counts in 32 bits.
        let taken = min(input.count, 1 << 30)
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.bindMemory(to: UInt8.self).baseAddress)
        stream.pointee.avail_in = UInt32(taken)
        stream.pointee.next_out = output.bindMemory(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(output.count)
        let code = deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
        guard code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR else {
            throw EngineError(.failed, "compressing with gzip failed")
        }
        return DecodingStep(
            consumed: taken - Int(stream.pointee.avail_in),
            produced: output.count - Int(stream.pointee.avail_out),
            ended: code == Z_STREAM_END
        )
    }
}

final class ZstdEncoder: StreamEncoder {
    private let context: OpaquePointer

    init(level: Int32) throws {
        guard let context = ZSTD_createCCtx() else { throw EngineError(.failed, "starting zstd failed") }
        self.context = context
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    }

    deinit { ZSTD_freeCCtx(context) }

    func encode(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, isLast: Bool) throws
        -> DecodingStep
    {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let left = ZSTD_compressStream2(context, &target, &source, isLast ? ZSTD_e_end : ZSTD_e_continue)
        if ZSTD_isError(left) != 0 { throw EngineError(.failed, "compressing with zstd failed") }
        return DecodingStep(consumed: source.pos, produced: target.pos, ended: left == 0)
    }
}
