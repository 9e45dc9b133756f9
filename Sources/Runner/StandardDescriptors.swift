import CLinux
import LinuxSystem
import OCI

/// The caller's 0, 1 and 2, which a container inherits.
enum StandardDescriptors {
    /// Refuses what would be a door to the host: a folder (`fchdir`, and from there everything), a path descriptor, a block
    /// device. Missing ones are filled with /dev/null, so that nothing else ever becomes 0, 1 or 2.
    static func check() throws {
        for number: CInt in 0...2 {
            let flags = linux_fcntl(number, F_GETFL, 0)
            if flags < 0 {
                let null = open(number: number)
                guard null == number else { throw EngineError(.failed, "descriptor \(number) is closed") }
                continue
            }
            var status = stat()
            guard fstat(number, &status) == 0 else { throw SystemError("reading the status of descriptor \(number)") }
            let kind = status.st_mode & mode_t(S_IFMT)
            if flags & linux_o_path != 0 || kind == mode_t(S_IFDIR) || kind == mode_t(S_IFBLK) {
                throw EngineError(
                    .invalid,
                    "descriptor \(number) is a folder, a path or a block device: a container must not have it"
                )
            }
        }
    }

    private static func open(number: CInt) -> CInt {
        // Without O_CLOEXEC, as these are to be inherited; the lowest free number is the one that is missing.
        linux_openat(AT_FDCWD, "/dev/null", O_RDWR, 0)
    }

    /// Puts /dev/null in the place of our own 0 and 1.
    static func letGo(_ null: CInt) {
        dup2(null, 0)
        dup2(null, 1)
    }
}
