import CLinux

/// The descriptors that every process is started with; nobody here owns or closes them.
package enum StandardStream: CInt, Sendable {
    case input = 0
    case output = 1
    case error = 2

    /// Writes all of the text, in as many write(2) calls as it takes.
    package func write(_ text: String) throws(SystemError) { try write(Array(text.utf8)) }

    /// Writes all of the bytes.
    package func write(_ bytes: [UInt8]) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            done += try retrying("writing") {
                bytes.withUnsafeBytes { CLinux.write(rawValue, $0.baseAddress.map { $0 + done }, bytes.count - done) }
            }
        }
    }

    /// Reads to the end, at most 64 MiB.
    package func readAll() throws(SystemError) -> [UInt8] {
        let own = FileDescriptor(owning: try retrying("duplicating a descriptor") { linux_duplicate(rawValue, 3) })
        return try own.readAll()
    }
}
