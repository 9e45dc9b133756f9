/// A folder's content: blocks, each with entries of 12 bytes and behind them the names, all sorted by the names' bytes
/// so that the kernel can halve its way to a name.
struct ErofsDirents {
    /// Sorted, with "." and "..".
    let names: [[UInt8]]
    /// For each block the first name of the next one.
    private let ends: [Int]
    /// In bytes: whole blocks, and of the last one what is used.
    let size: Int

    init(_ names: some Sequence<[UInt8]>) {
        var sorted = Array(names)
        sorted.append([0x2e])
        sorted.append([0x2e, 0x2e])
        sorted.sort { $0.lexicographicallyPrecedes($1) }
        var ends: [Int] = []
        var used = 0
        for (index, name) in sorted.enumerated() {
            let entry = ErofsFormat.direntSize + name.count
            if used + entry > ErofsFormat.blockSize {
                ends.append(index)
                used = 0
            }
            used += entry
        }
        ends.append(sorted.count)
        self.names = sorted
        self.ends = ends
        size = (ends.count - 1) << ErofsFormat.blockBits + used
    }

    /// The bytes, when every name's inode is known.
    func content(_ inode: ([UInt8]) -> (number: UInt64, type: UInt8)) -> [UInt8] {
        var bytes = LittleEndian(capacity: size)
        var first = 0
        for end in ends {
            bytes.append(zeros: -bytes.bytes.count & (ErofsFormat.blockSize - 1))
            var place = (end - first) * ErofsFormat.direntSize
            for name in names[first..<end] {
                let (number, type) = inode(name)
                bytes.append(number)
                bytes.append(UInt16(place))
                bytes.append(type)
                bytes.append(UInt8(0))
                place += name.count
            }
            for name in names[first..<end] { bytes.append(name) }
            first = end
        }
        return bytes.bytes
    }
}
