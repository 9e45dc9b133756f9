import OCI

/// Writes a tar archive whose bytes depend on its entries only: ustar, with PAX records where ustar has no room, laid
/// out byte for byte as Go's archive/tar does it (so that a layer has the digest that other engines would give it).
package final class TarWriter {
    private let sink: any ByteSink
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: streamBufferSize, alignment: 16)

    package init(_ sink: any ByteSink) { self.sink = sink }

    deinit { buffer.deallocate() }

    /// Writes one member. `content` must give exactly `entry.size` bytes for a file and is not read for other kinds. A
    /// sparse file is written in full: `content` gives its holes as zeros.
    package func append(_ entry: TarEntry, content: (any ByteSource)? = nil) throws {
        let size = entry.kind == .file ? entry.size : 0
        try writeHeaders(entry, size: size)
        guard size > 0 else { return }
        guard let content else { throw EngineError(.invalid, "writing \(entry.name): it has no content") }
        var left = size
        while left > 0 {
            let count = try content.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, Int(left))])
            )
            if count == 0 { throw EngineError(.failed, "reading \(entry.name): it became shorter while it was read") }
            try sink.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            left -= Int64(count)
        }
        try pad(size)
    }

    /// Writes the two zero blocks that end an archive.
    package func finish() throws { try sink.write([UInt8](repeating: 0, count: 2 * TarHeader.size)) }

    private func pad(_ size: Int64) throws {
        let rest = Int(size & 511)
        if rest != 0 { try sink.write([UInt8](repeating: 0, count: TarHeader.size - rest)) }
    }

    private func writeHeaders(_ entry: TarEntry, size: Int64) throws {
        let records = try TarWriter.records(for: entry, size: size)
        var header = HeaderBlock()
        if !records.isEmpty {
            let content = TarWriter.encode(records)
            header.setText(TarWriter.ascii(TarWriter.paxName(entry.path)), at: 0, size: 100, trimSlash: true)
            for (offset, size) in [(100, 8), (108, 8), (116, 8), (136, 12)] {
                header.setOctal(0, at: offset, size: size)
            }
            header.setOctal(Int64(content.count), at: 124, size: 12)
            header.finish(type: UInt8(ascii: "x"))
            try sink.write(header.bytes)
            try sink.write(content)
            try pad(Int64(content.count))
            header = HeaderBlock()
        }
        var name = entry.path
        if records.isEmpty, let split = TarWriter.split(entry.path) {
            header.setText(Array(entry.path[..<split]), at: 345, size: 155)
            name = Array(entry.path[(split + 1)...])
        }
        header.setText(TarWriter.ascii(name), at: 0, size: 100)
        header.setOctal(Int64(entry.mode), at: 100, size: 8)
        header.setOctal(Int64(entry.uid), at: 108, size: 8)
        header.setOctal(Int64(entry.gid), at: 116, size: 8)
        header.setOctal(size, at: 124, size: 12)
        header.setOctal(entry.mtime, at: 136, size: 12)
        header.setText(TarWriter.ascii(entry.linkTarget), at: 157, size: 100)
        header.setOctal(Int64(entry.major), at: 329, size: 8)
        header.setOctal(Int64(entry.minor), at: 337, size: 8)
        header.finish(type: TarWriter.type(entry.kind))
        try sink.write(header.bytes)
    }

    private static func type(_ kind: TarEntry.Kind) -> UInt8 {
        switch kind {
        case .file: UInt8(ascii: "0")
        case .hardlink: UInt8(ascii: "1")
        case .symlink: UInt8(ascii: "2")
        case .characterDevice: UInt8(ascii: "3")
        case .blockDevice: UInt8(ascii: "4")
        case .directory: UInt8(ascii: "5")
        case .fifo: UInt8(ascii: "6")
        }
    }

    // MARK: PAX

    /// The records that an entry needs because ustar cannot say it, sorted by key.
    private static func records(for entry: TarEntry, size: Int64) throws -> [(key: String, value: [UInt8])] {
        var records: [(key: String, value: [UInt8])] = []
        func add(_ key: String, _ value: some CustomStringConvertible) {
            records.append((key, Array(value.description.utf8)))
        }
        if entry.path.contains(0) || entry.linkTarget.contains(0) || entry.path.isEmpty {
            throw EngineError(.invalid, "\"\(entry.name)\" cannot be a name in a tar archive")
        }
        var fitsUstar = true
        if !fits(entry.path) {
            records.append(("path", entry.path))
            fitsUstar = split(entry.path) != nil
        }
        if !fits(entry.linkTarget) { records.append(("linkpath", entry.linkTarget)) }
        if entry.uid >= 1 << 21 { add("uid", entry.uid) }
        if entry.gid >= 1 << 21 { add("gid", entry.gid) }
        if size >= 1 << 33 { add("size", size) }
        if entry.mtimeNanoseconds != 0 || !(0..<(1 << 33)).contains(entry.mtime) {
            records.append(("mtime", time(entry.mtime, entry.mtimeNanoseconds)))
        }
        for (name, value) in entry.xattrs {
            guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "=")), !name.utf8.contains(0) else {
                throw EngineError(
                    .unsupported,
                    "the attribute name \"\(name)\" of \(entry.name) does not fit into a tar archive"
                )
            }
            records.append(("SCHILY.xattr." + name, value))
        }
        // A long name alone is split into the two fields of ustar.
        if fitsUstar, records.count == 1, records[0].key == "path" { return [] }
        return records.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    /// Whether a name fits into a field of 100 bytes as it is.
    private static func fits(_ name: [UInt8]) -> Bool { name.count <= 100 && name.allSatisfy { $0 < 0x80 } }

    /// Where a long name is cut into prefix and name: the index of the slash between them.
    private static func split(_ path: [UInt8]) -> Int? {
        guard path.count > 100, path.allSatisfy({ $0 < 0x80 }) else { return nil }
        var length = path.count
        if length > 156 { length = 156 } else if path[length - 1] == UInt8(ascii: "/") { length -= 1 }
        guard let slash = path[..<length].lastIndex(of: UInt8(ascii: "/")), slash > 0 else { return nil }
        let nameLength = path.count - slash - 1
        return (1...100).contains(nameLength) && slash <= 155 ? slash : nil
    }

    /// Seconds with a fraction; the fraction of a negative time counts from zero downwards.
    private static func time(_ seconds: Int64, _ nanoseconds: Int32) -> [UInt8] {
        if nanoseconds == 0 { return Array(String(seconds).utf8) }
        let isNegative = seconds < 0
        // -1 s + 0.25e9 ns is -0.75.
        let whole = isNegative ? -(seconds + 1) : seconds
        let fraction = isNegative ? 1_000_000_000 - nanoseconds : nanoseconds
        var digits = String(fraction)
        digits = String(repeating: "0", count: 9 - digits.utf8.count) + digits
        while digits.hasSuffix("0") { digits.removeLast() }
        return Array("\(isNegative ? "-" : "")\(whole).\(digits)".utf8)
    }

    /// "LENGTH KEY=VALUE\n", where LENGTH counts its own digits too.
    private static func encode(_ records: [(key: String, value: [UInt8])]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (key, value) in records {
            let rest = key.utf8.count + value.count + 3
            var length = rest + String(rest).utf8.count
            length = rest + String(length).utf8.count
            bytes += Array("\(length) \(key)=".utf8) + value + [0x0a]
        }
        return bytes
    }

    /// "folder/PaxHeaders.0/name".
    private static func paxName(_ path: [UInt8]) -> [UInt8] {
        var parts = path.split(separator: UInt8(ascii: "/")).map(Array.init)
        let isAbsolute = path.first == UInt8(ascii: "/")
        // Go cleans the name: "." vanishes, ".." takes its folder with it.
        let isFolder = path.last == UInt8(ascii: "/")
        let last = isFolder ? [] : (parts.popLast() ?? [])
        var clean: [[UInt8]] = []
        for part in parts + [Array("PaxHeaders.0".utf8), last] where !part.isEmpty && part != [0x2e] {
            if part == [0x2e, 0x2e], let before = clean.last, before != part {
                clean.removeLast()
            } else if part != [0x2e, 0x2e] || !isAbsolute {
                clean.append(part)
            }
        }
        return (isAbsolute ? [UInt8(ascii: "/")] : []) + Array(clean.joined(separator: [UInt8(ascii: "/")]))
    }

    /// Without the bytes that are not ASCII, which old readers could not print.
    private static func ascii(_ bytes: [UInt8]) -> [UInt8] {
        bytes.allSatisfy { $0 < 0x80 } ? bytes : bytes.filter { $0 < 0x80 }
    }
}

/// A header block being filled in.
private struct HeaderBlock {
    private(set) var bytes = [UInt8](repeating: 0, count: TarHeader.size)

    /// A text, cut to the field where a PAX record has it in full.
    mutating func setText(_ text: [UInt8], at offset: Int, size: Int, trimSlash: Bool = false) {
        let isCut = text.count > size
        var text = text.prefix(size)
        // A cut name that ends in a slash would be read as a folder.
        if trimSlash || isCut { while text.last == UInt8(ascii: "/"), text.count > 1 { text.removeLast() } }
        bytes.replaceSubrange(offset..<offset + text.count, with: text)
    }

    /// Zero-padded octal digits and a NUL; 0 where a PAX record has the number.
    mutating func setOctal(_ value: Int64, at offset: Int, size: Int) {
        let digits = size - 1
        let fits = value >= 0 && value < 1 << Int64(digits * 3)
        var rest = fits ? value : 0
        for index in stride(from: digits - 1, through: 0, by: -1) {
            bytes[offset + index] = 0x30 + UInt8(rest & 7)
            rest >>= 3
        }
        bytes[offset + digits] = 0
    }

    /// Adds the magic, the type and the checksum.
    mutating func finish(type: UInt8) {
        bytes[156] = type
        bytes.replaceSubrange(257..<265, with: Array("ustar\u{0}00".utf8))
        bytes.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
        let sum = bytes.reduce(0) { $0 + Int64($1) }
        setOctal(sum, at: 148, size: 7)
        bytes[155] = 0x20
    }
}
