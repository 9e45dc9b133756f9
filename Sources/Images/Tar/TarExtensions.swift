import OCI

/// What extension headers said of the member that follows them.
struct TarExtensions {
    var pax: PaxRecords?
    var longName: [UInt8]?
    var longLink: [UInt8]?

    var isEmpty: Bool { pax == nil && longName == nil && longLink == nil }

    /// Takes PAX records. Of two headers for one member some readers take the last, some both, some none.
    mutating func take(pax records: PaxRecords) throws {
        guard pax == nil else { throw corruptTar("a member has two extended headers") }
        pax = records
    }

    /// The stored bytes of a member's content: of a file what PAX says, else the header.
    ///
    /// Only files have content, whatever the header's size of another kind says: this is what Go's reader does, and with it every
    /// engine that wrote or read layers before. A PAX size is written for what is too large for the header; with another kind, or
    /// empty, it would be read by each reader in its own way (CVE-2025-62518).
    static func size(of kind: TarEntry.Kind, _ header: TarHeader, _ pax: PaxRecords) throws -> Int64 {
        guard let size = try pax.number("size") else {
            if pax["size"] != nil { throw corruptTar("its size is empty") }
            return kind == .file ? try header.size() : 0
        }
        guard kind == .file || size == 0 else { throw corruptTar("a member that is no file has a PAX size") }
        return size
    }

    /// A volume's name has no content. Where its size says otherwise, some readers skip it and some do not.
    static func checkVolume(_ header: TarHeader) throws {
        guard try header.size() == 0 else { throw corruptTar("a volume's name has content") }
    }

    /// The name: GNU's long name wins over the header, and so does PAX; both only if they say the same.
    func path(of header: TarHeader, _ pax: PaxRecords) throws -> [UInt8] {
        if let longName {
            if let path = pax["path"], !path.isEmpty, path != longName { throw corruptTar("a member has two names") }
            return longName
        }
        if let name = pax["GNU.sparse.name"], !name.isEmpty { return name }
        if let path = pax["path"], !path.isEmpty { return path }
        return header.path
    }

    func linkTarget(of header: TarHeader, _ pax: PaxRecords) throws -> [UInt8] {
        if let longLink {
            if let target = pax["linkpath"], !target.isEmpty, target != longLink {
                throw corruptTar("a link has two targets")
            }
            return longLink
        }
        if let target = pax["linkpath"], !target.isEmpty { return target }
        return header.linkTarget
    }

    /// The kind that a type flag stands for.
    static func kind(of type: UInt8, path: [UInt8]) throws -> TarEntry.Kind {
        switch type {
        // v7 has no flag for folders, only the slash; "7" is a file that wants to be contiguous.
        case 0: return path.last == UInt8(ascii: "/") ? .directory : .file
        case UInt8(ascii: "0"), UInt8(ascii: "7"), UInt8(ascii: "S"): return .file
        case UInt8(ascii: "1"): return .hardlink
        case UInt8(ascii: "2"): return .symlink
        case UInt8(ascii: "3"): return .characterDevice
        case UInt8(ascii: "4"): return .blockDevice
        case UInt8(ascii: "5"): return .directory
        case UInt8(ascii: "6"): return .fifo
        default:
            let flag = (0x21...0x7e).contains(type) ? "'\(Character(Unicode.Scalar(type)))'" : "\(type)"
            throw EngineError(.unsupported, "the archive has an entry of unknown type \(flag)")
        }
    }

    /// A user, group or device number. -1 means "do not change" to chown(2) and is no number of anybody.
    static func id(_ value: Int64, _ what: String) throws -> UInt32 {
        guard let id = UInt32(exactly: value), id != UInt32.max else { throw corruptTar("its \(what) is out of range") }
        return id
    }

    /// Bytes of the names of all attributes that a file can have, each with a NUL (XATTR_LIST_MAX): of more, nobody could say
    /// which they are.
    private static let attributeNames = 1 << 16

    /// The extended attributes, sorted by name.
    static func xattrs(_ pax: PaxRecords) throws -> [(name: String, value: [UInt8])] {
        if pax.xattrs.isEmpty && pax.encodedXattrs.isEmpty { return [] }
        let all = pax.xattrs.merging(pax.encodedXattrs) { plain, _ in plain }
        let names = all.keys.reduce(0) { $0 + $1.utf8.count + 1 }
        guard names <= attributeNames else {
            throw EngineError(.invalid, "the archive has a file with too many attributes")
        }
        return all.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { (name: $0.key, value: $0.value) }
    }
}
