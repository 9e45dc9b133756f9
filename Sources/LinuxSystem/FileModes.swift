import CLinux

/// Modes of new files and folders.
package enum FileModes {
    /// What the caller's umask(2) was. From the first look at it on the process has its own: 022, so that what it makes has the
    /// modes that it is meant to have.
    private static let callers: mode_t = umask(0o022)

    /// Takes the process's own mask. Once, before anything is made and before a second thread exists.
    package static func useOwnMask() { _ = callers }

    /// The mode of a file that is made for the caller, who decides by the mask who else may read it.
    package static func forCaller(_ mode: mode_t) -> mode_t { mode & ~callers }
}
