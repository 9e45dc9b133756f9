import CLinux

/// How many descriptors this process may have (RLIMIT_NOFILE, its soft value).
package enum OpenFiles {
    /// As it was when it was first asked for; one that cannot be read counts as 1024.
    package static let limit: Int = {
        let limit = sysconf(CInt(_SC_OPEN_MAX))
        return limit < 1 ? 1024 : limit
    }()
}
