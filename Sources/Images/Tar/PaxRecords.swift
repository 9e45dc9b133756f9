import OCI

/// The records of PAX extended headers (POSIX.1-2001 pax), those that mean something to an unpacker.
struct PaxRecords {
    /// Only these keys are kept; the others are comments, or times that no layer uses.
    private static let known: Set<String> = ["path", "linkpath", "size", "uid", "gid", "mtime"]

    private(set) var values: [String: [UInt8]] = [:]
    /// SCHILY.xattr.* as they are.
    private(set) var xattrs: [String: [UInt8]] = [:]
    /// LIBARCHIVE.xattr.* decoded; bsdtar writes them beside the others, which win.
    private(set) var encodedXattrs: [String: [UInt8]] = [:]
    /// GNU.sparse.offset and GNU.sparse.numbytes of format 0.0, whose order counts.
    private(set) var sparseNumbers: [Int64] = []

    var isEmpty: Bool { values.isEmpty && xattrs.isEmpty && encodedXattrs.isEmpty && sparseNumbers.isEmpty }

    subscript(key: String) -> [UInt8]? { values[key] }

    /// What a local header makes of the global ones: its own records win, and an empty value takes one back.
    func merged(over global: PaxRecords) -> PaxRecords {
        if global.isEmpty { return self }
        var result = self
        result.values.merge(global.values) { own, _ in own }
        result.xattrs.merge(global.xattrs) { own, _ in own }
        result.encodedXattrs.merge(global.encodedXattrs) { own, _ in own }
        return result
    }

    /// A decimal number, or nil where there is no such record.
    func number(_ key: String) throws -> Int64? {
        guard let bytes = values[key], !bytes.isEmpty else { return nil }
        return try PaxRecords.decimal(bytes[...], key)
    }

    static func decimal(_ bytes: ArraySlice<UInt8>, _ key: String) throws -> Int64 {
        let isNegative = bytes.first == UInt8(ascii: "-")
        let digits = isNegative ? bytes.dropFirst() : bytes
        guard (1...18).contains(digits.count) else { throw corruptTar("its \(key) is not a number") }
        var value: Int64 = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { throw corruptTar("its \(key) is not a number") }
            value = value * 10 + Int64(digit - 0x30)
        }
        return isNegative ? -value : value
    }

    /// A time with a fraction, rounded towards the past so that nanoseconds are never negative.
    func time(_ key: String) throws -> (seconds: Int64, nanoseconds: Int32)? {
        guard let bytes = values[key], !bytes.isEmpty else { return nil }
        let point = bytes.firstIndex(of: UInt8(ascii: ".")) ?? bytes.endIndex
        let isNegative = bytes.first == UInt8(ascii: "-")
        var seconds = try PaxRecords.decimal(bytes[..<point], key)
        var nanoseconds: Int32 = 0
        var scale: Int32 = 100_000_000
        for digit in bytes[point...].dropFirst() {
            guard (0x30...0x39).contains(digit) else { throw corruptTar("its \(key) is not a number") }
            nanoseconds += Int32(digit - 0x30) * scale
            scale /= 10
        }
        if isNegative, nanoseconds > 0 {
            seconds -= 1
            nanoseconds = 1_000_000_000 - nanoseconds
        }
        return (seconds, nanoseconds)
    }

    /// Adds the records of one header's content: "LENGTH KEY=VALUE\n", LENGTH counting the whole record.
    mutating func parse(_ content: [UInt8]) throws {
        var rest = content[...]
        while !rest.isEmpty {
            // GNU and Go stop at padding; libarchive writes none.
            guard let space = rest.prefix(20).firstIndex(of: 0x20) else {
                throw corruptTar("a PAX record has no length")
            }
            let length = try PaxRecords.decimal(rest[..<space], "PAX record length")
            guard length > space - rest.startIndex + 1, length <= rest.count else {
                throw corruptTar("a PAX record's length is wrong")
            }
            let record = rest[(space + 1)..<(rest.startIndex + Int(length))]
            rest = rest[record.endIndex...]
            guard record.last == 0x0a, let equals = record.firstIndex(of: UInt8(ascii: "=")), equals > record.startIndex
            else { throw corruptTar("a PAX record is not KEY=VALUE") }
            let key = record[..<equals]
            if key.contains(0) { throw corruptTar("a PAX key holds a NUL") }
            try add(String(decoding: key, as: UTF8.self), Array(record[(equals + 1)...].dropLast()))
        }
    }

    private mutating func add(_ key: String, _ value: [UInt8]) throws {
        if PaxRecords.known.contains(key) {
            // The same bytes must not mean one name here and a shorter one to the kernel.
            if value.contains(0) { throw corruptTar("its \(key) holds a NUL") }
            values[key] = value
        } else if key.hasPrefix("SCHILY.xattr.") {
            xattrs[String(key.dropFirst(13))] = value
        } else if key.hasPrefix("LIBARCHIVE.xattr.") {
            guard let name = PaxRecords.percentDecoded(key.dropFirst(17)), let value = Base64.decode(unpadded: value)
            else {
                throw corruptTar("an extended attribute is not encoded as libarchive does")
            }
            encodedXattrs[name] = value
        } else if key == "GNU.sparse.offset" || key == "GNU.sparse.numbytes" {
            let isOffset = key == "GNU.sparse.offset"
            guard isOffset == sparseNumbers.count.isMultiple(of: 2) else {
                throw corruptTar("its sparse map is out of order")
            }
            sparseNumbers.append(try PaxRecords.decimal(value[...], key))
        } else if key.hasPrefix("GNU.sparse.") {
            if value.contains(0) { throw corruptTar("its \(key) holds a NUL") }
            values[key] = value
        }
    }

    /// A name with an encoded NUL is none; what is not UTF-8 is repaired. A NUL that stands there plainly was refused before.
    private static func percentDecoded(_ text: Substring) -> String? {
        guard let bytes = PercentEncoding.bytes(text), !bytes.contains(0) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What the global headers of an archive say of every member behind them.
///
/// Every member pays for it: a header of 1 MiB with 40,000 attributes would cost each of a million members 0.1 s. And readers
/// do not agree on it: Go's, which all engines have that came before, takes none of it, python's and GNU tar take all. So what
/// would make another archive of the same bytes is refused; owners, times and a few attributes are taken. Nearly all that is
/// ever there is a comment (`git archive`).
struct PaxGlobals {
    /// Bytes of global headers in all.
    private static let limit = 1 << 20
    /// Attributes in them, and bytes of these: more would make a large image of many empty files.
    private static let attributes = (count: 16, bytes: 4096)

    private(set) var records = PaxRecords()
    private var bytes = 0

    /// Takes one more global header's content.
    mutating func add(_ content: [UInt8]) throws {
        bytes += content.count
        if bytes > PaxGlobals.limit { throw EngineError(.invalid, "the archive has too many global headers") }
        var added = PaxRecords()
        try added.parse(content)
        if added.isEmpty { return }
        records = added.merged(over: records)
        if let key = records.values.keys.sorted().first(where: { !["uid", "gid", "mtime"].contains($0) }) {
            throw EngineError(.unsupported, "the archive has a global header with \"\(key)\"")
        }
        guard added.sparseNumbers.isEmpty else {
            throw EngineError(.unsupported, "the archive has a global header with a sparse map")
        }
        let kept = Array(records.xattrs) + Array(records.encodedXattrs)
        let size = kept.reduce(0) { $0 + $1.key.utf8.count + $1.value.count }
        guard kept.count <= PaxGlobals.attributes.count, size <= PaxGlobals.attributes.bytes else {
            throw EngineError(.invalid, "the archive has global headers with too many attributes")
        }
    }
}
