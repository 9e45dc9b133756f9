import CLinux

/// Extended attributes of open files (xattr(7)). An O_PATH descriptor goes through /proc/self/fd, as the kernel refuses
/// the f-calls on it.
package enum ExtendedAttributes {
    /// The names on a file that was opened without O_PATH.
    package static func names(_ file: CInt) throws(SystemError) -> [String] {
        var size = flistxattr(file, nil, 0)
        if size < 0, errno == ENOTSUP { return [] }
        try retrying("listing extended attributes") { size }
        if size == 0 { return [] }
        var bytes = [CChar](repeating: 0, count: size + 256)
        size = try retrying("listing extended attributes") { flistxattr(file, &bytes, bytes.count) }
        return bytes[..<size].split(separator: 0).map {
            String(decoding: $0.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }

    /// The value, or nil if the file has no such attribute.
    package static func value(_ name: String, of file: CInt) throws(SystemError) -> [UInt8]? {
        var size = fgetxattr(file, name, nil, 0)
        if size < 0, errno == ENODATA || errno == ENOTSUP { return nil }
        try retrying("reading attribute \(name)") { size }
        var bytes = [UInt8](repeating: 0, count: size)
        size = try retrying("reading attribute \(name)") { fgetxattr(file, name, &bytes, bytes.count) }
        return Array(bytes[..<size])
    }

    /// fsetxattr(2).
    package static func set(_ name: String, to value: [UInt8], on file: CInt) throws(SystemError) {
        try retrying("setting attribute \(name)") { fsetxattr(file, name, value, value.count, 0) }
    }
}
