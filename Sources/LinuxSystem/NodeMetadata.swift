import CLinux

/// Owner, mode, time and extended attributes of a file: what is copied when a file or folder gets a second inode.
package struct NodeMetadata: Sendable {
    package let status: FileStatus
    package let attributes: [(name: String, value: [UInt8])]

    /// Of an open file, O_PATH or not; `keep` chooses the attributes.
    package static func of(_ file: CInt, keep: (String) -> Bool) throws(SystemError) -> NodeMetadata {
        var status = stat()
        try retrying("reading the status of a descriptor") { fstat(file, &status) }
        var attributes: [(name: String, value: [UInt8])] = []
        for name in try PathAttributes.names(of: file) where keep(name) {
            if let value = try PathAttributes.value(name, of: file) { attributes.append((name, value)) }
        }
        return NodeMetadata(status: FileStatus(status), attributes: attributes)
    }

    /// Gives an open file or folder (not O_PATH) this owner, then this mode (chown(2) clears setuid), then the
    /// attributes (chown clears security.capability), then the time.
    package func apply(to file: CInt) throws(SystemError) {
        try retrying("changing the owner") { fchown(file, status.owner, status.group) }
        try retrying("changing the mode") { fchmod(file, status.mode) }
        for (name, value) in attributes { try ExtendedAttributes.set(name, to: value, on: file) }
        let times = [status.modified, status.modified]
        try retrying("changing the time") { futimens(file, times) }
    }
}

/// Extended attributes through /proc/self/fd: for O_PATH descriptors, symbolic links and device nodes too.
package enum PathAttributes {
    private static func path(_ file: CInt) -> String { "/proc/self/fd/\(file)" }

    package static func names(of file: CInt) throws(SystemError) -> [String] {
        let size = listxattr(path(file), nil, 0)
        if size < 0, errno == ENOTSUP { return [] }
        try retrying("listing extended attributes") { size }
        if size == 0 { return [] }
        var bytes = [CChar](repeating: 0, count: size + 256)
        let count = try retrying("listing extended attributes") { listxattr(path(file), &bytes, bytes.count) }
        return bytes[..<count].split(separator: 0).map {
            String(decoding: $0.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
    }

    /// The value, or nil if the file has no such attribute.
    package static func value(_ name: String, of file: CInt) throws(SystemError) -> [UInt8]? {
        let size = getxattr(path(file), name, nil, 0)
        if size < 0, errno == ENODATA || errno == ENOTSUP { return nil }
        try retrying("reading attribute \(name)") { size }
        var bytes = [UInt8](repeating: 0, count: size)
        let count = try retrying("reading attribute \(name)") { getxattr(path(file), name, &bytes, bytes.count) }
        return Array(bytes[..<count])
    }
}
