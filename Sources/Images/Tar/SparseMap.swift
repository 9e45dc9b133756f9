import OCI

/// Where a sparse file's data lies, in the four ways that tar says it (GNU tar manual, appendix "Storing Sparse
/// Files").
struct SparseMap {
    var segments: [TarEntry.Segment] = []
    /// The file's size with its holes.
    var size: Int64 = 0

    /// A GNU header of type 'S': four segments in it and 21 in each block behind it.
    static func gnu(_ header: TarHeader, limit: Int, nextBlock: () throws -> UnsafeRawBufferPointer?) throws
        -> SparseMap
    {
        var map = SparseMap()
        map.size = try header.number(483..<495, "sparse size")
        var more = header.block[482] != 0
        try map.appendFields(of: header.block, at: 386, count: 4)
        var bytes = 0
        while more {
            bytes += TarHeader.size
            guard bytes <= limit, let block = try nextBlock() else { throw corruptTar("a sparse map has no end") }
            more = block[504] != 0
            try map.appendFields(of: block, at: 0, count: 21)
        }
        return map
    }

    private mutating func appendFields(of block: UnsafeRawBufferPointer, at start: Int, count: Int) throws {
        for index in 0..<count {
            let field = start + index * 24
            // An empty field ends the list.
            if block[field] == 0 { return }
            let offset = try TarHeader.number(block[field..<field + 12], "sparse map")
            let length = try TarHeader.number(block[field + 12..<field + 24], "sparse map")
            segments.append(TarEntry.Segment(offset: offset, length: length))
        }
    }

    /// PAX 0.0 and 0.1: the map is in the records. Nil where there is none.
    static func pax0(_ pax: PaxRecords) throws -> SparseMap? {
        guard let size = try pax.number("GNU.sparse.size") else { return nil }
        var numbers = pax.sparseNumbers
        if let text = pax["GNU.sparse.map"], !text.isEmpty {
            numbers = try text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                .map { try PaxRecords.decimal($0, "sparse map") }
        }
        if numbers.isEmpty, try pax.number("GNU.sparse.numblocks") ?? 0 != 0 {
            throw corruptTar("a sparse map is missing")
        }
        return try SparseMap(numbers: numbers, size: size)
    }

    /// PAX 1.0: decimal numbers, one a line, in the first blocks of the content.
    static func pax1(_ pax: PaxRecords, limit: Int, nextBlock: () throws -> UnsafeRawBufferPointer?) throws -> SparseMap
    {
        guard let size = try pax.number("GNU.sparse.realsize") else { throw corruptTar("a sparse file has no size") }
        var numbers: [Int64] = []
        var line: [UInt8] = []
        var bytes = 0
        // The first number counts the pairs that follow.
        while numbers.isEmpty || numbers.count < 1 + 2 * Int(numbers[0]) {
            bytes += TarHeader.size
            guard bytes <= limit, let block = try nextBlock() else { throw corruptTar("a sparse map has no end") }
            for byte in block where numbers.isEmpty || numbers.count < 1 + 2 * Int(numbers[0]) {
                guard byte == 0x0a else {
                    line.append(byte)
                    continue
                }
                let number = try PaxRecords.decimal(line[...], "sparse map")
                // The limit on bytes bounds the count of pairs too: "0\n" is the shortest number.
                guard number >= 0, !numbers.isEmpty || number <= limit / 4 else {
                    throw corruptTar("a sparse map is too long")
                }
                numbers.append(number)
                line = []
            }
        }
        return try SparseMap(numbers: Array(numbers.dropFirst()), size: size)
    }

    private init() {}

    private init(numbers: [Int64], size: Int64) throws {
        guard numbers.count.isMultiple(of: 2) else { throw corruptTar("a sparse map is incomplete") }
        self.size = size
        for index in stride(from: 0, to: numbers.count, by: 2) {
            segments.append(TarEntry.Segment(offset: numbers[index], length: numbers[index + 1]))
        }
    }

    /// Segments in order, without overlap, inside the file, and as many bytes of them as the archive stores.
    func check(stored: Int64) throws {
        guard size >= 0, size <= 1 << 60 else { throw corruptTar("a sparse file's size is out of range") }
        var end: Int64 = 0
        var sum: Int64 = 0
        for segment in segments {
            guard segment.offset >= end, segment.length >= 0, segment.offset <= size,
                segment.length <= size - segment.offset
            else { throw corruptTar("a sparse map is out of order") }
            end = segment.offset + segment.length
            sum += segment.length
        }
        if sum != stored { throw corruptTar("a sparse map and the data behind it differ in size") }
    }
}

/// Where in a file's content a reader stands, holes included.
struct SparseExpansion {
    enum Step {
        case zeros(Int), data(Int), end
    }

    private let segments: [TarEntry.Segment]
    private let size: Int64
    private var position: Int64 = 0
    private var index = 0

    init(segments: [TarEntry.Segment]?, size: Int64) {
        self.segments = segments ?? [TarEntry.Segment(offset: 0, length: size)]
        self.size = size
    }

    mutating func next(limit: Int) -> Step {
        while index < segments.count, position >= segments[index].offset + segments[index].length { index += 1 }
        if position >= size { return .end }
        guard index < segments.count else { return .zeros(Int(min(Int64(limit), size - position))) }
        let segment = segments[index]
        if position < segment.offset { return .zeros(Int(min(Int64(limit), segment.offset - position))) }
        return .data(Int(min(Int64(limit), segment.offset + segment.length - position)))
    }

    mutating func advance(by count: Int) { position += Int64(count) }
}
