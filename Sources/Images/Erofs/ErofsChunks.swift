/// A sparse file cut into chunks of one size: those with data lie one after the other, the others are holes.
struct ErofsChunks {
    /// More chunks than this make them larger: a file may be mostly holes and seem endless.
    private static let limit: Int64 = 1 << 16

    let size: Int64
    /// A chunk has 2^bits blocks.
    let bits: Int
    /// For each stretch of chunks with data: the first of them, and one more than the last.
    private let runs: [Range<Int64>]
    /// The image's block with the first data.
    var start: Int64 = 0
    /// The run that was asked for last, and the bytes in those before it.
    private var current = 0
    private var before: Int64 = 0

    init(size: Int64, segments: [TarEntry.Segment]) {
        self.size = size
        var bits = 0
        while (ErofsFormat.blocks(size) - 1) >> Int64(bits) >= ErofsChunks.limit { bits += 1 }
        self.bits = bits
        var runs: [Range<Int64>] = []
        let shift = Int64(ErofsFormat.blockBits + bits)
        for segment in segments where segment.length > 0 {
            let first = segment.offset >> shift
            let end = (segment.offset + segment.length - 1) >> shift + 1
            if let last = runs.last, first <= last.upperBound {
                runs[runs.count - 1] = last.lowerBound..<max(end, last.upperBound)
            } else {
                runs.append(first..<end)
            }
        }
        self.runs = runs
    }

    private var shift: Int64 { Int64(ErofsFormat.blockBits + bits) }

    /// Blocks of data. The file's last chunk need not be whole.
    var blocks: Int64 {
        let whole = runs.reduce(0) { $0 + Int64($1.count) } << Int64(bits)
        guard let last = runs.last else { return 0 }
        return whole - max(0, last.upperBound << Int64(bits) - ErofsFormat.blocks(size))
    }

    /// The image's block with each chunk's first byte.
    var table: [UInt8] {
        let chunks = Int((size + 1 << shift - 1) >> shift)
        var table = LittleEndian(capacity: chunks * 4)
        var next = start
        for run in runs {
            table.append(holes: Int(run.lowerBound) - table.bytes.count / 4)
            for _ in run {
                table.append(UInt32(next))
                next += 1 << Int64(bits)
            }
        }
        table.append(holes: chunks - table.bytes.count / 4)
        return table.bytes
    }

    /// Where in the image a byte of a segment goes. Asked for in order.
    mutating func place(of offset: Int64) -> Int64 {
        // A segment lies in one run, and a run's chunks lie in the image as they do in the file.
        while offset >> shift >= runs[current].upperBound {
            before += Int64(runs[current].count) << shift
            current += 1
        }
        return start << Int64(ErofsFormat.blockBits) + before + offset - runs[current].lowerBound << shift
    }
}

extension LittleEndian {
    fileprivate mutating func append(holes count: Int) {
        for _ in 0..<count { append(ErofsFormat.hole) }
    }
}
