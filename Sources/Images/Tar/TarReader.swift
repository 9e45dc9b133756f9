import OCI

/// What a reader puts up with.
package struct TarLimits: Equatable, Sendable {
    /// Bytes of one extension header: GNU long names, PAX records, sparse maps.
    package var header = 1 << 20
    /// Headers. The largest images have some hundred thousand files; each takes an inode.
    package var entries = 5_000_000
    /// Bytes of a name or link target (PATH_MAX), and components of a name.
    package var path = 4096
    package var depth = 512
    /// Bytes of names and link targets in all: an unpacker has to remember many of them. The largest images have some 50 MB.
    package var names = 1 << 30
    /// Bytes of content in all, as stored.
    package var total: Int64 = 1 << 42

    package static let `default` = TarLimits()
    package init() {}
}

/// Reads a tar archive front to back: ustar, PAX, old and new GNU, star and v7.
///
/// Whatever the bytes are, it returns entries or throws one EngineError. What it does not know it refuses: an archive
/// that two readers understand differently is how one of them is fooled.
package final class TarReader {
    private let input: TarInput
    private let limits: TarLimits
    private var global = PaxGlobals()
    private var entries = 0
    private var total: Int64 = 0
    private var nameBytes = 0
    private var isFinished = false

    /// Bytes of the current member's stored content that are not read yet, and the zeros behind it.
    private var contentLeft: Int64 = 0
    private var padding: Int64 = 0
    private var expansion = SparseExpansion(segments: nil, size: 0)

    package convenience init(_ source: any ByteSource, limits: TarLimits = .default) {
        self.init(BufferedPieces(source), limits: limits)
    }

    init(_ source: any PieceSource, limits: TarLimits) {
        input = TarInput(source)
        self.limits = limits
    }

    /// The next member, or nil at the end of the archive. What is left of the last one's content is skipped.
    package func next() throws -> TarEntry? {
        if isFinished { return nil }
        try skip()
        var extensions = TarExtensions()
        while let block = try input.block() {
            if block[0] == 0, block.allSatisfy({ $0 == 0 }) {
                try readEnd(extensions)
                return nil
            }
            let header = try TarHeader(block)
            entries += 1
            if entries > limits.entries {
                throw EngineError(
                    .invalid,
                    "the archive has more than \(limits.entries) entries",
                    hint: "if it is no tar bomb, allow it with --max-layer-entries or MINIRUN_MAX_LAYER_ENTRIES"
                )
            }
            if try !readExtension(header, into: &extensions) { return try entry(header, extensions) }
        }
        isFinished = true
        if !extensions.isEmpty { throw corruptTar("it ends after an extension header") }
        return nil
    }

    /// Two zero blocks end an archive; one at the end of the source is taken too, as GNU tar and Go do.
    private func readEnd(_ extensions: TarExtensions) throws {
        isFinished = true
        if !extensions.isEmpty { throw corruptTar("it ends after an extension header") }
        if let second = try input.block(), second.contains(where: { $0 != 0 }) {
            throw corruptTar("there is a lone block of zeros")
        }
    }

    /// Reads headers that only describe the next one; false for a member's own.
    private func readExtension(_ header: TarHeader, into extensions: inout TarExtensions) throws -> Bool {
        switch header.type {
        case UInt8(ascii: "x"), UInt8(ascii: "X"):
            var records = PaxRecords()
            try records.parse(try content(of: header))
            try extensions.take(pax: records)
        case UInt8(ascii: "g"): try global.add(try content(of: header))
        case UInt8(ascii: "L"): extensions.longName = TarReader.untilNUL(try content(of: header))
        case UInt8(ascii: "K"): extensions.longLink = TarReader.untilNUL(try content(of: header))
        case UInt8(ascii: "V"): try TarExtensions.checkVolume(header)
        default: return false
        }
        return true
    }

    private static func untilNUL(_ bytes: [UInt8]) -> [UInt8] {
        Array(bytes[..<(bytes.firstIndex(of: 0) ?? bytes.endIndex)])
    }

    /// The content of an extension header.
    private func content(of header: TarHeader) throws -> [UInt8] {
        let size = try header.size()
        guard size >= 0, size <= limits.header else {
            throw EngineError(.invalid, "the archive has an extension header of \(size) bytes")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(size))
        while bytes.count < size {
            let piece = try input.piece(limit: size - Int64(bytes.count))
            if piece.isEmpty { throw corruptTar("it ends inside a header") }
            bytes.append(contentsOf: piece)
        }
        try input.skip(TarReader.padded(size) - size)
        return bytes
    }

    /// Rounded up to whole blocks. `size` was checked, so nothing overflows.
    private static func padded(_ size: Int64) -> Int64 { (size + 511) & ~511 }

    /// Checks a content's size and counts it.
    private func size(_ size: Int64) throws -> Int64 {
        guard size >= 0 else { throw corruptTar("a size is negative") }
        guard size <= limits.total - total else {
            throw EngineError(.invalid, "the archive holds more than \(limits.total) bytes")
        }
        total += size
        return size
    }

    private func entry(_ header: TarHeader, _ extensions: TarExtensions) throws -> TarEntry {
        let pax = extensions.pax?.merged(over: global.records) ?? global.records
        var entry = TarEntry(path: try extensions.path(of: header, pax), kind: .file)
        let kind = try TarExtensions.kind(of: header.type, path: entry.path)
        entry.kind = kind
        entry.mode = UInt32(truncatingIfNeeded: try header.mode() & 0o7777)
        entry.uid = try TarExtensions.id(try pax.number("uid") ?? header.uid(), "owner")
        entry.gid = try TarExtensions.id(try pax.number("gid") ?? header.gid(), "group")
        if let time = try pax.time("mtime") {
            (entry.mtime, entry.mtimeNanoseconds) = time
        } else {
            entry.mtime = try header.mtime()
        }
        if kind == .symlink || kind == .hardlink { entry.linkTarget = try extensions.linkTarget(of: header, pax) }
        if kind == .characterDevice || kind == .blockDevice {
            entry.major = try TarExtensions.id(header.major(), "device")
            entry.minor = try TarExtensions.id(header.minor(), "device")
        }
        entry.xattrs = try TarExtensions.xattrs(pax)
        try checkNames(entry)
        let stored = try size(TarExtensions.size(of: kind, header, pax))
        contentLeft = stored
        padding = TarReader.padded(stored) - stored
        entry.size = stored
        if kind == .file { try readSparseMap(header, pax, into: &entry) }
        expansion = SparseExpansion(segments: entry.sparse, size: entry.size)
        return entry
    }

    private func checkNames(_ entry: TarEntry) throws {
        if entry.path.contains(0) || entry.linkTarget.contains(0) { throw corruptTar("a name holds a NUL") }
        guard entry.path.count <= limits.path, entry.linkTarget.count <= limits.path else {
            throw EngineError(.invalid, "the archive has a name of more than \(limits.path) bytes")
        }
        nameBytes += entry.path.count + entry.linkTarget.count
        guard nameBytes <= limits.names else {
            throw EngineError(.invalid, "the archive has more than \(limits.names) bytes of names")
        }
        // A name of n components has at least n - 1 slashes; a look is needed only for long ones.
        guard entry.path.count > limits.depth else { return }
        if entry.path.count(where: { $0 == UInt8(ascii: "/") }) > limits.depth {
            throw EngineError(
                .invalid,
                "the archive has a name of more than \(limits.depth) folders",
                hint: "if it is no tar bomb, allow it with --max-layer-depth or MINIRUN_MAX_LAYER_DEPTH"
            )
        }
    }

    private func readSparseMap(_ header: TarHeader, _ pax: PaxRecords, into entry: inout TarEntry) throws {
        let map: SparseMap?
        if header.type == UInt8(ascii: "S") {
            // The header's block dies with the next read: take what it says first.
            map = try SparseMap.gnu(header, limit: limits.header) { try self.input.block() }
        } else if pax["GNU.sparse.major"]?.elementsEqual("1".utf8) == true {
            map = try SparseMap.pax1(pax, limit: limits.header) { try self.mapBlock() }
        } else {
            map = try SparseMap.pax0(pax)
        }
        guard let map else { return }
        // The map of PAX 1.0 lies in the content and has shortened it.
        try map.check(stored: contentLeft)
        entry.sparse = map.segments
        entry.size = map.size
    }

    /// One block of a map that lies in the content.
    private func mapBlock() throws -> UnsafeRawBufferPointer? {
        guard contentLeft >= Int64(TarHeader.size) else { return nil }
        contentLeft -= Int64(TarHeader.size)
        return try input.block()
    }

    // MARK: Content

    /// The next piece of the current member's stored content, valid until the next call on this reader; nil at its end.
    /// A sparse file's content is its segments, one after the other.
    func storedPiece(limit: Int64 = .max) throws -> UnsafeRawBufferPointer? {
        if contentLeft == 0 { return nil }
        let piece = try input.piece(limit: min(contentLeft, limit))
        if piece.isEmpty { throw corruptTar("it ends inside a file") }
        contentLeft -= Int64(piece.count)
        return piece
    }

    /// The current member's content with a sparse file's holes as zeros; 0 is its end.
    package func readContent(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        switch expansion.next(limit: buffer.count) {
        case .end: return 0
        case .zeros(let count):
            UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]).initializeMemory(as: UInt8.self, repeating: 0)
            expansion.advance(by: count)
            return count
        case .data(let count):
            guard let piece = try storedPiece(limit: Int64(count)) else {
                throw corruptTar("a sparse file is incomplete")
            }
            buffer.copyMemory(from: piece)
            expansion.advance(by: piece.count)
            return piece.count
        }
    }

    /// Copies what is left of the current member's content.
    package func copyContent(to sink: any ByteSink) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try readContent(into: buffer)
            if count == 0 { return }
            try sink.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    /// Skips what is left of the current member's content; `next` does it too.
    package func skip() throws {
        try input.skip(contentLeft + padding)
        contentLeft = 0
        padding = 0
    }

    /// Reads the source to its end, so that a `VerifiedSource` below is verified.
    package func drain() throws { try input.drain() }
}

/// The current member's content as a source: valid until `next`.
package final class TarContentSource: ByteSource {
    private let reader: TarReader

    package init(_ reader: TarReader) { self.reader = reader }

    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int { try reader.readContent(into: buffer) }
}
