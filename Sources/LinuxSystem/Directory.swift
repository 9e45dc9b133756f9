import CLinux

/// Operations on open folders. Names are NUL-terminated bytes, because file names need not be UTF-8.
package enum Directory {
    package struct Entry: Sendable {
        /// The name with its terminating NUL: pass it where a C string is wanted.
        package let name: [CChar]
        /// DT_* of readdir(3); DT_UNKNOWN where the file system does not say.
        package let type: UInt8

        /// The name's bytes without the NUL.
        package var bytes: [UInt8] { name.dropLast().map(UInt8.init(bitPattern:)) }

        /// The name as text.
        package var text: String { String(rawBytes: bytes) }
    }

    /// The entries of an open folder, without "." and "..", in no order.
    package static func entries(_ directory: CInt) throws(SystemError) -> [Entry] {
        // A descriptor of its own: fdopendir takes it over, and its offset must not be shared with the caller's.
        let own = try FileDescriptor.openAt(directory, ".", O_RDONLY | O_DIRECTORY).release()
        guard let stream = fdopendir(own) else {
            let code = errno
            close(own)
            throw SystemError("listing a folder", code: code)
        }
        defer { closedir(stream) }
        var entries: [Entry] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw SystemError("listing a folder") }
                return entries
            }
            let type = entry.pointee.d_type
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { text in
                    Array(UnsafeBufferPointer(start: text, count: strlen(text) + 1))
                }
            }
            if name == [46, 0] || name == [46, 46, 0] { continue }
            entries.append(Entry(name: name, type: type))
        }
    }

    /// Removes everything in an open folder, staying on `device`: an entry on another device is a mount point, and the
    /// call fails with EBUSY there instead of emptying it. The descriptor's offset moves.
    package static func removeContents(_ directory: borrowing FileDescriptor, device: dev_t) throws(SystemError) {
        try retrying("removing what is in a folder") { linux_remove_contents(directory.raw, device) }
    }
}
