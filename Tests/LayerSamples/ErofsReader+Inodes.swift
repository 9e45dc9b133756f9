import CLinux

extension ErofsReader {
    /// An inode as it stands in the image, before its data are read.
    struct Inode {
        let number: UInt64
        var node: LayerNode
        /// 0: blocks of its own; 2: the rest behind the inode; 4: chunks.
        let layout: UInt64
        /// The first block, the device, or the size of the chunks.
        let place: UInt64
        let size: Int
        /// Where what follows inode and attributes begins.
        let end: Int
    }

    mutating func readInode(_ number: UInt64) throws(ErofsFault) -> Inode {
        guard number < UInt64(bytes.count / 32) else { throw ErofsFault("an inode lies behind the image's end") }
        let offset = Int(number) * 32
        let format = try self.number(offset, 2)
        let layout = format >> 1
        guard format & 1 == 1, [0, 2, 4].contains(layout) else { throw ErofsFault("an inode of format \(format)") }
        let count = Int(try self.number(offset + 2, 2))
        let attributes = count == 0 ? 0 : 12 + (count - 1) * 4
        var node = LayerNode(mode: UInt16(try self.number(offset + 4, 2)))
        let size = try self.number(offset + 8, 8)
        guard size <= 1 << 60 else { throw ErofsFault("a file of \(size) bytes") }
        node.uid = UInt32(try self.number(offset + 24, 4))
        node.gid = UInt32(try self.number(offset + 28, 4))
        node.seconds = Int64(bitPattern: try self.number(offset + 32, 8))
        node.nanoseconds = UInt32(try self.number(offset + 40, 4))
        node.links = UInt32(try self.number(offset + 44, 4))
        guard node.nanoseconds < 1_000_000_000 else { throw ErofsFault("a time with \(node.nanoseconds) ns") }
        guard try self.number(offset + 6, 2) == 0, try self.number(offset + 48, 8) == 0,
            try self.number(offset + 56, 8) == 0
        else { throw ErofsFault("something stands in an inode's reserved fields") }
        var length = 64 + attributes
        let tail = layout == 2 ? Int(size % UInt64(Self.blockSize)) : 0
        if layout == 2 {
            // The kernel reads both from one block.
            guard tail > 0, offset % Self.blockSize + length + tail <= Self.blockSize else {
                throw ErofsFault("a tail crosses a block's end")
            }
        }
        let end = offset + length
        let place = try self.number(offset + 16, 4)
        if layout == 4 { length += try chunkCount(size, place) * 4 }
        try take(offset, length + tail, "an inode")
        countInode()
        node.attributes = try readAttributes(offset + 64, attributes)
        return Inode(number: number, node: node, layout: layout, place: place, size: Int(size), end: end)
    }

    private func chunkCount(_ size: UInt64, _ format: UInt64) throws(ErofsFault) -> Int {
        guard format < 32 else { throw ErofsFault("chunks of format \(format)") }
        let chunk = UInt64(Self.blockSize) << format
        let count = (size + chunk - 1) / chunk
        guard count <= UInt64(bytes.count / 4) else { throw ErofsFault("more chunks than the image has room for") }
        return Int(count)
    }

    // MARK: Attributes

    private func readAttributes(_ start: Int, _ size: Int) throws(ErofsFault) -> [String: [UInt8]] {
        if size == 0 { return [:] }
        // No filter, nothing shared.
        guard size > 12, try number(start, 8) == 0, try number(start + 8, 4) == 0 else {
            throw ErofsFault("shared attributes or a filter of names")
        }
        let prefixes: [UInt8: String] = [
            1: "user.", 2: "system.posix_acl_access", 3: "system.posix_acl_default", 4: "trusted.", 6: "security.",
        ]
        var values: [String: [UInt8]] = [:]
        var at = start + 12
        let end = start + size
        while at < end {
            guard at + 4 <= end else { throw ErofsFault("an attribute is cut off") }
            let name = at + 4..<at + 4 + Int(bytes[at])
            let value = name.upperBound..<name.upperBound + Int(try number(at + 2, 2))
            guard value.upperBound <= end, let prefix = prefixes[bytes[at + 1]] else {
                throw ErofsFault("an attribute is cut off or has an unknown prefix")
            }
            let text = prefix + String(decoding: bytes[name], as: UTF8.self)
            guard values.updateValue(Array(bytes[value]), forKey: text) == nil else {
                throw ErofsFault("\(text) twice")
            }
            at = (value.upperBound + 3) & ~3
        }
        guard at == end else { throw ErofsFault("attributes end elsewhere") }
        return values
    }

    // MARK: Data

    /// What a file, link or device has beside its inode.
    mutating func readContent(of inode: Inode, into node: inout LayerNode) throws(ErofsFault) {
        switch node.type {
        case S_IFREG:
            node.size = Int64(inode.size)
            if inode.layout == 4 { return try readChunks(of: inode, into: &node) }
            let content = try data(of: inode)
            for start in stride(from: 0, to: content.count, by: Self.blockSize) {
                node.setPage(
                    Int64(start / Self.blockSize),
                    Array(content[start..<min(start + Self.blockSize, content.count)])
                )
            }
        case S_IFLNK:
            guard inode.size > 0, inode.size < Self.blockSize else { throw ErofsFault("a link of \(inode.size) bytes") }
            node.target = Array(try data(of: inode))
            guard !node.target.contains(0) else { throw ErofsFault("a link's target holds a NUL") }
        case S_IFCHR, S_IFBLK:
            guard inode.size == 0, inode.layout == 0 else { throw ErofsFault("a device with data") }
            // new_decode_dev() of the kernel.
            node.major = UInt32(inode.place >> 8 & 0xfff)
            node.minor = UInt32(inode.place & 0xff | inode.place >> 12 & 0xfff00)
        case S_IFIFO:
            guard inode.size == 0, inode.layout == 0, inode.place == 0 else { throw ErofsFault("a pipe with data") }
        default: throw ErofsFault("a file of unknown type")
        }
    }

    /// Blocks, and what stands behind the inode.
    mutating func data(of inode: Inode) throws(ErofsFault) -> [UInt8] {
        guard inode.layout != 4 else { throw ErofsFault("chunks that no file has") }
        let tail = inode.layout == 2 ? inode.size % Self.blockSize : 0
        let whole = inode.size - tail
        var content = try block(inode.place, whole)
        content += bytes[inode.end..<inode.end + tail]
        return content
    }

    /// Bytes from the start of a block on; up to the last block's end there are only zeros behind them.
    private mutating func block(_ number: UInt64, _ count: Int) throws(ErofsFault) -> [UInt8] {
        if count == 0 { return [] }
        guard count <= bytes.count, number > 0, number < UInt64(bytes.count / Self.blockSize) else {
            throw ErofsFault("data outside of the image")
        }
        let start = Int(number) * Self.blockSize
        let end = start + (count + Self.blockSize - 1) / Self.blockSize * Self.blockSize
        try take(start, end - start, "data")
        guard bytes[start + count..<end].allSatisfy({ $0 == 0 }) else {
            throw ErofsFault("something behind a file's end")
        }
        return Array(bytes[start..<start + count])
    }

    private mutating func readChunks(of inode: Inode, into node: inout LayerNode) throws(ErofsFault) {
        noteChunks()
        let chunk = Self.blockSize << Int(inode.place)
        for index in 0..<(try chunkCount(UInt64(inode.size), inode.place)) {
            let place = try number(inode.end + index * 4, 4)
            if place == UInt64(UInt32.max) { continue }
            let content = try block(place, min(chunk, inode.size - index * chunk))
            for start in stride(from: 0, to: content.count, by: Self.blockSize) {
                node.setPage(
                    Int64((index * chunk + start) / Self.blockSize),
                    Array(content[start..<min(start + Self.blockSize, content.count)])
                )
            }
        }
    }

    // MARK: Folders

    struct Entry {
        let name: [UInt8]
        let inode: UInt64
        let type: UInt8
    }

    /// A folder's entries, which must be sorted, with both dots.
    mutating func folder(_ inode: Inode) throws(ErofsFault) -> [Entry] {
        let content = try data(of: inode)
        var entries: [Entry] = []
        for start in stride(from: 0, to: content.count, by: Self.blockSize) {
            try entries += Self.entries(content[start..<min(start + Self.blockSize, content.count)])
        }
        for (one, next) in zip(entries, entries.dropFirst()) where !one.name.lexicographicallyPrecedes(next.name) {
            throw ErofsFault("a folder is not sorted")
        }
        let dots = entries.count { $0.name == [0x2e] || $0.name == [0x2e, 0x2e] }
        guard dots == 2 else { throw ErofsFault("a folder without its dots") }
        return entries
    }

    private static func entries(_ block: ArraySlice<UInt8>) throws(ErofsFault) -> [Entry] {
        func number(_ offset: Int, _ count: Int) -> UInt64 {
            block[block.startIndex + offset..<block.startIndex + offset + count].reversed()
                .reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard block.count >= 12 else { throw ErofsFault("a folder's block is cut off") }
        // The names begin behind the last entry, so that the first name's place tells their number.
        let first = Int(number(8, 2))
        guard first >= 12, first.isMultiple(of: 12), first <= block.count else {
            throw ErofsFault("names lie elsewhere")
        }
        var entries: [Entry] = []
        var place = first
        for index in 0..<first / 12 {
            guard Int(number(index * 12 + 8, 2)) == place, number(index * 12 + 11, 1) == 0 else {
                throw ErofsFault("names do not follow each other")
            }
            let isLast = index == first / 12 - 1
            let end = isLast ? block.count : Int(number(index * 12 + 20, 2))
            guard end >= place, end <= block.count else { throw ErofsFault("a name lies elsewhere") }
            var name = block[block.startIndex + place..<block.startIndex + end]
            // Of a whole block what is left is zeros.
            if isLast, let zero = name.firstIndex(of: 0) {
                guard name[zero...].allSatisfy({ $0 == 0 }) else { throw ErofsFault("something behind the last name") }
                name = name[..<zero]
            }
            guard (1...255).contains(name.count), !name.contains(0), !name.contains(UInt8(ascii: "/")) else {
                throw ErofsFault("an impossible name")
            }
            entries.append(
                Entry(name: Array(name), inode: number(index * 12, 8), type: UInt8(number(index * 12 + 10, 1)))
            )
            place = end
        }
        return entries
    }
}
