import OCI

/// What extension headers said of the member that follows them.
struct TarExtensions {
    var pax: PaxRecords?
    var longName: [UInt8]?
    var longLink: [UInt8]?

    var isEmpty: Bool { pax == nil && longName == nil && longLink == nil }

    /// The name: GNU's long name wins over PAX, PAX over the header.
    func path(of header: TarHeader, _ pax: PaxRecords) throws -> [UInt8] {
        if let longName { return longName }
        if let name = pax["GNU.sparse.name"], !name.isEmpty { return name }
        if let path = pax["path"], !path.isEmpty { return path }
        return header.path
    }

    func linkTarget(of header: TarHeader, _ pax: PaxRecords) throws -> [UInt8] {
        if let longLink { return longLink }
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

    /// The extended attributes, sorted by name.
    static func xattrs(_ pax: PaxRecords) -> [(name: String, value: [UInt8])] {
        if pax.xattrs.isEmpty && pax.encodedXattrs.isEmpty { return [] }
        let all = pax.xattrs.merging(pax.encodedXattrs) { plain, _ in plain }
        return all.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map { (name: $0.key, value: $0.value) }
    }
}
