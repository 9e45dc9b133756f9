import CLinux
import LinuxSystem

/// Extended attributes as they follow an inode: a header of 12 bytes, then the entries, each padded to 4 bytes.
enum ErofsAttributes {
    private static let headerSize = 12
    /// EROFS_XATTR_INDEX_*: the prefixes that a number stands for. Others cannot be written.
    static let prefixes: [(name: String, index: UInt8)] = [
        ("user.", 1), ("system.posix_acl_access", 2), ("system.posix_acl_default", 3), ("trusted.", 4),
        ("security.", 6),
    ]

    /// Whether the form has a place for such a name at all.
    static func knows(_ name: String) -> Bool { prefixes.contains { name.hasPrefix($0.name) } }

    /// Encodes attributes, sorted by name, so that their order in an archive does not change the image.
    /// - Throws: SystemError as setxattr(2) would: ERANGE for a name, E2BIG for a value, ENOSPC for too many.
    static func encode(_ attributes: [(name: String, value: [UInt8])]) throws(SystemError) -> [UInt8] {
        if attributes.isEmpty { return [] }
        var bytes = LittleEndian(capacity: 128)
        // Every name may be there (no filter), and no attribute is shared.
        bytes.append(zeros: headerSize)
        for (name, value) in attributes.sorted(by: { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }) {
            guard let prefix = prefixes.first(where: { name.hasPrefix($0.name) }) else { continue }
            let rest = Array(name.utf8.dropFirst(prefix.name.utf8.count))
            let isACL = prefix.index == 2 || prefix.index == 3
            func failure(_ code: CInt) -> SystemError { SystemError("setting attribute \(name) of", code: code) }
            if isACL && !rest.isEmpty { continue }
            if !isACL && rest.isEmpty { throw failure(EINVAL) }
            if name.utf8.count > ErofsFormat.nameLimit { throw failure(ERANGE) }
            // XATTR_SIZE_MAX is one more than the entry can say.
            if value.count > Int(UInt16.max) { throw failure(E2BIG) }
            bytes.append(UInt8(rest.count))
            bytes.append(prefix.index)
            bytes.append(UInt16(value.count))
            bytes.append(rest)
            bytes.append(value)
            bytes.append(zeros: -bytes.bytes.count & 3)
        }
        if bytes.bytes.count == headerSize { return [] }
        if (bytes.bytes.count - headerSize) / 4 + 1 > Int(UInt16.max) {
            throw SystemError("setting the attributes of", code: ENOSPC)
        }
        return bytes.bytes
    }

    /// What the inode's i_xattr_icount says of encoded attributes.
    static func count(_ encoded: [UInt8]) -> Int { encoded.isEmpty ? 0 : (encoded.count - headerSize) / 4 + 1 }
}
