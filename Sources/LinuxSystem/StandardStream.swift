import CLinux

/// The descriptors that every process is started with; nobody here owns or closes them.
package enum StandardStream: CInt, Sendable {
    case input = 0
    case output = 1
    case error = 2

    /// Puts /dev/null where the caller left one of the three closed, before another descriptor of ours gets its number and a
    /// program that is started takes that for its input.
    package static func openMissing() {
        for number: CInt in 0...2 where linux_fcntl(number, F_GETFD, 0) < 0 {
            // The lowest that is free: this one.
            _ = linux_openat(AT_FDCWD, "/dev/null", O_RDWR, 0)
        }
    }

    /// Writes all of the text, in as many write(2) calls as it takes: UTF-8, and the bytes that it stands for.
    package func write(_ text: String) throws(SystemError) { try write(text.rawBytes) }

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
