import Images

/// Members of an archive as old GNU tar writes them, which our own writer never does (GNU tar manual, "Basic Tar Format").
package enum GNUTar {
    /// A sparse file: four stretches in the header, 21 in each block behind it, then the data of all, one after the other.
    package static func sparse(_ entry: TarEntry, _ segments: [TarEntry.Segment], _ content: [UInt8]) -> [UInt8] {
        var header = block(entry, size: Int64(content.count), type: UInt8(ascii: "S"))
        put(segments.prefix(4), into: &header, at: 386)
        header[482] = segments.count > 4 ? 1 : 0
        setNumber(entry.size, &header, 483, 12)
        seal(&header)
        var rest = segments.dropFirst(4)
        while !rest.isEmpty {
            var more = [UInt8](repeating: 0, count: 512)
            put(rest.prefix(21), into: &more, at: 0)
            rest = rest.dropFirst(21)
            more[504] = rest.isEmpty ? 0 : 1
            header += more
        }
        return longNames(entry) + header + padded(content)
    }

    private static func put(_ segments: ArraySlice<TarEntry.Segment>, into block: inout [UInt8], at start: Int) {
        for (index, segment) in segments.enumerated() {
            setNumber(segment.offset, &block, start + index * 24, 12)
            setNumber(segment.length, &block, start + index * 24 + 12, 12)
        }
    }

    /// Types L and K: names that do not fit into a header.
    private static func longNames(_ entry: TarEntry) -> [UInt8] {
        var bytes: [UInt8] = []
        for (name, type) in [(entry.linkTarget, UInt8(ascii: "K")), (entry.path, UInt8(ascii: "L"))]
        where name.count > 100 {
            var header = block(TarEntry(path: "././@LongLink", kind: .file), size: Int64(name.count + 1), type: type)
            seal(&header)
            bytes += header + padded(name + [0])
        }
        return bytes
    }

    private static func block(_ entry: TarEntry, size: Int64, type: UInt8) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 512)
        let name = entry.path.prefix(100)
        header.replaceSubrange(0..<name.count, with: name)
        let target = entry.linkTarget.prefix(100)
        header.replaceSubrange(157..<157 + target.count, with: target)
        setNumber(Int64(entry.mode), &header, 100, 8)
        setNumber(Int64(entry.uid), &header, 108, 8)
        setNumber(Int64(entry.gid), &header, 116, 8)
        setNumber(size, &header, 124, 12)
        setNumber(entry.mtime, &header, 136, 12)
        header[156] = type
        header.replaceSubrange(257..<265, with: Array("ustar  \u{0}".utf8))
        return header
    }

    /// Octal digits and a NUL, or where they do not suffice base 256: two's complement behind a set first bit.
    private static func setNumber(_ value: Int64, _ block: inout [UInt8], _ offset: Int, _ size: Int) {
        if value >= 0, value < 1 << Int64((size - 1) * 3) {
            let digits = String(value, radix: 8)
            let field = String(repeating: "0", count: size - 1 - digits.utf8.count) + digits
            block.replaceSubrange(offset..<offset + size - 1, with: Array(field.utf8))
        } else {
            for index in 0..<size {
                block[offset + index] = UInt8(truncatingIfNeeded: value >> Int64(min(63, (size - 1 - index) * 8)))
            }
            block[offset] |= 0x80
        }
    }

    private static func seal(_ block: inout [UInt8]) {
        block.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
        let digits = String(block.reduce(0) { $0 + Int($1) }, radix: 8)
        block.replaceSubrange(
            148..<156,
            with: Array((String(repeating: "0", count: 6 - digits.utf8.count) + digits).utf8) + [0, 0x20]
        )
    }

    private static func padded(_ bytes: [UInt8]) -> [UInt8] { bytes + [UInt8](repeating: 0, count: -bytes.count & 511) }
}
