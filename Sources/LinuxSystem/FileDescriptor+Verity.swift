import CLinux

/// fs-verity (Documentation/filesystems/fsverity.rst): a file that cannot change any more, and whose every block the
/// kernel checks when it reads it from the disk.
extension FileDescriptor {
    /// Protects a file that nobody has open for writing; false where the file system or the kernel has no fs-verity.
    package func enableVerity() throws(SystemError) -> Bool {
        if linux_enable_verity(raw) == 0 { return true }
        guard errno == ENOTTY || errno == EOPNOTSUPP else { throw SystemError("protecting a file by fs-verity") }
        return false
    }

    /// The digest of a protected file (SHA-256 of the descriptor that holds the root of its hash tree), without reading
    /// the file; nil for one that is not protected.
    package func verityDigest() throws(SystemError) -> [UInt8]? {
        var digest = [UInt8](repeating: 0, count: 32)
        if linux_measure_verity(raw, &digest) == 0 { return digest }
        guard errno == ENODATA || errno == ENOTTY || errno == EOPNOTSUPP else {
            throw SystemError("measuring a file by fs-verity")
        }
        return nil
    }
}
